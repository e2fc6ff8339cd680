package sigma

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// scalarKind is a YAML value's type, which some modifiers insist on.
type scalarKind uint8

const (
	scalarText scalarKind = iota
	scalarNumber
	scalarBool
	scalarNull
)

// scalar is a value as the rule has it, before its modifiers.
type scalar struct {
	kind   scalarKind
	text   string // stringified
	number Number
	yes    bool
	line   int
}

func readScalar(n *yaml.Node, path string) (scalar, error) {
	s := scalar{text: n.Value, line: n.Line}
	if n.Kind != yaml.ScalarNode {
		return s, errorAt(n.Line, path, ReasonStructure, "want a value, found %s", kindName(n))
	}
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp": // rules compare a date's spelling
		return s, nil
	case "!!null":
		s.kind, s.text = scalarNull, ""
		return s, nil
	case "!!bool":
		s.kind = scalarBool
		if err := n.Decode(&s.yes); err != nil {
			return s, errorAt(n.Line, path, ReasonYAML, "%s is not a boolean", quote(n.Value))
		}
		s.text = strconv.FormatBool(s.yes)
		return s, nil
	case "!!int", "!!float":
		return s, s.setNumber(n, path)
	default:
		return s, errorAt(n.Line, path, ReasonYAML, "YAML tag %s has no meaning in a rule", quote(tag))
	}
}

// setNumber reads a number for the modifiers that compare numbers. Stringified it keeps the rule's
// spelling: the rule base has "contains: 00000429" and means these digits.
func (s *scalar) setNumber(n *yaml.Node, path string) error {
	v, ok := coreNumber(n.Value)
	switch {
	case !ok && n.Style&yaml.TaggedStyle == 0:
		return nil // a number for the library alone, such as 1_000: a text
	case !ok:
		return errorAt(n.Line, path, ReasonYAML, "%s is not a number", quote(n.Value))
	case math.IsNaN(v.Float) || math.IsInf(v.Float, 0):
		return errorAt(n.Line, path, ReasonValue, "%s is not a finite number", quote(n.Value))
	}
	s.kind, s.number = scalarNumber, v
	return nil
}

// The numbers of YAML 1.2's core schema (section 10.3.2), which rules are written in (specification,
// "Yaml File"). The library knows those of YAML 1.1 too, where 010 is eight.
var (
	coreInteger = regexp.MustCompile(`^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	coreFloat   = regexp.MustCompile(`^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$`)
	coreSpecial = regexp.MustCompile(`^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// coreNumber reads such a number; those that are none, or too large, are NaN or infinite.
func coreNumber(text string) (Number, bool) {
	switch {
	case coreInteger.MatchString(text):
		if n, ok := coreWhole(text); ok {
			return n, true
		}
	case coreSpecial.MatchString(text):
		return Number{Float: math.NaN()}, true
	case !coreFloat.MatchString(text):
		return Number{}, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Number{Float: math.Inf(1)}, true
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return wholeNumber(int64(f)), true
	}
	return Number{Float: f}, true
}

// coreWhole reads an integer of the core schema; ok is false beyond 64 bits.
func coreWhole(text string) (n Number, ok bool) {
	digits, base := text, 10
	if strings.HasPrefix(text, "0o") {
		digits, base = text[2:], 8
	} else if strings.HasPrefix(text, "0x") {
		digits, base = text[2:], 16
	}
	if i, err := strconv.ParseInt(digits, base, 64); err == nil {
		return wholeNumber(i), true
	}
	u, err := strconv.ParseUint(digits, base, 64)
	return Number{Float: float64(u)}, err == nil
}

func wholeNumber(i int64) Number { return Number{IsInt: true, Int: i, Float: float64(i)} }
