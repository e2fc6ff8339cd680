package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/klauspost/compress/zstd"

	"shieldwall/internal/entry"
)

// frameOf puts any packed bytes into a padded frame.
func frameOf(packed []byte) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(packed)))
	frame = append(frame, packed...)
	return append(frame, make([]byte, entry.Padme(len(frame))-len(frame))...)
}

func encoder(t testing.TB, opts ...zstd.EOption) *zstd.Encoder {
	t.Helper()
	enc, err := zstd.NewWriter(nil, append(opts, zstd.WithEncoderDictRaw(dictionaryID, dictionary))...)
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

// stream packs without a declared size, as a streaming encoder does.
func stream(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	enc, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithEncoderDictRaw(dictionaryID, dictionary))
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		n := min(len(data), 100_000)
		if _, err := enc.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// allocated is the memory that f takes, in bytes, whoever frees it.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBombsAreRefused: frames that unpack to more than the limit take no such memory.
func TestBombsAreRefused(t *testing.T) {
	zeros := make([]byte, 16<<20)
	whole := encoder(t, zstd.WithWindowSize(window)).EncodeAll(zeros[:maxEntryPayload], nil)
	declare := func(size uint32) []byte {
		if whole[4]&^4 != 0xa0 { // a single segment with a size of four bytes (RFC 8878, section 3.1.1.1)
			t.Fatalf("descriptor %x", whole[4])
		}
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[5:], size)
		return b
	}
	cases := map[string][]byte{
		"declared":         encoder(t, zstd.WithWindowSize(window)).EncodeAll(zeros, nil),
		"not declared":     stream(t, zeros),
		"just over":        encoder(t).EncodeAll(zeros[:maxEntryPayload+1], nil),
		"two frames":       append(bytes.Clone(whole), whole...),
		"many frames":      bytes.Repeat(whole, 100),
		"window too large": encoder(t, zstd.WithWindowSize(8<<20), zstd.WithSingleSegment(false)).EncodeAll(zeros, nil),
		"declares 4 GB":    declare(1<<32 - 1),
		"declares less":    declare(1000),
	}
	// Once before, so that the decoder's own memory is not counted.
	if _, err := unpack(frameOf(whole), sealedFrame); err == nil {
		t.Fatal("zeros are no payload")
	}
	for name, packed := range cases {
		frame := frameOf(packed)
		if len(frame) > entry.Max {
			t.Fatalf("%s: the bomb of %d bytes would not fit an entry", name, len(frame))
		}
		const tries = 4
		got := allocated(func() {
			for range tries {
				if _, err := unpack(frame, sealedFrame); !errors.Is(err, errPacked) {
					t.Errorf("%s: err = %v", name, err)
				}
			}
		})
		if got/tries > 6<<20 {
			t.Errorf("%s took %d bytes", name, got/tries)
		}
	}
	blob := frameOf(bytes.Clone(encoder(t).EncodeAll(make([]byte, maxBlobPayload+1), nil)))
	if got := allocated(func() {
		if _, err := unpack(blob, blobFrame); !errors.Is(err, errPacked) {
			t.Errorf("blob: err = %v", err)
		}
	}); got > 8<<20 {
		t.Errorf("a blob that declares too much took %d bytes", got)
	}
}

func TestLimitsAreReached(t *testing.T) {
	p := payload(strings.Repeat("a", maxEntryPayload-30))
	raw, err := p.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p = payload(strings.Repeat("a", maxEntryPayload-30+maxEntryPayload-len(raw)))
	frame, err := pack(p, sealedFrame)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unpack(frame, sealedFrame); err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("a payload of exactly the limit: %v", err)
	}
	if _, err := pack(payload(string(p.Objects[0])+"a"), sealedFrame); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a byte more: %v", err)
	}
	// Other encoders may leave the size out.
	raw, err = payload("x").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(frameOf(stream(t, raw)), sealedFrame); err != nil {
		t.Errorf("a frame that does not declare its size: %v", err)
	}
	if _, err := unpack(frameOf(raw), sealedFrame); !errors.Is(err, errPacked) {
		t.Errorf("a payload that is not packed: %v", err)
	}
}

// TestDictionaries: an entry says with which it was packed, and means it.
func TestDictionaries(t *testing.T) {
	plain := limits{payload: maxEntryPayload, padded: true}
	p := payload(string(dictionary[2000:3000]))
	with, err := pack(p, sealedFrame)
	if err != nil {
		t.Fatal(err)
	}
	without, err := pack(p, plain)
	if err != nil || len(without) <= len(with) {
		t.Fatalf("%d bytes with the dictionary, %d without: %v", len(with), len(without), err)
	}
	if _, err := unpack(with, plain); !errors.Is(err, errPacked) {
		t.Errorf("what needs the dictionary was unpacked without: %v", err)
	}
	if got, err := unpack(without, plain); err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("without: %v", err)
	}
	for d, want := range map[[8]byte]bool{Dictionary(): true, {}: false} {
		if l, err := sealedFrame.of(entry.Header{Dictionary: d}); err != nil || l.dictionary != want {
			t.Errorf("%x: %+v, %v", d, l, err)
		}
	}
	if _, err := sealedFrame.of(entry.Header{Dictionary: [8]byte{1}}); err == nil {
		t.Error("an unknown dictionary was accepted")
	}
}

// TestPackersAreSmall: an idle node has 60 MB; what packing keeps must be a small part of it.
func TestPackersAreSmall(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	entryCoders = newCoders()
	thereAndBack(t, sealedFrame, 30_000)
	thereAndBack(t, blobFrame, 300_000)
	after := heap()
	t.Logf("packers keep %d KB", (after-before)>>10)
	if after > before+6<<20 {
		t.Errorf("packers keep %d bytes", after-before)
	}
}

