package seal

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"shieldwall/internal/entry"
)

var update = flag.Bool("update", false, "seal the vectors anew (their nonces are random)")

// vector reads bytes that were sealed once, so that what old logs hold opens for ever.
func vector(t *testing.T, name string, made []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(hex.EncodeToString(made)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestDictionaryIsPinned: whoever changes it must keep the old one too, for logs are packed with it.
func TestDictionaryIsPinned(t *testing.T) {
	d := Dictionary()
	if want := vector(t, "dictionary.hash.hex", d[:]); !bytes.Equal(d[:], want) {
		t.Errorf("the dictionary is %x, was %x", d, want)
	}
	if bytes.Contains(dictionary, []byte("\r")) {
		t.Error("the dictionary's line ends were changed on the way")
	}
}

func TestSealedVectors(t *testing.T) {
	key, p := bytes.Repeat([]byte{7}, KeySize), payload(`{"type":"indicator"}`)
	with, err := Entry(key, log, 2, 3, p)
	if err != nil {
		t.Fatal(err)
	}
	for name, made := range map[string][]byte{"sealed.hex": with, "sealed-plain.hex": sealPlain(t, key, p)} {
		e, err := entry.Parse(vector(t, name, made))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := OpenEntry(key, e, log, 3); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	ref := entry.BlobRef{Key: [32]byte(key)}
	data := vector(t, "blob.hex", sealBlob(t, ref.Key, p))
	ref.Hash, ref.Size = sha256.Sum256(data), uint64(len(data))
	if got, err := OpenBlob(ref, data); err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("blob: %+v, %v", got, err)
	}
}

func TestWrapVector(t *testing.T) {
	priv, err := hpke.MLKEM768X25519().NewPrivateKey(bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	key := bytes.Repeat([]byte{7}, KeySize)
	c, err := Commitment(key, log, 2)
	if err != nil {
		t.Fatal(err)
	}
	opening, err := entry.Entry{Header: entry.Header{Kind: entry.KindEpoch, Epoch: 2}, Body: entry.Epoch{Roster: 1, Commitment: c, Wraps: 2}.Bytes()}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	made, err := Wrap(key, opening, Member("a"), priv.PublicKey().Bytes())
	if err != nil || len(made) != entry.WrapSize {
		t.Fatalf("%d bytes, %v", len(made), err)
	}
	if got, err := Unwrap(vector(t, "wrap.hex", made), opening, Member("a"), priv); err != nil || !bytes.Equal(got, key) {
		t.Fatalf("%x, %v", got, err)
	}
}

// sealPlain seals an entry whose payload was packed without a dictionary, as the format allows.
func sealPlain(t *testing.T, key []byte, p entry.Payload) []byte {
	t.Helper()
	frame, err := pack(p, limits{payload: maxEntryPayload, padded: true})
	if err != nil {
		t.Fatal(err)
	}
	return sealFrame(t, key, entry.Header{Kind: entry.KindSealed, Epoch: 2}, frame)
}

// sealFrame seals any frame for place 3 of the log.
func sealFrame(t *testing.T, key []byte, h entry.Header, frame []byte) []byte {
	t.Helper()
	entryKey, err := expand(key, "shieldwall/entry/v1", log, h.Epoch, 3)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := gcm(entryKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := entry.Entry{Header: h, Body: aead.Seal(nil, nil, frame, entry.AAD(h, log, 3))}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// sealBlob seals a payload as a blob, also one that Blob refuses.
func sealBlob(t *testing.T, key [32]byte, p entry.Payload) []byte {
	t.Helper()
	frame, err := pack(p, blobFrame)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := gcm(key[:])
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, nil, frame, []byte(blobAAD))
}
