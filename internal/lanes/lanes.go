// Package lanes builds the inputs of the detection benchmarks out of recordings of attacks, always the same
// from the same recordings: the corpus itself is too small, and too much of one kind, to time.
//
//	recorded.jsonl  every event of every recording, in the order of the archives
//	balanced.jsonl  at most MaxOfKind events a channel and event id
//	process.jsonl   process creations: Sysmon 1 and Security 4688
//	dense.evtx      the chunks of event logs that are nearly full, repeated, with new numbers and checksums
package lanes

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/jsonl"
)

// MaxOfKind is how many events of one channel and event id are in the balanced lane.
const MaxOfKind = 1000

// maxLine is the longest line of a recording; the longest of the corpus has 264 KB.
const maxLine = 16 << 20

// Lane is a sequence of events as JSON lines.
type Lane struct {
	Name   string
	Events int
	Data   []byte
	takes  func(k kind) bool
}

// kind is what lanes choose by.
type kind struct{ channel, id string }

func (k kind) process() bool {
	return k == kind{"microsoft-windows-sysmon/operational", "1"} || k == kind{"security", "4688"}
}

// JSON builds the three lanes of JSON lines from the recordings below a folder.
func JSON(folder string) ([]*Lane, error) {
	seen := map[kind]int{}
	lanes := []*Lane{
		{Name: "recorded", takes: func(kind) bool { return true }},
		{Name: "balanced", takes: func(k kind) bool { return seen[k] <= MaxOfKind }},
		{Name: "process", takes: kind.process},
	}
	err := eachEvent(folder, func(line []byte, k kind) error {
		seen[k]++
		for _, l := range lanes {
			if l.takes(k) {
				l.Data = append(append(l.Data, line...), '\n')
				l.Events++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if lanes[0].Events == 0 {
		return nil, fmt.Errorf("recordings: %s holds no JSON lines", folder)
	}
	return lanes, nil
}

// Lines yields the recorded lane line by line, without line ends; a line is gone with the next.
func Lines(folder string, yield func(line []byte) error) error {
	return eachEvent(folder, func(line []byte, _ kind) error { return yield(line) })
}

func eachEvent(folder string, yield func(line []byte, k kind) error) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("recordings: %w", err)
	}
	defer root.Close()
	var kinds kinds
	err = container.Walk(root.FS(), folder, container.Options{}, func(item *container.Item) error {
		if errors.Is(item.Err, container.ErrLink) {
			return nil
		}
		if item.Err != nil || item.Kind != container.JSON || strings.Contains(item.Source, "__MACOSX") {
			return item.Err
		}
		return eachLine(item.Reader(), func(line []byte) error {
			k, ok := kinds.of(line)
			if !ok {
				return nil
			}
			return yield(line, k)
		})
	})
	if err != nil {
		return fmt.Errorf("recordings: %w", err)
	}
	return nil
}

func eachLine(r io.Reader, yield func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 1<<20), maxLine)
	for lines.Scan() {
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			if err := yield(line); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// kinds reads the kinds of lines, one after the other with one reader: a new one has blocks of its own.
type kinds struct {
	in   *jsonl.Reader // nil: there is none that can go on
	line []byte        // what it has not read yet
}

// Read gives the reader the rest of the line.
func (k *kinds) Read(p []byte) (int, error) {
	if len(k.line) == 0 {
		return 0, io.EOF
	}
	n := copy(p, k.line)
	k.line = k.line[n:]
	return n, nil
}

// of reads the one event of a line; a line that is none, such as one of a pretty-printed file, is left out.
func (k *kinds) of(line []byte) (found kind, ok bool) {
	if k.in == nil {
		k.in = jsonl.New(k, jsonl.Options{Borrow: true})
	}
	before := k.in.Stats().Bytes
	k.line = line
	ev, err := k.in.Next()
	if err == nil {
		found = kind{strings.Clone(strings.ToLower(ev.Channel)), strings.Clone(ev.EventID)}
		ok = k.in.Stats().Bytes-before == int64(len(line))
	}
	if !ok {
		k.in = nil
	}
	return found, ok
}

// Write builds all lanes and writes them to a folder; evtx is the folder of event logs, otrf that of recordings,
// size the least size of the dense log in bytes. It tells talk what it wrote.
func Write(otrf, evtx, out string, size int, talk func(format string, args ...any)) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	lanes, err := JSON(otrf)
	if err != nil {
		return err
	}
	for _, l := range lanes {
		path := filepath.Join(out, l.Name+".jsonl")
		if err := os.WriteFile(path, l.Data, 0o644); err != nil {
			return err
		}
		talk("%s: %d events, %d bytes", path, l.Events, len(l.Data))
	}
	dense, records, err := Dense(evtx, size)
	if err != nil {
		return err
	}
	path := filepath.Join(out, "dense.evtx")
	if err := os.WriteFile(path, dense, 0o644); err != nil {
		return err
	}
	talk("%s: %d events, %d bytes", path, records, len(dense))
	return nil
}
