package observed

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"shieldwall/internal/sigma"
	"shieldwall/internal/stixpattern"
)

// Limits of a pattern that is matched against every event.
const (
	// MaxTests bounds the comparisons of one pattern.
	MaxTests = 1000
	// MaxLiterals bounds the values of one pattern.
	MaxLiterals = 10_000
	// MaxConditions bounds what a pattern becomes: its comparisons, once for each field they are about.
	MaxConditions = 8000
	// maxProgram bounds a regular expression that the engine looks for, in instructions. A larger one is
	// evaluated where its cost is counted: the engine then looks for the field alone.
	maxProgram = 200
)

// UnsupportedError is a pattern that is right and cannot be matched against events.
type UnsupportedError struct {
	Reason string
	Pos    int // in bytes from 0
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("pattern, character %d: %s", e.Pos+1, e.Reason)
}

// Candidate makes a rule that holds on every event on which a test of the pattern may hold, and a pattern to
// evaluate on the Objects of the events that it finds. The rule has no logsource: it is meant for all events;
// title and id are the caller's to set. The pattern's names and digits that mean the same in any case are in
// lower case, as they are in Objects.
func Candidate(tree stixpattern.Observation) (*sigma.Rule, *stixpattern.Pattern, error) {
	c := &compiler{rule: &sigma.Rule{}}
	folded, err := c.observation(tree)
	if err != nil {
		return nil, nil, err
	}
	pattern, err := stixpattern.Compile(folded) // it bounds regular expressions before any is compiled
	if err != nil {
		return nil, nil, err
	}
	var any []*condition
	for _, t := range c.tested {
		var per []*condition
		for i := range roles {
			if x := c.condition(t.Comparison, &roles[i]); x != never && !roles[i].referred {
				per = append(per, x)
			}
		}
		if len(per) == 0 {
			return nil, nil, unsupported(t.Pos, "no observable can have all that is asked for between these brackets")
		}
		any = append(any, join(true, per))
	}
	c.rule.Detection.Condition, err = c.expression(join(true, any))
	return c.rule, pattern, err
}

type compiler struct {
	rule            *sigma.Rule
	tested          []*stixpattern.Test // folded
	tests, literals int
}

func unsupported(pos int, format string, args ...any) error {
	return &UnsupportedError{Reason: fmt.Sprintf(format, args...), Pos: pos}
}

func (c *compiler) observation(o stixpattern.Observation) (stixpattern.Observation, error) {
	switch o := o.(type) {
	case *stixpattern.Test:
		out, err := c.comparison(o.Comparison)
		if err != nil {
			return nil, err
		}
		c.tested = append(c.tested, &stixpattern.Test{Comparison: out, Pos: o.Pos})
		return c.tested[len(c.tested)-1], nil
	case *stixpattern.Combined:
		out := &stixpattern.Combined{Op: o.Op, Pos: o.Pos}
		for _, operand := range o.Operands {
			x, err := c.observation(operand)
			if err != nil {
				return nil, err
			}
			out.Operands = append(out.Operands, x)
		}
		return out, nil
	case *stixpattern.Qualified:
		x, err := c.observation(o.Observation)
		return &stixpattern.Qualified{Observation: x, Qualifier: o.Qualifier, Pos: o.Pos}, err
	}
	return nil, unsupported(0, "observation of type %T", o)
}

// comparison checks that every path has a field, and folds literals.
func (c *compiler) comparison(x stixpattern.Comparison) (stixpattern.Comparison, error) {
	switch x := x.(type) {
	case *stixpattern.Logical:
		out := &stixpattern.Logical{Or: x.Or, Pos: x.Pos}
		for _, operand := range x.Operands {
			one, err := c.comparison(operand)
			if err != nil {
				return nil, err
			}
			out.Operands = append(out.Operands, one)
		}
		return out, nil
	case *stixpattern.Exists:
		_, err := c.fields(x.Path, x.Pos)
		return x, err
	case *stixpattern.Compare:
		fields, err := c.fields(x.Path, x.Pos)
		if err != nil {
			return nil, err
		}
		if c.literals += len(x.Values); c.literals > MaxLiterals {
			return nil, unsupported(x.Pos, "more than %d values are not matched against every event", MaxLiterals)
		}
		if fields[0].read.folds() {
			return fold(x, fields[0].read), nil
		}
		return x, nil
	}
	return nil, unsupported(0, "comparison of type %T", x)
}

