package sigma

import (
	"net/netip"
	"slices"
)

// Values between two modifiers; build turns them into the exported kinds.
type (
	// number and boolean are typed scalars that no modifier has turned into a string yet.
	number  struct{ scalar }
	boolean struct{ scalar }
	// regexpDraft is an expression that may still get flags and anchors.
	regexpDraft struct {
		body               string
		flags              string
		openHead, openTail bool
		anchored           bool
	}
)

func (number) isValue()      {}
func (boolean) isValue()     {}
func (regexpDraft) isValue() {}

// itemBuilder applies the modifiers of one item, left to right (appendix modifiers; the legality
// checks are those of pySigma and of the specification's text).
type itemBuilder struct {
	parser *detectionParser
	item   *Item
	path   string
	isList bool
	line   int // of the value at hand
	// framed is set once contains, startswith or endswith said where a keyword may stand.
	framed bool
}

func (b *itemBuilder) fail(reason Reason, format string, args ...any) error {
	line := b.line
	if line == 0 {
		line = b.item.Line
	}
	return errorAt(line, b.path, reason, format, args...)
}

func (b *itemBuilder) build(scalars []scalar) error {
	if err := b.checkList(scalars); err != nil {
		return err
	}
	b.item.Values = make([]Value, 0, len(scalars))
	for _, s := range scalars {
		b.line = s.line
		v := b.start(s)
		for _, name := range b.item.Modifiers {
			var err error
			if v, err = b.apply(v, name); err != nil {
				return err
			}
		}
		v, err := b.finish(v)
		if err != nil {
			return err
		}
		b.item.Values = append(b.item.Values, v)
	}
	return nil
}

// checkList handles the modifiers that concern the list as a whole.
func (b *itemBuilder) checkList(scalars []scalar) error {
	for i, name := range b.item.Modifiers {
		switch name {
		case "all":
			if len(scalars) < 2 {
				return b.fail(ReasonModifier, "modifier all needs a list of at least two values")
			}
			b.item.All = true
		case "neq":
			b.item.Negated = true
		case "exists":
			if len(b.item.Modifiers) > 1 || b.item.Field == "" {
				return b.fail(ReasonModifier, "modifier exists stands alone behind a field")
			}
		case "re", "cidr":
			if i > 0 {
				return b.fail(ReasonModifier, "modifier %s must be the first", name)
			}
		case "contains", "startswith", "endswith":
			b.framed = true
		}
	}
	return nil
}

// start gives a scalar its first form. Values of re are taken as they are; placeholders count only
// where expand follows.
func (b *itemBuilder) start(s scalar) Value {
	mods := b.item.Modifiers
	switch s.kind {
	case scalarNumber:
		return number{s}
	case scalarBool:
		return boolean{s}
	case scalarNull:
		return Null{}
	}
	if len(mods) > 0 && mods[0] == "re" {
		return regexpDraft{body: s.text}
	}
	return String{Pattern: parsePattern(s.text, slices.Contains(mods, "expand"))}
}

// apply applies one modifier to one value, reaching into values that an earlier modifier multiplied.
func (b *itemBuilder) apply(v Value, name string) (Value, error) {
	if any, ok := v.(AnyOf); ok {
		out := AnyOf{Values: make([]Value, 0, len(any.Values))}
		count, size := 0, 0
		for _, one := range any.Values {
			w, err := b.apply(one, name)
			if err != nil {
				return nil, err
			}
			out.Values = append(out.Values, w)
			n, bytes := weigh(w)
			if count, size = count+n, size+bytes; count > MaxValues || size > MaxRuleBytes {
				return nil, b.fail(ReasonLimit, "modifiers multiply a value to more than %d values or %d bytes",
					MaxValues, MaxRuleBytes)
			}
		}
		return out, nil
	}
	switch name {
	case "all", "neq":
		return v, nil
	case "contains", "startswith", "endswith":
		return b.frame(v, name)
	case "cased":
		return b.cased(v)
	case "exists":
		return b.exists(v)
	case "re":
		return b.regexp(v)
	case "i", "m", "s":
		return b.regexpFlag(v, name)
	case "cidr":
		return b.cidr(v)
	case "lt", "lte", "gt", "gte":
		return b.compare(v, name)
	case "minute", "hour", "day", "week", "month", "year":
		return b.timePart(v, name)
	case "fieldref":
		return b.fieldRef(v)
	case "windash", "wide", "utf16le", "utf16be", "utf16", "base64", "base64offset", "expand":
		return b.transform(v, name)
	}
	return nil, b.fail(ReasonModifier, "unknown modifier %s", quote(name))
}

// weigh counts a value's alternatives and their text.
func weigh(v Value) (count, size int) {
	switch v := v.(type) {
	case AnyOf:
		for _, one := range v.Values {
			n, bytes := weigh(one)
			count, size = count+n, size+bytes
		}
		return count, size
	case String:
		return 1, v.Pattern.size()
	case regexpDraft:
		return 1, len(v.body)
	}
	return 1, 0
}

