// Package seal makes entries that only their readers can open (DESIGN.md, decision 3): epoch keys, wrapped
// for each reader with HPKE (RFC 9180) over MLKEM768X25519; entries and blobs under AES-256-GCM with random
// nonces; payloads packed and padded first. It asks nobody who may read: it is given keys.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"shieldwall/internal/entry"
)

// KeySize is the length of an epoch key in bytes.
const KeySize = 32

var (
	// ErrTooLarge says that a payload does not fit an entry, or a blob.
	ErrTooLarge = errors.New("too large")
	// ErrOpen says that a ciphertext is not for this key and place.
	ErrOpen = errors.New("it does not open with this key at this place")
)

// NewKey draws an epoch key.
func NewKey(rand io.Reader) ([]byte, error) {
	key := make([]byte, KeySize)
	if _, err := io.ReadFull(rand, key); err != nil {
		return nil, fmt.Errorf("drawing an epoch key: %w", err)
	}
	return key, nil
}

// expand is HKDF-Expand over a label, a log's id and numbers.
func expand(key []byte, label, log string, numbers ...uint64) ([]byte, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("an epoch key of %d bytes, not %d", len(key), KeySize)
	}
	info := entry.AppendStr16([]byte(label), log)
	for _, n := range numbers {
		info = binary.BigEndian.AppendUint64(info, n)
	}
	return hkdf.Expand(sha256.New, key, string(info), 32)
}

// Commitment binds an epoch to one key: without it a publisher could show its readers different contents
// under one ciphertext.
func Commitment(key []byte, log string, epoch uint64) ([32]byte, error) {
	c, err := expand(key, "shieldwall/commit/v1", log, epoch)
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(c), nil
}

// Committed says whether key is the one that an epoch committed to.
func Committed(key []byte, log string, epoch uint64, commitment [32]byte) bool {
	c, err := Commitment(key, log, epoch)
	return err == nil && bytes.Equal(c[:], commitment[:])
}

// Member is a member's reader id, as HPKE's info names it.
func Member(id string) string { return "member:" + id }

// Recovery is the reader id of a member's own recovery key.
func Recovery(id string) string { return "recovery:" + id }

// suite is HPKE's: HKDF-SHA-256 and AES-256-GCM, which Go's FIPS module has.
func suite() (hpke.KDF, hpke.AEAD) { return hpke.HKDFSHA256(), hpke.AES256GCM() }

func wrapInfo(epochEntry []byte, reader string) []byte {
	sum := sha256.Sum256(epochEntry)
	return append(sum[:], reader...)
}

// Wrap seals an epoch key for one reader: encapsulated key 1,120 bytes, ciphertext 48.
func Wrap(key, epochEntry []byte, reader string, public []byte) ([]byte, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("wrapping for %s: an epoch key of %d bytes, not %d", reader, len(key), KeySize)
	}
	pub, err := hpke.MLKEM768X25519().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("wrapping for %s: %w", reader, err)
	}
	kdf, aead := suite()
	w, err := hpke.Seal(pub, kdf, aead, wrapInfo(epochEntry, reader), key)
	if err != nil {
		return nil, fmt.Errorf("wrapping for %s: %w", reader, err)
	}
	return w, nil
}

