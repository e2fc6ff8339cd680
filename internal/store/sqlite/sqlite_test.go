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
	"testing/fstest"

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
	edit(t, newer, "PRAGMA user_version = 7")
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
			return errors.As(err, &e) && e.Have == 7 && e.Support == 1 && strings.Contains(err.Error(), "version 7") && strings.Contains(err.Error(), "up to 1")
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

// schemaOf lists what a database is made of.
func schemaOf(t *testing.T, path string) string {
	t.Helper()
	c, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var b strings.Builder
	err = c.query("SELECT type, name, tbl_name, COALESCE(sql, '') FROM sqlite_master ORDER BY name", func(r row) error {
		fmt.Fprintln(&b, r.text(0), r.text(1), r.text(2), strings.Join(strings.Fields(r.text(3)), " "))
		return nil
	})
	version, verr := c.pragma("user_version")
	if err != nil || verr != nil {
		t.Fatal(err, verr)
	}
	fmt.Fprintln(&b, "version", version)
	return b.String()
}

// TestMigrate takes databases of versions 1 and 2 to version 3 of a schema made for the test, and checks
// that they become what a new one is.
func TestMigrate(t *testing.T) {
	versions := []fstest.MapFS{
		{"schema/schema.sql": file("CREATE TABLE t (a TEXT)")},
		{"schema/schema.sql": file("CREATE TABLE t (a TEXT, b INTEGER)"), "schema/migrations/02-b.sql": file("ALTER TABLE t ADD COLUMN b INTEGER")},
		{
			"schema/schema.sql": file("CREATE TABLE t (a TEXT, b INTEGER); CREATE INDEX t_b ON t (b)"), "schema/migrations/02-b.sql": file("ALTER TABLE t ADD COLUMN b INTEGER"),
			"schema/migrations/03-index.sql": file("CREATE INDEX t_b ON t (b)"), "schema/README.md": file("rules"),
		},
	}
	at := func(v int) *schema {
		s, err := loadSchema(versions[v-1])
		if err != nil || s.version() != v {
			t.Fatalf("schema %d: version %d, %v", v, s.version(), err)
		}
		return s
	}
	openClose := func(path string, s *schema) error {
		st, err := open(t.Context(), path, Options{}, s)
		if err == nil {
			err = st.Close()
		}
		return err
	}
	dir := t.TempDir()
	fresh := filepath.Join(dir, "fresh.db")
	if err := openClose(fresh, at(3)); err != nil {
		t.Fatal(err)
	}
	for v := 1; v <= 3; v++ {
		path := filepath.Join(dir, fmt.Sprintf("from%d.db", v))
		if err := openClose(path, at(v)); err != nil {
			t.Fatal(err)
		}
		edit(t, path, "INSERT INTO t (a) VALUES ('kept')")
		if err := openClose(path, at(3)); err != nil {
			t.Fatalf("from version %d: %v", v, err)
		}
		if got, want := schemaOf(t, path), schemaOf(t, fresh); got != want {
			t.Errorf("from version %d:\n%s\nwant\n%s", v, got, want)
		}
		c, err := dial(path)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := c.one("SELECT 1 FROM t WHERE a = 'kept'", func(row) {}); !found || err != nil {
			t.Errorf("from version %d: the row is gone, %v", v, err)
		}
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
		var e *VersionError
		if err := openClose(path, at(1)); !errors.As(err, &e) || e.Have != 3 || e.Support != 1 {
			t.Errorf("going back to version 1: %v", err)
		}
	}
}

// TestMigrationFails leaves the old version as it was.
func TestMigrationFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	good, err := loadSchema(fstest.MapFS{"schema/schema.sql": file("CREATE TABLE t (a TEXT)")})
	if err != nil {
		t.Fatal(err)
	}
	st, err := open(t.Context(), path, Options{}, good)
	if err != nil || st.Close() != nil {
		t.Fatal(err)
	}
	before := schemaOf(t, path)
	bad, err := loadSchema(fstest.MapFS{"schema/schema.sql": file(""), "schema/migrations/02-x.sql": file("CREATE TABLE u (a); CREATE TABLE t (a)")})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := open(t.Context(), path, Options{}, bad); err == nil {
		st.Close()
		t.Error("a failing migration passed")
	} else if !strings.Contains(err.Error(), "from version 1 to 2") {
		t.Errorf("%v", err)
	}
	if after := schemaOf(t, path); after != before {
		t.Errorf("the failed migration left\n%s", after)
	}
}

func TestLoadSchemaRefuses(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no schema": {"schema/migrations/02-a.sql": file("")},
		"a gap":     {"schema/schema.sql": file(""), "schema/migrations/03-a.sql": file("")},
		"a double":  {"schema/schema.sql": file(""), "schema/migrations/02-a.sql": file(""), "schema/migrations/02-b.sql": file("")},
		"no number": {"schema/schema.sql": file(""), "schema/migrations/first.sql": file("")},
		"one digit": {"schema/schema.sql": file(""), "schema/migrations/2-a.sql": file("")},
	} {
		if _, err := loadSchema(files); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

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
		for name, query := range map[string]string{
			"copies of an id":      "SELECT " + copyColumns + " WHERE c.id = $1",
			"live of a type":       "SELECT " + copyColumns + " WHERE c.live = 1 AND c.type = $3 AND c.seq > $1 ORDER BY c.seq LIMIT $2",
			"list of a publisher":  "SELECT " + copyColumns + " WHERE c.seq < $1 AND c.publisher = $3 ORDER BY c.seq DESC LIMIT $2",
			"list of a type":       "SELECT " + copyColumns + " WHERE c.seq < $1 AND c.type = $3 ORDER BY c.seq DESC LIMIT $2",
			"newest copy":          newestCopy,
			"own epoch":            "SELECT epoch FROM own_epochs WHERE audience = $1 ORDER BY seq DESC LIMIT 1",
			"entries":              "SELECT place, data FROM entries WHERE place >= $1 AND place < $2 ORDER BY place",
			"blob":                 "SELECT data FROM blobs WHERE hash = $1",
			"page of publications": "SELECT idx FROM publications WHERE log = $1 AND idx <= $2 ORDER BY idx DESC LIMIT $3",
		} {
			err := tx.c.query("EXPLAIN QUERY PLAN "+query, func(r row) error {
				if plan := r.text(3); strings.HasPrefix(plan, "SCAN") || strings.Contains(plan, "ORDER BY") {
					t.Errorf("%s: %s", name, plan)
				}
				return nil
			}, make([]any, strings.Count(query, "$"))...)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
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
