package sigma

import (
	"math"
	"strconv"

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
		s.kind = scalarNumber
		return s, s.setNumber(n, path)
	default:
		return s, errorAt(n.Line, path, ReasonYAML, "YAML tag %s has no meaning in a rule", quote(tag))
	}
}

// setNumber decodes a number for the modifiers that compare numbers. Stringified it keeps the rule's
// spelling: the rule base has "contains: 00000429" and means these digits.
func (s *scalar) setNumber(n *yaml.Node, path string) error {
	var v any
	if err := n.Decode(&v); err != nil {
		return errorAt(n.Line, path, ReasonYAML, "%s is not a number", quote(n.Value))
	}
	switch v := v.(type) {
	case int:
		s.number = Number{IsInt: true, Int: int64(v), Float: float64(v)}
	case int64:
		s.number = Number{IsInt: true, Int: v, Float: float64(v)}
	case uint64:
		s.number = Number{Float: float64(v)}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errorAt(n.Line, path, ReasonValue, "%s is not a finite number", quote(n.Value))
		}
		s.number = Number{Float: v}
	default:
		return errorAt(n.Line, path, ReasonYAML, "%s is not a number", quote(n.Value))
	}
	return nil
}
