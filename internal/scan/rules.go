package scan

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shieldwall/internal/correlate"
	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/telemetry"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
)

// Rejected is a rule, or an indicator, that does not load.
type Rejected struct {
	File string `json:"file"`
	Line int    `json:"line"` // 0: the file as a whole, or unknown
	// ID and Title are its own, as far as they could be read.
	ID    string `json:"id,omitempty"`
	Title string `json:"title,omitempty"`
	// Reason is one word to group by, Detail the reason in words.
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

// Reasons beside those of package sigma.
const (
	reasonRead      = "read"      // the file cannot be read
	reasonIndicator = "indicator" // not an indicator that can be matched
)

func (r Rejected) Error() string {
	if r.Line > 0 && !strings.HasPrefix(r.Detail, "line ") {
		return fmt.Sprintf("%s: line %d: %s", r.File, r.Line, r.Detail)
	}
	return r.File + ": " + r.Detail
}

// Rule is a loaded rule and its file.
type Rule struct {
	Path string // as given, and below it
	*sigma.Rule
	// Silent says that it only counts for correlations.
	Silent bool
}

// Correlation is a loaded correlation rule and its file. Its Refs are indexes of RuleSet.Rules and
// RuleSet.Correlations.
type Correlation struct {
	Path string
	sigma.Resolved
}

// RuleSet is what folders of rules hold.
type RuleSet struct {
	Files int // rule files, whatever became of them
	Rules []Rule
	// Correlations are there if the options ask for them, each behind those that it refers to.
	Correlations []Correlation
	// Filters are how many cover a rule; the rules are as they left them.
	Filters  int
	Rejected int
}

// LoadRules reads the rules of folders (every .yml and .yaml file below them, in lexical order; links are rejected) and of files;
// a file that is reached twice is read once. Rules that do not load are counted, told to rejected (which may
// be nil), and keep no other from loading. The error names a path that is not there, or a folder without any
// rule file.
func LoadRules(paths []string, opt sigma.Options, rejected func(Rejected)) (RuleSet, error) {
	l := &ruleLoader{opt: opt, seen: map[string]bool{}, rejected: rejected}
	err := l.all(paths)
	return l.set, err
}

// RuleReport is what `rules check` says; its JSON form is an interface.
type RuleReport struct {
	Files        int        `json:"files"`
	Loaded       int        `json:"loaded"` // detection rules alone
	Correlations int        `json:"correlations"`
	Filters      int        `json:"filters"`
	Rejected     []Rejected `json:"rejected"`
	// Waiting are log sources of rules that load, and that no decoder gives an event by itself: such a rule is
	// only asked where the log source is said of what is read.
	Waiting []Waiting `json:"waiting"`
}

// Waiting is a log source and how many rules wait for it.
type Waiting struct {
	Product  string `json:"product,omitempty"`
	Category string `json:"category,omitempty"`
	Service  string `json:"service,omitempty"`
	Rules    int    `json:"rules"`
	File     string `json:"file"` // of the first of them
}

// Name is the log source as --logsource takes it.
func (w Waiting) Name() string { return w.Product + "/" + w.Category + "/" + w.Service }

// waiting lists the log sources that no decoder gives, those of most rules first. Rules without a log source meet
// every event.
func waiting(rules []Rule) []Waiting {
	at := map[sigma.Logsource]int{}
	out := []Waiting{}
	for _, r := range rules {
		ls := r.Rule.Logsource
		if telemetry.Makes(ls) || (ls.Product == "windows" || ls.Product == "") && match.WindowsLogsource(ls) {
			continue
		}
		i, known := at[ls]
		if !known {
			i, at[ls] = len(out), len(out)
			out = append(out, Waiting{Product: ls.Product, Category: ls.Category, Service: ls.Service, File: r.Path})
		}
		out[i].Rules++
	}
	slices.SortStableFunc(out, func(a, b Waiting) int { return b.Rules - a.Rules })
	return out
}

// CheckRules says which rules below the paths load and which do not, correlations and filters included. The
// error names a path that is not there or holds no rule file.
func CheckRules(paths []string, opt sigma.Options) (RuleReport, error) {
	report := RuleReport{Rejected: []Rejected{}}
	opt.Correlations, opt.Filters = true, true
	l := &ruleLoader{opt: opt, seen: map[string]bool{}, rejected: func(r Rejected) {
		report.Rejected = append(report.Rejected, r)
	}}
	err := l.all(paths)
	report.Files, report.Loaded = l.set.Files, len(l.set.Rules)
	report.Waiting = waiting(l.set.Rules)
	report.Correlations, report.Filters = len(l.set.Correlations), l.set.Filters
	return report, err
}

type ruleLoader struct {
	opt      sigma.Options
	seen     map[string]bool // absolute paths
	rejected func(Rejected)
	set      RuleSet
	// These refer to rules of any file: their turn comes when all are read.
	correlations inFiles[*sigma.Correlation]
	filters      inFiles[*sigma.Filter]
}

// inFiles are documents and the file of each.
type inFiles[T any] struct {
	docs  []T
	paths []string
}

func (f *inFiles[T]) add(path string, docs ...T) {
	for _, doc := range docs {
		f.docs, f.paths = append(f.docs, doc), append(f.paths, path)
	}
}

// all reads the paths, and then puts together what refers to one another.
func (l *ruleLoader) all(paths []string) error {
	if err := l.read(paths); err != nil {
		return err
	}
	l.resolve()
	return nil
}

func (l *ruleLoader) read(paths []string) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("reading rules: %w", err)
		}
		if !info.IsDir() {
			l.file(path)
			continue
		}
		found, err := l.folder(path)
		if err != nil {
			return fmt.Errorf("reading rules: %w", err)
		}
		if !found {
			return fmt.Errorf("%s holds no rule: there is no .yml or .yaml file below it", path)
		}
	}
	return nil
}

