package pysigma

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"shieldwall/internal/sigma"
)

// tree is what a rule looks for, as oracle.py prints it; nil is nothing.
type tree struct {
	And   []*tree `json:"and,omitempty"`
	Or    []*tree `json:"or,omitempty"`
	Not   *tree   `json:"not,omitempty"`
	Field *string `json:"field,omitempty"` // nil beside a value: a keyword
	Value *value  `json:"value,omitempty"`
}

// value is one comparison.
type value struct {
	Text    []part  `json:"text,omitzero"`
	Cased   bool    `json:"cased,omitempty"`
	Null    bool    `json:"null,omitempty"`
	Exists  *bool   `json:"exists,omitempty"`
	Re      *string `json:"re,omitempty"`
	Flags   string  `json:"flags,omitempty"`
	CIDR    string  `json:"cidr,omitempty"`
	Ref     *string `json:"ref,omitempty"`
	Starts  bool    `json:"starts,omitempty"`
	Ends    bool    `json:"ends,omitempty"`
	Compare string  `json:"compare,omitempty"`
	Number  string  `json:"number,omitempty"`
	Part    string  `json:"part,omitempty"`
}

// part is a piece of a text: its kind, and what it holds.
type part []string

func literal(text string) part {
	if !utf8.ValidString(text) {
		return part{"bytes", hex.EncodeToString([]byte(text))}
	}
	return part{"literal", text}
}

// canonical is the tree's JSON with AND in AND and OR in OR made flat, operands in a fixed order and once each, and
// neighbouring texts and runs merged. Trees that mean the same by these rules have the same JSON.
func (t *tree) canonical() string { return t.flat().text() }

