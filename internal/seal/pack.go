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

// dictionary is a raw zstd dictionary: strings typical of what is shared, the most frequent last. It is
// pinned: another one gets another hash in the header, and both must then be kept.
//
//go:embed dictionary.txt
var dictionary []byte

// dictionaryID is any fixed number; frames name it, the header's hash is what identifies.
const dictionaryID = 0x5357

// window bounds what an encoder looks back to, and so what a decoder must hold.
const window = 1 << 20

// Dictionary is the first bytes of the dictionary's SHA-256, as headers carry it.
func Dictionary() [8]byte {
	sum := sha256.Sum256(dictionary)
	return [8]byte(sum[:])
}

// packer holds the encoder and the decoder, made at first use: each costs some megabytes, which an idle
// node need not spend. Both are safe for concurrent use.
var packer = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderDictRaw(dictionaryID, dictionary))
})

// bestPacker packs large payloads, where every kilobyte is sent to every member: slower, and rare.
var bestPacker = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window),
		zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderDictRaw(dictionaryID, dictionary))
})

func newUnpacker(max uint64) func() (*zstd.Decoder, error) {
	return sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(max),
			zstd.WithDecoderMaxWindow(window), zstd.WithDecoderDictRaw(dictionaryID, dictionary))
	})
}

var (
	entryUnpacker = newUnpacker(maxEntryPayload)
	blobUnpacker  = newUnpacker(maxBlobPayload)
)

// pack makes a payload frame: u32 length, zstd frame and, where padded, zeros up to Padme of the whole.
func pack(p entry.Payload, max int, padded bool) ([]byte, error) {
	raw, err := p.Bytes()
	if err != nil {
		return nil, err
	}
	if len(raw) > max {
		return nil, fmt.Errorf("%w: a payload of %d bytes, the limit is %d", ErrTooLarge, len(raw), max)
	}
	enc, err := packer()
	if max == maxBlobPayload {
		enc, err = bestPacker()
	}
	if err != nil {
		return nil, err
	}
	frame := enc.EncodeAll(raw, make([]byte, 4, 4+len(raw)/2))
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if padded {
		frame = append(frame, make([]byte, entry.Padme(len(frame))-len(frame))...)
	}
	return frame, nil
}

// errPacked says that a payload frame is not one.
var errPacked = errors.New("a payload frame that is damaged")

// unpack is the inverse of pack.
func unpack(frame []byte, max int, padded bool) (entry.Payload, error) {
	if len(frame) < 4 {
		return entry.Payload{}, errPacked
	}
	n := binary.BigEndian.Uint32(frame)
	if uint64(n) > uint64(len(frame)-4) {
		return entry.Payload{}, errPacked
	}
	packed, rest := frame[4:4+n], frame[4+n:]
	if want := entry.Padme(4 + int(n)); padded && len(frame) != want || !padded && len(rest) > 0 {
		return entry.Payload{}, fmt.Errorf("%w: padded to %d bytes", errPacked, len(frame))
	}
	for _, b := range rest {
		if b != 0 {
			return entry.Payload{}, fmt.Errorf("%w: padding that is not zero", errPacked)
		}
	}
	dec, err := entryUnpacker()
	if max == maxBlobPayload {
		dec, err = blobUnpacker()
	}
	if err != nil {
		return entry.Payload{}, err
	}
	raw, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return entry.Payload{}, fmt.Errorf("%w: %w", errPacked, err)
	}
	if len(raw) > max {
		return entry.Payload{}, fmt.Errorf("%w: %d bytes unpacked, the limit is %d", errPacked, len(raw), max)
	}
	return entry.ParsePayload(raw)
}