func thereAndBack(t *testing.T, l limits, times int) {
	frame, err := pack(payload(strings.Repeat("a rule that does not fit an entry ", times)), l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(frame, l); err != nil {
		t.Fatal(err)
	}
}

// TestBubbles: what one test's bubble used serves the next one's, whichever came first.
func TestBubbles(t *testing.T) {
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			thereAndBack(t, sealedFrame, 1)
			thereAndBack(t, clearFrame, 1)
			thereAndBack(t, blobFrame, 10_000)
		})
	}
}

// BenchmarkStart is what a program pays for it, whatever its command.
func BenchmarkStart(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if newCoders().err != nil {
			b.Fatal("no coders")
		}
	}
}

// TestPackersAreShared runs many at once; the race detector watches.
func TestPackersAreShared(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				p := payload(strings.Repeat("selection ", i*100+j+1))
				frame, err := pack(p, sealedFrame)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := unpack(frame, sealedFrame); err != nil || !reflect.DeepEqual(got, p) {
					t.Errorf("%d/%d: %v", i, j, err)
				}
			}
		})
	}
	wg.Wait()
}

// corpusRules are rules that the dictionary was not made from.
func corpusRules(t testing.TB) [][]byte {
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	files, err := filepath.Glob(filepath.Join(corpus, "sigma/rules/windows/process_creation/*.yml"))
	if err != nil || len(files) < 1000 {
		t.Fatalf("%d rules, %v", len(files), err)
	}
	var out [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// indicator is a rule as it travels, more or less.
func indicator(t testing.TB, rule []byte) string {
	const id = "9f3bd21c-6f4e-4b05-93e8-62b9ad0f6f5e"
	b, err := json.Marshal(struct {
		Type        string `json:"type"`
		SpecVersion string `json:"spec_version"`
		ID          string `json:"id"`
		CreatedBy   string `json:"created_by_ref"`
		Created     string `json:"created"`
		Modified    string `json:"modified"`
		Name        string `json:"name"`
		Pattern     string `json:"pattern"`
		PatternType string `json:"pattern_type"`
		ValidFrom   string `json:"valid_from"`
	}{"indicator", "2.1", "indicator--" + id, "identity--" + id, "2026-03-02T03:11:00.000Z", "2026-03-02T03:11:00.000Z", "", string(rule), "sigma", "2026-03-02T03:11:00.000Z"})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestCorpusRules shows what the dictionary is worth.
func TestCorpusRules(t *testing.T) {
	rules := corpusRules(t)
	var raw, with, without, padded int
	for _, b := range rules {
		p := payload(indicator(t, b))
		for _, c := range []struct {
			l limits
			n *int
		}{{clearFrame, &with}, {limits{payload: maxEntryPayload}, &without}, {sealedFrame, &padded}} {
			frame, err := pack(p, c.l)
			if err != nil {
				t.Fatal(err)
			}
			*c.n += len(frame)
		}
		raw += len(b)
	}
	t.Logf("%d rules of %d bytes: %d packed with the dictionary (%d padded), %d without", len(rules), raw, with, padded, without)
	if with*100 > without*80 {
		t.Errorf("the dictionary gains less than a fifth: %d bytes against %d", with, without)
	}
}

// TestLargestRule holds the size of the one rule of the corpus that needs a blob.
func TestLargestRule(t *testing.T) {
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	b, err := os.ReadFile(filepath.Join(corpus, "sigma/rules/windows/driver_load/driver_load_win_vuln_drivers.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Entry(newKey(t), log, 1, 1, payload(indicator(t, b))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("it fits an entry now: %v", err)
	}
	frame, err := pack(payload(indicator(t, b)), blobFrame)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes packed to %d", len(b), len(frame))
	if len(frame) > 110_000 {
		t.Errorf("a blob of %d bytes", len(frame))
	}
}

func frames(t testing.TB) [][]byte {
	var out [][]byte
	for _, p := range []entry.Payload{
		payload("x"), payload(strings.Repeat("title: ", 100)), {Type: entry.Blob, TLP: 1, Audience: "alliance", Blob: entry.BlobRef{Size: 1}},
		{Type: entry.Withdraw, TLP: 5, Audience: "member:a", Withdrawals: []entry.Withdrawal{{Index: 1, ID: "x"}}},
	} {
		f, err := pack(p, sealedFrame)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return append(out, frameOf(stream(t, []byte{1, 2, 3})), frameOf(nil), nil)
}

func TestSeeds(t *testing.T) {
	if len(frames(t)) < 7 {
		t.Fatal("too few seeds")
	}
}

func FuzzUnpack(f *testing.F) {
	for _, s := range frames(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := unpack(data, sealedFrame)
		if err != nil {
			return
		}
		again, err := pack(p, sealedFrame)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := unpack(again, sealedFrame); err != nil || !reflect.DeepEqual(back, p) {
			t.Fatalf("%+v became %+v (%v)", p, back, err)
		}
	})
}

// FuzzPacked lets the fuzzer at what lies inside a frame that is in order.
func FuzzPacked(f *testing.F) {
	for _, s := range frames(f) {
		if len(s) > 4 {
			f.Add(s[4 : 4+binary.BigEndian.Uint32(s)])
		}
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		p, err := unpack(frameOf(packed), sealedFrame)
		if err != nil {
			return
		}
		if raw, err := p.Bytes(); err != nil || len(raw) > maxEntryPayload {
			t.Fatalf("%d bytes, %v", len(raw), err)
		}
	})
}
