package detect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"shieldwall/internal/correlate"
	"shieldwall/internal/indicator"
	"shieldwall/internal/match"
	"shieldwall/internal/object"
	"shieldwall/internal/observed"
	"shieldwall/internal/sequence"
	"shieldwall/internal/sigma"
	"shieldwall/internal/stix"
	"shieldwall/internal/stixpattern"
)

const (
	// loadBatch is how many objects LoadAll makes live at once.
	loadBatch = 1024
	// maxRejections bounds the rejected objects that are named; all are counted.
	maxRejections = 1000
)

// LocalRule is a rule from a folder of this node's own.
type LocalRule struct {
	Path string // as given, for reports
	Rule *sigma.Rule
}

func (r *LocalRule) key() match.Key {
	return match.Key{ID: fmt.Sprintf("%s:%d", r.Path, r.Rule.Line)}
}

// Rejection is an indicator that could not be made live, or not wholly, and why.
type Rejection struct {
	object.Key
	Name   string
	Reason string
}

// live keeps the engine in step with what is admitted.
type live struct {
	engine   *match.Engine
	patterns *sequence.Patterns // behind the candidates in engine
	sigma    sigma.Options
	// correlations count the hits of rules.
	correlations *correlate.Engine

	mu       sync.Mutex // guards the fields below and keeps changes in order
	rejected map[object.Key]Rejection
	unnamed  map[object.Key]struct{} // rejected beyond maxRejections
	local    []match.Key
	counting map[object.Key][]correlate.Key // the correlations of an object; those of folders are under no key
}

func newLive(engine *match.Engine, opt sigma.Options, now func() time.Time) *live {
	return &live{
		engine: engine, patterns: sequence.New(), sigma: opt, correlations: correlate.New(correlate.Options{Now: now}),
		rejected: map[object.Key]Rejection{}, unnamed: map[object.Key]struct{}{}, counting: map[object.Key][]correlate.Key{},
	}
}

func (l *live) apply(changes []object.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var add []match.Compiled
	var remove, plain []match.Key
	last := map[object.Key]int{} // of a key that changes twice, the last change counts
	for i, c := range changes {
		last[c.Key] = i
	}
	for i, c := range changes {
		if last[c.Key] != i || !strings.HasPrefix(c.ID, "indicator--") {
			continue
		}
		delete(l.rejected, c.Key)
		delete(l.unnamed, c.Key)
		if c.Live == nil {
			remove = append(remove, c.Key)
			l.uncount(c.Key)
			continue
		}
		compiled, ok, r := compile(c.Live, l.sigma)
		if !ok {
			compiled.correlations = nil
		}
		if err := l.count(c.Key, compiled.correlations); err != nil {
			l.uncount(c.Key)
			ok, r.Reason = false, err.Error()
		}
		if ok && compiled.pattern != nil { // before the engine finds what it has to confirm
			if err := l.patterns.Add(c.Key, compiled.pattern); err != nil {
				ok, r.Reason = false, err.Error()
			}
		}
		if r.Reason != "" {
			l.reject(r)
		}
		if ok {
			add = append(add, compiled.Compiled)
		} else {
			remove = append(remove, c.Key) // an older version does not count any more
		}
		if !ok || compiled.pattern == nil {
			plain = append(plain, c.Key)
		}
	}
	if len(add)+len(remove) > 0 {
		l.engine.Update(add, remove)
	}
	l.patterns.Remove(plain...)
	l.patterns.Remove(remove...)
}

// reject remembers what could not be made live. Caller holds mu.
func (l *live) reject(r Rejection) {
	if len(l.rejected) < maxRejections {
		r.Reason = cut(r.Reason, maxText)
		l.rejected[r.Key] = r
		return
	}
	l.unnamed[r.Key] = struct{}{}
}

func (l *live) rejections() (int, []Rejection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Rejection, 0, len(l.rejected))
	for _, r := range l.rejected {
		out = append(out, r)
	}
	stopped := l.patterns.Stopped()
	for key, why := range stopped {
		out = append(out, Rejection{Key: key, Reason: "stopped: " + why})
	}
	slices.SortFunc(out, func(a, b Rejection) int {
		return cmp.Or(cmp.Compare(a.Publisher, b.Publisher), cmp.Compare(a.ID, b.ID))
	})
	return len(l.rejected) + len(l.unnamed) + len(stopped), out
}

// dropStopped takes the patterns that cost too much out of the engine, too. They stay among the rejected.
func (l *live) dropStopped() {
	l.mu.Lock() // none is replaced meanwhile
	defer l.mu.Unlock()
	var remove []match.Key
	for key := range l.patterns.Stopped() {
		if l.engine.Has(key) {
			remove = append(remove, key)
		}
	}
	if len(remove) > 0 {
		l.engine.Update(nil, remove)
	}
}

