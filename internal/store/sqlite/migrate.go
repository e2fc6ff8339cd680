package sqlite

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

//go:embed schema
var schemaFiles embed.FS

// applicationID marks our databases in the file's header: "SHWL".
const applicationID = 0x5348574c

// schema is the current schema and the way to it from older versions.
type schema struct {
	current    string
	migrations []string // migrations[i] takes version i+1 to i+2
}

func (s *schema) version() int { return 1 + len(s.migrations) }

// loadSchema reads schema/schema.sql and schema/migrations/NN-what.sql.
func loadSchema(files fs.FS) (*schema, error) {
	current, err := fs.ReadFile(files, "schema/schema.sql")
	if err != nil {
		return nil, err
	}
	s := &schema{current: string(current)}
	names, err := fs.Glob(files, "schema/migrations/*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names { // sorted by Glob
		number, _, _ := strings.Cut(path.Base(name), "-")
		if n, err := strconv.Atoi(number); err != nil || n != s.version()+1 || len(number) != 2 {
			return nil, fmt.Errorf("migration %s: expected number %02d", name, s.version()+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		s.migrations = append(s.migrations, string(text))
	}
	return s, nil
}

// prepare makes a new database or brings an older one up to date; it refuses a newer one and one that is
// not ours, before anything is written to it.
func (s *schema) prepare(c *conn, file string) error {
	id, err := c.pragma("application_id")
	if err != nil {
		return fmt.Errorf("opening %s: %w", file, err)
	}
	have, err := c.pragma("user_version")
	if err != nil {
		return fmt.Errorf("opening %s: %w", file, err)
	}
	var tables int64
	if _, err := c.one("SELECT count(*) FROM sqlite_master", func(r row) { tables = r.int(0) }); err != nil {
		return fmt.Errorf("opening %s: %w", file, err)
	}
	switch {
	case id == 0 && have == 0 && tables == 0:
		return s.apply(c, fmt.Sprintf("making %s", file), s.current)
	case id != applicationID:
		return &NotOursError{Path: file, ID: id}
	case have < 1 || int(have) > s.version():
		return &VersionError{Path: file, Have: int(have), Support: s.version()}
	case int(have) == s.version():
		return nil
	}
	what := fmt.Sprintf("migrating %s from version %d to %d", file, have, s.version())
	return s.apply(c, what, s.migrations[have-1:]...)
}

// apply runs scripts and sets the version in one transaction.
func (s *schema) apply(c *conn, what string, scripts ...string) error {
	if err := c.script("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", applicationID, s.version())
	for _, sql := range append(scripts[:len(scripts):len(scripts)], mark) {
		if err := c.script(sql); err != nil {
			return fmt.Errorf("%s: %w", what, errors.Join(err, c.script("ROLLBACK")))
		}
	}
	return nil
}
