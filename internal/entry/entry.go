// Package entry is the form of a log entry and of what a sealed one says (DESIGN.md, "Formats", Entry). It
// parses bytes from peers: every length is checked before it is used, and nothing is copied that was not
// measured.
package entry

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Max is the largest entry in bytes: the length that fits C2SP tlog-tiles' entry bundles.
const Max = 65535

// HeaderSize is the length of an entry's header in bytes.
const HeaderSize = 18

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

// Bytes is the whole entry.
func (e Entry) Bytes() ([]byte, error) {
	if n := HeaderSize + len(e.Body); n > Max {
		return nil, fmt.Errorf("an entry of %d bytes is over the limit of %d", n, Max)
	}
	return append(e.Append(make([]byte, 0, HeaderSize+len(e.Body))), e.Body...), nil
}

// Parse splits an entry. The body is not looked into.
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
	if e.Kind < KindOpen || e.Kind > KindClear {
		return Entry{}, fmt.Errorf("entry kind %d is not known here", e.Kind)
	}
	inEpoch := e.Kind == KindEpoch || e.Kind == KindWrap || e.Kind == KindSealed
	if inEpoch != (e.Epoch != 0) {
		return Entry{}, fmt.Errorf("an entry of kind %d with epoch %d", e.Kind, e.Epoch)
	}
	packed := e.Kind == KindSealed || e.Kind == KindClear
	if !packed && e.Dictionary != [8]byte{} {
		return Entry{}, fmt.Errorf("an entry of kind %d with a dictionary", e.Kind)
	}
	return e, nil
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
	if e.Wraps == 0 {
		return Epoch{}, errors.New("an epoch opening without wraps")
	}
	return e, nil
}