// setLocal replaces the rules from folders, and the correlations that count them.
func (l *live) setLocal(rules []LocalRule, correlations []LocalCorrelation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range l.local {
		delete(l.rejected, key)
		delete(l.unnamed, key)
	}
	var keys []match.Key
	if err := l.count(object.Key{}, localCorrelations(rules, correlations)); err != nil {
		l.uncount(object.Key{})
		for _, c := range correlations {
			keys = append(keys, c.key())
			l.reject(Rejection{Key: c.key(), Name: c.Correlation.Attributes.Title, Reason: err.Error()})
		}
	}
	var add []match.Compiled
	for _, r := range rules {
		keys = append(keys, r.key())
		compiled, err := match.CompileSigma(r.key(), asked(r.Rule, l.correlations.Asks(rulePart(r.key(), 0))))
		if err != nil {
			l.reject(Rejection{Key: r.key(), Name: r.Rule.Title, Reason: err.Error()})
			continue
		}
		add = append(add, compiled)
	}
	l.engine.Update(add, l.local)
	l.local = keys
}

// compile makes an indicator ready for the engine. Where a part of it is refused, the rest is used and the
// rejection says what is not.
func compile(c *object.Copy, opt sigma.Options) (out compiled, ok bool, rejected Rejection) {
	rejected = Rejection{Key: c.Key}
	o, err := stix.Parse(c.Raw, stix.Limits{})
	if err != nil {
		rejected.Reason = err.Error()
		return out, false, rejected
	}
	rejected.Name = cut(o.Name, maxText)
	out, refused, err := compilePattern(c.Key, o, opt)
	switch {
	case err != nil:
		rejected.Reason = err.Error()
		return out, false, rejected
	case refused != nil:
		rejected.Reason = fmt.Sprintf("a part of it: %v", refused)
	}
	out.From, out.Until = o.Validity()
	out.Confidence = max(o.Confidence, 0)
	return out, true, rejected
}

// compilePattern reads the pattern by its type; refused is about a part that is left out.
func compilePattern(key object.Key, o *stix.Object, opt sigma.Options) (out compiled, refused, err error) {
	switch o.PatternType {
	case "sigma":
		return compileSigma(key, o, opt)
	case "stix":
		out, err = compileSTIX(key, o)
		return out, nil, err
	case "":
		return out, nil, errors.New("no pattern_type")
	}
	return out, nil, fmt.Errorf("patterns of type %q are not matched", cut(o.PatternType, 40))
}

// compiled is intelligence for the engine, with the pattern that confirms what it finds, or the correlations that
// count it, if there are any.
type compiled struct {
	match.Compiled
	pattern      *stixpattern.Pattern
	correlations []correlate.Rule
}

// compileSTIX makes values for the indicator sets of a pattern that says no more than that, and of any other
// a rule that finds candidates for it.
func compileSTIX(key object.Key, o *stix.Object) (out compiled, err error) {
	tree, err := stixpattern.Parse(o.Pattern)
	if err != nil {
		return out, err
	}
	list, err := indicator.FromSTIX(tree)
	if err == nil {
		out.Compiled, err = match.CompileIndicators(key, match.Attribution{
			RuleID: o.ID, Title: o.Name, Author: o.Text("x_shieldwall_author"), Tags: o.Labels,
		}, list...)
		return out, err
	}
	if more := (*indicator.UnsupportedError)(nil); !errors.As(err, &more) {
		return out, err
	}
	rule, pattern, err := observed.Candidate(tree)
	if err != nil {
		return out, err
	}
	rule.ID, rule.Title, rule.Author, rule.Tags = o.ID, o.Name, o.Text("x_shieldwall_author"), o.Labels
	if out.Compiled, err = match.CompileSigma(key, rule); err != nil {
		return out, err
	}
	out.Candidate, out.pattern = true, pattern
	return out, nil
}

// compileSigma reads the rules of a pattern. The Detection Rule License wants the author in every alert: if
// the rule does not say, the indicator may. Correlations count the rules that come with them, and no others: nobody
// can make another's rules silent.
func compileSigma(key object.Key, o *stix.Object, opt sigma.Options) (out compiled, refused, err error) {
	opt = opt.Alone()
	opt.Correlations = true
	found, err := sigma.Parse([]byte(o.Pattern), opt)
	if err != nil {
		return out, nil, err
	}
	counting := len(found.Correlations) > 0
	for _, r := range found.Rejected {
		refused = errors.Join(refused, r.Err)
		counting = counting || r.Correlation
	}
	if len(found.Rules) == 0 {
		return out, nil, cmp.Or(refused, errors.New("the pattern holds no rule"))
	}
	rules := found.Rules
	if counting {
		if refused != nil { // the rules that are only there to be counted would be told one by one
			return out, nil, refused
		}
		if rules, out.correlations, err = correlated(key, found); err != nil {
			return out, nil, err
		}
	}
	about := slices.Clone(rules)
	for _, c := range out.correlations {
		about = append(about, c.Attributes)
	}
	for _, r := range about {
		r.ID = cmp.Or(r.ID, o.ID)
		r.Author = cmp.Or(r.Author, o.Text("x_shieldwall_author"))
	}
	out.Compiled, err = match.CompileSigma(key, rules...)
	return out, refused, err
}
