package publish

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/entry"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

func uuidOf(n int) string { return fmt.Sprintf("%08x-1111-4111-8111-111111111111", n) }

// Objects that hardly pack: packing well would meet the limit of what an entry unpacks to first.
func TestBulkFillsEntries(t *testing.T) {
	f := newFixture(t)
	const count = 1000
	objects, text := make([]string, count), noise(count*600)
	for i := range objects {
		objects[i] = indicator(uuidOf(i), 1, `,"description":"`+text[i*600:(i+1)*600]+`"`)
	}
	got := f.publish(Request{TLP: stix.Green, Items: []Item{stixFile("x.json", objects...)}})
	if read := f.readAs("member:a"); strings.Join(read, "\n") != strings.Join(objects, "\n") {
		t.Fatalf("%d objects read, or in another order", len(read))
	}
	sizes := f.sizes()
	for i, size := range sizes[:len(sizes)-1] {
		if size > entry.Max || size > maxSealed+100 {
			t.Errorf("entry %d has %d bytes", i, size)
		}
		if size < maxSealed/2 {
			t.Errorf("entry %d of %d is filled with %d bytes only", i, len(got.Entries), size)
		}
	}
}

// sizes are those of the sealed entries.
func (f *fixture) sizes() (out []int) {
	f.view(func(tx *sqlite.Tx) error {
		size, _, err := tx.LogHead(f.log)
		for i := range size {
			raw, err := tx.Entry(f.log, i)
			if err != nil {
				return err
			}
			if e, err := entry.Parse(raw); err == nil && e.Kind == entry.KindSealed {
				out = append(out, len(raw))
			}
		}
		return err
	})
	return out
}

func noise(n int) string {
	rng := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[rng.IntN(36)]
	}
	return string(b)
}

func TestLargeObjectsTravelAsBlobs(t *testing.T) {
	f := newFixture(t)
	large := indicator(uuid1, 1, `,"description":"`+noise(300_000)+`"`)
	small := indicator(uuid2, 1, "")
	got := f.publish(Request{TLP: stix.Amber, To: []string{"states"}, Items: []Item{stixFile("x.json", small, large)}})
	if len(got.Entries) != 2 || got.Entries[0].Blob || !got.Entries[1].Blob {
		t.Fatalf("%+v", got.Entries)
	}
	if read := f.readAs("member:a"); len(read) != 2 || read[0] != small || read[1] != large {
		t.Errorf("a reads %d objects", len(read))
	}
	if read := f.readAs("member:c"); len(read) != 0 {
		t.Errorf("c reads %d objects", len(read))
	}
}

func TestTooLargeForABlob(t *testing.T) {
	f := newFixture(t)
	f.refuses("x.json: byte", Request{TLP: stix.Green, Items: []Item{stixFile("x.json", indicator(uuid1, 1, `,"description":"`+strings.Repeat("x", 17<<20)+`"`))}})
}

func TestOneEach(t *testing.T) {
	f := newFixture(t)
	objects := make([]string, 3*unitEntries)
	for i := range objects {
		objects[i] = indicator(uuidOf(i), 1, "")
	}
	got := f.publish(Request{TLP: stix.Green, OneEach: true, Items: []Item{stixFile("x.json", objects...)}})
	if len(got.Entries) != len(objects) {
		t.Fatalf("%d entries", len(got.Entries))
	}
	for i, e := range got.Entries {
		if len(e.Objects) != 1 || i > 0 && e.Place.Index != got.Entries[i-1].Place.Index+1 {
			t.Fatalf("entry %d: %+v", i, e)
		}
	}
	if read := f.readAs("member:b"); strings.Join(read, "\n") != strings.Join(objects, "\n") {
		t.Errorf("%d objects read", len(read))
	}
}

func TestPartOfABulkIsReported(t *testing.T) {
	f := newFixture(t)
	objects := make([]string, 2*unitEntries)
	for i := range objects {
		objects[i] = indicator(uuidOf(i), 1, "")
	}
	full := errors.New("disk full")
	f.pub.opt.Log = appendFunc(func(ctx context.Context, build func(Tx, string, uint64) ([][]byte, error)) error {
		if len(f.live) > 0 {
			return full
		}
		return f.Append(ctx, build)
	})
	req := Request{TLP: stix.Green, OneEach: true, Items: []Item{stixFile("x.json", objects...)}}
	got, err := f.pub.Publish(context.Background(), req)
	if !errors.Is(err, full) || len(got.Entries) != unitEntries || len(f.readAs("member:a")) != unitEntries {
		t.Fatalf("%d entries, %v", len(got.Entries), err)
	}
	f.pub.opt.Log = f
	if got := f.publish(req); len(got.Entries) != unitEntries || len(got.Unchanged) != unitEntries {
		t.Errorf("the rest: %d and %d unchanged", len(got.Entries), len(got.Unchanged))
	}
}

type appendFunc func(context.Context, func(Tx, string, uint64) ([][]byte, error)) error

func (fn appendFunc) Append(ctx context.Context, build func(Tx, string, uint64) ([][]byte, error)) error {
	return fn(ctx, build)
}

func corpus(t testing.TB) string {
	root := os.Getenv("SHIELDWALL_CORPUS")
	if root == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	return root
}