// stringified turns a typed scalar into a string: generic modifiers apply to all types.
func stringified(v Value) Value {
	switch v := v.(type) {
	case number:
		return String{Pattern: Pattern{}.appendText(v.text)}
	case boolean:
		return String{Pattern: Pattern{}.appendText(v.text)}
	}
	return v
}

func (b *itemBuilder) frame(v Value, name string) (Value, error) {
	head, tail := name != "startswith", name != "endswith"
	switch v := stringified(v).(type) {
	case String:
		v.Pattern = v.Pattern.open(head, tail)
		return v, nil
	case FieldRef:
		v.OpenHead, v.OpenTail = v.OpenHead || head, v.OpenTail || tail
		return v, nil
	case regexpDraft:
		v.anchored = true
		v.openHead, v.openTail = v.openHead || head, v.openTail || tail
		return v, nil
	}
	return nil, b.fail(ReasonModifier, "modifier %s needs a text, a regular expression or a field reference", name)
}

func (b *itemBuilder) cased(v Value) (Value, error) {
	switch v := stringified(v).(type) {
	case String:
		v.Cased = true
		return v, nil
	case FieldRef:
		v.Cased = true
		return v, nil
	}
	return nil, b.fail(ReasonModifier, "modifier cased needs a text (regular expressions heed case anyway)")
}

func (b *itemBuilder) exists(v Value) (Value, error) {
	yes, ok := v.(boolean)
	if !ok || b.isList {
		return nil, b.fail(ReasonValue, "modifier exists needs true or false")
	}
	return Exists{Present: yes.yes}, nil
}

func (b *itemBuilder) cidr(v Value) (Value, error) {
	s, ok := v.(String)
	if !ok {
		return nil, b.fail(ReasonValue, "modifier cidr needs a network such as 10.0.0.0/8")
	}
	text := s.Pattern.String()
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return CIDR{Prefix: netip.PrefixFrom(addr, addr.BitLen())}, nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, b.fail(ReasonValue, "%s is not a network such as 10.0.0.0/8", quote(text))
	}
	if prefix != prefix.Masked() {
		return nil, b.fail(ReasonValue, "network %s has host bits set, want %s", prefix, prefix.Masked())
	}
	return CIDR{Prefix: prefix}, nil
}

func (b *itemBuilder) compare(v Value, name string) (Value, error) {
	op := map[string]Op{"lt": Less, "lte": LessEqual, "gt": Greater, "gte": GreaterEqual}[name]
	switch v := v.(type) {
	case number:
		return Compare{Op: op, Number: v.number}, nil
	case TimePart:
		if v.Op == Equal { // else it is compared already
			v.Op = op
			return v, nil
		}
	}
	return nil, b.fail(ReasonValue, "modifier %s needs a number (unquoted)", name)
}

func (b *itemBuilder) timePart(v Value, name string) (Value, error) {
	limits := map[string]struct {
		unit     TimeUnit
		min, max int64
	}{
		"minute": {Minute, 0, 59}, "hour": {Hour, 0, 23}, "day": {Day, 1, 31},
		"week": {Week, 1, 53}, "month": {Month, 1, 12}, "year": {Year, 0, 9999},
	}
	n, ok := v.(number)
	if !ok || !n.number.IsInt {
		return nil, b.fail(ReasonValue, "modifier %s needs a whole number (unquoted)", name)
	}
	limit := limits[name]
	if n.number.Int < limit.min || n.number.Int > limit.max {
		return nil, b.fail(ReasonValue, "%s is from %d to %d, not %s", name, limit.min, limit.max, n.text)
	}
	return TimePart{Unit: limit.unit, Op: Equal, Number: n.number.Int}, nil
}

func (b *itemBuilder) fieldRef(v Value) (Value, error) {
	s, ok := v.(String)
	if !ok {
		return nil, b.fail(ReasonValue, "modifier fieldref needs the name of a field")
	}
	name, plain := s.Pattern.Text()
	if !plain || name == "" {
		return nil, b.fail(ReasonValue, "modifier fieldref needs the name of a field, without wildcards")
	}
	return FieldRef{Field: name, Cased: s.Cased}, nil
}

// finish makes an exported value, checks what a keyword cannot be and charges its cost.
func (b *itemBuilder) finish(v Value) (Value, error) {
	if any, ok := v.(AnyOf); ok {
		for i, one := range any.Values {
			w, err := b.finish(one)
			if err != nil {
				return nil, err
			}
			any.Values[i] = w
		}
		return any, nil
	}
	v = stringified(v)
	if draft, ok := v.(regexpDraft); ok {
		re, err := b.compile(draft)
		if err != nil {
			return nil, err
		}
		v = re
	}
	if b.item.Field == "" {
		switch s := v.(type) {
		case String:
			if !b.framed { // a keyword may stand anywhere in a value
				s.Pattern = s.Pattern.open(true, true)
				v = s
			}
		case Regexp, CIDR:
		default:
			return nil, b.fail(ReasonStructure, "this kind of value needs a field")
		}
	}
	if reason, detail := b.parser.charge(v); reason != "" {
		return nil, b.fail(reason, "%s", detail)
	}
	return v, nil
}