// Unwrap opens a wrap. A failure says only that it is not this reader's.
func Unwrap(wrap, epochEntry []byte, reader string, private hpke.PrivateKey) ([]byte, error) {
	kdf, aead := suite()
	key, err := hpke.Open(private, kdf, aead, wrapInfo(epochEntry, reader), wrap)
	if err != nil || len(key) != KeySize {
		return nil, ErrOpen
	}
	return key, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Entry seals a payload for the place it will have: its log, epoch and index.
func Entry(key []byte, log string, epoch, index uint64, p entry.Payload) ([]byte, error) {
	packed, err := Pack(p)
	if err != nil {
		return nil, err
	}
	return packed.Entry(key, log, epoch, index)
}

// Packed is a payload ready to be sealed: compressed and padded.
type Packed struct{ frame []byte }

// Pack packs a payload for a sealed entry. ErrTooLarge says that it does not fit one.
func Pack(p entry.Payload) (Packed, error) {
	frame, err := pack(p, sealedFrame)
	if err != nil {
		return Packed{}, err
	}
	packed := Packed{frame}
	if n := packed.Size(); n > entry.Max {
		return Packed{}, fmt.Errorf("%w: an entry of %d bytes, the limit is %d", ErrTooLarge, n, entry.Max)
	}
	return packed, nil
}

// Size is the length of the sealed entry in bytes.
func (p Packed) Size() int { return entry.HeaderSize + entry.Overhead + len(p.frame) }

// Entry seals what was packed for the place it will have: its log, epoch and index.
func (p Packed) Entry(key []byte, log string, epoch, index uint64) ([]byte, error) {
	entryKey, err := expand(key, "shieldwall/entry/v1", log, epoch, index)
	if err != nil {
		return nil, err
	}
	aead, err := gcm(entryKey)
	if err != nil {
		return nil, err
	}
	h := entry.Header{Kind: entry.KindSealed, Epoch: epoch, Dictionary: Dictionary()}
	return entry.Entry{Header: h, Body: aead.Seal(nil, nil, p.frame, entry.AAD(h, log, index))}.Bytes()
}

// OpenEntry opens a sealed entry at its place. Check the epoch's commitment before.
func OpenEntry(key []byte, e entry.Entry, log string, index uint64) (entry.Payload, error) {
	l, err := sealedFrame.of(e.Header)
	if err != nil {
		return entry.Payload{}, err
	}
	entryKey, err := expand(key, "shieldwall/entry/v1", log, e.Epoch, index)
	if err != nil {
		return entry.Payload{}, err
	}
	aead, err := gcm(entryKey)
	if err != nil {
		return entry.Payload{}, err
	}
	frame, err := aead.Open(nil, nil, e.Body, entry.AAD(e.Header, log, index))
	if err != nil {
		return entry.Payload{}, ErrOpen
	}
	return unpack(frame, l)
}

// checkClear is the last gate before a payload that everybody can read.
func checkClear(p entry.Payload) error {
	if p.TLP != 1 || p.Audience != "everyone" {
		return fmt.Errorf("an unsealed entry is CLEAR to everyone or nothing, not marking %d to %.80q", p.TLP, p.Audience)
	}
	return nil
}

// Clear makes the one kind of entry that is not sealed: CLEAR to everyone.
func Clear(p entry.Payload) ([]byte, error) {
	if err := checkClear(p); err != nil {
		return nil, err
	}
	frame, err := pack(p, clearFrame)
	if err != nil {
		return nil, err
	}
	if n := entry.HeaderSize + len(frame); n > entry.Max {
		return nil, fmt.Errorf("%w: an entry of %d bytes, the limit is %d", ErrTooLarge, n, entry.Max)
	}
	return entry.Entry{Header: entry.Header{Kind: entry.KindClear, Dictionary: Dictionary()}, Body: frame}.Bytes()
}

// OpenClear reads an entry that is not sealed.
func OpenClear(e entry.Entry) (entry.Payload, error) {
	if e.Kind != entry.KindClear {
		return entry.Payload{}, fmt.Errorf("an entry of kind %d is not a clear one", e.Kind)
	}
	l, err := clearFrame.of(e.Header)
	if err != nil {
		return entry.Payload{}, err
	}
	p, err := unpack(e.Body, l)
	if err == nil {
		err = checkClear(p)
	}
	if err != nil {
		return entry.Payload{}, err
	}
	return p, nil
}

// errNotObjects says that a blob would hold another blob, or withdrawals.
var errNotObjects = errors.New("a blob holds objects only")

const blobAAD = "shieldwall/blob/v1"

// MaxBlob bounds a blob's ciphertext in bytes.
const MaxBlob = 16 << 20

// Blob seals a payload that does not fit an entry. The ciphertext travels by its hash; the entry carries
// the reference, which holds the key.
func Blob(rand io.Reader, p entry.Payload) (ciphertext []byte, ref entry.BlobRef, err error) {
	if p.Type != entry.Objects {
		return nil, ref, errNotObjects
	}
	frame, err := pack(p, blobFrame)
	if err != nil {
		return nil, ref, err
	}
	if _, err := io.ReadFull(rand, ref.Key[:]); err != nil {
		return nil, ref, fmt.Errorf("drawing a blob key: %w", err)
	}
	aead, err := gcm(ref.Key[:])
	if err != nil {
		return nil, ref, err
	}
	ciphertext = aead.Seal(nil, nil, frame, []byte(blobAAD))
	if len(ciphertext) > MaxBlob {
		return nil, ref, fmt.Errorf("%w: a blob of %d bytes, the limit is %d", ErrTooLarge, len(ciphertext), MaxBlob)
	}
	ref.Hash, ref.Size = sha256.Sum256(ciphertext), uint64(len(ciphertext))
	return ciphertext, ref, nil
}

// OpenBlob opens a blob by the reference of its entry.
func OpenBlob(ref entry.BlobRef, ciphertext []byte) (entry.Payload, error) {
	if uint64(len(ciphertext)) != ref.Size || len(ciphertext) > MaxBlob || sha256.Sum256(ciphertext) != ref.Hash {
		return entry.Payload{}, errors.New("a blob that is not the one its entry names")
	}
	aead, err := gcm(ref.Key[:])
	if err != nil {
		return entry.Payload{}, err
	}
	frame, err := aead.Open(nil, nil, ciphertext, []byte(blobAAD))
	if err != nil {
		return entry.Payload{}, ErrOpen
	}
	p, err := unpack(frame, blobFrame)
	if err == nil && p.Type != entry.Objects {
		err = errNotObjects
	}
	if err != nil {
		return entry.Payload{}, err
	}
	return p, nil
}