// folder loads what is below a folder and says whether there was any rule file.
func (l *ruleLoader) folder(path string) (found bool, err error) {
	// DirFS, because the path itself may be a link to a folder; links below it are not followed.
	err = fs.WalkDir(os.DirFS(path), ".", func(name string, d fs.DirEntry, err error) error {
		full := filepath.Join(path, filepath.FromSlash(name))
		if err != nil {
			l.reject(Rejected{File: full, Reason: reasonRead, Detail: err.Error()})
			return nil
		}
		ext := strings.ToLower(filepath.Ext(name))
		if d.Type()&fs.ModeSymlink != 0 {
			if info, err := os.Stat(full); ext == ".yml" || ext == ".yaml" || err == nil && info.IsDir() {
				found = true
				l.reject(Rejected{File: full, Reason: reasonRead, Detail: container.ErrLink.Error()})
			}
			return nil
		}
		if d.Type().IsRegular() && (ext == ".yml" || ext == ".yaml") {
			found = true
			l.file(full)
		}
		return nil
	})
	return found, err
}

// file loads one file, unless it was loaded before.
func (l *ruleLoader) file(path string) {
	if abs, err := filepath.Abs(path); err == nil {
		if l.seen[abs] {
			return
		}
		l.seen[abs] = true
	}
	l.set.Files++
	data, err := readFile(path, sigma.MaxFileSize+1) // one more, so that the parser sees that it is too long
	if err != nil {
		l.reject(Rejected{File: path, Reason: reasonRead, Detail: err.Error()})
		return
	}
	found, err := sigma.Parse(data, l.opt)
	if err != nil {
		l.reject(rejectedFile(path, err))
		return
	}
	for _, r := range found.Rejected {
		l.reject(Rejected{File: path, Line: max(r.Line, r.Err.Line), ID: r.ID, Title: r.Title, Reason: string(r.Err.Reason), Detail: r.Err.Error()})
	}
	for _, r := range found.Rules {
		l.set.Rules = append(l.set.Rules, Rule{Path: path, Rule: r})
	}
	l.correlations.add(path, found.Correlations...)
	l.filters.add(path, found.Filters...)
}

