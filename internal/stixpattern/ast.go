// Package stixpattern is the STIX patterning language (STIX 2.1 specification, section 9, and the grammar
// STIXPattern.g4 of OASIS): Parse reads all of it into a syntax tree with positions, Format writes it, Compile
// and Match evaluate it over observed data.
//
// Where the specification leaves a choice, it is that of OASIS's own matcher, with two differences: MATCHES has
// the expressions of RE2, and networks may be IPv6.
package stixpattern

import (
	"slices"
	"strconv"
	"time"
)

// Limits of one pattern.
const (
	// MaxLength bounds a pattern, in bytes.
	MaxLength = 256 << 10
	// MaxDepth bounds the nesting of brackets.
	MaxDepth = 64
	// MaxTests bounds the comparisons of one pattern.
	MaxTests = 10_000
	// MaxLiterals bounds the literals of one pattern, those of sets included.
	MaxLiterals = 50_000
)

// Observation is an observation expression: Test, Combined or Qualified.
type Observation interface{ isObservation() }

// Test is "[ comparison ]".
type Test struct {
	Comparison Comparison
	Pos        int // of the bracket, in bytes from 0; so are all positions
}

// Combined joins observations; Operands has at least two.
type Combined struct {
	Op       ObservationOp
	Operands []Observation
	Pos      int // of the first operator
}

// ObservationOp joins observations; it binds the closer the smaller it is.
type ObservationOp uint8

// The operators.
const (
	ObserveAnd ObservationOp = iota
	ObserveOr
	FollowedBy
)

// String is the operator's keyword.
func (op ObservationOp) String() string {
	return [...]string{ObserveAnd: "AND", ObserveOr: "OR", FollowedBy: "FOLLOWEDBY"}[op]
}

// Qualified is an observation with a qualifier behind it.
type Qualified struct {
	Observation Observation
	Qualifier   Qualifier
	Pos         int // of the qualifier
}

// Qualifier is StartStop, Within or Repeats.
type Qualifier interface{ isQualifier() }

// StartStop bounds the observation's time: Start included, Stop not.
type StartStop struct{ Start, Stop time.Time }

// Within bounds the time between the observations, in seconds; it is greater than zero.
type Within struct{ Seconds float64 }

// Repeats asks for distinct observations; Times is at least one.
type Repeats struct{ Times int64 }

// Comparison is a comparison expression: Compare, Exists or Logical.
type Comparison interface{ isComparison() }

// Logical joins comparisons; Operands has at least two.
type Logical struct {
	Or       bool // AND otherwise
	Operands []Comparison
	Pos      int // of the first operator
}

// Compare tests a property against literals.
type Compare struct {
	Path    Path
	Negated bool
	Op      Op
	Values  []Literal // one; for In any number
	Pos     int       // of the path
}

// Exists tests whether an object has a property.
type Exists struct {
	Path    Path
	Negated bool
	Pos     int
}

// Op is a comparison operator.
type Op uint8

// The operators.
const (
	Equal Op = iota
	NotEqual
	Less
	LessEqual
	Greater
	GreaterEqual
	In
	Like
	Matches
	IsSubset
	IsSuperset
)

// String is the operator as patterns write it.
func (op Op) String() string {
	return [...]string{Equal: "=", NotEqual: "!=", Less: "<", LessEqual: "<=", Greater: ">", GreaterEqual: ">=",
		In: "IN", Like: "LIKE", Matches: "MATCHES", IsSubset: "ISSUBSET", IsSuperset: "ISSUPERSET"}[op]
}

// Path is an object path such as file:hashes.'SHA-256'.
type Path struct {
	Type  string
	Steps []Step
}

// Step is one step of a path: a property, or an element of a list.
type Step struct {
	Property string
	// Index is the element where IsIndex is set, Any any element.
	IsIndex, Any bool
	Index        int64
}

// LiteralKind tells literals apart.
type LiteralKind uint8

// The kinds.
const (
	String LiteralKind = iota
	Int
	Float
	Bool
	Hex
	Binary
	Timestamp
)

// Literal is a value; the field of its kind is set.
type Literal struct {
	Kind  LiteralKind
	Text  string // String, unescaped
	Int   int64
	Float float64 // Float, and Int
	Bool  bool
	Bytes []byte // Hex, Binary
	Time  time.Time
	Pos   int
}

func (*Test) isObservation()      {}
func (*Combined) isObservation()  {}
func (*Qualified) isObservation() {}

func (StartStop) isQualifier() {}
func (Within) isQualifier()    {}
func (Repeats) isQualifier()   {}

func (*Logical) isComparison() {}
func (*Compare) isComparison() {}
func (*Exists) isComparison()  {}

// String writes the path as a pattern would.
func (p Path) String() string {
	out := p.Type
	for i, step := range p.Steps {
		switch {
		case step.Any:
			out += "[*]"
		case step.IsIndex:
			out += "[" + strconv.FormatInt(step.Index, 10) + "]"
		default:
			out += map[bool]string{true: ":", false: "."}[i == 0] + property(step.Property)
		}
	}
	return out
}

// property quotes a name that the grammar wants quoted.
func property(name string) string {
	plain := name != "" && isLetter(name[0]) && !slices.Contains(keywords, name)
	for i := 0; i < len(name); i++ {
		plain = plain && (isLetter(name[i]) || isDigit(name[i]))
	}
	if plain {
		return name
	}
	return quote(name)
}
