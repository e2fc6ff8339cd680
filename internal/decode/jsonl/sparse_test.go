package jsonl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"shieldwall/internal/event"
)

// read is what a reader gave: an event's own facts with its fields, or an error, in words.
type read struct {
	facts  string
	fields []event.Field
	all    []event.Field // what Rest gave; nil where it is not set
	raw    string
	choice *event.Choice
	err    string
}

// readAll reads a stream to its end; everything is copied, for the reader may use its memory again.
func readAll(src io.Reader, opts Options) (out []read, st Stats) {
	r := New(src, opts)
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, r.Stats()
		}
		if err != nil {
			if out = append(out, read{err: err.Error()}); !errors.As(err, new(*ValueError)) {
				return out, r.Stats()
			}
			continue
		}
		one := read{
			facts:  strings.Join([]string{ev.Time.String(), ev.Source, ev.Record, ev.Channel, ev.EventID, ev.Provider, ev.Computer}, "|"),
			fields: clone(ev.Fields),
		}
		if ev.Rest != nil {
			whole := *ev
			whole.Rest(&whole)
			one.all = clone(whole.Fields)
			one.raw, one.choice = strings.Clone(ev.Raw), ev.Choice
		}
		out = append(out, one)
	}
}

func clone(fields []event.Field) []event.Field {
	out := make([]event.Field, 0, len(fields))
	for _, f := range fields {
		out = append(out, event.Field{Name: strings.Clone(f.Name), Value: cloneValue(f.Value), Slot: f.Slot})
	}
	return out
}

func cloneValue(v event.Value) event.Value {
	out := event.Value{Kind: v.Kind, Text: strings.Clone(v.Text)}
	for _, item := range v.Items {
		out.Items = append(out.Items, cloneValue(item))
	}
	return out
}

// numbered gives fields the slots of a register.
func numbered(fields []event.Field, names *event.Names) []event.Field {
	out := slices.Clone(fields)
	for i := range out {
		out[i].Slot = names.Slot(out[i].Name)
	}
	return out
}

// checkSparse compares a sparse reading, with and without borrowed memory, with a full one: first of all that is
// asked for, then of what is chosen for each record.
func checkSparse(t *testing.T, data []byte, opts Options, names *event.Names) {
	t.Helper()
	if !names.Chooses() {
		checkChosen(t, data, opts, names)
		names.WantAlways("Image")
		names.SetChooser(everySecond(names))
	}
	checkChosen(t, data, opts, names)
}

// everySecond chooses every second field of event logs' records.
func everySecond(names *event.Names) func(*event.Event) *event.Choice {
	return func(ev *event.Event) *event.Choice {
		if ev.Channel == "" {
			return nil
		}
		c := new(event.Choice)
		for slot := 1; slot <= names.Len(); slot += 2 {
			c.Add(event.Slot(slot))
		}
		return c
	}
}

func checkChosen(t *testing.T, data []byte, opts Options, names *event.Names) {
	t.Helper()
	full, fullStats := readAll(bytes.NewReader(data), opts)
	for _, borrow := range []bool{false, true} {
		o := opts
		o.Names, o.Sparse, o.Borrow = names, true, borrow
		for _, src := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data))} {
			got, st := readAll(src, o)
			if st != fullStats || len(got) != len(full) {
				t.Fatalf("borrow %t: %+v and %d results, a full reading %+v and %d", borrow, st, len(got), fullStats, len(full))
			}
			for i := range full {
				want := numbered(full[i].fields, names)
				some := slices.DeleteFunc(slices.Clone(want), func(f event.Field) bool {
					return f.Slot == 0 || got[i].choice != nil && !got[i].choice.Has(f.Slot)
				})
				if got[i].facts != full[i].facts || got[i].err != full[i].err {
					t.Fatalf("borrow %t, %d: %q %q, want %q %q", borrow, i, got[i].facts, got[i].err, full[i].facts, full[i].err)
				}
				checkRaw(t, got[i])
				if full[i].err == "" && (!same(got[i].fields, some) || !same(got[i].all, want)) {
					t.Fatalf("borrow %t, %d:\n%v\nall %v\nwant %v\nof %v", borrow, i, got[i].fields, got[i].all, some, want)
				}
			}
		}
	}
}

// checkRaw: what JSON never escapes stands in the record's own text as in its fields.
func checkRaw(t *testing.T, r read) {
	t.Helper()
	if r.raw == "" {
		return
	}
	for _, f := range r.all {
		for _, run := range strings.FieldsFunc(f.Value.Text, func(c rune) bool {
			return c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '/'
		}) {
			if !strings.Contains(r.raw, run) {
				t.Fatalf("%q of %s is not in %q", run, f.Name, r.raw)
			}
		}
	}
}

