package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"shieldwall/internal/stix"
	"shieldwall/internal/stixcheck"
)

// stixFinding is one broken rule as `stix check --json` writes it.
type stixFinding struct {
	Line     int    `json:"line,omitempty"`
	Object   string `json:"object,omitempty"`
	Property string `json:"property,omitempty"`
	Level    string `json:"level"` // error or warning
	Text     string `json:"text"`
	Section  string `json:"section,omitempty"` // of STIX 2.1
}

// stixTotals are the counts over a file, or over all.
type stixTotals struct {
	Objects  int `json:"objects"`
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	// Unreadable says why the file could not be read to its end.
	Unreadable string `json:"unreadable,omitempty"`
}

// stixReport writes the findings of files as they come: a file can have more of them than fit into memory.
type stixReport interface {
	begin(file string) error
	finding(file string, f stixFinding) error
	end(file string, t stixTotals) error
}

func newStixCheck() *command {
	var warnings bool
	return &command{
		name: "stix check", args: "FILE...", minArgs: 1, maxArgs: -1,
		short: "validate STIX 2.1: every MUST of the specification, with its section",
		long: `Reads bundles, single objects or lists of them (gzip too; - is standard input) and writes a line for each rule of
STIX 2.1 that is broken: file, line, object, property, what is wrong and the section that says so. --warnings adds
what the specification says SHOULD be. --json writes one object a file with its findings and counts.

It needs neither node nor data folder, and files may be large: memory is bounded by the largest object and the ids.`,
		exits:  "0 no errors; warnings do not count\n1 errors\n2 usage, or could not run\n3 some input could not be read",
		define: func(f *pflag.FlagSet) { f.BoolVar(&warnings, "warnings", false, "write what SHOULD be, too") },
		run: func(ctx context.Context, p *program, files []string) error {
			out := bufio.NewWriter(p.stdout)
			var report stixReport = &stixLines{out}
			if p.json {
				report = &stixJSON{out: out}
			}
			level := stix.Tolerated
			if warnings {
				level = stix.Advice
			}
			return p.checkSTIX(ctx, files, level, report, out)
		},
	}
}

func (p *program) checkSTIX(ctx context.Context, files []string, level stix.Level, report stixReport, out *bufio.Writer) error {
	var all stixTotals
	unread := 0
	for _, file := range files {
		t, err := p.checkSTIXFile(ctx, file, level, report)
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			return err
		}
		all.Objects += t.Objects
		all.Errors += t.Errors
		all.Warnings += t.Warnings
		if t.Unreadable != "" {
			unread++
			p.talk("shieldwall: %s: %s", file, t.Unreadable)
		}
	}
	summary := fmt.Sprintf("%s in %s: %s", plural(all.Objects, "object", "objects"), plural(len(files), "file", "files"), plural(all.Errors, "error", "errors"))
	if level == stix.Advice {
		summary += ", " + plural(all.Warnings, "warning", "warnings")
	}
	p.talk("%s", summary)
	switch {
	case unread > 0:
		return &exit{code: exitPartial}
	case all.Errors > 0:
		return &exit{code: exitFindings}
	}
	return nil
}

// checkSTIXFile checks one file. An error is one of ours: the output cannot be written, or somebody interrupts.
func (p *program) checkSTIXFile(ctx context.Context, file string, level stix.Level, report stixReport) (stixTotals, error) {
	var t stixTotals
	failed := report.begin(file)
	tell := func(problem stix.Problem) {
		f := stixFinding{Line: problem.Line, Object: problem.Object, Property: problem.Property, Level: "error", Text: problem.Msg, Section: problem.Section}
		if problem.Level.IsError() {
			t.Errors++
		} else {
			f.Level = "warning"
			t.Warnings++
		}
		if failed == nil {
			failed = report.finding(file, f)
		}
	}
	objects, err := p.readSTIX(ctx, file, level, tell)
	t.Objects = objects
	var syntax *stix.SyntaxError
	switch {
	case ctx.Err() != nil:
		return t, context.Cause(ctx)
	case errors.As(err, &syntax) && !syntax.Limit:
		tell(stix.Problem{Line: syntax.Line, Msg: syntax.Error() + "; nothing behind it can be read"})
	case err != nil:
		t.Unreadable = err.Error()
	}
	return t, errors.Join(failed, report.end(file, t))
}

func (p *program) readSTIX(ctx context.Context, file string, level stix.Level, tell func(stix.Problem)) (objects int, err error) {
	in := p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		in = f
	}
	buffered := bufio.NewReaderSize(&interruptible{ctx, in}, 64<<10)
	in = buffered
	if magic, _ := buffered.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return 0, fmt.Errorf("reading gzip: %w", err)
		}
		defer z.Close()
		in = z
	}
	return stixcheck.Document(in, stix.Limits{}, level, tell)
}

// interruptible is a reader that ends with its context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (r *interruptible) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(b)
}

// stixLines writes a line a finding.
type stixLines struct{ out io.Writer }

func (l *stixLines) begin(string) error { return nil }

func (l *stixLines) finding(file string, f stixFinding) error {
	if f.Line > 0 {
		file = fmt.Sprintf("%s:%d", file, f.Line)
	}
	if f.Level == "warning" {
		f.Text = "warning: " + f.Text
	}
	problem := stix.Problem{Object: f.Object, Property: f.Property, Msg: f.Text, Section: f.Section}
	return writeOut(l.out, []byte(printable(file+": "+problem.Error())+"\n"))
}

func (l *stixLines) end(string, stixTotals) error { return nil }

// stixJSON writes an object a file.
type stixJSON struct {
	out   io.Writer
	comma string
}

func (j *stixJSON) begin(file string) error {
	j.comma = ""
	name, err := json.Marshal(file)
	if err != nil {
		return fmt.Errorf("encoding the output: %w", err)
	}
	return writeOut(j.out, escapeJSON(fmt.Appendf(nil, `{"file":%s,"findings":[`, name)))
}

func (j *stixJSON) finding(_ string, f stixFinding) error {
	line, err := jsonLine(f)
	if err != nil {
		return err
	}
	line = append([]byte(j.comma), line[:len(line)-1]...)
	j.comma = ","
	return writeOut(j.out, line)
}

func (j *stixJSON) end(_ string, t stixTotals) error {
	line, err := jsonLine(t)
	if err != nil {
		return err
	}
	return writeOut(j.out, append([]byte("],"), line[1:]...)) // the totals' members follow
}
