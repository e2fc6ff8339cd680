package evtx

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/event"
)

// read is what a reader gave of one record.
type read struct {
	facts       string
	fields, all []event.Field // all is what Rest gave
	raw         string
}

// readCopies reads a file; everything is copied, for the reader may use its memory again.
func readCopies(t testing.TB, data []byte, opts Options) (out []read, st Stats) {
	t.Helper()
	st, err := New(bytes.NewReader(data), int64(len(data)), opts).Read(func(ev *event.Event) error {
		one := read{
			facts:  strings.Join([]string{ev.Time.String(), ev.Source, ev.Record, ev.Channel, ev.EventID, ev.Provider, ev.Computer}, "|"),
			fields: clone(ev.Fields),
		}
		if ev.Rest != nil {
			whole := *ev
			whole.Rest(&whole)
			one.all = clone(whole.Fields)
			one.raw = strings.Clone(ev.Raw)
		}
		out = append(out, one)
		return nil
	})
	if err != nil && len(out) > 0 {
		t.Fatal(err)
	}
	return out, st
}

func clone(fields []event.Field) []event.Field {
	out := make([]event.Field, 0, len(fields))
	for _, f := range fields {
		f.Name, f.Value.Text = strings.Clone(f.Name), strings.Clone(f.Value.Text)
		items := f.Value.Items
		f.Value.Items = nil
		for _, v := range items {
			v.Text = strings.Clone(v.Text)
			f.Value.Items = append(f.Value.Items, v)
		}
		out = append(out, f)
	}
	return out
}

// checkSparse compares a sparse reading, with and without borrowed memory, with a full one of a file that
// can be read whole.
func checkSparse(t *testing.T, name string, data []byte, names *event.Names) (raws int) {
	t.Helper()
	names.WantRaw()
	full, fullStats := readCopies(t, data, Options{Source: name})
	if fullStats.Problems > 0 {
		return 0 // limits count what is taken apart
	}
	for _, borrow := range []bool{false, true} {
		got, st := readCopies(t, data, Options{Source: name, Names: names, Sparse: true, Borrow: borrow})
		if st != fullStats || len(got) != len(full) {
			t.Fatalf("%s: borrow %t: %+v, a full reading %+v", name, borrow, st, fullStats)
		}
		for i := range full {
			if got[i].raw != "" {
				checkRaw(t, name, got[i])
				raws++
			}
			want := full[i].fields
			for j := range want {
				want[j].Slot = names.Slot(want[j].Name)
			}
			some := slices.DeleteFunc(slices.Clone(want), func(f event.Field) bool { return f.Slot == 0 })
			if got[i].facts != full[i].facts || !sameFields(got[i].fields, some) || !sameFields(got[i].all, want) {
				t.Fatalf("%s: borrow %t, record %d:\n%q\n%v\nall %v\nwant %q\n%v\nof %v", name, borrow, i, got[i].facts, got[i].fields, got[i].all, full[i].facts, some, want)
			}
		}
	}
	return raws
}

// checkRaw: what stands in a field, and has a telling letter, stands in Raw.
func checkRaw(t *testing.T, name string, r read) {
	t.Helper()
	check := func(text string) {
		for _, run := range strings.FieldsFunc(text, func(c rune) bool { return c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '/' }) {
			if strings.ContainsFunc(strings.ToLower(run), func(c rune) bool { return event.Telling(byte(c)) }) && !strings.Contains(r.raw, run) {
				t.Fatalf("%s: %q is not in %q", name, run, r.raw)
			}
		}
	}
	for _, f := range r.all {
		check(f.Value.Text)
		for _, v := range f.Value.Items {
			check(v.Text)
		}
	}
}

func sameFields(a, b []event.Field) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

func TestSparse(t *testing.T) {
	names := new(event.Names)
	names.Want("EventID", "Data", "CommandLine", "UserData", "Channel", "nowhere")
	for _, data := range seeds() {
		checkSparse(t, "a seed", data, names)
	}
	checkSparse(t, "nothing asked for", seeds()[0], new(event.Names))
}

// TestSparseCorpus asks for every third name that a file has.
func TestSparseCorpus(t *testing.T) {
	raws := 0
	for _, path := range filesUnder(t, filepath.Join(corpusDir(t), "evtx"), ".evtx") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		all, _ := readCopies(t, data, Options{})
		for _, one := range all {
			for _, f := range one.fields {
				found[f.Name] = true
			}
		}
		names := new(event.Names)
		n := 0
		for name := range found {
			if n++; n%3 == 0 {
				names.Want(name)
			}
		}
		raws += checkSparse(t, path, data, names)
	}
	if raws < 5000 {
		t.Errorf("only %d records came with their text", raws)
	}
}
