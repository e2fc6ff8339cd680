package publish

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
	"shieldwall/internal/stixcheck"
)

// candidate is one object that is to be shared.
type candidate struct {
	o         *stix.Object
	file      string
	tlp       stix.TLP // effective
	audience  policy.Audience
	unchanged bool
	drop      bool // the same bytes are in the request already
}

// judge finds everything that speaks against a request before anything is written.
type judge struct {
	p       *Publisher
	tx      Tx
	members *policy.Members
	tlp     stix.TLP
	to      policy.Audience

	list     []*candidate
	byID     map[string][]*candidate
	held     map[string][]object.Copy // bodies in clear
	problems []Problem
	more     int
	warnings []warning
	warned   map[warning]int // their places, by file, kind and text alone
	unlisted int             // warnings beyond maxListed
}

// warning is a remark on one object, and on how many more of its kind that deserve the same.
type warning struct {
	file, kind, msg string
	object          string
	more            int
}

func (w warning) String() string {
	text := Problem{File: w.file, Object: w.object, Msg: w.msg}.String()
	if w.more > 0 {
		text += fmt.Sprintf(" (and %d more objects of type %s)", w.more, w.kind)
	}
	return text
}

func (j *judge) add(o *stix.Object, file string) {
	j.list = append(j.list, &candidate{o: o, file: file})
}

func (j *judge) problemf(c *candidate, property, format string, args ...any) {
	j.problem(c, property, fmt.Sprintf(format, args...))
}

func (j *judge) problem(c *candidate, property, msg string) {
	if len(j.problems) == maxListed {
		j.more++
		return
	}
	j.problems = append(j.problems, Problem{File: c.file, Object: c.o.ID, Property: property, Msg: msg})
}

func (j *judge) warn(c *candidate, format string, args ...any) {
	w := warning{file: c.file, kind: c.o.Type, msg: fmt.Sprintf(format, args...)}
	if i, again := j.warned[w]; again {
		j.warnings[i].more++
		return
	}
	if len(j.warnings) == maxListed {
		j.unlisted++
		return
	}
	if j.warned == nil {
		j.warned = map[warning]int{}
	}
	j.warned[w] = len(j.warnings)
	w.object = c.o.ID
	j.warnings = append(j.warnings, w)
}

func (j *judge) refused() error {
	if len(j.problems) == 0 {
		return nil
	}
	return &Refused{Problems: j.problems, More: j.more}
}

// remarks are the warnings as they are told.
func (j *judge) remarks() []string {
	var out []string
	for _, w := range j.warnings {
		out = append(out, w.String())
	}
	if j.unlisted > 0 {
		out = append(out, fmt.Sprintf("%d more warnings", j.unlisted))
	}
	return out
}

// fresh are the candidates to share; unchanged the ids of those that are shared already.
func (j *judge) fresh() []*candidate {
	return slices.DeleteFunc(slices.Clone(j.list), func(c *candidate) bool { return c.drop || c.unchanged })
}

func (j *judge) unchanged() []string {
	var ids []string
	for _, c := range j.list {
		if c.unchanged && !c.drop {
			ids = append(ids, c.o.ID)
		}
	}
	return ids
}

