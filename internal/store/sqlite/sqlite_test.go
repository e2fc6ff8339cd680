package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"shieldwall/internal/object"
	"shieldwall/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	name := "a store #%.db"
	if runtime.GOOS != "windows" {
		name = "a store?#%.db"
	}
	storetest.Run(t, func(t *testing.T, dir string) storetest.Store[*Tx] {
		st, err := Open(t.Context(), filepath.Join(dir, name), Options{Now: storetest.Now})
		if err != nil {
			t.Fatal(err)
		}
		return st
	})
}

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	st, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return st
}

// edit runs SQL on a database that no store has open.
func edit(t *testing.T, path, sql string) {
	t.Helper()
	c, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.script(sql), c.close()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	newer := filepath.Join(dir, "newer.db")
	if err := mustOpen(t, newer).Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, newer, "PRAGMA user_version = 99")
	foreign := filepath.Join(dir, "foreign.db")
	edit(t, foreign, "CREATE TABLE contacts (name TEXT); INSERT INTO contacts VALUES ('a')")
	marked := filepath.Join(dir, "marked.db")
	edit(t, marked, "PRAGMA application_id = 42")
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("not a database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, check := range map[string]func(error) bool{
		newer: func(err error) bool {
			var e *VersionError
			return errors.As(err, &e) && e.Have == 99 && e.Support == 3 && strings.Contains(err.Error(), "version 99") && strings.Contains(err.Error(), "up to 3")
		},
		foreign:                       func(err error) bool { var e *NotOursError; return errors.As(err, &e) && e.ID == 0 },
		marked:                        func(err error) bool { var e *NotOursError; return errors.As(err, &e) && e.ID == 42 },
		garbage:                       func(err error) bool { return errors.Is(err, ErrCorrupt) },
		filepath.Join(dir, "no", "x"): func(err error) bool { return errors.Is(err, fs.ErrNotExist) },
	} {
		before, _ := os.ReadFile(path)
		st, err := Open(t.Context(), path, Options{})
		if err == nil {
			st.Close()
		}
		if err == nil || !check(err) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s was changed", filepath.Base(path))
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("file modes mean little here")
	}
	dir := t.TempDir()
	st := mustOpen(t, filepath.Join(dir, "s.db"))
	if err := st.Update(t.Context(), func(tx *Tx) error { return tx.PutMeta("k", nil) }); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, want the database, its log and its index: %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