func same(a, b []event.Field) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) }

var shaped = []string{
	`{"Channel":"Security","EventID":4688,"SourceName":"P","Hostname":"h","ProviderGuid":"{1}","RecordNumber":7,"ExecutionProcessID":4,"EventTime":"2020-10-19 03:30:41","CommandLine":"a \\ b","Image":"C:\\x"}`,
	`{"Event":{"#attributes":{"xmlns":"u"},"System":{"EventID":1,"Provider":{"#attributes":{"Name":"x"}},"TimeCreated":{"#attributes":{"SystemTime":"2023-07-19T12:20:11.9Z"}},"Channel":"c"},"EventData":{"A B":"\u00e4","CommandLine":"x","Channel":"other","L":[1,"2",null]}}}`,
	`{"@timestamp":"2023-07-19T12:20:11Z","winlog":{"channel":"c","event_id":1,"event_data":{"Image":"i","param1":"q"},"computer_name":"h"},"message":"m\r\n"}`,
	`{"log_name":"c","event_id":1,"event_data":{"Image":["a",{"b":1}]},"computer_name":"h","process_id":4}`,
	"{\"a\":\"\xff\\ud83d\",\"Image\":\"\xff\\ud83d\",\"b\":[\"\xff\"],\"c\":{\"d\":\"\\u0041\\\\\"}}",
	`{"a":[],"Image":[],"b":[{"Image":1}],"x":{"Image":{"y":[[]]}}}`,
}

// someNames is a register of names that the samples have, and one of no sample.
func someNames() *event.Names {
	n := new(event.Names)
	n.Want("Image", "CommandLine", "EventID", "Provider_Guid", "a", "a.b", "c.d", "L", "nowhere", "Message")
	return n
}

func TestSparse(t *testing.T) {
	names := someNames()
	for _, text := range append(slices.Clone(shaped), objects...) {
		checkSparse(t, []byte(text+"\n"+`{"Image":"behind"}`), Options{}, names)
	}
	checkSparse(t, []byte(strings.Join(shaped, "\n")), Options{}, names)
}

// TestSparseCorpus reads real recordings, asking for ever more names, a reader each and one while it reads.
func TestSparseCorpus(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	recordings(t, func(name string, data []byte) {
		if data = data[:min(len(data), 64<<10)]; rng.IntN(4) == 0 {
			names := someNames()
			full, _ := readAll(bytes.NewReader(data), Options{})
			for _, one := range full {
				for _, f := range one.fields {
					if rng.IntN(5) == 0 {
						names.Want(f.Name)
					}
				}
			}
			checkSparse(t, data, Options{}, names)
		}
	})
}

// TestNamesGrow: what is asked for from now on is there from the next event on.
func TestNamesGrow(t *testing.T) {
	names := new(event.Names)
	r := New(strings.NewReader(strings.Repeat(shaped[0]+"\n", 3)), Options{Names: names, Sparse: true, Borrow: true})
	want := []string{"[]", "[{CommandLine {1 a \\ b []} 1}]", "[{CommandLine {1 a \\ b []} 1} {Provider_Guid {1 {1} []} 2}]"}
	for i, add := range []string{"", "CommandLine", "Provider_Guid"} {
		if add != "" {
			names.Want(add)
		}
		ev, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(ev.Fields); got != want[i] || ev.Names != names || ev.Channel != "Security" || ev.Computer != "h" {
			t.Errorf("%d: %s, want %s", i, got, want[i])
		}
	}
}

// TestNoGarbage: a sparse reading that borrows makes nothing anew once it is under way.
func TestNoGarbage(t *testing.T) {
	names := someNames()
	stream := strings.NewReader(strings.Repeat(shaped[0]+"\n", 20_000))
	r := New(stream, Options{Names: names, Sparse: true, Borrow: true})
	next := func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	for range 5000 {
		next()
	}
	if n := testing.AllocsPerRun(10_000, next); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

// FuzzSparse: leaving fields out changes nothing else.
func FuzzSparse(f *testing.F) {
	seeds := append(slices.Clone(shaped), objects...)
	if len(seeds) < 40 {
		f.Fatalf("%d seeds", len(seeds))
	}
	for i, s := range seeds {
		f.Add([]byte(s+"\n"+shaped[i%len(shaped)]), "Image", "EventData")
	}
	f.Fuzz(func(t *testing.T, data []byte, one, other string) {
		names := new(event.Names)
		names.Want("a", "Channel", one, other)
		checkSparse(t, data, Options{MaxValueBytes: 4096, MaxDepth: 8, MaxFields: 64}, names)
	})
}
