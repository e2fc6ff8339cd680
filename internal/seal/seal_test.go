package seal

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

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

// TestBombIsRefused shows that a frame which unpacks to more than the limit takes no such memory.
func TestBombIsRefused(t *testing.T) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderDictRaw(dictionaryID, dictionary))
	if err != nil {
		t.Fatal(err)
	}
	packed := enc.EncodeAll(make([]byte, 64<<20), nil)
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(packed)))
	frame = append(frame, packed...)
	frame = append(frame, make([]byte, entry.Padme(len(frame))-len(frame))...)
	if len(frame) > 60_000 {
		t.Fatalf("the bomb has %d bytes", len(frame))
	}
	grown := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := unpack(frame, maxEntryPayload, true); err == nil {
				b.Fatal("the bomb went off")
			}
		}
	}).AllocedBytesPerOp()
	if grown > 8<<20 {
		t.Fatalf("%d bytes were allocated", grown)
	}
}

func TestPaddingIsStrict(t *testing.T) {
	frame, err := pack(payload("x"), maxEntryPayload, true)
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
		if _, err := unpack(bad, maxEntryPayload, true); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// TestCorpusRules shows what the dictionary is worth on rules that it was not made from.
func TestCorpusRules(t *testing.T) {
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	files, err := filepath.Glob(filepath.Join(corpus, "sigma/rules/windows/process_creation/*.yml"))
	if err != nil || len(files) < 1000 {
		t.Fatalf("%d rules, %v", len(files), err)
	}
	plain, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var raw, with, without int
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		frame, err := pack(payload(string(b)), maxEntryPayload, false)
		if err != nil {
			t.Fatal(err)
		}
		raw, with, without = raw+len(b), with+len(frame), without+len(plain.EncodeAll(b, nil))
	}
	t.Logf("%d rules of %d bytes: %d packed with the dictionary, %d without", len(files), raw, with, without)
	if with >= without {
		t.Error("the dictionary gains nothing")
	}
}

func frames(t testing.TB) [][]byte {
	var out [][]byte
	for _, p := range []entry.Payload{payload("x"), payload(strings.Repeat("title: ", 100)), {Type: entry.Blob, TLP: 1, Audience: "alliance"}} {
		f, err := pack(p, maxEntryPayload, true)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return append(out, nil)
}

func TestSeeds(t *testing.T) {
	if len(frames(t)) < 4 {
		t.Fatal("too few seeds")
	}
}

func FuzzUnpack(f *testing.F) {
	for _, s := range frames(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := unpack(data, maxEntryPayload, true)
		if err != nil {
			return
		}
		if _, err := pack(p, maxEntryPayload, true); err != nil && !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	key, p := newKey(b), payload(strings.Repeat("selection:\n    Image|endswith: '\\powershell.exe'\n", 40))
	b.SetBytes(int64(len(p.Objects[0])))
	for b.Loop() {
		if _, err := Entry(key, log, 1, 1, p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	key, p := newKey(b), payload(strings.Repeat("selection:\n    Image|endswith: '\\powershell.exe'\n", 40))
	raw, err := Entry(key, log, 1, 1, p)
	if err != nil {
		b.Fatal(err)
	}
	e, err := entry.Parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(p.Objects[0])))
	for b.Loop() {
		if _, err := OpenEntry(key, e, log, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrap(b *testing.B) {
	priv, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		b.Fatal(err)
	}
	key, pub := newKey(b), priv.PublicKey().Bytes()
	for b.Loop() {
		if _, err := Wrap(key, []byte("e"), "member:a", pub); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrap(b *testing.B) {
	priv, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		b.Fatal(err)
	}
	w, err := Wrap(newKey(b), []byte("e"), "member:a", priv.PublicKey().Bytes())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Unwrap(w, []byte("e"), "member:a", priv); err != nil {
			b.Fatal(err)
		}
	}
}
