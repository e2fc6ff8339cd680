package publish

import (
	"bytes"
	"fmt"
	"time"
	"unicode/utf8"

	"shieldwall/internal/correlate"
	"shieldwall/internal/object"
	"shieldwall/internal/sigma"
	"shieldwall/internal/stix"
)

// patternVersion is the version of the Sigma specification that rules are read by.
const patternVersion = "2.1.0"

// maxName and maxDescription bound what is copied out of a rule beside its exact bytes.
const (
	maxName        = 1000
	maxDescription = 10_000
	maxTags        = 200
)

// readSigma makes an indicator of a rule file: the file's exact bytes are the pattern, the id comes from member
// and rule id, the times from the rule's own dates, so that sharing the same file twice changes nothing.
func (j *judge) readSigma(item Item) error {
	c := &candidate{file: item.Name, o: &stix.Object{}}
	rule, msg := j.parseRule(item.Data)
	if msg != "" {
		j.problem(c, "", msg)
		return nil
	}
	id := stix.OwnID("indicator", "sigma", j.p.opt.Self, rule.ID)
	own, err := j.own(id)
	if err != nil {
		return err
	}
	raw, err := j.indicator(rule, id, item.Data, own)
	if err != nil {
		j.problem(c, "", err.Error())
		return nil
	}
	o, err := stix.Parse(raw, stix.Limits{})
	if err != nil {
		j.problem(c, "", err.Error())
		return nil
	}
	j.add(o, item.Name)
	return nil
}

func (j *judge) parseRule(data []byte) (rule *sigma.Rule, problem string) {
	if len(data) > sigma.MaxFileSize {
		return nil, fmt.Sprintf("a rule file of more than %d bytes", sigma.MaxFileSize)
	}
	if !utf8.Valid(data) {
		return nil, "not UTF-8: neither JSON nor a Sigma rule"
	}
	opt := j.p.opt.Sigma.Alone()
	opt.Correlations = true
	file, err := sigma.Parse(data, opt)
	switch {
	case err != nil:
		return nil, "not a Sigma rule: " + err.Error()
	case len(file.Correlations) > 0:
		return correlation(file)
	case len(file.Rules)+len(file.Rejected) > 1:
		return nil, "several rules in one file: split it, for each rule is shared and taken back by itself"
	case len(file.Rejected) == 1:
		return nil, "the rule does not load: " + file.Rejected[0].Err.Error()
	case len(file.Rules) == 0:
		return nil, "neither a STIX object nor a Sigma rule"
	case file.Rules[0].ID == "":
		return nil, "a rule without id: it needs one (a UUID) to be told from others and taken back"
	}
	return file.Rules[0], ""
}

// correlation gives what a file with correlations is about: the one that counts all others, which travel with it. Members
// resolve its references within the file alone.
func correlation(file *sigma.Collection) (about *sigma.Rule, problem string) {
	if len(file.Rejected) > 0 {
		return nil, "a rule of the file does not load: " + file.Rejected[0].Err.Error()
	}
	set, problems := sigma.Resolve(file.Rules, file.Correlations)
	if len(problems) > 0 {
		return nil, "the correlation does not load (it is shared with the rules that it counts, in one file): " + problems[0].Err.Error()
	}
	counted := map[sigma.Target]bool{}
	for _, c := range set.Correlations {
		if err := correlate.Check(c.Correlation); err != nil {
			return nil, "the correlation cannot be run: " + err.Error()
		}
		for _, t := range c.Refs {
			counted[t] = true
		}
	}
	for i := range file.Rules {
		if !counted[sigma.Target{Index: i}] {
			return nil, "several rules in one file, of which the correlation does not count all: split it, for each rule is shared and taken back by itself"
		}
	}
	for i, c := range set.Correlations {
		switch {
		case counted[sigma.Target{Correlation: true, Index: i}]:
		case about != nil:
			return nil, "several correlations in one file that do not count one another: split it, for each is shared and taken back by itself"
		default:
			about = c.Correlation.Attributes
		}
	}
	if about.ID == "" {
		return nil, "a correlation without id: it needs one (a UUID) to be told from others and taken back"
	}
	return about, ""
}

// indicator writes the rule's object. A changed file must be newer than every version that was shared before,
// whatever its dates say; an unchanged one repeats the version that was shared.
func (j *judge) indicator(rule *sigma.Rule, id string, pattern []byte, own []object.Copy) ([]byte, error) {
	created, modified := j.dates(rule)
	ind := stix.Indicator{
		Common: stix.Common{ID: id, CreatedBy: j.p.opt.Identity, Created: created, Modified: modified,
			Labels: labels(rule), External: []stix.ExternalRef{{Source: "sigma", ID: rule.ID}}},
		Name: limited(rule.Title, maxName), Description: limited(rule.Description, maxDescription),
		Pattern: string(pattern), PatternType: "sigma", PatternVersion: patternVersion, Author: limited(rule.Author, maxName),
	}
	last := newest(own)
	if last == nil {
		return ind.Encode()
	}
	before, err := stix.Parse(last.Raw, stix.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s as kept here: %w", id, err)
	}
	if at, err := stix.ParseTime(before.Created); err == nil {
		ind.Created = at // the creation of an object never changes (STIX 2.1, section 3.2)
	}
	ind.ModifiedText = before.Modified
	same, err := ind.Encode()
	if err != nil || bytes.Equal(same, last.Raw) {
		return same, err
	}
	ind.ModifiedText = ""
	if at, err := stix.ParseTime(before.Modified); err == nil && !ind.Modified.After(at) {
		ind.Modified = at.Truncate(time.Millisecond).Add(time.Millisecond)
	}
	return ind.Encode()
}

// dates are a rule's own, or now where it has none; a rule is never modified before it is created.
func (j *judge) dates(rule *sigma.Rule) (created, modified time.Time) {
	created, okCreated := ruleDate(rule.Date)
	modified, okModified := ruleDate(rule.Modified)
	switch {
	case !okCreated && !okModified:
		created = j.p.opt.Now().UTC().Truncate(time.Millisecond)
		modified = created
	case !okCreated:
		created = modified
	case !okModified || modified.Before(created):
		modified = created
	}
	return created, modified
}

// ruleDate reads the spellings of dates that rules use.
func ruleDate(s string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02", "2006/01/02", "2006-1-2", "2006/1/2"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func labels(rule *sigma.Rule) []string {
	var out []string
	for _, tag := range rule.Tags {
		if tag != "" && len(out) < maxTags {
			out = append(out, limited(tag, maxName))
		}
	}
	return out
}

// limited cuts a text at a character's boundary.
func limited(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// newest is the newest version among copies, withdrawn ones included: their versions are taken too.
func newest(copies []object.Copy) *object.Copy {
	var out *object.Copy
	for i := range copies {
		if c := &copies[i]; out == nil || c.Modified > out.Modified || c.Modified == out.Modified && c.Seq > out.Seq {
			out = c
		}
	}
	return out
}