// Every rule of the corpus that loads is shared and read back with its exact bytes; the second time nothing
// happens.
func TestCorpusRules(t *testing.T) {
	root := corpus(t)
	f := newFixture(t)
	var items []Item
	err := filepath.WalkDir(filepath.Join(root, "sigma", "rules", "windows", "driver_load"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yml" {
			return err
		}
		data, err := os.ReadFile(path)
		items = append(items, Item{filepath.Base(path), data})
		return err
	})
	if err != nil || len(items) == 0 {
		t.Fatalf("%d rules: %v", len(items), err)
	}
	got := f.publish(Request{Items: items, TLP: stix.Green, OneEach: true})
	if len(got.Entries) != len(items) {
		t.Fatalf("%d entries for %d rules", len(got.Entries), len(items))
	}
	blobs := 0
	for _, e := range got.Entries {
		if e.Blob {
			blobs++
		}
	}
	if blobs == 0 {
		t.Error("the largest rule went without a blob")
	}
	for i, raw := range f.readAs("member:c") {
		o, err := stix.Parse([]byte(raw), stix.Limits{})
		if err != nil || o.Pattern != string(items[i].Data) {
			t.Fatalf("%s does not arrive as it was: %v", items[i].Name, err)
		}
		if o.Text("x_shieldwall_author") == "" && bytes.Contains(items[i].Data, []byte("\nauthor: ")) {
			t.Errorf("%s lost its author", items[i].Name)
		}
	}
	if again := f.publish(Request{Items: items, TLP: stix.Green, OneEach: true}); len(again.Entries) != 0 || len(again.Unchanged) != len(items) {
		t.Errorf("again: %d entries, %d unchanged", len(again.Entries), len(again.Unchanged))
	}
}

func attack(t testing.TB) Item {
	file, err := os.Open(filepath.Join(corpus(t), "attack", "ics-attack-18.1.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return Item{"attack.json", data}
}

func TestATTACK(t *testing.T) {
	f := newFixture(t)
	objects, err := stix.ParseBundle(attack(t).Data, stix.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	// A part of it, for the race detector's sake; the copyright that marks all of it stands behind.
	const part = 500
	definition := slices.IndexFunc(objects, func(o *stix.Object) bool { return o.Type == "marking-definition" })
	objects = append(objects[:part:part], objects[definition])
	texts := make([]string, len(objects))
	for i, o := range objects {
		texts[i] = string(o.Raw)
	}
	f.publish(Request{Items: []Item{stixFile("attack.json", texts...)}, TLP: stix.Clear})
	have := map[string]bool{}
	for _, raw := range f.readAs("member:b") {
		have[raw] = true
	}
	for _, o := range objects {
		if !have[string(o.Raw)] {
			t.Fatalf("%s did not arrive as it was", o.ID)
		}
	}
	for _, c := range f.live {
		if c.Live == nil || c.Live.TLP != uint8(stix.Clear) {
			t.Fatalf("%s counts as %+v", c.ID, c.Live)
		}
	}
}

func BenchmarkPublishATTACK(b *testing.B) {
	item := attack(b)
	b.SetBytes(int64(len(item.Data)))
	for b.Loop() {
		b.StopTimer()
		f := newFixture(b)
		b.StartTimer()
		if _, err := f.pub.Publish(context.Background(), Request{Items: []Item{item}, TLP: stix.Clear}); err != nil {
			b.Fatal(err)
		}
	}
}

func publishSeeds() []Item {
	return []Item{
		{"r.yml", []byte(rule)}, {"x.json", []byte(indicator(uuid1, 1, ""))}, stixFile("b.json", indicator(uuid1, 1, ""), indicator(uuid2, 2, `,"revoked":true`)),
		{"", nil}, {"x", []byte("{")}, {"x", []byte("[]")}, {"x.yml", []byte("a: [b")}, {"x.yml", []byte("---\n---\n")}, {"x", []byte("\xff\xfe")},
		{"x", []byte(`{"type":"url","id":"url--` + uuid1 + `","value":"x","x_ref":"file--` + uuid2 + `"}`)},
	}
}

func TestPublishSeeds(t *testing.T) {
	if n := len(publishSeeds()); n < 10 {
		t.Fatalf("%d seeds, want at least 10", n)
	}
}

// FuzzPublish: whatever the file, it is refused and nothing is written, or its readers read what a dry run showed.
func FuzzPublish(f *testing.F) {
	for _, s := range publishSeeds() {
		f.Add(s.Name, s.Data)
	}
	fx := newFixture(f)
	fx.publish(Request{Items: []Item{stixFile("x.json", indicator(uuidOf(9), 1, ""))}, TLP: stix.Green}) // opens the epoch
	fx.failing = errors.New("undo")
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		req := Request{Items: []Item{{name, data}}, TLP: stix.Green, DryRun: true}
		dry, err := fx.pub.Publish(context.Background(), req)
		var refused *Refused
		if err != nil {
			if !errors.As(err, &refused) || len(refused.Problems) == 0 {
				t.Fatalf("failed: %v", err)
			}
			return
		}
		for _, e := range dry.Entries {
			p, err := entry.ParsePayload(e.Payload)
			if err != nil || len(p.Objects) != len(e.Objects) || p.TLP < uint8(stix.Green) {
				t.Fatalf("payload: %v", err)
			}
		}
		req.DryRun = false
		if _, err := fx.pub.Publish(context.Background(), req); len(dry.Entries) > 0 && !errors.Is(err, fx.failing) {
			t.Fatalf("what a dry run showed is not sealed: %v", err)
		}
	})
}
