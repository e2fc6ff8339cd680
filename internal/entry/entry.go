// Package entry is the form of a log entry and of what a sealed one says (DESIGN.md, "Formats", Entry). It
// parses bytes from peers: every length is checked before it is used, and nothing is copied that was not
// measured.
package entry

import (
	"encoding/binary"
	"fmt"

	"shieldwall/internal/roster"
)

// Max is the largest entry in bytes: the length that fits C2SP tlog-tiles' entry bundles.
const Max = 65535

// HeaderSize is the length of an entry's header in bytes.
const HeaderSize = 18

// WrapSize is the length of a wrap's body: HPKE's encapsulated key (1,120 bytes) and a sealed epoch key (48).
const WrapSize = 1120 + 48

// Overhead is what sealing adds to a padded payload: nonce 12, tag 16.
const Overhead = 28

// version is the entry format spoken here.
const version = 1

// Kind says what an entry is.
type Kind uint8

// The kinds of entries.
const (
	KindOpen   Kind = 1 // opens a log; always entry 0
	KindEpoch  Kind = 2 // opens an epoch of an audience
	KindWrap   Kind = 3 // an epoch key for one reader
	KindSealed Kind = 4 // a payload for the epoch's readers
	KindClear  Kind = 5 // a payload for everyone
)

// Header is the part of an entry that is authenticated with its body.
type Header struct {
	Kind       Kind
	Epoch      uint64
	Dictionary [8]byte // first bytes of the zstd dictionary's SHA-256; zero = none
}

// Entry is a parsed entry; Body shares the memory of what was parsed.
type Entry struct {
	Header
	Body []byte
}

// Append appends the header's 18 bytes.
func (h Header) Append(b []byte) []byte {
	b = append(b, version, byte(h.Kind))
	b = binary.BigEndian.AppendUint64(b, h.Epoch)
	return append(b, h.Dictionary[:]...)
}

// Bytes is the whole entry. What Parse would refuse is not made.
func (e Entry) Bytes() ([]byte, error) {
	if n := HeaderSize + len(e.Body); n > Max {
		return nil, fmt.Errorf("an entry of %d bytes is over the limit of %d", n, Max)
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return append(e.Append(make([]byte, 0, HeaderSize+len(e.Body))), e.Body...), nil
}

// Parse splits an entry. Of the body only the length is looked at.
func Parse(raw []byte) (Entry, error) {
	if len(raw) > Max {
		return Entry{}, fmt.Errorf("an entry of %d bytes is over the limit of %d", len(raw), Max)
	}
	if len(raw) < HeaderSize {
		return Entry{}, fmt.Errorf("an entry of %d bytes has no header", len(raw))
	}
	if raw[0] != version {
		return Entry{}, fmt.Errorf("entry format %d is not known here", raw[0])
	}
	e := Entry{Header{Kind: Kind(raw[1]), Epoch: binary.BigEndian.Uint64(raw[2:10]), Dictionary: [8]byte(raw[10:18])}, raw[HeaderSize:]}
	if err := e.check(); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// bodySize is the least and the greatest length of a body of that kind; most is 0 where the kind is not known.
func bodySize(k Kind) (least, most int) {
	switch k {
	case KindOpen:
		return 1, MaxOpen
	case KindEpoch:
		return epochSize, epochSize
	case KindWrap:
		return WrapSize, WrapSize
	case KindSealed:
		return Overhead + minPadded, Max - HeaderSize
	case KindClear:
		return frameHead, Max - HeaderSize
	}
	return 0, 0
}

// check checks the header's fields against one another and the body's length.
func (e Entry) check() error {
	least, most := bodySize(e.Kind)
	if most == 0 {
		return fmt.Errorf("entry kind %d is not known here", e.Kind)
	}
	inEpoch := e.Kind == KindEpoch || e.Kind == KindWrap || e.Kind == KindSealed
	if inEpoch != (e.Epoch != 0) {
		return fmt.Errorf("an entry of kind %d with epoch %d", e.Kind, e.Epoch)
	}
	packed := e.Kind == KindSealed || e.Kind == KindClear
	if !packed && e.Dictionary != [8]byte{} {
		return fmt.Errorf("an entry of kind %d with a dictionary", e.Kind)
	}
	if n := len(e.Body); n < least || n > most {
		return fmt.Errorf("an entry of kind %d with a body of %d bytes, not %d to %d", e.Kind, n, least, most)
	}
	return nil
}

// AAD binds a sealed body to its header and its place.
func AAD(h Header, log string, index uint64) []byte {
	b := h.Append(make([]byte, 0, HeaderSize+2+len(log)+8))
	b = AppendStr16(b, log)
	return binary.BigEndian.AppendUint64(b, index)
}

// AppendStr16 appends a u16 length and the string, of which at most 65,535 bytes count.
func AppendStr16(b []byte, s string) []byte {
	s = s[:min(len(s), 65535)]
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// Epoch is the body of an epoch's opening.
type Epoch struct {
	Tag        [16]byte // random name of the audience
	Roster     uint64   // the roster version by which the readers were chosen
	Commitment [32]byte // to the epoch key
	Wraps      uint16   // how many wraps follow
}

const epochSize = 16 + 8 + 32 + 2

// maxWraps is one for each member that a roster can have, and one for the publisher's recovery key.
const maxWraps = roster.MaxMembers + 1

// Bytes is the body.
func (e Epoch) Bytes() []byte {
	b := append(make([]byte, 0, epochSize), e.Tag[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Roster)
	b = append(b, e.Commitment[:]...)
	return binary.BigEndian.AppendUint16(b, e.Wraps)
}

// ParseEpoch parses the body of an epoch's opening.
func ParseEpoch(body []byte) (Epoch, error) {
	if len(body) != epochSize {
		return Epoch{}, fmt.Errorf("an epoch opening of %d bytes, not %d", len(body), epochSize)
	}
	e := Epoch{Tag: [16]byte(body), Roster: binary.BigEndian.Uint64(body[16:]), Commitment: [32]byte(body[24:]), Wraps: binary.BigEndian.Uint16(body[56:])}
	if e.Wraps == 0 || e.Wraps > maxWraps {
		return Epoch{}, fmt.Errorf("an epoch opening with %d wraps, not 1 to %d", e.Wraps, maxWraps)
	}
	return e, nil
}