// fields lists the fields that a path may be read from, in any role.
func (c *compiler) fields(p stixpattern.Path, pos int) ([]field, error) {
	if c.tests++; c.tests > MaxTests {
		return nil, unsupported(pos, "more than %d comparisons are not matched against every event", MaxTests)
	}
	var out []field
	for i := range roles {
		if roles[i].typ == p.Type && !roles[i].referred {
			out = append(out, roles[i].fields(p.Steps)...)
		}
	}
	if len(out) == 0 {
		text := p.String()
		return nil, unsupported(pos, "object path %s has no field in events", text[:min(len(text), 80)])
	}
	return out, nil
}

// fields lists the fields that a path may be read from in this role, itself or through its references.
func (r *role) fields(steps []stixpattern.Step) []field {
	var out []field
	for i := range r.properties {
		out = append(out, r.properties[i].at(steps)...)
	}
	for _, ref := range r.references {
		if len(steps) < 2 || steps[0].IsIndex || steps[0].Property != ref.name {
			continue
		}
		rest := steps[1:]
		if strings.HasSuffix(ref.name, "_refs") {
			if !rest[0].IsIndex || rest[0].Index < 0 {
				continue
			}
			rest = rest[1:]
		}
		for i := range roles {
			if slices.Contains(ref.roles, roles[i].id()) {
				out = append(out, roles[i].fields(rest)...)
			}
		}
	}
	return out
}

// at lists the property's fields if the steps lead to it.
func (p *property) at(steps []stixpattern.Step) []field {
	if len(p.fields) > 0 && p.fields[0].read == hashList {
		if len(steps) != 2 || steps[0].Property != p.path[0] || steps[1].IsIndex {
			return nil
		}
		for _, name := range algorithms {
			if name == steps[1].Property {
				return p.fields
			}
		}
		return nil
	}
	if len(steps) != len(p.path) {
		return nil
	}
	for i, key := range p.path {
		if key == "*" != steps[i].IsIndex || steps[i].IsIndex && !steps[i].Any && steps[i].Index != 0 || !steps[i].IsIndex && steps[i].Property != key {
			return nil
		}
	}
	return p.fields
}

// fold brings literals into the form that the reading gives values.
func fold(x *stixpattern.Compare, r reading) *stixpattern.Compare {
	out := *x
	out.Values = slices.Clone(x.Values)
	for i := range out.Values {
		v := &out.Values[i]
		switch {
		case v.Kind != stixpattern.String || x.Op == stixpattern.IsSubset || x.Op == stixpattern.IsSuperset:
		case x.Op == stixpattern.Matches:
			v.Text = "(?i)" + v.Text
		default:
			v.Text = lower(v.Text)
			if addr, err := netip.ParseAddr(v.Text); err == nil && (r == v4 || r == v6) {
				v.Text = addr.Unmap().String()
			}
			if r == host {
				v.Text = strings.TrimSuffix(v.Text, ".")
			}
		}
	}
	return &out
}

// condition is what a test asks of an event's fields, at the least.
type condition struct {
	field  string // of a leaf
	values []sigma.Value
	or     bool
	kids   []*condition
}

// never is the condition of what a role does not have.
var never = &condition{}

func join(or bool, kids []*condition) *condition {
	if len(kids) == 1 {
		return kids[0]
	}
	return &condition{or: or, kids: kids}
}

