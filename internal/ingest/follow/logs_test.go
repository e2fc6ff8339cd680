package follow

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/decode/evtx"
	"shieldwall/internal/event"
)

const chunkSize = 64 << 10

// bigLog finds a log of the corpus with at least two chunks that hold records.
func bigLog(t *testing.T) []byte {
	t.Helper()
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	var found []byte
	err := filepath.WalkDir(filepath.Join(corpus, "evtx"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || found != nil || filepath.Ext(path) != ".evtx" {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && records(t, data) > records(t, data[:min(len(data), 4096+chunkSize)]) {
			found = data
		}
		return err
	})
	if err != nil || found == nil {
		t.Fatalf("no log with two chunks: %v", err)
	}
	return found
}

func records(t *testing.T, data []byte) int {
	t.Helper()
	st, err := evtx.New(bytes.NewReader(data), int64(len(data)), evtx.Options{}).Read(func(*event.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return st.Events
}

func TestLogGrows(t *testing.T) {
	data := bigLog(t)
	part := data[:4096+chunkSize]
	all, first := records(t, data), records(t, part)
	w := newWorld(t)
	f := w.start()
	for n := 0; n < len(part); n += len(part) / 4 { // it is still being copied
		w.write("a.evtx", string(part[:n]))
		w.polls(f)
		w.at = w.at.Add(DefaultSettle / 2)
	}
	if len(w.events) != 0 {
		t.Fatalf("%d records read before the file was whole", len(w.events))
	}
	w.append("a.evtx", string(part), os.O_TRUNC)
	settle := func() {
		w.polls(f)
		w.at = w.at.Add(DefaultSettle)
		w.polls(f)
	}
	settle()
	if len(w.events) != first {
		t.Fatalf("%d records, want %d", len(w.events), first)
	}
	f = w.start()
	settle()
	w.rename("a.evtx", "b.evtx") // an archive of it
	settle()
	f = w.start()
	settle()
	if len(w.events) != first {
		t.Fatalf("read again: %d records, want %d", len(w.events), first)
	}
	w.append("b.evtx", string(data[len(part):]))
	settle()
	if len(w.events) != all {
		t.Errorf("%d records after it grew, want %d", len(w.events), all)
	}
	seen := map[string]bool{}
	for _, e := range w.events {
		_, record, _ := strings.Cut(e, "#")
		if record = record[:strings.Index(record, "@")]; seen[record] {
			t.Errorf("record %s twice", record)
		}
		seen[record] = true
	}
}

func TestLogReplaced(t *testing.T) {
	data := bigLog(t)
	w := newWorld(t)
	f := w.start(Source{Path: w.path("a.evtx")})
	settle := func() {
		w.polls(f)
		w.at = w.at.Add(DefaultSettle)
		w.polls(f)
	}
	w.write("a.evtx", string(data))
	settle()
	all := records(t, data)
	// Another log takes the place and the name: its records have ids that were seen already.
	other := bytes.Clone(data)
	other[4096+512+16]++ // the first record's time
	w.write("a.evtx", string(other))
	settle()
	if len(w.events) < 2*all-1 {
		t.Errorf("%d records of two logs, want nearly %d", len(w.events), 2*all)
	}
}

func TestLogDamaged(t *testing.T) {
	data := bytes.Clone(bigLog(t))
	copy(data[4096+chunkSize:], "garbage in the second chunk")
	w := newWorld(t)
	f := w.start()
	w.write("a.evtx", string(data))
	w.write("stub.evtx", "ElfFile\x00")
	w.write("b.jsonl", numbered(1, 2))
	w.polls(f)
	w.at = w.at.Add(DefaultSettle)
	w.polls(f)
	good := 0
	for _, e := range w.events {
		if strings.Contains(e, "a.evtx") {
			good++
		}
	}
	if good < records(t, data[:4096+chunkSize]) || len(w.events) != good+2 {
		t.Errorf("%d records of the good chunks, %d events in all", good, len(w.events))
	}
	if st := f.Stats(); st.Errors == 0 || st.LastError == "" {
		t.Errorf("stats: %+v", st)
	}
	before := len(w.events)
	w.at = w.at.Add(time.Hour)
	w.polls(f)
	if len(w.events) != before {
		t.Error("a damaged log is read again and again")
	}
}
