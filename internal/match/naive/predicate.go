package naive

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"shieldwall/internal/match/compare"
	"shieldwall/internal/sigma"
)

// predicate decides one value of a rule about one field. The cell is nil where the event does not
// have the field.
type predicate interface {
	holds(r *Record, c *cell) bool
}

func newPredicate(v sigma.Value) (predicate, error) {
	switch v := v.(type) {
	case sigma.String:
		return newTextPredicate(v), nil
	case sigma.Null:
		return isNull{}, nil
	case sigma.Regexp:
		return hasMatch{v.Compiled}, nil
	case sigma.CIDR:
		return inNetwork{v.Prefix}, nil
	case sigma.FieldRef:
		return sameAs(v), nil
	case sigma.Exists:
		return exists{v.Present}, nil
	case sigma.Compare:
		return compares(v), nil
	case sigma.TimePart:
		return atTime(v), nil
	case sigma.AnyOf:
		out := make(anyOf, 0, len(v.Values))
		for _, one := range v.Values {
			p, err := newPredicate(one)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
		return out, nil
	}
	return nil, fmt.Errorf("value of type %T is not known to the matcher", v)
}

// textPredicate matches whole texts; the test is chosen by the pattern's shape.
type textPredicate struct {
	cased bool
	test  func(text string) bool
}

func newTextPredicate(v sigma.String) textPredicate {
	p := v.Pattern
	if !v.Cased {
		p = compare.FoldPattern(p)
	}
	return textPredicate{cased: v.Cased, test: textTest(p)}
}

func textTest(p sigma.Pattern) func(string) bool {
	kinds := ""
	for _, part := range p {
		kinds += [...]string{sigma.Literal: "l", sigma.AnyRun: "*", sigma.AnyChar: "?", sigma.Dash: "-"}[part.Kind]
	}
	switch kinds {
	case "":
		return func(text string) bool { return text == "" }
	case "*":
		return func(string) bool { return true }
	case "l":
		return func(text string) bool { return text == p[0].Text }
	case "l*":
		return func(text string) bool { return strings.HasPrefix(text, p[0].Text) }
	case "*l":
		return func(text string) bool { return strings.HasSuffix(text, p[1].Text) }
	case "*l*":
		return func(text string) bool { return strings.Contains(text, p[1].Text) }
	}
	return compare.NewGlob(p).Match
}

func (p textPredicate) holds(_ *Record, c *cell) bool {
	if c == nil {
		return false
	}
	texts := c.texts
	if !p.cased {
		texts = c.withoutCase()
	}
	for _, text := range texts {
		if p.test(text) {
			return true
		}
	}
	return false
}

// isNull holds where there is no value: the field is missing or null. The empty string is a value.
type isNull struct{}

func (isNull) holds(_ *Record, c *cell) bool { return c == nil || c.null }

type hasMatch struct{ re *regexp.Regexp }

func (p hasMatch) holds(_ *Record, c *cell) bool {
	if c == nil {
		return false
	}
	for _, text := range c.texts {
		if p.re.MatchString(text) {
			return true
		}
	}
	return false
}

type inNetwork struct{ prefix netip.Prefix }

func (p inNetwork) holds(_ *Record, c *cell) bool {
	if c == nil {
		return false
	}
	for _, text := range c.texts {
		addr, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			continue
		}
		addr = addr.WithZone("")
		// Windows writes IPv4 peers of IPv6 sockets as ::ffff:192.0.2.1.
		if p.prefix.Contains(addr) || p.prefix.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

type exists struct{ present bool }

func (p exists) holds(_ *Record, c *cell) bool { return (c != nil) == p.present }

// sameAs compares with another field; a missing field on either side does not hold.
type sameAs sigma.FieldRef

func (p sameAs) holds(r *Record, c *cell) bool {
	other := r.find(p.Field)
	if c == nil || other == nil {
		return false
	}
	mine, theirs := c.texts, other.texts
	if !p.Cased {
		mine, theirs = c.withoutCase(), other.withoutCase()
	}
	for _, a := range mine {
		for _, b := range theirs {
			if p.fits(a, b) {
				return true
			}
		}
	}
	return false
}

func (p sameAs) fits(text, part string) bool {
	switch {
	case p.OpenHead && p.OpenTail:
		return strings.Contains(text, part)
	case p.OpenHead:
		return strings.HasSuffix(text, part)
	case p.OpenTail:
		return strings.HasPrefix(text, part)
	}
	return text == part
}

type compares sigma.Compare

func (p compares) holds(_ *Record, c *cell) bool {
	if c == nil {
		return false
	}
	for _, text := range c.texts {
		if order, ok := compare.Order(strings.TrimSpace(text), p.Number); ok && compare.Fits(order, p.Op) {
			return true
		}
	}
	return false
}

type atTime sigma.TimePart

func (p atTime) holds(_ *Record, c *cell) bool {
	if c == nil {
		return false
	}
	for _, text := range c.texts {
		if part, ok := compare.TimePart(strings.TrimSpace(text), p.Unit); ok && compare.Fits(compare.Three(part, p.Number), p.Op) {
			return true
		}
	}
	return false
}

// anyOf holds if any of its predicates does.
type anyOf []predicate

func (p anyOf) holds(r *Record, c *cell) bool {
	for _, one := range p {
		if one.holds(r, c) {
			return true
		}
	}
	return false
}
