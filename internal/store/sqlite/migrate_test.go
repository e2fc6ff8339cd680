package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

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
		sql := strings.Join(strings.Fields(r.text(3)), " ")
		// ALTER TABLE sets its column behind the space that was before the bracket.
		fmt.Fprintln(&b, r.text(0), r.text(1), r.text(2), strings.NewReplacer(" ,", ",", " )", ")", "( ", "(").Replace(sql))
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

// TestMigrateShelves takes a real database of version 1 to this one: it becomes what a new one is, every copy has
// its standing, and times of admission are unique.
func TestMigrateShelves(t *testing.T) {
	first, err := os.ReadFile("testdata/schema-1.sql")
	if err != nil {
		t.Fatal(err)
	}
	v1, err := loadSchema(fstest.MapFS{"schema/schema.sql": file(string(first))})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "old.db")
	st, err := open(t.Context(), path, Options{}, v1)
	if err != nil || st.Close() != nil {
		t.Fatal(err)
	}
	edit(t, path, "INSERT INTO shelves (id, tlp, audience, copies) VALUES (1, 2, 'alliance', 6), (2, 3, 'alliance', 1)")
	edit(t, path, `INSERT INTO copies (seq, publisher, id, type, modified, shelf, log, idx, revoked, withdrawn, live, admitted, raw) VALUES
		(1, 'a', 'i--1', 'indicator', '2026-01', 1, 0, 0, 0, 0, 0, 1000, x'31'),
		(2, 'a', 'i--1', 'indicator', '2026-02', 1, 0, 0, 0, 0, 1, 1000, x'32'),
		(3, 'b', 'i--1', 'indicator', '2026-01', 2, 0, 0, 0, 0, 1, 1000, x'33'),
		(4, 'a', 'i--2', 'indicator', '2026-01', 1, 0, 0, 0, 0, 1, 5000, x'34'),
		(5, 'a', 'i--3', 'indicator', '2026-01', 1, 0, 0, 0, 1, 0, 900, x'35'),
		(7, 'b', 'i--3', 'indicator', '2026-01', 1, 0, 0, 0, 0, 1, 5001, x'36')`)
	edit(t, path, "INSERT INTO tokens (hash, name, scope, created, expires) VALUES (x'01', 'sensor', 'ingest', 1, 2)")
	now, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	err = now.View(t.Context(), func(tx *Tx) error {
		var got []string
		if err := tx.query("SELECT seq, standing, admitted FROM copies ORDER BY seq", func(r row) error {
			got = append(got, fmt.Sprintf("%d:%d:%d", r.int(0), r.int(1), r.int(2)))
			return nil
		}); err != nil {
			return err
		}
		if want := "1:3:1000 2:2:1001 3:2:1002 4:1:5000 5:0:5001 7:1:5003"; strings.Join(got, " ") != want {
			t.Errorf("copies %v, want %s", got, want)
		}
		c, err := tx.CopyAt(2)
		if string(c.Raw) != "2" || c.ID != "i--1" {
			t.Errorf("a copy became %+v", c)
		}
		name, _, reader, _, terr := tx.Token([]byte{1})
		if name != "sensor" || reader != "" {
			t.Errorf("the token became %q, %q", name, reader)
		}
		return errors.Join(err, terr)
	})
	if err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(dir, "fresh.db")
	if st, err := Open(t.Context(), fresh, Options{}); err != nil || st.Close() != nil {
		t.Fatal(err)
	}
	if err := now.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := schemaOf(t, path), schemaOf(t, fresh); got != want {
		t.Errorf("migrated:\n%s\nnew:\n%s", got, want)
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
