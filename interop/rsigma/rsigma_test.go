package rsigma

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/lanes"
	"shieldwall/internal/match"
	"shieldwall/internal/scan"
	"shieldwall/internal/sigma"
)

// detection is a rule that an event meets; events are numbered from 0.
type detection struct {
	event int
	rule  string
}

// kind is what an event is.
type kind struct{ channel, id string }

// verdicts are what an engine says of a sequence of events.
type verdicts struct {
	hits     map[detection]kind
	rules    int
	loaded   map[string]*sigma.Rule // by id; of ours
	rejected []string
	err      error
}

// inputs skips where there is no corpus.
func inputs(t *testing.T) Inputs {
	t.Helper()
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	return InputsOf(corpus)
}

// load reads the rules, and says what does not load.
func load(t *testing.T, in Inputs) (rules []scan.Rule, rejected []string) {
	t.Helper()
	rules, err := Load(in.Rules, func(r scan.Rejected) { rejected = append(rejected, r.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	return rules, rejected
}

// build makes the program that runs rsigma, or skips.
func build(t *testing.T) string {
	t.Helper()
	if _, err := Cargo(); err != nil {
		t.Skipf("rsigma cannot be built: %v", err)
	}
	program, err := Build(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// theirs starts rsigma; it reads JSON lines from the pipe.
func theirs(t *testing.T, program string, in Inputs) (io.WriteCloser, <-chan verdicts) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"check", in.Map}, in.Rules...)...)
	cmd.Stderr = os.Stderr
	lines, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	result := make(chan verdicts, 1)
	go func() {
		v := said(out)
		v.err = errors.Join(v.err, cmd.Wait())
		result <- v
	}()
	return lines, result
}

// said reads what rsigma prints.
func said(out io.Reader) verdicts {
	v := verdicts{hits: map[detection]kind{}}
	in := json.NewDecoder(bufio.NewReaderSize(out, 1<<20))
	var head struct {
		Rules    int
		Rejected []string
	}
	if v.err = in.Decode(&head); v.err != nil {
		return v
	}
	v.rules, v.rejected = head.Rules, head.Rejected
	for {
		var hit struct {
			Event   int
			Rule    string
			Channel string
			ID      any
		}
		switch err := in.Decode(&hit); {
		case err == io.EOF:
			return v
		case err != nil:
			v.err = err
			return v
		}
		v.hits[detection{hit.Event, hit.Rule}] = kind{strings.ToLower(hit.Channel), fmt.Sprint(hit.ID)}
	}
}

// ours starts our engine; it reads JSON lines from the pipe.
func ours(e *match.Engine) (io.WriteCloser, <-chan verdicts) {
	lines, to := io.Pipe()
	result := make(chan verdicts, 1)
	go func() {
		defer lines.Close() // whoever writes on is told
		v := verdicts{hits: map[detection]kind{}}
		v.rules, _ = e.Len()
		in := jsonl.New(lines, jsonl.Options{Names: e.Names(), Sparse: true, Borrow: true})
		for n := 0; v.err == nil; n++ {
			ev, err := in.Next()
			if err == io.EOF {
				break
			}
			if v.err = err; err == nil {
				e.Match(ev, func(h match.Hit) {
					v.hits[detection{n, h.RuleID}] = kind{strings.Clone(strings.ToLower(ev.Channel)), strings.Clone(ev.EventID)}
				})
			}
		}
		result <- v
	}()
	return to, result
}

// both runs both engines on the lines that feed writes; it says how many there were.
func both(t *testing.T, in Inputs, feed func(line func([]byte) error) error) (we, they verdicts, events int) {
	t.Helper()
	program := build(t)
	rules, rejected := load(t, in)
	e, err := Engine(rules)
	if err != nil {
		t.Fatal(err)
	}
	toUs, weSay := ours(e)
	toThem, theySay := theirs(t, program, in)
	out := bufio.NewWriterSize(io.MultiWriter(toUs, toThem), 1<<20)
	err = feed(func(line []byte) error {
		events++
		out.Write(line)
		return out.WriteByte('\n') // an error of Write stays
	})
	err = errors.Join(err, out.Flush(), toUs.Close(), toThem.Close())
	we, they = <-weSay, <-theySay
	if err := errors.Join(err, we.err, they.err); err != nil {
		t.Fatal(err)
	}
	we.rejected, we.loaded = rejected, map[string]*sigma.Rule{}
	for _, r := range rules {
		if we.loaded[r.ID] != nil {
			t.Errorf("two rules are %s", r.ID)
		}
		we.loaded[r.ID] = r.Rule
	}
	return we, they, events
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	in := inputs(t)
	we, they, events := both(t, in, func(line func([]byte) error) error { return lanes.Lines(in.Recordings, line) })
	same, met := compare(t, recorded, we, they, nil)
	t.Logf("%d events, %d rules: %d detections of both, of %d rules", events, they.rules, same, met)
	if events < 300_000 || same < 3600 {
		t.Errorf("%d events, %d detections of both: that compares little", events, same)
	}
	if len(they.rejected) > 0 || len(we.rejected) != 2 || they.rules != we.rules+2 {
		t.Errorf("we reject %q, they %q", we.rejected, they.rejected)
	}
}