// resolve applies the filters and finds what the correlations refer to, in all files.
func (l *ruleLoader) resolve() {
	rules := make([]*sigma.Rule, len(l.set.Rules))
	for i, r := range l.set.Rules {
		rules[i] = r.Rule
	}
	rules, problems := sigma.Apply(rules, l.filters.docs)
	l.set.Filters = len(l.filters.docs)
	for _, p := range problems {
		if !p.Partly {
			l.set.Filters--
		}
		l.problem(l.filters.paths[p.Index], l.filters.docs[p.Index].Attributes, p.Err)
	}
	l.runnable()
	found, problems := sigma.Resolve(rules, l.correlations.docs)
	for _, p := range problems {
		l.problem(l.correlations.paths[p.Index], l.correlations.docs[p.Index].Attributes, p.Err)
	}
	for _, r := range found.Correlations {
		l.set.Correlations = append(l.set.Correlations, Correlation{l.correlations.paths[r.Index], r})
	}
	for i := range rules {
		l.set.Rules[i].Rule, l.set.Rules[i].Silent = rules[i], found.Silent[i]
	}
}

// runnable leaves out correlations that the engine cannot run.
func (l *ruleLoader) runnable() {
	var rest inFiles[*sigma.Correlation]
	for i, c := range l.correlations.docs {
		path := l.correlations.paths[i]
		if err := correlate.Check(c); err != nil {
			l.reject(Rejected{File: path, Line: c.Line, ID: c.Attributes.ID, Title: c.Attributes.Title, Reason: string(sigma.ReasonLimit), Detail: err.Error()})
			continue
		}
		rest.add(path, c)
	}
	l.correlations = rest
}

// problem rejects a document for what it says of others.
func (l *ruleLoader) problem(path string, about *sigma.Rule, err *sigma.Error) {
	l.reject(Rejected{File: path, Line: err.Line, ID: about.ID, Title: about.Title, Reason: string(err.Reason), Detail: err.Error()})
}

// rejectedFile is about a file of which no rule can be read.
func rejectedFile(path string, err error) Rejected {
	out := Rejected{File: path, Reason: reasonRead, Detail: err.Error()}
	if e := (*sigma.Error)(nil); errors.As(err, &e) {
		out.Line, out.Reason = e.Line, string(e.Reason)
	}
	return out
}

func (l *ruleLoader) reject(r Rejected) {
	l.set.Rejected++
	if l.rejected != nil {
		l.rejected(r)
	}
}

// key is a rule's own, so that rules with one id, in two folders, are two.
func (r *Rule) key() match.Key { return match.Key{ID: fmt.Sprintf("%s:%d", r.Path, r.Line)} }

func (c *Correlation) key() match.Key {
	return match.Key{ID: fmt.Sprintf("%s:%d", c.Path, c.Correlation.Line)}
}

// compile makes the rules ready for the engine; asks are the fields that correlations want to know of a rule's events.
func (s RuleSet) compile(asks func(match.Key) []string) ([]match.Compiled, error) {
	out := make([]match.Compiled, 0, len(s.Rules))
	for _, r := range s.Rules {
		rule := r.Rule
		if fields := asks(r.key()); len(fields) > 0 {
			more := *rule // a hit brings the fields that its rule names
			more.Fields = slices.Concat(rule.Fields, fields)
			rule = &more
		}
		c, err := match.CompileSigma(r.key(), rule)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Path, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// leftOut counts the rules and correlations that the filter does not want told.
func (s *RuleSet) leftOut(f *Filter) (n int) {
	for _, r := range s.Rules {
		if !f.tells(r.Level, r.Tags) {
			n++
		}
	}
	for _, c := range s.Correlations {
		if !f.tells(c.Correlation.Attributes.Level, c.Correlation.Attributes.Tags) {
			n++
		}
	}
	return n
}

// readFile reads at most so many bytes of a file.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
