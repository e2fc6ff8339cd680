package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Errors that callers may test for.
var (
	// ErrFull says that the disk, or the quota, is full. Nothing of the unit was written; later units may
	// succeed once there is room.
	ErrFull = errors.New("disk full")
	// ErrCorrupt says that the database file is damaged or no database at all.
	ErrCorrupt = errors.New("database damaged")
	// ErrClosed says that the store was closed before the unit ran.
	ErrClosed = errors.New("store closed")
	// ErrBroken says that an fsync failed: what earlier units wrote may or may not be on the disk, and the
	// operating system will not say so twice. The store takes no more units; start it again.
	ErrBroken = errors.New("store stopped after a failed sync")
	// ErrDone says that a transaction was used after its function returned.
	ErrDone = errors.New("transaction is over")
)

// VersionError refuses a database of another version of the program.
type VersionError struct {
	Path          string
	Have, Support int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has schema version %d, this program knows versions up to %d: use a newer program", e.Path, e.Have, e.Support)
}

// NotOursError refuses an SQLite database that another program made.
type NotOursError struct {
	Path string
	ID   int64 // the application_id found
}

func (e *NotOursError) Error() string {
	return fmt.Sprintf("%s is a database of another program (application id %#x)", e.Path, e.ID)
}

// missing is the error of reading a row that is not there.
func missing(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fs.ErrNotExist)...)
}

// wrap makes the driver's errors testable.
func wrap(err error) error {
	var e *driver.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	switch code := e.Code(); {
	case code == lib.SQLITE_IOERR_SHMSIZE, code&0xff == lib.SQLITE_FULL, errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case code&0xff == lib.SQLITE_CORRUPT, code&0xff == lib.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case code == lib.SQLITE_IOERR_FSYNC, code == lib.SQLITE_IOERR_DIR_FSYNC:
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return err
}

// endsTransaction tells the errors after which SQLite may roll back by itself
// (sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction").
func endsTransaction(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_NOMEM, lib.SQLITE_BUSY, lib.SQLITE_INTERRUPT, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	}
	return false
}

// queued is the error of a caller whose context ended before its unit began.
func queued(ctx context.Context) error {
	return fmt.Errorf("waiting for the store: %w", context.Cause(ctx))
}