// all judges the whole request. Only a failure of this node is an error.
func (j *judge) all() error {
	j.byID = map[string][]*candidate{}
	for _, c := range j.list {
		j.valid(c)
		if !c.drop {
			j.byID[c.o.ID] = append(j.byID[c.o.ID], c)
		}
	}
	for _, step := range []func(*candidate) error{j.mark, j.history, j.creator, j.references} {
		for _, c := range j.list {
			if c.drop {
				continue
			}
			if err := step(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// valid checks an object by itself and against the others of the request.
func (j *judge) valid(c *candidate) {
	var problems stix.Problems
	errors.As(stixcheck.Validate(c.o), &problems)
	for _, p := range problems {
		// What takes an object back is never refused for the form that it was published in.
		if p.Level == stix.Tolerated || p.Level == stix.Broken && c.o.Revoked {
			j.warn(c, "%s: %s", p.Property, message(p))
		} else {
			j.problem(c, p.Property, message(p))
		}
	}
	if !j.members.Authorised(j.p.opt.Self, c.o.Type) {
		j.problemf(c, "type", "the roster does not let this member publish objects of type %q", c.o.Type)
	}
	for _, other := range j.byID[c.o.ID] {
		switch {
		case c.o.ID == "": // said already
		case bytes.Equal(other.o.Raw, c.o.Raw):
			c.drop = true
		case other.o.Version() == c.o.Version():
			j.problemf(c, "modified", "another object of this id and version is in %s", where(other))
		}
	}
}

func where(c *candidate) string {
	if c.file == "" {
		return "the same request"
	}
	return c.file
}

// copies are everybody's copies of an id, bodies in clear.
func (j *judge) copies(id string) ([]object.Copy, error) {
	if list, ok := j.held[id]; ok {
		return list, nil
	}
	list, err := j.tx.Copies(id)
	if err != nil {
		return nil, fmt.Errorf("copies of %s: %w", id, err)
	}
	for i := range list {
		if list[i], err = j.p.opt.Gate.Open(list[i]); err != nil {
			return nil, err
		}
	}
	if j.held == nil {
		j.held = map[string][]object.Copy{}
	}
	j.held[id] = list
	return list, nil
}

// own are this member's shared copies.
func (j *judge) own(id string) ([]object.Copy, error) {
	list, err := j.copies(id)
	return slices.DeleteFunc(slices.Clone(list), func(c object.Copy) bool { return c.Publisher != j.p.opt.Self }), err
}

// mark finds an object's effective marking and its audience.
func (j *judge) mark(c *candidate) error {
	var failed error
	tlp, err := policy.Effective(j.tlp, c.o.Markings(), func(id string) (stix.TLP, bool) {
		t, known, err := j.definition(id)
		failed = errors.Join(failed, err)
		if err == nil && !known {
			j.warn(c, "its marking %s is unknown here and counts as RED: share its definition too", id)
		}
		return t, known
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		j.problem(c, "object_marking_refs", err.Error())
		return nil
	}
	own, err := j.own(c.o.ID)
	if err != nil {
		return err
	}
	if last := newest(alive(own)); last != nil && last.Modified > c.o.Version() {
		tlp = tlp.Stricter(stix.TLP(last.TLP)) // an older version is under the newest one's marking too
		j.warn(c, "it is older than the version of %s that this member shares already", stix.KeyTime(last.Modified))
	}
	audience := j.to
	if audience.IsNobody() {
		if audience, err = policy.Default(tlp); err != nil {
			j.problemf(c, "", "%v: name them with --to", err)
			return nil
		}
	}
	if err := policy.CheckPublish(tlp, audience); err != nil {
		j.problem(c, "", err.Error())
		return nil
	}
	c.tlp, c.audience = tlp, j.members.With(audience, j.p.opt.Self)
	return nil
}

// definition looks a marking up in the request, then among what this node holds of its own.
func (j *judge) definition(id string) (stix.TLP, bool, error) {
	tlp, known := stix.None, false
	for _, c := range j.byID[id] {
		if c.o.Type == "marking-definition" {
			tlp, known = tlp.Stricter(c.o.MarkingTLP()), true
		}
	}
	held, heldKnown, err := j.p.opt.Gate.Definition(j.tx, id)
	return tlp.Stricter(held), known || heldKnown, err
}

func alive(copies []object.Copy) []object.Copy {
	return slices.DeleteFunc(slices.Clone(copies), func(c object.Copy) bool { return c.Withdrawn })
}

// history compares with what this member shared before.
func (j *judge) history(c *candidate) error {
	own, err := j.own(c.o.ID)
	if err != nil {
		return err
	}
	version := c.o.Version()
	for _, h := range own {
		if h.Revoked && version > h.Modified {
			j.problemf(c, "modified", "this member revoked it by the version of %s: nothing can follow", stix.KeyTime(h.Modified))
			return nil
		}
		if h.Modified != version {
			continue
		}
		if !bytes.Equal(h.Raw, c.o.Raw) {
			if version == "" && c.o.Type != "marking-definition" {
				continue // observables have no versions
			}
			if !sameJSON(h.Raw, c.o.Raw) {
				j.problem(c, "modified", "this member shared a different object of this id and version")
				return nil
			}
			first, err := stix.Parse(h.Raw, stix.Limits{})
			if err != nil {
				return fmt.Errorf("%s as kept here: %w", c.o.ID, err)
			}
			c.o = first // another spelling: the bytes shared first stay
		}
		if !h.Withdrawn && h.TLP == uint8(c.tlp) && h.Audience == c.audience.String() {
			c.unchanged = true
		}
	}
	return nil
}

func sameJSON(a, b []byte) bool {
	x, errX := stix.Canonical(a)
	y, errY := stix.Canonical(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// creator keeps to the rules of sharing on: another member's object only with its original bytes, only if CLEAR
// or GREEN, and only inside the audience it came with.
func (j *judge) creator(c *candidate) error {
	if c.audience.IsNobody() {
		return nil // refused already
	}
	owner := j.members.Owner(c.o.CreatedBy)
	if c.o.Type == "identity" {
		if of := j.members.Owner(c.o.ID); of != "" && of != j.p.opt.Self {
			owner = of
		}
	}
	self := j.p.opt.Self
	held, err := j.copies(c.o.ID)
	if err != nil {
		return err
	}
	bound := owner != "" && owner != self
	var theirs []object.Copy
	for _, h := range held {
		same := bytes.Equal(h.Raw, c.o.Raw)
		_, posted := object.Poster(h.Publisher)
		switch {
		case !same, posted: // that a client posted it neither forbids it nor, as an ally's own copy may be posted back, allows it
		case !bound && (h.Publisher == self || h.Publisher == object.Local):
			return nil // had from elsewhere too
		case !h.Withdrawn && (!bound && h.Publisher != self || h.Publisher == owner):
			theirs = append(theirs, h)
		}
	}
	switch {
	case !bound && len(theirs) == 0:
		return nil
	case len(theirs) == 0:
		j.problemf(c, "created_by_ref", "it speaks for member %s, and is not the object held from there", owner)
		return nil
	}
	for _, h := range theirs {
		came, err := policy.ParseAudience(h.Audience)
		if err == nil && stix.TLP(h.TLP) <= stix.Green && j.members.Inside(c.audience, came) {
			return nil
		}
	}
	j.problemf(c, "", "it came from %s as TLP:%s to %s: only CLEAR and GREEN may be shared on, inside the audience they came with",
		theirs[0].Publisher, stix.TLP(theirs[0].TLP), theirs[0].Audience)
	return nil
}

// references refuses what names an object that this node holds and that not all readers may read.
func (j *judge) references(c *candidate) error {
	if c.audience.IsNobody() || c.unchanged {
		return nil
	}
	for _, ref := range c.o.Refs {
		if j.exempt(c, ref) {
			continue
		}
		shelves, err := j.shelves(ref.ID)
		if err != nil {
			return err
		}
		switch {
		case len(shelves) > 0:
			if without := j.without(c, shelves); without != "" {
				j.problemf(c, ref.Property, "it names %s, which this node holds and %s may not read", ref.ID, without)
			}
		case stix.IsObservable(stix.TypeOf(ref.ID)):
			j.problemf(c, ref.Property, "it names the observable %s, which is not shared: its id discloses its value", ref.ID)
		default:
			j.warn(c, "%s: nobody here holds %s", ref.Property, ref.ID)
		}
	}
	return nil
}

// exempt are references that disclose nothing: creators and markings, the members' own identities, which are in
// the roster, and keys of the deprecated dictionary of observed-data, which are no ids.
func (j *judge) exempt(c *candidate, ref stix.Ref) bool {
	name := ref.Property[strings.LastIndexByte(ref.Property, '.')+1:]
	return name == "created_by_ref" || stix.TypeOf(ref.ID) == "marking-definition" || ref.ID == c.o.ID ||
		!stix.IsID(ref.ID) || j.members.Owner(ref.ID) != ""
}

// shelf is a marking and audience under which an object is readable, and for its publisher in any case.
type shelf struct {
	publisher string
	tlp       stix.TLP
	audience  policy.Audience
}

// shelves are those on which an object is or will be.
func (j *judge) shelves(id string) ([]shelf, error) {
	var out []shelf
	for _, c := range j.byID[id] {
		out = append(out, shelf{j.p.opt.Self, c.tlp, c.audience})
	}
	held, err := j.copies(id)
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		a, err := policy.ParseAudience(h.Audience)
		if err != nil {
			a = policy.Audience{} // nobody
		}
		out = append(out, shelf{h.Publisher, stix.TLP(h.TLP), a})
	}
	return out, nil
}

// without names who of a candidate's audience may not read what is on the shelves; empty if all may.
func (j *judge) without(c *candidate, shelves []shelf) string {
	mine := c.audience.String()
	for _, s := range shelves {
		if s.tlp <= c.tlp && s.tlp.Valid() && s.audience.String() == mine {
			return ""
		}
	}
	if c.audience.IsEveryone() {
		return "the public"
	}
	var names []string
	for _, id := range policy.Readers(j.members, c.tlp, c.audience) {
		if !slices.ContainsFunc(shelves, func(s shelf) bool {
			return s.publisher == id || policy.MayRead(j.members, policy.Reader{Kind: policy.Node, Member: id}, s.tlp, s.audience)
		}) {
			names = append(names, id)
		}
	}
	return strings.Join(names, ", ")
}
