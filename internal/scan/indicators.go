package scan

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shieldwall/internal/indicator"
	"shieldwall/internal/match"
	"shieldwall/internal/observed"
	"shieldwall/internal/sequence"
	"shieldwall/internal/sigma"
	"shieldwall/internal/stix"
	"shieldwall/internal/stixpattern"
)

// maxList bounds a plain list, in bytes.
const maxList = 1 << 30

// intelligence is what files of indicators hold.
type intelligence struct {
	compiled []match.Compiled
	patterns *sequence.Patterns // behind the candidates in compiled
	rules    int                // Sigma rules in STIX indicators, and STIX patterns that are more than values
	values   int
	rejected int
}

type indicatorLoader struct {
	opt      sigma.Options
	rejected func(Rejected)
	out      intelligence
}

// loadIndicators reads files: STIX, told by its first character, or lists of one value a line. The error
// names a file that cannot be used at all.
func loadIndicators(paths []string, opt sigma.Options, rejected func(Rejected)) (intelligence, error) {
	l := &indicatorLoader{opt: opt, rejected: rejected, out: intelligence{patterns: sequence.New()}}
	for _, path := range paths {
		if err := l.file(path); err != nil {
			return l.out, fmt.Errorf("reading indicators of %s: %w", path, err)
		}
	}
	return l.out, nil
}

func (l *indicatorLoader) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	head, err := in.Peek(1024)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = []byte(strings.TrimLeft(strings.TrimPrefix(string(head), "\xef\xbb\xbf"), " \t\r\n"))
	if len(head) > 0 && (head[0] == '{' || head[0] == '[' && !strings.HasPrefix(string(head), "[.")) {
		return l.stix(path, in)
	}
	return l.list(path, in)
}

// stix reads a bundle. Of several versions of an object the newest counts, and a revoked one counts for none.
func (l *indicatorLoader) stix(path string, in io.Reader) error {
	newest := map[string]*stix.Object{}
	var order []string
	err := stix.Decode(in, stix.Limits{}, func(o *stix.Object) error {
		if o.Type != "indicator" {
			return nil
		}
		have, known := newest[o.ID]
		if !known {
			order = append(order, o.ID)
		}
		if !known || o.Version() > have.Version() {
			newest[o.ID] = o
		}
		return nil
	})
	if problems := (stix.Problems)(nil); errors.As(err, &problems) {
		for _, p := range problems { // each cost one object
			l.reject(Rejected{File: path, ID: p.Object, Reason: reasonIndicator, Detail: p.Error()})
		}
	} else if err != nil {
		return err
	}
	for _, id := range order {
		o := newest[id]
		if o.Revoked {
			continue
		}
		if err := l.object(path, o); err != nil {
			l.reject(Rejected{File: path, ID: o.ID, Title: o.Name, Reason: reasonOf(err), Detail: err.Error()})
		}
	}
	return nil
}

func reasonOf(err error) string {
	if e := (*sigma.Error)(nil); errors.As(err, &e) {
		return string(e.Reason)
	}
	return reasonIndicator
}

// object compiles one indicator; the error is why it, or a part of it, is not used.
func (l *indicatorLoader) object(path string, o *stix.Object) error {
	key := match.Key{ID: path + "#" + o.ID}
	author := o.Text("x_shieldwall_author")
	var c match.Compiled
	var refused, err error
	switch o.PatternType {
	case "stix":
		if c, err = l.pattern(key, o, author); err != nil {
			return err
		}
	case "sigma":
		var found *sigma.Collection
		if found, err = sigma.Parse([]byte(o.Pattern), l.opt.Alone()); err != nil {
			return err
		}
		for _, r := range found.Rejected {
			refused = errors.Join(refused, r.Err)
		}
		if len(found.Rules) == 0 {
			return cmp.Or(refused, errors.New("the pattern holds no rule"))
		}
		for _, r := range found.Rules {
			r.ID, r.Author = cmp.Or(r.ID, o.ID), cmp.Or(r.Author, author)
		}
		if c, err = match.CompileSigma(key, found.Rules...); err != nil {
			return err
		}
		l.out.rules += len(found.Rules)
	default:
		return fmt.Errorf("patterns of type %q are not matched", o.PatternType[:min(len(o.PatternType), 40)])
	}
	c.From, c.Until = o.Validity()
	c.Confidence = max(o.Confidence, 0)
	l.out.compiled = append(l.out.compiled, c)
	return refused
}

// pattern makes values for the indicator sets of a STIX pattern that says no more than that, and of any other
// a rule that finds candidates for it.
func (l *indicatorLoader) pattern(key match.Key, o *stix.Object, author string) (c match.Compiled, err error) {
	tree, err := stixpattern.Parse(o.Pattern)
	if err != nil {
		return c, err
	}
	list, err := indicator.FromSTIX(tree)
	if err == nil {
		who := match.Attribution{RuleID: o.ID, Title: o.Name, Author: author, Tags: o.Labels}
		if c, err = match.CompileIndicators(key, who, list...); err == nil {
			l.out.values += len(list)
		}
		return c, err
	}
	if more := (*indicator.UnsupportedError)(nil); !errors.As(err, &more) {
		return c, err
	}
	rule, pattern, err := observed.Candidate(tree)
	if err != nil {
		return c, err
	}
	rule.ID, rule.Title, rule.Author, rule.Tags = o.ID, o.Name, author, o.Labels
	if c, err = match.CompileSigma(key, rule); err != nil {
		return c, err
	}
	c.Candidate = true
	if err = l.out.patterns.Add(key, pattern); err == nil {
		l.out.rules++
	}
	return c, err
}

// list reads one value a line.
func (l *indicatorLoader) list(path string, in io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(in, maxList+1))
	if err != nil {
		return err
	}
	if len(data) > maxList {
		return fmt.Errorf("a list of more than %d bytes", maxList)
	}
	list := indicator.ParseList(data)
	for _, bad := range list.Errors {
		l.reject(Rejected{File: path, Line: bad.Line, Reason: reasonIndicator, Detail: bad.Err.Error()})
	}
	l.out.rejected += list.Bad - len(list.Errors) // counted, and too many to name
	if len(list.Indicators) == 0 {
		return errors.New("not one indicator in it")
	}
	c, err := match.CompileIndicators(match.Key{ID: path}, match.Attribution{Title: "Listed in " + filepath.Base(path)}, slices.Clip(list.Indicators)...)
	if err != nil {
		return err
	}
	l.out.values += len(list.Indicators)
	l.out.compiled = append(l.out.compiled, c)
	return nil
}

func (l *indicatorLoader) reject(r Rejected) {
	l.out.rejected++
	if l.rejected != nil {
		l.rejected(r)
	}
}
