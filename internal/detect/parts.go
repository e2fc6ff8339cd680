package detect

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/status"
)

// listParts finds the parts that were set aside, oldest first.
func listParts(dir string) ([]part, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, e := range entries {
		stamp, prefixed := strings.CutPrefix(e.Name(), partPrefix)
		stamp, suffixed := strings.CutSuffix(stamp, partSuffix)
		if !prefixed || !suffixed || !e.Type().IsRegular() {
			continue
		}
		last, err := time.Parse(partTime, stamp)
		if err != nil {
			continue // somebody else's file
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{path: filepath.Join(dir, e.Name()), last: last, size: info.Size()})
	}
	slices.SortFunc(parts, func(a, b part) int { return a.last.Compare(b.last) })
	return parts, nil
}

// ReadJournal yields the detections in dir that were seen at or after since, oldest first. It needs no
// Detector and may run beside one: a line that is being written is left out, a part that is dropped
// meanwhile too. Lines that are no detections are skipped. The error is of reading, of ctx, or yield's.
func ReadJournal(ctx context.Context, dir string, since time.Time, yield func(status.Detection) error) error {
	parts, err := listParts(dir)
	if err != nil {
		return fmt.Errorf("reading the detections: %w", err)
	}
	// The open part comes last; if it is set aside between the listing and its opening, its lines are
	// looked for under the new name.
	open, err := os.Open(filepath.Join(dir, JournalName))
	if err == nil {
		defer open.Close()
		again, err := listParts(dir)
		if err != nil {
			return fmt.Errorf("reading the detections: %w", err)
		}
		parts = again
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading the detections: %w", err)
	}
	for _, p := range parts {
		if p.last.Before(since) || sameFile(open, p.path) {
			continue
		}
		if err := readPart(ctx, p.path, since, yield); err != nil {
			return err
		}
	}
	if open == nil {
		return nil
	}
	return readLines(ctx, open, since, yield)
}

// sameFile says whether path is the open file, set aside since it was opened.
func sameFile(open *os.File, path string) bool {
	if open == nil {
		return false
	}
	a, err := open.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

func readPart(ctx context.Context, path string, since time.Time, yield func(status.Detection) error) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // dropped meanwhile
	}
	if err != nil {
		return fmt.Errorf("reading the detections: %w", err)
	}
	defer f.Close()
	return readLines(ctx, f, since, yield)
}

func readLines(ctx context.Context, r io.Reader, since time.Time, yield func(status.Detection) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return nil // what has no newline yet is not a line
		}
		if err != nil {
			return fmt.Errorf("reading the detections: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var d status.Detection
		if json.Unmarshal(line, &d) != nil || d.Seen.Before(since) {
			continue
		}
		if err := yield(d); err != nil {
			return err
		}
	}
}

// readLine reads one whole line; of a line longer than maxLine, which is none of ours, only the end.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		piece, err := in.ReadSlice('\n')
		if len(line)+len(piece) > maxLine {
			line = line[:0]
		}
		line = append(line, piece...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func countLines(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var n int64
	buf := make([]byte, 64<<10)
	for {
		got, err := f.Read(buf)
		n += int64(bytes.Count(buf[:got], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// syncDir makes a rename durable. Windows cannot sync a folder and needs no sync.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