// condition gives what a comparison asks if it is about a role.
func (c *compiler) condition(x stixpattern.Comparison, r *role) *condition {
	switch x := x.(type) {
	case *stixpattern.Logical:
		var kids []*condition
		for _, operand := range x.Operands {
			kid := c.condition(operand, r)
			if kid != never {
				kids = append(kids, kid)
			} else if !x.Or {
				return never
			}
		}
		if len(kids) == 0 {
			return never
		}
		return join(x.Or, kids)
	case *stixpattern.Exists:
		return c.exists(x, r)
	case *stixpattern.Compare:
		if x.Path.Type != r.typ {
			return never
		}
		var kids []*condition
		for _, f := range r.fields(x.Path.Steps) {
			kids = append(kids, &condition{field: f.name, values: f.read.values(x)})
		}
		if len(kids) == 0 {
			return never
		}
		return join(true, kids)
	}
	return never
}

// exists asks for any field of the path, or, if negated, for any of the role: it must be there to lack something.
func (c *compiler) exists(x *stixpattern.Exists, r *role) *condition {
	if x.Path.Type != r.typ {
		return never
	}
	fields := r.fields(x.Path.Steps)
	if x.Negated {
		fields = nil
		for _, p := range r.properties {
			fields = append(fields, p.fields...)
		}
	}
	var kids []*condition
	for _, f := range fields {
		kids = append(kids, &condition{field: f.name, values: present})
	}
	if len(kids) == 0 {
		return never
	}
	return join(true, kids)
}

var present = []sigma.Value{sigma.Exists{Present: true}}

// values are what a field holds, one of them, if the comparison holds on what is read from it.
func (r reading) values(x *stixpattern.Compare) []sigma.Value {
	if x.Negated {
		return present
	}
	var out []sigma.Value
	for i := range x.Values {
		v, ok := r.literal(x.Op, &x.Values[i])
		if !ok {
			return present
		}
		out = append(out, v...)
	}
	if len(out) == 0 {
		return present
	}
	return out
}

func (r reading) literal(op stixpattern.Op, l *stixpattern.Literal) ([]sigma.Value, bool) {
	switch op {
	case stixpattern.Equal, stixpattern.In:
		if l.Kind == stixpattern.Int && r == number {
			return []sigma.Value{sigma.Compare{Op: sigma.Equal, Number: sigma.Number{IsInt: true, Int: l.Int, Float: l.Float}}}, true
		}
		if l.Kind == stixpattern.String {
			return r.equal(l.Text)
		}
	case stixpattern.Like:
		return r.like(l.Text)
	case stixpattern.IsSubset:
		if prefix, err := netip.ParsePrefix(l.Text); err == nil && (r == v4 || r == v6) {
			return []sigma.Value{sigma.CIDR{Prefix: prefix.Masked()}}, true
		}
	case stixpattern.Matches:
		// Texts that are not in NFC have other characters than ASCII: those are always looked at.
		if r != text || stixpattern.ProgramSize(l.Text) > maxProgram {
			return nil, false
		}
		if re, err := regexp.Compile(l.Text); err == nil {
			return []sigma.Value{sigma.Regexp{Source: l.Text, Compiled: re}, sigma.Regexp{Source: notASCII.String(), Compiled: notASCII}}, true
		}
	}
	return nil, false
}

var notASCII = regexp.MustCompile(`[^\x00-\x7f]`)