func (t *tree) text() string {
	out, err := json.Marshal(t)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func (t *tree) flat() *tree {
	switch {
	case t == nil:
		return nil
	case t.Not != nil:
		return &tree{Not: t.Not.flat()}
	case t.Value != nil:
		return &tree{Field: t.Field, Value: t.Value.merged()}
	case t.And != nil:
		return joined(t.And, func(t *tree) *[]*tree { return &t.And })
	}
	return joined(t.Or, func(t *tree) *[]*tree { return &t.Or })
}

func joined(operands []*tree, list func(*tree) *[]*tree) *tree {
	var flat []*tree
	for _, x := range operands {
		if x = x.flat(); x == nil {
			x = &tree{} // nothing, among others
		}
		if inner := *list(x); inner != nil {
			flat = append(flat, inner...)
		} else {
			flat = append(flat, x)
		}
	}
	texts := map[string]*tree{}
	for _, x := range flat {
		texts[x.text()] = x
	}
	flat = flat[:0]
	for _, text := range slices.Sorted(maps.Keys(texts)) {
		flat = append(flat, texts[text])
	}
	if len(flat) == 1 {
		return flat[0]
	}
	out := &tree{}
	*list(out) = flat
	return out
}

func (v value) merged() *value {
	if v.Re != nil {
		re := plainPercent(*v.Re)
		v.Re = &re
	}
	if v.Text == nil {
		v.Number = canonicalNumber(v.Number)
		return &v
	}
	out := []part{}
	for _, p := range v.Text {
		last := len(out) - 1
		switch {
		case p[0] == "literal" && p[1] == "":
		case p[0] == "literal" && last >= 0 && out[last][0] == "literal":
			out[last] = literal(out[last][1] + p[1])
		case p[0] == "any" && last >= 0 && out[last][0] == "any":
		default:
			out = append(out, p)
		}
	}
	v.Text = out
	return &v
}

// plainPercent takes the backslash from a percent sign of a regular expression, where it means nothing.
func plainPercent(re string) string {
	var b strings.Builder
	for i := 0; i < len(re); i++ {
		if re[i] == '\\' && i+1 < len(re) {
			if i++; re[i] != '%' {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(re[i])
	}
	return b.String()
}

// canonicalNumber writes a number in one way, whoever wrote it.
func canonicalNumber(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if _, ierr := strconv.ParseInt(text, 10, 64); ierr == nil || err != nil {
		return text
	}
	return number(sigma.Number{Float: f})
}

func number(n sigma.Number) string {
	switch {
	case n.IsInt:
		return strconv.FormatInt(n.Int, 10)
	case n.Float == math.Trunc(n.Float) && math.Abs(n.Float) < 1<<63:
		return strconv.FormatInt(int64(n.Float), 10)
	}
	return strconv.FormatFloat(n.Float, 'g', -1, 64)
}

// treeOf is what a rule of ours looks for.
func treeOf(r *sigma.Rule) *tree { return expression(r.Detection.Condition, r.Detection.Selections) }

func expression(x sigma.Expr, selections []sigma.Selection) *tree {
	all := func(xs []sigma.Expr) []*tree {
		out := make([]*tree, len(xs))
		for i, x := range xs {
			out[i] = expression(x, selections)
		}
		return out
	}
	switch x := x.(type) {
	case sigma.Ref:
		return selection(selections[x.Index])
	case sigma.Not:
		return &tree{Not: expression(x.X, selections)}
	case sigma.And:
		return &tree{And: all(x.Xs)}
	case sigma.Or:
		return &tree{Or: all(x.Xs)}
	case sigma.Of:
		out := make([]*tree, len(x.Indexes))
		for i, index := range x.Indexes {
			out[i] = selection(selections[index])
		}
		if x.All {
			return &tree{And: out}
		}
		return &tree{Or: out}
	}
	panic(fmt.Sprintf("expression %T", x))
}

func selection(s sigma.Selection) *tree {
	alternatives := &tree{}
	for _, alt := range s.Alternatives {
		items := &tree{}
		for _, it := range alt {
			items.And = append(items.And, item(it))
		}
		alternatives.Or = append(alternatives.Or, items)
	}
	return alternatives
}

func item(it sigma.Item) *tree {
	values := make([]*tree, len(it.Values))
	for i, v := range it.Values {
		values[i] = comparison(it, v)
	}
	out := &tree{Or: values}
	if it.All {
		out = &tree{And: values}
	}
	if it.Negated {
		return &tree{Not: out}
	}
	return out
}

var (
	operators = map[sigma.Op]string{sigma.Equal: "eq", sigma.Less: "lt", sigma.LessEqual: "lte", sigma.Greater: "gt", sigma.GreaterEqual: "gte"}
	units     = map[sigma.TimeUnit]string{sigma.Minute: "minute", sigma.Hour: "hour", sigma.Day: "day", sigma.Week: "week", sigma.Month: "month", sigma.Year: "year"}
)

func comparison(it sigma.Item, v sigma.Value) *tree {
	is := func(v value) *tree {
		if it.Field == "" {
			return &tree{Value: &v}
		}
		return &tree{Field: &it.Field, Value: &v}
	}
	switch v := v.(type) {
	case sigma.AnyOf:
		out := &tree{}
		for _, one := range v.Values {
			out.Or = append(out.Or, comparison(it, one))
		}
		return out
	case sigma.String:
		out := &tree{}
		for _, text := range spellings(v.Pattern) {
			out.Or = append(out.Or, is(value{Text: text, Cased: v.Cased}))
		}
		return out
	case sigma.Null:
		return is(value{Null: true})
	case sigma.Regexp:
		re, flags := written(it.Modifiers, v.Source)
		return is(value{Re: &re, Flags: flags})
	case sigma.CIDR:
		return is(value{CIDR: network(v.Prefix)})
	case sigma.FieldRef:
		name := literal(v.Field)[1]
		return is(value{Ref: &name, Starts: v.OpenTail, Ends: v.OpenHead, Cased: v.Cased})
	case sigma.Exists:
		return is(value{Exists: &v.Present})
	case sigma.Compare:
		return is(value{Compare: operators[v.Op], Number: number(v.Number)})
	case sigma.TimePart:
		return is(value{Compare: operators[v.Op], Part: units[v.Unit], Number: strconv.FormatInt(v.Number, 10)})
	}
	panic(fmt.Sprintf("value %T", v))
}

// spellings writes a pattern with every dash that it leaves open.
func spellings(p sigma.Pattern) [][]part {
	out := [][]part{{}}
	for _, piece := range p {
		var choices []part
		switch piece.Kind {
		case sigma.Literal:
			choices = []part{literal(piece.Text)}
		case sigma.AnyRun:
			choices = []part{{"any"}}
		case sigma.AnyChar:
			choices = []part{{"one"}}
		case sigma.Dash:
			for _, r := range sigma.Dashes {
				choices = append(choices, literal(string(r)))
			}
		}
		var next [][]part
		for _, head := range out {
			for _, choice := range choices {
				next = append(next, append(slices.Clone(head), choice))
			}
		}
		out = next
	}
	return out
}

func network(p netip.Prefix) string {
	return fmt.Sprintf("%x/%d", p.Addr().AsSlice(), p.Bits())
}

// written is a regular expression with flags and frames as pySigma writes them: the flags apart, and ".*" on the
// sides that contains, startswith and endswith leave open. Ours are (?flags), and anchors on the other sides; what
// has other ones is returned as it is, which is equal to nothing.
func written(modifiers []string, source string) (re, flags string) {
	for _, m := range modifiers {
		if (m == "i" || m == "m" || m == "s") && !strings.Contains(flags, m) {
			flags += m
		}
	}
	body := source
	if flags != "" {
		var ok bool
		if body, ok = strings.CutPrefix(body, "(?"+flags+")"); !ok {
			return "flags? " + source, ""
		}
	}
	head := slices.Contains(modifiers, "contains") || slices.Contains(modifiers, "endswith")
	tail := slices.Contains(modifiers, "contains") || slices.Contains(modifiers, "startswith")
	if head || tail {
		before, after := "(?:", ")"
		if !head {
			before = `\A` + before
		}
		if !tail {
			after += `\z`
		}
		if !strings.HasPrefix(body, before) || !strings.HasSuffix(body, after) {
			return "frame? " + source, ""
		}
		body = body[len(before) : len(body)-len(after)]
	}
	for _, m := range modifiers {
		if (m == "contains" || m == "endswith") && !strings.HasPrefix(body, ".*") && !strings.HasPrefix(body, "^") {
			body = ".*" + body
		}
		if (m == "contains" || m == "startswith") && !strings.HasSuffix(body, ".*") && !strings.HasSuffix(body, "$") {
			body += ".*"
		}
	}
	sorted := []byte(flags)
	slices.Sort(sorted)
	return body, string(sorted)
}
