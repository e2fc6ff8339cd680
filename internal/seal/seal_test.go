package seal

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"shieldwall/internal/entry"
)

const log = "m/00112233445566778899aabbccddeeff"

func payload(body string) entry.Payload {
	return entry.Payload{Type: entry.Objects, TLP: 3, Audience: "group:states", Objects: [][]byte{[]byte(body)}}
}

func newKey(t testing.TB) []byte {
	t.Helper()
	k, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestDerivationVectors(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	c, err := Commitment(key, log, 2)
	if err != nil {
		t.Fatal(err)
	}
	e, err := expand(key, "shieldwall/entry/v1", log, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	// Computed with Python's hmac module: HKDF-Expand is HMAC(key, info | 0x01) for 32 bytes.
	b, err := os.ReadFile("testdata/derivation.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(b))
	if hex.EncodeToString(c[:]) != want[0] || hex.EncodeToString(e) != want[1] {
		t.Fatalf("commitment %x, entry key %x", c, e)
	}
}

func TestEntryOpensAtItsPlaceOnly(t *testing.T) {
	key := newKey(t)
	p := payload("{}")
	raw, err := Entry(key, log, 4, 17, p)
	if err != nil {
		t.Fatal(err)
	}
	e, err := entry.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenEntry(key, e, log, 17); err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("%+v, %v", got, err)
	}
	other := e
	other.Epoch = 5
	for name, open := range map[string]func() (entry.Payload, error){
		"another index": func() (entry.Payload, error) { return OpenEntry(key, e, log, 18) },
		"another log":   func() (entry.Payload, error) { return OpenEntry(key, e, log+"0", 17) },
		"another epoch": func() (entry.Payload, error) { return OpenEntry(key, other, log, 17) },
		"another key":   func() (entry.Payload, error) { return OpenEntry(newKey(t), e, log, 17) },
	} {
		if _, err := open(); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if e, err := entry.Parse(bad); err == nil {
			if _, err := OpenEntry(key, e, log, 17); err == nil {
				t.Fatalf("a flip in byte %d was not seen", i)
			}
		}
	}
	again, err := Entry(key, log, 4, 17, p)
	if err != nil || bytes.Equal(raw, again) {
		t.Fatal("sealing one place twice must not repeat a nonce")
	}
}

func TestLengthsAreHidden(t *testing.T) {
	key := newKey(t)
	a, err := Entry(key, log, 1, 1, payload("yes"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Entry(key, log, 1, 1, payload("no, and a little longer than that"))
	if err != nil || len(a) != len(b) {
		t.Fatalf("%d and %d bytes, %v", len(a), len(b), err)
	}
}

func TestWrap(t *testing.T) {
	priv, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	key, opening := newKey(t), []byte("the epoch's entry")
	w, err := Wrap(key, opening, Member("a"), priv.PublicKey().Bytes())
	if err != nil || len(w) != 1168 {
		t.Fatalf("%d bytes, %v", len(w), err)
	}
	if got, err := Unwrap(w, opening, Member("a"), priv); err != nil || !bytes.Equal(got, key) {
		t.Fatalf("%v", err)
	}
	if _, err := Unwrap(w, opening, Member("b"), priv); !errors.Is(err, ErrOpen) {
		t.Error("a wrap opened for another reader")
	}
	if _, err := Unwrap(w, opening, Recovery("a"), priv); !errors.Is(err, ErrOpen) {
		t.Error("a member's wrap opened as a recovery wrap")
	}
	if _, err := Unwrap(w, []byte("another epoch"), Member("a"), priv); !errors.Is(err, ErrOpen) {
		t.Error("a wrap opened in another epoch")
	}
	if _, err := Wrap(key, opening, Member("a"), []byte("no key")); err == nil {
		t.Error("wrapped to nonsense")
	}
	if _, err := Wrap(key[1:], opening, Member("a"), priv.PublicKey().Bytes()); err == nil {
		t.Error("wrapped half a key")
	}
	kdf, aead := suite()
	short, err := hpke.Seal(priv.PublicKey(), kdf, aead, wrapInfo(opening, Member("a")), key[1:])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unwrap(short, opening, Member("a"), priv); !errors.Is(err, ErrOpen) {
		t.Errorf("half a key was unwrapped: %v", err)
	}
	for _, n := range []int{0, 1, 1119, 1120, 1167} {
		if _, err := Unwrap(w[:n], opening, Member("a"), priv); !errors.Is(err, ErrOpen) {
			t.Errorf("a wrap of %d bytes: %v", n, err)
		}
	}
	w[1120] ^= 1
	if _, err := Unwrap(w, opening, Member("a"), priv); !errors.Is(err, ErrOpen) {
		t.Errorf("a changed wrap: %v", err)
	}
}

func TestCommitment(t *testing.T) {
	key := newKey(t)
	c, err := Commitment(key, log, 1)
	if err != nil || !Committed(key, log, 1, c) {
		t.Fatalf("%v", err)
	}
	if Committed(newKey(t), log, 1, c) || Committed(key, log, 2, c) || Committed(key, "x/y", 1, c) {
		t.Fatal("a commitment held for another key, epoch or log")
	}
	for _, short := range [][]byte{nil, key[:31], append(bytes.Clone(key), 0)} {
		if _, err := Commitment(short, log, 1); err == nil {
			t.Errorf("a commitment to a key of %d bytes", len(short))
		}
		if _, err := Entry(short, log, 1, 1, payload("x")); err == nil {
			t.Errorf("sealed with a key of %d bytes", len(short))
		}
	}
}

func TestClear(t *testing.T) {
	p := entry.Payload{Type: entry.Objects, TLP: 1, Audience: "everyone", Objects: [][]byte{[]byte("{}")}}
	raw, err := Clear(p)
	if err != nil {
		t.Fatal(err)
	}
	e, err := entry.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenClear(e); err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("%+v, %v", got, err)
	}
	e.Dictionary[0] ^= 1
	if _, err := OpenClear(e); err == nil || !strings.Contains(err.Error(), "dictionary") {
		t.Fatalf("err = %v", err)
	}
	for name, p := range map[string]entry.Payload{
		"GREEN":        {Type: entry.Objects, TLP: 2, Audience: "everyone", Objects: p.Objects},
		"the alliance": {Type: entry.Objects, TLP: 1, Audience: "alliance", Objects: p.Objects},
	} {
		if _, err := Clear(p); err == nil {
			t.Errorf("%s was made clear", name)
		}
		frame, err := pack(p, clearFrame)
		if err != nil {
			t.Fatal(err)
		}
		leak := entry.Entry{Header: entry.Header{Kind: entry.KindClear, Dictionary: Dictionary()}, Body: frame}
		if got, err := OpenClear(leak); err == nil || got.Objects != nil {
			t.Errorf("%s was read from a clear entry", name)
		}
		leak.Kind = entry.KindSealed
		if _, err := OpenClear(leak); err == nil {
			t.Error("a sealed entry was read as a clear one")
		}
	}
}

func TestBlob(t *testing.T) {
	p := payload(strings.Repeat("a rule that does not fit ", 100_000))
	data, ref, err := Blob(rand.Reader, p)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenBlob(ref, data); err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("%v", err)
	}
	bad := bytes.Clone(data)
	bad[len(bad)/2] ^= 1
	if _, err := OpenBlob(ref, bad); err == nil {
		t.Error("other bytes were accepted")
	}
	ref.Key[0] ^= 1
	if _, err := OpenBlob(ref, data); !errors.Is(err, ErrOpen) {
		t.Errorf("err = %v", err)
	}
	inner := entry.Payload{Type: entry.Blob, TLP: 3, Audience: "group:states", Blob: ref}
	if _, _, err := Blob(rand.Reader, inner); !errors.Is(err, errNotObjects) {
		t.Errorf("a blob in a blob: %v", err)
	}
	data = sealBlob(t, ref.Key, inner)
	ref.Hash, ref.Size = sha256.Sum256(data), uint64(len(data))
	if got, err := OpenBlob(ref, data); !errors.Is(err, errNotObjects) || got.Type != 0 {
		t.Errorf("a blob in a blob was opened: %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	noise := make([]byte, 70_000)
	rand.Read(noise)
	if _, err := Entry(newKey(t), log, 1, 1, payload(string(noise))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("err = %v", err)
	}
	if _, err := Entry(newKey(t), log, 1, 1, payload(strings.Repeat("a", maxEntryPayload))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a payload that only packs well: %v", err)
	}
}

func TestPaddingIsStrict(t *testing.T) {
	frame, err := pack(payload("x"), sealedFrame)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"not zero": append(bytes.Clone(frame[:len(frame)-1]), 1),
		"longer":   append(bytes.Clone(frame), make([]byte, 256)...),
		"shorter":  frame[:len(frame)-1],
		"empty":    nil,
		"lying":    append([]byte{255, 255, 255, 255}, frame[4:]...),
	} {
		if _, err := unpack(bad, sealedFrame); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
