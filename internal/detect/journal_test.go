package detect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/status"
)

// clock is a clock that the test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func openAt(t *testing.T, dir string, keep Retention, c *clock) *journal {
	t.Helper()
	j, err := openJournal(dir, keep, c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return j
}

func write(t *testing.T, j *journal, c *clock, records ...string) {
	t.Helper()
	for _, r := range records {
		line, err := encodeLine(&status.Detection{RuleID: "r", Record: r, Seen: c.at})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.append(line); err != nil {
			t.Fatal(err)
		}
	}
}

func readAll(t *testing.T, dir string, since time.Time) (records []string) {
	t.Helper()
	err := ReadJournal(t.Context(), dir, since, func(d status.Detection) error {
		records = append(records, d.Record)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

var week = Retention{MaxAge: 7 * 24 * time.Hour, MaxSize: 1 << 20}

func TestJournalRepair(t *testing.T) {
	const whole = `{"record":"1","seen":"2026-03-02T03:11:07Z"}` + "\n"
	for name, tc := range map[string]struct {
		content  string
		want     string
		repaired int64
	}{
		"empty":                {"", "", 0},
		"whole":                {whole, "1", 0},
		"torn line":            {whole + `{"record":"2","se`, "1", 17},
		"torn first line":      {`{"record":"2`, "", 12},
		"newline missing":      {whole + strings.TrimSuffix(whole, "\n"), "1 1", 0},
		"garbage":              {whole + "\x00\x00\x00", "1", 3},
		"longer than any line": {whole + strings.Repeat("x", maxLine+5), "", -1},
	} {
		t.Run(name, func(t *testing.T) {
			dir, c := t.TempDir(), &clock{start}
			if err := os.WriteFile(filepath.Join(dir, JournalName), []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			j := openAt(t, dir, week, c)
			if tc.repaired < 0 {
				if j.stats.Repaired == 0 {
					t.Error("nothing was cut off")
				}
				return
			}
			if j.stats.Repaired != tc.repaired {
				t.Errorf("cut off %d bytes, want %d", j.stats.Repaired, tc.repaired)
			}
			write(t, j, c, "new")
			if got := strings.Join(readAll(t, dir, time.Time{}), " "); got != strings.TrimSpace(tc.want+" new") {
				t.Errorf("read %q, want %q and new", got, tc.want)
			}
		})
	}
}

func TestJournalSize(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	keep := Retention{MaxAge: 24 * time.Hour, MaxSize: 64 << 10}
	j := openAt(t, dir, keep, c)
	const lines = 2000
	for i := range lines {
		c.at = c.at.Add(time.Millisecond)
		write(t, j, c, fmt.Sprint(i))
		if st := j.statistics(); st.Bytes > keep.MaxSize {
			t.Fatalf("line %d: %d bytes kept, at most %d wanted", i, st.Bytes, keep.MaxSize)
		}
	}
	st := j.statistics()
	onDisk := int64(0)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		onDisk += info.Size()
	}
	got := readAll(t, dir, time.Time{})
	if st.Bytes != onDisk || st.Parts != len(entries) || st.DroppedLines == 0 || st.DroppedLines+int64(len(got)) != lines {
		t.Errorf("stats %+v; %d bytes in %d files with %d lines", st, onDisk, len(entries), len(got))
	}
	for i, r := range got {
		if want := fmt.Sprint(lines - len(got) + i); r != want {
			t.Fatalf("line %d is %s, want %s: the newest, in order", i, r, want)
		}
	}
	if st.Bytes < keep.MaxSize/2 {
		t.Errorf("only %d bytes are kept of %d allowed", st.Bytes, keep.MaxSize)
	}
	// The same after a restart.
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, dir, keep, c)
	if now := again.statistics(); now.Bytes != st.Bytes || now.Parts != st.Parts {
		t.Errorf("after a restart %+v, before %+v", now, st)
	}
	newest, err := again.newest(10)
	if err != nil || len(newest) != 10 || newest[9].Record != fmt.Sprint(lines-1) {
		t.Errorf("newest: %v, %v", newest, err)
	}
}

func TestJournalAge(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	j := openAt(t, dir, Retention{MaxAge: 8 * time.Hour, MaxSize: 1 << 20}, c)
	for i := range 24 {
		write(t, j, c, fmt.Sprint(i))
		c.at = c.at.Add(time.Hour)
	}
	got := readAll(t, dir, time.Time{})
	if len(got) < 8 || len(got) > 10 || got[len(got)-1] != "23" {
		t.Errorf("kept %v, want the last 8 hours and at most an eighth more", got)
	}
	if got := readAll(t, dir, start.Add(20*time.Hour)); strings.Join(got, " ") != "20 21 22 23" {
		t.Errorf("since: %v", got)
	}
	// A quiet node drops what is old too.
	c.at = c.at.Add(10 * time.Hour)
	for range 2 {
		if err := j.tend(); err != nil {
			t.Fatal(err)
		}
	}
	if got := readAll(t, dir, time.Time{}); len(got) != 0 {
		t.Errorf("after ten quiet hours %v is kept", got)
	}
	if st := j.statistics(); st.DroppedLines != 24 || st.Bytes != 0 {
		t.Errorf("stats: %+v", st)
	}
}

// TestJournalClockBack sets the clock back between two parts: their order stays.
func TestJournalClockBack(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	j := openAt(t, dir, week, c)
	var want []string
	for i := range 5 {
		write(t, j, c, fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
		j.mu.Lock()
		if err := j.setAside(); err != nil {
			t.Fatal(err)
		}
		j.mu.Unlock()
		c.at = c.at.Add(-time.Hour)
	}
	if got := readAll(t, dir, time.Time{}); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("read %v, want %v", got, want)
	}
}

// TestJournalCannotWrite takes the file away: nothing is acknowledged, and when it is back, writing goes on.
func TestJournalCannotWrite(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	j := openAt(t, dir, week, c)
	write(t, j, c, "1")
	readOnly, err := os.Open(filepath.Join(dir, JournalName))
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	j.file, readOnly = readOnly, j.file
	if err := j.append([]byte("{}\n")); err == nil {
		t.Error("a line that could not be written is acknowledged")
	}
	//lint:ignore SA4006 the first value is what the case begins with
	j.file, readOnly = readOnly, j.file
	write(t, j, c, "2")
	if err := j.append(make([]byte, maxLine+1)); err == nil {
		t.Error("a line over the limit is acknowledged")
	}
	if got := strings.Join(readAll(t, dir, time.Time{}), " "); got != "1 2" {
		t.Errorf("read %q, want 1 2", got)
	}
	// The folder goes away while a part is set aside.
	j.mu.Lock()
	j.keep.MaxSize = minPart
	j.dir = filepath.Join(dir, "gone")
	j.mu.Unlock()
	if err := j.append(make([]byte, minPart)); err == nil {
		t.Error("a line without a folder is acknowledged")
	}
	if err := j.append([]byte("{}\n")); err == nil {
		t.Error("still no folder, and no error")
	}
	j.mu.Lock()
	j.dir = dir
	j.mu.Unlock()
	write(t, j, c, "3")
	if err := j.sync(); err != nil {
		t.Fatal(err)
	}
}

func TestReadJournal(t *testing.T) {
	dir := t.TempDir()
	if got := readAll(t, dir, time.Time{}); got != nil {
		t.Errorf("an empty folder has %v", got)
	}
	if err := ReadJournal(t.Context(), filepath.Join(dir, "missing"), time.Time{}, nil); err == nil {
		t.Error("a missing folder is no error")
	}
	c := &clock{start}
	j := openAt(t, dir, week, c)
	write(t, j, c, "1", "2", "3")
	if _, err := j.file.WriteAt([]byte("not json\n"), j.size); err != nil {
		t.Fatal(err)
	}
	j.size += 9
	write(t, j, c, "4")
	if err := os.WriteFile(filepath.Join(dir, "detections-notes.jsonl"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(readAll(t, dir, time.Time{}), " "); got != "1 2 3 4" {
		t.Errorf("read %q", got)
	}
	stop := errors.New("enough")
	n := 0
	err := ReadJournal(t.Context(), dir, time.Time{}, func(status.Detection) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("got %v after %d, want the callback's error at once", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ReadJournal(ctx, dir, time.Time{}, func(status.Detection) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// TestReadJournalBeside reads while lines are written and parts are set aside and dropped: every line that is
// read is whole and in order.
func TestReadJournalBeside(t *testing.T) {
	dir, c := t.TempDir(), &clock{start}
	j := openAt(t, dir, Retention{MaxAge: time.Hour, MaxSize: 64 << 10}, c)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 3000 {
			line, err := encodeLine(&status.Detection{Record: fmt.Sprintf("%06d", i), Seen: start})
			if err == nil {
				err = j.append(line)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	reads := 0
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		last := ""
		for _, r := range readAll(t, dir, time.Time{}) {
			if r <= last {
				t.Fatalf("%s after %s", r, last)
			}
			last = r
			reads++
		}
	}
	if reads == 0 {
		t.Error("nothing was read")
	}
}

func FuzzJournalRepair(f *testing.F) {
	seeds := []string{"", "\n", "{}", "{}\n", "{\"record\":\"1\"}\n{\"rec", "\x00\x00", "{}\n\n\n", "[1,2", "null\nnull",
		`{"seen":"2026-03-02T03:11:07Z"}` + "\n" + `{"seen":"x"}`}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	if len(seeds) < 10 {
		f.Fatal("too few seeds")
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir, c := t.TempDir(), &clock{start}
		if err := os.WriteFile(filepath.Join(dir, JournalName), content, 0o600); err != nil {
			t.Fatal(err)
		}
		j := openAt(t, dir, week, c)
		if _, err := j.newest(10); err != nil {
			t.Fatal(err)
		}
		write(t, j, c, "the new line")
		got := readAll(t, dir, time.Time{})
		if len(got) == 0 || got[len(got)-1] != "the new line" {
			t.Fatalf("the line written after the repair is not read: %q", got)
		}
	})
}
