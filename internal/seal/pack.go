package seal

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"shieldwall/internal/entry"
)

// Bounds of what a packed payload may become; they hold before memory is taken.
const (
	maxEntryPayload = 1 << 20
	maxBlobPayload  = 32 << 20
)

// dictionary is a raw zstd dictionary: vocabulary of STIX and Sigma, written by hand, the most frequent
// last. It is pinned: another one gets another hash in the header, and both must then be kept.
//
//go:embed dictionary.txt
var dictionary []byte

// dictionaryID is that of frames: none, for a raw dictionary has none, and `zstd -D dictionary.txt` opens
// them. The header's hash is what identifies.
const dictionaryID = 0

// window bounds what an encoder looks back to, and so what a decoder must hold.
const window = 1 << 20

var dictionaryHash = sync.OnceValue(func() [8]byte {
	sum := sha256.Sum256(dictionary)
	return [8]byte(sum[:])
})

// Dictionary is the first bytes of the dictionary's SHA-256, as headers carry it.
func Dictionary() [8]byte { return dictionaryHash() }

// limits are what a packed payload may become, and with what it was packed.
type limits struct {
	payload    int  // bytes
	dictionary bool // with the pinned one, or with none
	padded     bool
}

// What the three kinds of frames are. A blob is packed without a dictionary: it would gain nothing, and its
// frame has no header that could name one.
var (
	sealedFrame = limits{maxEntryPayload, true, true}
	clearFrame  = limits{maxEntryPayload, true, false}
	blobFrame   = limits{maxBlobPayload, false, true}
)

// newEncoder makes an encoder, which is safe for concurrent use. The fastest level takes 2 MB and a hundredth
// more bytes on rules than the default, fewer on large ones; the best takes 70 MB with a dictionary and
// copies them for each payload.
func newEncoder(dict bool) (*zstd.Encoder, error) {
	opts := []zstd.EOption{
		zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedFastest),
	}
	if dict {
		opts = append(opts, zstd.WithEncoderDictRaw(dictionaryID, dictionary))
	}
	return zstd.NewWriter(nil, opts...)
}

// newDecoder makes a decoder. Sizes that a frame declares are held against max before memory is taken for
// them, what it does not declare while it is unpacked.
func newDecoder(max uint64, dict bool) (*zstd.Decoder, error) {
	opts := []zstd.DOption{
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(max), zstd.WithDecoderMaxWindow(window),
	}
	if dict {
		opts = append(opts, zstd.WithDecoderDictRaw(dictionaryID, dictionary))
	}
	return zstd.NewReader(nil, opts...)
}

// coders are an encoder and a decoder, or why there is none.
type coders struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
	err error
}

// What entries need is made at the start of the program (0.1 ms, 0.3 MB; 3 MB once used) and not at first use:
// it holds channels, and those made inside a testing/synctest bubble could not be used in the next one.
var entryCoders = newCoders()

func newCoders() (c coders) {
	enc, err := newEncoder(true)
	if err != nil {
		return coders{err: err}
	}
	enc.EncodeAll(nil, nil) // makes its channel
	dec, err := newDecoder(maxEntryPayload, true)
	return coders{enc, dec, err}
}

// encoder for a kind of frame. What blobs need is made each time, here and below: they are rare, an idle node
// has better uses for the memory, and a decoder holds on to the last frame that it unpacked.
func (l limits) encoder() (*zstd.Encoder, error) {
	if l.dictionary {
		return entryCoders.enc, entryCoders.err
	}
	return newEncoder(false)
}

func (l limits) decoder() (*zstd.Decoder, error) {
	if l.dictionary {
		return entryCoders.dec, entryCoders.err
	}
	return newDecoder(uint64(l.payload), false)
}

// of gives the limits for an entry: it says itself whether it was packed with the dictionary or with none.
func (l limits) of(h entry.Header) (limits, error) {
	switch h.Dictionary {
	case Dictionary():
	case [8]byte{}:
		l.dictionary = false
	default:
		return l, fmt.Errorf("packed with dictionary %x, which this version does not have", h.Dictionary)
	}
	return l, nil
}

// pack makes a payload frame: u32 length, zstd frame and, where padded, zeros up to Padme of the whole.
func pack(p entry.Payload, l limits) ([]byte, error) {
	raw, err := p.Bytes()
	if err != nil {
		return nil, err
	}
	if len(raw) > l.payload {
		return nil, fmt.Errorf("%w: a payload of %d bytes, the limit is %d", ErrTooLarge, len(raw), l.payload)
	}
	enc, err := l.encoder()
	if err != nil {
		return nil, err
	}
	frame := enc.EncodeAll(raw, make([]byte, 4, 4+len(raw)/2))
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if l.padded {
		frame = append(frame, make([]byte, entry.Padme(len(frame))-len(frame))...)
	}
	return frame, nil
}

// errPacked says that a payload frame is not one.
var errPacked = errors.New("a payload frame that is damaged")

// unpack is the inverse of pack.
func unpack(frame []byte, l limits) (entry.Payload, error) {
	if len(frame) < 4 {
		return entry.Payload{}, errPacked
	}
	n := binary.BigEndian.Uint32(frame)
	if uint64(n) > uint64(len(frame)-4) {
		return entry.Payload{}, errPacked
	}
	packed, rest := frame[4:4+n], frame[4+n:]
	if want := entry.Padme(4 + int(n)); l.padded && len(frame) != want || !l.padded && len(rest) > 0 {
		return entry.Payload{}, fmt.Errorf("%w: padded to %d bytes", errPacked, len(frame))
	}
	for _, b := range rest {
		if b != 0 {
			return entry.Payload{}, fmt.Errorf("%w: padding that is not zero", errPacked)
		}
	}
	dec, err := l.decoder()
	if err != nil {
		return entry.Payload{}, err
	}
	raw, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return entry.Payload{}, fmt.Errorf("%w: %w", errPacked, err)
	}
	if len(raw) > l.payload {
		return entry.Payload{}, fmt.Errorf("%w: %d bytes unpacked, the limit is %d", errPacked, len(raw), l.payload)
	}
	return entry.ParsePayload(raw)
}
