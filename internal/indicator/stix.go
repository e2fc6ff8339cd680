package indicator

import (
	"fmt"

	"shieldwall/internal/stixpattern"
)

// UnsupportedError is a pattern that is right but says more than "one of these values".
type UnsupportedError struct {
	// Construct names what is not supported, such as "FOLLOWEDBY" or "process:command_line".
	Construct string
	// Pos is where it stands, in bytes from 0.
	Pos int
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("pattern, character %d: %s is not supported yet", e.Pos+1, e.Construct)
}

// FromSTIX turns a pattern into indicators: any of them is what the pattern looks for. Supported are
// patterns whose observations and comparisons are joined by OR alone and whose comparisons are "=" or
// IN (ISSUBSET for addresses) on the values below; everything else is an *UnsupportedError.
//
//	domain-name:value                      Domain
//	ipv4-addr:value, ipv6-addr:value       Network
//	url:value                              URL
//	email-addr:value                       Email
//	file:hashes.'SHA-256' (MD5, SHA-1 ...) the hash
//	file:name                              FileName
//	mutex:name                             Mutex
//	windows-registry-key:key               RegistryKey
func FromSTIX(pattern stixpattern.Observation) ([]Indicator, error) {
	switch obs := pattern.(type) {
	case *stixpattern.Test:
		return fromComparison(obs.Comparison)
	case *stixpattern.Combined:
		if obs.Op != stixpattern.ObserveOr {
			return nil, &UnsupportedError{Construct: obs.Op.String() + " between observations", Pos: obs.Pos}
		}
		var out []Indicator
		for _, operand := range obs.Operands {
			more, err := FromSTIX(operand)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	case *stixpattern.Qualified:
		return nil, &UnsupportedError{Construct: qualifierName(obs.Qualifier), Pos: obs.Pos}
	}
	return nil, &UnsupportedError{Construct: fmt.Sprintf("%T", pattern)}
}

func qualifierName(q stixpattern.Qualifier) string {
	switch q.(type) {
	case stixpattern.StartStop:
		return "START ... STOP"
	case stixpattern.Within:
		return "WITHIN"
	}
	return "REPEATS"
}

func fromComparison(c stixpattern.Comparison) ([]Indicator, error) {
	switch c := c.(type) {
	case *stixpattern.Logical:
		if !c.Or {
			return nil, &UnsupportedError{Construct: "AND between comparisons", Pos: c.Pos}
		}
		var out []Indicator
		for _, operand := range c.Operands {
			more, err := fromComparison(operand)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	case *stixpattern.Exists:
		return nil, &UnsupportedError{Construct: "EXISTS", Pos: c.Pos}
	case *stixpattern.Compare:
		return fromCompare(c)
	}
	return nil, &UnsupportedError{Construct: fmt.Sprintf("%T", c)}
}

func fromCompare(c *stixpattern.Compare) ([]Indicator, error) {
	t, ok := typeOf(c.Path)
	if !ok {
		return nil, &UnsupportedError{Construct: "object path " + show(c.Path.String()), Pos: c.Pos}
	}
	supported := c.Op == stixpattern.Equal || c.Op == stixpattern.In || c.Op == stixpattern.IsSubset && t == Network
	if c.Negated || !supported {
		name := "operator " + c.Op.String()
		if c.Negated {
			name = "NOT"
		}
		return nil, &UnsupportedError{Construct: name + " on " + show(c.Path.String()), Pos: c.Pos}
	}
	out := make([]Indicator, 0, len(c.Values))
	for _, v := range c.Values {
		if v.Kind != stixpattern.String {
			return nil, &UnsupportedError{Construct: "a value that is no string", Pos: v.Pos}
		}
		ind, err := New(t, v.Text)
		if err != nil {
			return nil, &stixpattern.Error{Pos: v.Pos, Detail: err.Error()}
		}
		out = append(out, ind)
	}
	if len(out) == 0 {
		return nil, &UnsupportedError{Construct: "an empty set", Pos: c.Pos}
	}
	return out, nil
}

func typeOf(p stixpattern.Path) (Type, bool) {
	for _, step := range p.Steps {
		if step.IsIndex {
			return 0, false
		}
	}
	switch {
	case len(p.Steps) == 1 && p.Steps[0].Property == "value":
		switch p.Type {
		case "domain-name":
			return Domain, true
		case "ipv4-addr", "ipv6-addr":
			return Network, true
		case "url":
			return URL, true
		case "email-addr":
			return Email, true
		}
	case p.Type == "file" && len(p.Steps) == 1 && p.Steps[0].Property == "name":
		return FileName, true
	case p.Type == "mutex" && len(p.Steps) == 1 && p.Steps[0].Property == "name":
		return Mutex, true
	case p.Type == "windows-registry-key" && len(p.Steps) == 1 && p.Steps[0].Property == "key":
		return RegistryKey, true
	case p.Type == "file" && len(p.Steps) == 2 && p.Steps[0].Property == "hashes":
		return HashNamed(p.Steps[1].Property)
	}
	return 0, false
}