func (r reading) equal(literal string) ([]sigma.Value, bool) {
	p := sigma.Pattern{{Kind: sigma.Literal, Text: literal}}
	switch r {
	case v4, v6:
		addr, err := netip.ParseAddr(literal)
		if err != nil || addr.Zone() != "" {
			return nil, false
		}
		return []sigma.Value{sigma.CIDR{Prefix: netip.PrefixFrom(addr, addr.BitLen())}}, true
	case registry, registryFolder:
		_, p[0].Text, _ = strings.Cut(literal, `\`)
	}
	if p[0].Text == "" || r == number {
		return nil, false
	}
	return []sigma.Value{sigma.String{Pattern: r.around(p), Cased: !r.folds()}}, true
}

// around opens a pattern for what the reading cuts off the field's text.
func (r reading) around(p sigma.Pattern) sigma.Pattern {
	run := sigma.Part{Kind: sigma.AnyRun}
	switch r {
	case base, login, hashList, registry, registryFolder, mailbox:
		if p[0].Kind != sigma.AnyRun {
			p = append(sigma.Pattern{run}, p...)
		}
	}
	switch r {
	case folder, hashList, registryFolder, host, mailbox:
		if p[len(p)-1].Kind != sigma.AnyRun {
			p = append(p, run)
		}
	}
	return p
}

// like keeps of a LIKE operand what holds on the text before it is normalised, too: NFC joins characters,
// and makes these three ASCII characters of others (U+037E, U+1FEF, U+212A).
func (r reading) like(operand string) ([]sigma.Value, bool) {
	if r == number || r == v4 || r == v6 || r == registry || r == registryFolder {
		return nil, false
	}
	var p sigma.Pattern
	for _, c := range operand {
		last := len(p) - 1
		switch {
		case c == '%' || c == '_' || c >= 0x80 || c == ';' || c == '`' || c == 'K' || c == 'k':
			if last < 0 || p[last].Kind != sigma.AnyRun {
				p = append(p, sigma.Part{Kind: sigma.AnyRun})
			}
		case last >= 0 && p[last].Kind == sigma.Literal:
			p[last].Text += string(c)
		default:
			p = append(p, sigma.Part{Kind: sigma.Literal, Text: string(c)})
		}
	}
	if len(p) == 0 {
		return nil, false
	}
	return []sigma.Value{sigma.String{Pattern: r.around(p), Cased: !r.folds()}}, true
}

// expression writes a condition into the rule: a selection for each field.
func (c *compiler) expression(x *condition) (sigma.Expr, error) {
	if x.field != "" {
		return c.leaf(x.field, x.values)
	}
	kids := x.kids
	if x.or {
		kids = merge(x)
	}
	var xs []sigma.Expr
	for _, kid := range kids {
		one, err := c.expression(kid)
		if err != nil {
			return nil, err
		}
		xs = append(xs, one)
	}
	switch {
	case len(xs) == 1:
		return xs[0], nil
	case x.or:
		return sigma.Or{Xs: xs}, nil
	}
	return sigma.And{Xs: xs}, nil
}

func (c *compiler) leaf(name string, values []sigma.Value) (sigma.Expr, error) {
	if len(c.rule.Detection.Selections) == MaxConditions {
		return nil, unsupported(0, "more than %d conditions on fields are not matched against every event", MaxConditions)
	}
	sel := sigma.Selection{Name: "s" + strconv.Itoa(len(c.rule.Detection.Selections)),
		Alternatives: []sigma.Alternative{{sigma.Item{Field: name, Values: values}}}}
	c.rule.Detection.Selections = append(c.rule.Detection.Selections, sel)
	return sigma.Ref{Name: sel.Name, Index: len(c.rule.Detection.Selections) - 1}, nil
}

// merge flattens alternatives and joins those on one field: each field is asked once.
func merge(x *condition) []*condition {
	var out []*condition
	at := map[string]*condition{}
	var add func(x *condition)
	add = func(x *condition) {
		switch {
		case x.field == "" && x.or:
			for _, kid := range x.kids {
				add(kid)
			}
		case x.field == "":
			out = append(out, x)
		case at[x.field] == nil:
			at[x.field] = &condition{field: x.field, values: slices.Clip(x.values)}
			out = append(out, at[x.field])
		default:
			at[x.field].values = append(at[x.field].values, x.values...)
		}
	}
	add(x)
	return out
}
