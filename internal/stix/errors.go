package stix

import (
	"fmt"
	"slices"
	"strings"
)

// SyntaxError is input that is not JSON as STIX wants it (RFC 8259 and I-JSON, RFC 7493: UTF-8, no repeated
// names, no lone surrogates), or that exceeds a limit of nesting or size. Nothing behind it can be read.
type SyntaxError struct {
	Offset int64 // bytes into the document
	Msg    string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Msg) }

// Problem is one broken MUST: which object, which property, what is wrong and which section says so.
type Problem struct {
	Object   string // the STIX id, or the object's place in its document where it has none
	Property string // dotted path; empty where the object as a whole is meant
	Msg      string
	Section  string // of STIX 2.1; empty where the rule is ours
	// Tolerated marks a MUST that widely used data breaks and that nothing here relies on: a validator reports
	// it, a gate lets it pass.
	Tolerated bool
}

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

// Problems is a list of broken MUSTs as one error; it is never returned empty.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// err keeps an empty list from becoming a non-nil error.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// fatal leaves out what is tolerated.
func (ps Problems) fatal() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Tolerated })
}

// add appends up to maxProblems.
func (ps *Problems) add(p Problem) {
	if len(*ps) < maxProblems {
		*ps = append(*ps, p)
	}
}

// shown shortens and escapes a value of foreign origin for a message.
func shown(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
