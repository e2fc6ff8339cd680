package entry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Limits of a payload.
const (
	// MaxObjects bounds the objects, and the withdrawals, of one payload.
	MaxObjects = 4096
	// MaxAudience bounds an audience's text.
	MaxAudience = 4096
	// MaxID bounds a withdrawn object's id.
	MaxID = 1024
)

// Type says what a payload holds.
type Type uint8

// The payload types.
const (
	Objects  Type = 1
	Withdraw Type = 2
	Blob     Type = 3
)

// Payload is what a sealed or clear entry says, to one audience under one marking.
type Payload struct {
	Type        Type
	TLP         uint8 // 1 CLEAR .. 5 RED
	Audience    string
	Objects     [][]byte     // type Objects: each object's exact bytes
	Withdrawals []Withdrawal // type Withdraw
	Blob        BlobRef      // type Blob
}

// Withdrawal takes back an object that an earlier entry published.
type Withdrawal struct {
	Index uint64 // that entry
	ID    string
}

// BlobRef names a blob by its ciphertext and holds its key.
type BlobRef struct {
	Hash [32]byte // SHA-256 of the ciphertext
	Key  [32]byte
	Size uint64 // bytes of ciphertext
}

// Bytes encodes the payload.
func (p Payload) Bytes() ([]byte, error) {
	if p.TLP < 1 || p.TLP > 5 {
		return nil, fmt.Errorf("marking %d is none of CLEAR to RED", p.TLP)
	}
	if p.Audience == "" || len(p.Audience) > MaxAudience {
		return nil, fmt.Errorf("an audience of %d bytes", len(p.Audience))
	}
	b := append([]byte(nil), byte(p.Type), p.TLP)
	b = AppendStr16(b, p.Audience)
	switch p.Type {
	case Objects:
		return appendObjects(b, p.Objects)
	case Withdraw:
		return appendWithdrawals(b, p.Withdrawals)
	case Blob:
		if p.Blob.Size == 0 {
			return nil, errEmptyBlob
		}
		b = append(b, p.Blob.Hash[:]...)
		b = append(b, p.Blob.Key[:]...)
		return binary.AppendUvarint(b, p.Blob.Size), nil
	}
	return nil, fmt.Errorf("payload type %d is not known here", p.Type)
}

var errEmptyBlob = errors.New("an empty blob")

func checkCount(n uint64) error {
	if n == 0 || n > MaxObjects {
		return fmt.Errorf("a payload of %d items, not 1 to %d", n, MaxObjects)
	}
	return nil
}

func appendObjects(b []byte, objects [][]byte) ([]byte, error) {
	if err := checkCount(uint64(len(objects))); err != nil {
		return nil, err
	}
	b = binary.AppendUvarint(b, uint64(len(objects)))
	for _, o := range objects {
		if len(o) == 0 {
			return nil, errors.New("an empty object")
		}
		b = binary.AppendUvarint(b, uint64(len(o)))
		b = append(b, o...)
	}
	return b, nil
}

func appendWithdrawals(b []byte, list []Withdrawal) ([]byte, error) {
	if err := checkCount(uint64(len(list))); err != nil {
		return nil, err
	}
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, w := range list {
		if w.ID == "" || len(w.ID) > MaxID {
			return nil, fmt.Errorf("an object id of %d bytes", len(w.ID))
		}
		b = binary.AppendUvarint(b, w.Index)
		b = AppendStr16(b, w.ID)
	}
	return b, nil
}

// ParsePayload decodes a payload; objects share data's memory. Only the encoder's own spelling is accepted.
func ParsePayload(data []byte) (Payload, error) {
	r := cursor{data: data}
	p := Payload{Type: Type(r.byte()), TLP: r.byte(), Audience: r.str16(MaxAudience)}
	if r.err == nil && (p.TLP < 1 || p.TLP > 5) {
		r.fail(fmt.Errorf("marking %d is none of CLEAR to RED", p.TLP))
	}
	if r.err == nil && p.Audience == "" {
		r.fail(errors.New("no audience"))
	}
	switch {
	case r.err != nil:
	case p.Type == Objects:
		for n := r.count(); n > 0 && r.err == nil; n-- {
			if size := r.uvarint(); size == 0 {
				r.fail(errors.New("an empty object"))
			} else {
				p.Objects = append(p.Objects, r.take(size))
			}
		}
	case p.Type == Withdraw:
		for n := r.count(); n > 0 && r.err == nil; n-- {
			w := Withdrawal{Index: r.uvarint(), ID: r.str16(MaxID)}
			if w.ID == "" {
				r.fail(errors.New("an empty object id"))
			}
			p.Withdrawals = append(p.Withdrawals, w)
		}
	case p.Type == Blob:
		copy(p.Blob.Hash[:], r.take(32))
		copy(p.Blob.Key[:], r.take(32))
		if p.Blob.Size = r.uvarint(); p.Blob.Size == 0 {
			r.fail(errEmptyBlob)
		}
	default:
		r.fail(fmt.Errorf("type %d is not known here", p.Type))
	}
	if r.err == nil && len(r.data) > 0 {
		r.fail(fmt.Errorf("%d bytes too many", len(r.data)))
	}
	if r.err != nil {
		return Payload{}, fmt.Errorf("payload: %w", r.err)
	}
	return p, nil
}

// Padme is the length to which n bytes are padded, at least 256: it leaks O(log log n) bits of the length
// (Nikitin and others, "Reducing Metadata Leakage from Encrypted Files", PETS 2019, section 4).
func Padme(n int) int {
	if n <= minPadded {
		return minPadded
	}
	e := bits.Len(uint(n)) - 1     // floor(log2 n)
	s := bits.Len(uint(e))         // bits that keep the exponent
	mask := (1 << max(0, e-s)) - 1 // the low bits that become zero
	return (n + mask) &^ mask
}

// minPadded is the least length of a padded frame; frameHead is that of a frame's length field.
const (
	minPadded = 256
	frameHead = 4
)

// cursor reads fields; after the first failure it yields zero values.
type cursor struct {
	data []byte
	err  error
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err, c.data = err, nil
	}
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.data)) {
		c.fail(fmt.Errorf("cut: %d bytes wanted, %d left", n, len(c.data)))
		return nil
	}
	b := c.data[:n:n]
	c.data = c.data[n:]
	return b
}

func (c *cursor) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) str16(max int) string {
	b := c.take(2)
	if b == nil {
		return ""
	}
	n := binary.BigEndian.Uint16(b)
	if int(n) > max {
		c.fail(fmt.Errorf("a text of %d bytes, the limit is %d", n, max))
		return ""
	}
	return string(c.take(uint64(n)))
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.data)
	if n <= 0 {
		c.fail(errors.New("a number that is cut or too large"))
		return 0
	}
	if n > 1 && c.data[n-1] == 0 {
		c.fail(errors.New("a number that is not in its shortest form"))
		return 0
	}
	c.data = c.data[n:]
	return v
}

func (c *cursor) count() uint64 {
	n := c.uvarint()
	if c.err == nil {
		if err := checkCount(n); err != nil {
			c.fail(err)
		}
	}
	return n
}
