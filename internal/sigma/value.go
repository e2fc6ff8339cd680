package sigma

import (
	"net/netip"
	"regexp"
)

// Value is one value of an item after its modifiers: String, Null, Regexp, CIDR, FieldRef, Exists,
// Compare, TimePart or AnyOf.
type Value interface{ isValue() }

// String compares text, without regard to case unless Cased. Numbers and booleans are strings here:
// Sigma compares values stringified.
type String struct {
	Pattern Pattern
	Cased   bool
}

// Null holds where the field is missing or null; the empty string is not null.
type Null struct{}

// Regexp searches its expression anywhere in the text; a rule that means the whole text says ^ and $.
type Regexp struct {
	// Source is the expression with the modifiers i, m, s, startswith and endswith written into it.
	Source   string
	Compiled *regexp.Regexp
	// size is the program's estimated length, in instructions.
	size int
}

// CIDR holds for addresses inside the network, however they are written.
type CIDR struct{ Prefix netip.Prefix }

// FieldRef compares with the text of another field of the same event.
type FieldRef struct {
	Field string
	Cased bool
	// OpenHead lets any text stand before the other field's text (endswith, contains), OpenTail
	// after it (startswith, contains).
	OpenHead, OpenTail bool
}

// Exists holds where the field's presence equals Present; a null or empty field is present.
type Exists struct{ Present bool }

// Op is a numeric comparison.
type Op uint8

// The comparisons.
const (
	Equal Op = iota
	Less
	LessEqual
	Greater
	GreaterEqual
)

// Number is a number of a rule; Int is exact where IsInt is set, Float is always set.
type Number struct {
	IsInt bool
	Int   int64
	Float float64
}

// Compare compares numbers; a field that is no number does not hold.
type Compare struct {
	Op     Op
	Number Number
}

// TimeUnit is a part of a date.
type TimeUnit uint8

// The parts. Weeks are ISO 8601 weeks.
const (
	Minute TimeUnit = iota
	Hour
	Day
	Week
	Month
	Year
)

// TimePart compares a part of a date; a field that is no date does not hold. Nothing is converted
// between time zones (appendix modifiers, "Time Modifiers").
type TimePart struct {
	Unit   TimeUnit
	Op     Op
	Number int64
}

// AnyOf holds if any of its values holds, whatever links the item's values: it is what one value of
// the rule became under base64offset, windash or expand.
type AnyOf struct{ Values []Value }

func (String) isValue()   {}
func (Null) isValue()     {}
func (Regexp) isValue()   {}
func (CIDR) isValue()     {}
func (FieldRef) isValue() {}
func (Exists) isValue()   {}
func (Compare) isValue()  {}
func (TimePart) isValue() {}
func (AnyOf) isValue()    {}
