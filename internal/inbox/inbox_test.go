package inbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/stix"
)

// world is an inbox over a store in memory that does what a test tells it to.
type world struct {
	units   []int // objects that the gate saw in each unit
	order   []string
	live    int
	fails   int // the unit that fails, from 1
	box     *Inbox
	shared  [][]string
	refuses map[string]string
	shares  error
	noted   map[string]time.Time
	clock   time.Time
}

func newWorld() *world {
	w := &world{noted: map[string]time.Time{}, clock: time.Unix(1e9, 0).UTC()}
	run := func(_ context.Context, fn func(Tx) error) error {
		w.units = append(w.units, 0)
		if len(w.units) == w.fails {
			return errBroken
		}
		return fn(w)
	}
	w.box = New(Options{Update: run, Durable: run, View: run, Gate: w, Live: func(c []object.Change) { w.live += len(c) }, Now: func() time.Time { return w.clock }})
	return w
}

var errBroken = errors.New("broken")

func (w *world) Savepoint(fn func() error) error { return fn() }
func (w *world) FiledCopies(id string) ([]object.Filed, error) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	return []object.Filed{
		{Copy: object.Copy{Seq: 1, Key: object.Key{Publisher: "local:other", ID: id}, Admitted: at}},
		{Copy: object.Copy{Seq: 2, Key: object.Key{Publisher: "local:me", ID: id}, Admitted: at.Add(time.Second)}},
	}, nil
}
func (w *world) PutPosting(id, holder string, at time.Time, _ []byte, before time.Time) error {
	w.noted[id+holder] = at
	if at.Sub(before) != Kept {
		return fmt.Errorf("forgets what is older than %v", before)
	}
	return nil
}
func (w *world) Posting(id, holder string) ([]byte, time.Time, error) {
	at, ok := w.noted[id+holder]
	if !ok {
		return nil, at, fs.ErrNotExist
	}
	return []byte("x"), at, nil
}

func (w *world) Admit(_ Tx, who Holder, o *stix.Object) ([]object.Change, string, error) {
	w.units[len(w.units)-1]++
	w.order = append(w.order, o.Type)
	if strings.HasPrefix(o.Name, "refused") {
		return nil, "no: " + o.Name, nil
	}
	return []object.Change{{}}, "", nil
}

func (w *world) Remove(_ Tx, publisher, id string, seqs []int64) ([]object.Change, error) {
	w.order = append(w.order, fmt.Sprint(publisher, id, seqs))
	return []object.Change{{}}, nil
}

func (w *world) publish(_ context.Context, objects []*stix.Object) (map[string]string, error) {
	var ids []string
	for _, o := range objects {
		ids = append(ids, o.ID)
	}
	w.shared = append(w.shared, ids)
	return w.refuses, w.shares
}

func tool(n int, name string) []byte {
	return fmt.Appendf(nil, `{"type":"tool","id":"tool--%d","name":%q,"created":"2026-01-01T00:00:00Z","modified":"2026-01-02T00:00:00Z"}`, n, name)
}

func TestPostInUnits(t *testing.T) {
	w := newWorld()
	var objects [][]byte
	for i := range 150 {
		objects = append(objects, tool(i, ""))
	}
	objects[3] = []byte(`{"type":`)
	objects[4] = tool(4, "refused")
	objects[149] = []byte(`{"type":"marking-definition","id":"marking-definition--1","created":"2017-01-20T00:00:00.000Z"}`)
	objects[148] = []byte(`{"type":"ipv4-addr","id":"ipv4-addr--1"}`)
	res, err := w.box.Post(t.Context(), Holder{Name: "me"}, objects)
	if err != nil || fmt.Sprint(w.units) != "[64 64 21]" || w.order[0] != "marking-definition" || w.live != 148 {
		t.Errorf("units %v, first %s, %d changes, %v", w.units, w.order[0], w.live, err)
	}
	for i, want := range map[int]Result{
		0: {ID: "tool--0", Version: "2026-01-02T00:00:00Z"}, 4: {ID: "tool--4", Version: "2026-01-02T00:00:00Z", Refusal: "no: refused"},
		149: {ID: "marking-definition--1", Version: "2017-01-20T00:00:00.000Z"}, 148: {ID: "ipv4-addr--1", Version: "2026-01-02T03:04:06.000006Z"},
	} {
		if res[i] != want {
			t.Errorf("result %d: %+v, want %+v", i, res[i], want)
		}
	}
	if !strings.Contains(res[3].Refusal, "not a STIX object") {
		t.Errorf("result 3: %+v", res[3])
	}
}

// A store that fails is no refusal; what was taken before is live.
func TestPostFails(t *testing.T) {
	w := newWorld()
	w.fails = 2
	var objects [][]byte
	for i := range 100 {
		objects = append(objects, tool(i, ""))
	}
	if _, err := w.box.Post(t.Context(), Holder{Name: "me"}, objects); !errors.Is(err, errBroken) || w.live != 64 {
		t.Errorf("%v, %d changes", err, w.live)
	}
}

func TestRule(t *testing.T) {
	w := newWorld()
	w.box.opt.Publish = w.publish
	w.refuses = map[string]string{"tool--2": "too wide"}
	objects := [][]byte{tool(1, ""), tool(2, ""), tool(3, "refused")}
	res, err := w.box.Post(t.Context(), Holder{Name: "me"}, objects)
	if err != nil || fmt.Sprint(w.shared) != "[[tool--1 tool--2]]" || res[0].Note != "" || res[1].Note != "kept here, not published: too wide" || res[2].Note != "" || res[1].Refusal != "" {
		t.Errorf("shared %v, %+v, %v", w.shared, res, err)
	}
	if _, err := w.box.Post(t.Context(), Holder{Name: "me"}, [][]byte{tool(3, "refused")}); err != nil || len(w.shared) != 1 {
		t.Errorf("nothing to share: %v, %v", w.shared, err)
	}
	w.shares = errBroken
	if _, err := w.box.Post(t.Context(), Holder{Name: "me"}, objects); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}

func TestTakeBack(t *testing.T) {
	w := newWorld()
	for _, tt := range []struct {
		seqs []int64
		want error
	}{{[]int64{2}, nil}, {[]int64{1, 2}, ErrOthers}, {[]int64{1}, ErrOthers}, {[]int64{9}, ErrUnknown}, {nil, ErrUnknown}} {
		if err := w.box.Remove(t.Context(), Holder{Name: "me"}, "tool--1", tt.seqs); !errors.Is(err, tt.want) {
			t.Errorf("%v: %v, want %v", tt.seqs, err, tt.want)
		}
	}
	if w.live != 1 || len(w.order) != 1 || w.order[0] != "local:metool--1[2]" {
		t.Errorf("%d changes, %v", w.live, w.order)
	}
}

func TestNotes(t *testing.T) {
	w := newWorld()
	if err := w.box.Note(t.Context(), "1", "me", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if body, err := w.box.Noted(t.Context(), "1", "me"); string(body) != "x" || err != nil {
		t.Errorf("%s, %v", body, err)
	}
	if _, err := w.box.Noted(t.Context(), "1", "you"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another's: %v", err)
	}
	w.clock = w.clock.Add(Kept + time.Second)
	if _, err := w.box.Noted(t.Context(), "1", "me"); !errors.Is(err, ErrUnknown) {
		t.Errorf("too old: %v", err)
	}
}
