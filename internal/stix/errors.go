package stix

import (
	"fmt"
	"strings"
)

// SyntaxError is input that is not JSON as STIX wants it (RFC 8259 and I-JSON, RFC 7493: UTF-8, no repeated
// names, no lone surrogates), or that exceeds a limit of nesting or size. Nothing behind it can be read.
type SyntaxError struct {
	Offset int64 // bytes into the document
	Line   int   // from 1; 0 where nobody counted
	Msg    string
	Limit  bool // a limit of ours, no fault of the document
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Msg) }

// Problem is one broken rule: which object, which property, what is wrong and which section says so.
type Problem struct {
	Object   string // the STIX id, or the object's place in its document where it has none
	Property string // dotted path, list indexes as selectors write them; empty where the object as a whole is meant
	Msg      string
	Section  string // of STIX 2.1; empty where the rule is ours
	Line     int    // in the document, from 1; 0 where nobody counted
	Level    Level
}

// Level says how much a broken rule weighs; larger is milder.
type Level uint8

const (
	// Unusable is a MUST that this node relies on: no gate lets the object in.
	Unusable Level = iota
	// Broken is another MUST: a validator reports it and nobody here publishes it, but what others have published
	// is let in.
	Broken
	// Tolerated is a MUST that widely used data breaks: a validator reports it, everybody else lets it pass.
	Tolerated
	// Advice is a SHOULD.
	Advice
)

// IsError says whether the rule is a MUST.
func (l Level) IsError() bool { return l < Advice }

func (p Problem) Error() string {
	var b strings.Builder
	if p.Object != "" {
		b.WriteString(p.Object)
		b.WriteString(": ")
	}
	if p.Property != "" {
		b.WriteString(p.Property)
		b.WriteString(": ")
	}
	b.WriteString(p.Msg)
	if p.Section != "" {
		b.WriteString(" (STIX 2.1, section ")
		b.WriteString(p.Section)
		b.WriteString(")")
	}
	return b.String()
}

// Problems is a list of broken rules as one error; it is never returned empty.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err keeps an empty list from becoming a non-nil error.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// add appends up to maxProblems.
func (ps *Problems) add(p Problem) {
	if len(*ps) < maxProblems {
		*ps = append(*ps, p)
	}
}

// Shown shortens and escapes a value of foreign origin for a message.
func Shown(s string) string { return shown(s) }

func shown(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