// TestFull fills a database that may not grow. The units that no longer fit fail as ErrFull and leave
// nothing, earlier ones stay, and the store goes on once there is room.
func TestFull(t *testing.T) {
	st := mustOpen(t, filepath.Join(t.TempDir(), "s.db"))
	const limit = 300 // pages
	if err := st.Update(t.Context(), func(tx *Tx) error { return tx.c.script(fmt.Sprintf("PRAGMA max_page_count = %d", limit)) }); err != nil {
		t.Fatal(err)
	}
	stored := 0
	for ; ; stored++ {
		if stored > 2*limit {
			t.Fatal("the database never filled up")
		}
		err := st.UpdateDurable(t.Context(), func(tx *Tx) error {
			if err := tx.PutMeta(fmt.Sprint("n", stored), []byte("here")); err != nil {
				return err
			}
			err := tx.PutBlob(fmt.Append(nil, stored), make([]byte, 8<<10))
			if err != nil {
				// SQLite may have ended the transaction: nothing must run outside of one.
				if perr := tx.PutMeta("stray", []byte("x")); perr == nil {
					t.Error("a write passed after the transaction had ended")
				}
				if serr := tx.Savepoint(func() error { return nil }); serr == nil {
					t.Error("a savepoint opened after the transaction had ended")
				}
			}
			return nil // even a unit that hides the error must not be kept
		})
		if err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatalf("unit %d: %v", stored, err)
			}
			break
		}
	}
	if stored == 0 {
		t.Fatal("nothing fitted")
	}
	check := func(n int, want bool) {
		t.Helper()
		err := st.View(t.Context(), func(tx *Tx) error {
			if stray, err := tx.Meta("stray"); stray != nil || err != nil {
				t.Errorf("a stray write is there: %v", err)
			}
			if got, err := tx.Meta(fmt.Sprint("n", n)); err != nil || (got != nil) != want {
				t.Errorf("unit %d: %q, %v", n, got, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	check(stored-1, true)
	check(stored, false)
	if err := st.Update(t.Context(), func(tx *Tx) error {
		return tx.c.script("PRAGMA max_page_count = 100000")
	}); err != nil {
		t.Fatal(err)
	}
	if err := st.Update(t.Context(), func(tx *Tx) error { return tx.PutBlob([]byte("later"), make([]byte, 1<<20)) }); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestDamaged breaks pages in the middle of the file.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	st := mustOpen(t, path)
	if err := st.Update(t.Context(), func(tx *Tx) error {
		for i := range uint64(200) {
			if err := tx.PutEntries("a/1", i, [][]byte{make([]byte, 3000)}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 50 * 4096; i < len(data); i++ {
		data[i] = 0xa5
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	st = mustOpen(t, path)
	err = st.View(t.Context(), func(tx *Tx) error {
		_, err := tx.Entries("a/1", 0, 200, 1<<20)
		return err
	})
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("reading a damaged database: %v", err)
	}
}

// TestDurableFirst queues plain units, then durable ones, behind a running unit, and looks at the order.
func TestDurableFirst(t *testing.T) {
	st := mustOpen(t, filepath.Join(t.TempDir(), "s.db"))
	began, finish := make(chan struct{}), make(chan struct{})
	var order []string // written by the writer's goroutine alone
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := st.Update(t.Context(), func(*Tx) error { close(began); <-finish; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-began
	for i := range 3 {
		wg.Go(func() {
			if err := st.Update(t.Context(), func(*Tx) error { order = append(order, "plain"); return nil }); err != nil {
				t.Error(err)
			}
		})
		waitFor(t, func() bool { return len(st.w.plain) == i+1 })
	}
	for i := range 3 {
		wg.Go(func() {
			if err := st.UpdateDurable(t.Context(), func(*Tx) error { order = append(order, "durable"); return nil }); err != nil {
				t.Error(err)
			}
		})
		waitFor(t, func() bool { return len(st.w.durable) == i+1 })
	}
	close(finish)
	wg.Wait()
	if got := strings.Join(order, " "); got != "durable durable durable plain plain plain" {
		t.Errorf("order: %s", got)
	}
}

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for !cond() {
		runtime.Gosched()
		if t.Context().Err() != nil {
			t.Fatal("the test ended while waiting")
		}
	}
}

// TestOneFailsOthersStay puts a failing unit into one group with good ones.
func TestOneFailsOthersStay(t *testing.T) {
	st := mustOpen(t, filepath.Join(t.TempDir(), "s.db"))
	began, finish := make(chan struct{}), make(chan struct{})
	own := errors.New("own")
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := st.UpdateDurable(t.Context(), func(*Tx) error { close(began); <-finish; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-began
	var errs [9]error
	for i := range errs {
		wg.Go(func() {
			errs[i] = st.UpdateDurable(t.Context(), func(tx *Tx) error {
				if err := tx.PutEntries(fmt.Sprint("log", i), 0, [][]byte{{1}}); err != nil {
					return err
				}
				if i%3 == 0 {
					return own
				}
				return nil
			})
		})
	}
	waitFor(t, func() bool { return len(st.w.durable) == len(errs) })
	close(finish)
	wg.Wait()
	for i, err := range errs {
		failed := i%3 == 0
		if failed != (err == own) || !failed && err != nil {
			t.Errorf("unit %d: %v", i, err)
		}
		_ = st.View(t.Context(), func(tx *Tx) error {
			if _, err := tx.Entry(fmt.Sprint("log", i), 0); (err != nil) != failed {
				t.Errorf("unit %d: %v", i, err)
			}
			return nil
		})
	}
}

// TestWriteAheadLogIsBounded writes several times what the log may hold.
func TestWriteAheadLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	st := mustOpen(t, path)
	data, folded := make([]byte, 1<<20), false
	for i := range 60 {
		if err := st.Update(t.Context(), func(tx *Tx) error { return tx.PutBlob(fmt.Append(nil, i), data) }); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		folded = folded || info.Size() > 10<<20
	}
	if !folded {
		t.Error("nothing was folded into the file while units ran")
	}
	info, err := os.Stat(path + "-wal")
	if err != nil || info.Size() > (maxPages+1024)*4200 {
		t.Errorf("the write-ahead log has %d bytes, %v", info.Size(), err)
	}
}

// TestQueriesUseIndexes looks for the queries that would get slower with every object.
func TestQueriesUseIndexes(t *testing.T) {
	st := mustOpen(t, filepath.Join(t.TempDir(), "s.db"))
	err := st.View(t.Context(), func(tx *Tx) error {
		for name, q := range map[string]struct{ query, by string }{
			"copies of an id":         {"SELECT " + copyColumns + " WHERE c.id = $1 ORDER BY c.seq", "copies_key (id=?)"},
			"one publisher's copies":  {"SELECT " + copyColumns + " WHERE c.id = $1 AND +c.publisher = $2 ORDER BY c.seq", "copies_key (id=?)"},
			"any copy":                {anyCopy, "copies_key (id=?)"},
			"newest copy on a shelf":  {placeCopy, "copies_key (id=? AND publisher=?)"},
			"copies that are outdone": {"UPDATE copies SET standing = 3 WHERE publisher = $2 AND publisher <> $1 AND " + outdone, "copies_key (id=? AND publisher=?"},
			"filed copies of an id":   {filedCopies, "copies_key (id=?)"},
			"page of a shelf":         {shelfCopies + shelfOrder, "copies_shelf (shelf=? AND standing=? AND admitted>?)"},
			"page of a type":          {shelfCopies + shelfOfType + shelfOrder, "copies_shelf_type (shelf=? AND type=? AND standing=? AND admitted>?)"},
			"one shelf":               {"SELECT id, copies FROM shelves WHERE tlp = $1 AND audience = $2", "(tlp=? AND audience=?)"},
			"old postings":            {"DELETE FROM postings WHERE at < $1", "postings_at (at<?)"},
			"newest copy":             {newestCopy, "copies_key (id=? AND publisher=?)"},
			"copies to withdraw":      {"UPDATE copies SET withdrawn = 1, live = 0, standing = 0 WHERE id = $1 AND publisher = $2 AND withdrawn = 0", "copies_key (id=? AND publisher=?)"},
			"live of a type":          {"SELECT " + copyColumns + " WHERE c.live = 1 AND c.type = $3 AND c.seq > $1 ORDER BY c.seq LIMIT $2", "copies_type (type=? AND seq>?)"},
			"live of all types":       {"SELECT " + copyColumns + " WHERE c.live = 1 AND c.seq > $1 ORDER BY c.seq LIMIT $2", "INTEGER PRIMARY KEY (rowid>?)"},
			"list of a type":          {"SELECT " + copyColumns + " WHERE c.seq < $1 AND c.type = $3 ORDER BY c.seq DESC LIMIT $2", "copies_type (type=? AND seq<?)"},
			"list of a publisher":     {"SELECT " + copyColumns + " WHERE c.seq < $1 AND c.publisher = $3 ORDER BY c.seq DESC LIMIT $2", "copies_publisher (publisher=? AND seq<?)"},
			"own epoch":               {"SELECT epoch FROM own_epochs WHERE audience = $1 ORDER BY seq DESC LIMIT 1", "own_epochs_audience (audience=?)"},
			"entries":                 {"SELECT place, data FROM entries WHERE place >= $1 AND place < $2 ORDER BY place", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
			"blob":                    {"SELECT data FROM blobs WHERE hash = $1", "(hash=?)"},
			"page of publications":    {"SELECT idx FROM publications WHERE log = $1 AND idx <= $2 ORDER BY idx DESC LIMIT $3", "PRIMARY KEY (log=? AND idx<?)"},
			"confirmations of a page": {"SELECT idx FROM protects WHERE log = $1 AND idx BETWEEN $2 AND $3", "PRIMARY KEY (log=? AND idx>? AND idx<?)"},
		} {
			var plan []string
			if err := tx.c.query("EXPLAIN QUERY PLAN "+q.query, func(r row) error { plan = append(plan, r.text(3)); return nil }, make([]any, strings.Count(q.query, "$"))...); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			all := strings.Join(plan, "; ")
			// Only the copies of one id are few enough to be sorted.
			if !strings.Contains(all, q.by) || strings.Contains(all, "SCAN") || strings.Contains(all, "ORDER BY") && q.by != "copies_key (id=?)" {
				t.Errorf("%s: %s, want %s", name, all, q.by)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestViewEndsWithItsContext(t *testing.T) {
	st := mustOpen(t, filepath.Join(t.TempDir(), "s.db"))
	if err := st.Update(t.Context(), func(tx *Tx) error {
		for i := range 3 * pageRows {
			if _, err := tx.PutCopy(object.Copy{Key: object.Key{Publisher: "a", ID: fmt.Sprint(i)}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := st.View(ctx, func(tx *Tx) error {
		return tx.EachLive("", func(object.Copy) error { n++; cancel(); return nil })
	})
	if !errors.Is(err, context.Canceled) || n > pageRows {
		t.Errorf("%d rows, %v", n, err)
	}
}
