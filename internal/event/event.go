// Package event holds one telemetry record, seen through Sigma's field names.
//
// It is vocabulary: decoders produce events, the matcher reads them, and nobody else interprets them.
// An event never leaves the node (DESIGN.md, decision 10).
package event

import "time"

// Kind is the type a value had in its source. Sigma compares stringified values
// (specification 2.1.0, "Value types"), so Kind only decides what null, exists and numeric
// comparisons see.
type Kind uint8

const (
	// Null is an explicit null (JSON null). It is not the empty string.
	Null Kind = iota
	// String is text.
	String
	// Number is an integer or a float; Text holds its decimal spelling.
	Number
	// Bool is "true" or "false".
	Bool
	// List holds several values; a comparison holds if it holds for any of them.
	List
)

// Value is one field's content.
type Value struct {
	Kind Kind
	// Text is the stringified scalar: empty for Null, unset for List.
	Text string
	// Items are the members of a List; nested lists are flattened by the decoder.
	Items []Value
}

// Field is a named value. Names are Sigma's taxonomy: Sysmon's names for Windows events
// (EventID, Channel, Computer, Provider_Name, Image, CommandLine ...).
type Field struct {
	Name  string
	Value Value
	// Slot is the name's number in the event's Names; 0 where that is nil or does not hold the name.
	Slot Slot
}

// Event is one telemetry record.
type Event struct {
	// Time is when it happened by its own clock; zero where the record does not say.
	Time time.Time
	// Source is the path as the user gave it, with "!member" for a member of an archive.
	Source string
	// Record is the record id (EVTX) or the one-based line number (text) in the source.
	Record string

	// Channel, EventID, Provider and Computer are the record's own routing facts; empty where absent.
	// They are repeated in Fields under their Sigma names.
	Channel  string
	EventID  string
	Provider string
	Computer string

	// Product, Category and Service are a Sigma logsource given by the configuration or the decoder;
	// all empty for Windows records, which the matcher routes by Channel and EventID.
	Product  string
	Category string
	Service  string
	// Also are further services that the event satisfies: a line of sshd is one of auth and of syslog too.
	Also []string

	// Fields in source order. A name occurs at most once: decoders keep the first and join nothing.
	Fields []Field

	// Names is the register that the fields' slots refer to; nil where the decoder was given none.
	Names *Names
	// Rest, where it is set, says that Fields may lack fields whose names are not in Names, or not in Choice:
	// a decoder that knows what is asked for need not take the rest apart. It replaces the argument's Fields by
	// all of them, and is good as long as the event itself. Keywords, for example, look at every field.
	Rest func(*Event)
	// Choice, where it is set, says which of the fields in Names were made: those that are looked at in events
	// of this kind.
	Choice *Choice
	// Asked is how many names Names held when Fields was made: what was asked for since then may be lacking.
	Asked int
	// Raw, where it is set beside Rest, is the record's own text as JSON, with no character spelled by its
	// number (\u0041). So a run of ASCII that JSON never escapes stands in it as it stands in a field, and
	// what is not in Raw need not be looked for in Rest.
	Raw string
}

// Get returns the field of that exact name; Sigma field names are case-sensitive.
func (e *Event) Get(name string) (Value, bool) {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			return e.Fields[i].Value, true
		}
	}
	return Value{}, false
}

// Str makes a string value.
func Str(s string) Value { return Value{Kind: String, Text: s} }

// Num makes a number value from its decimal spelling.
func Num(s string) Value { return Value{Kind: Number, Text: s} }
