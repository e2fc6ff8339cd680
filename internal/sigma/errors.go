package sigma

import (
	"fmt"
	"strings"
	"unicode"
)

// Reason says in one word why a rule was rejected; reports group by it.
type Reason string

// The reasons.
const (
	// ReasonYAML: not YAML, or a YAML feature that rules do not use.
	ReasonYAML Reason = "yaml"
	// ReasonLimit: beyond one of this package's named limits.
	ReasonLimit Reason = "limit"
	// ReasonStructure: a part is missing or has the wrong shape.
	ReasonStructure Reason = "structure"
	// ReasonModifier: an unknown modifier, or a modifier where it is not allowed.
	ReasonModifier Reason = "modifier"
	// ReasonValue: a value that its modifiers cannot take.
	ReasonValue Reason = "value"
	// ReasonRegexp: a regular expression that RE2 does not support.
	ReasonRegexp Reason = "regexp"
	// ReasonCondition: the condition does not parse or names an unknown selection.
	ReasonCondition Reason = "condition"
	// ReasonPlaceholder: the rule needs values for a placeholder that nobody configured.
	ReasonPlaceholder Reason = "placeholder"
	// ReasonAggregation: a legacy aggregation (| count(), near, timeframe).
	ReasonAggregation Reason = "aggregation"
	// ReasonCollection: a legacy collection (action: global, reset, repeat) that does not fit together.
	ReasonCollection Reason = "collection"
	// ReasonCorrelation: a correlation that is wrong, refers to what is not there, or that its reader does not run.
	ReasonCorrelation Reason = "correlation"
	// ReasonFilter: a filter that is wrong, covers nothing, or that its reader does not apply.
	ReasonFilter Reason = "filter"
)

// Error says where and why a rule is rejected.
type Error struct {
	// Line is the line in the file, from 1; zero where it is unknown.
	Line int
	// Key is the path of the offending key, such as "detection.selection.Image|endswith".
	Key    string
	Reason Reason
	// Detail is the reason in words.
	Detail string
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Key != "" {
		fmt.Fprintf(&b, "%s: ", e.Key)
	}
	b.WriteString(e.Detail)
	return b.String()
}

// maxQuoted bounds how much of a rule's own text an error repeats, in bytes.
const maxQuoted = 80

// quote shows a rule's own text in an error, cut so that a hostile rule cannot fill a log.
func quote(s string) string {
	if len(s) > maxQuoted {
		return fmt.Sprintf("%q...", strings.ToValidUTF8(s[:maxQuoted], ""))
	}
	return fmt.Sprintf("%q", s)
}

// quotedKey shows a key in a path: as it is where it is an ordinary name.
func quotedKey(key string) string {
	if len(key) <= maxQuoted && strings.IndexFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return key
	}
	return quote(key)
}

func errorAt(line int, key string, reason Reason, format string, args ...any) *Error {
	return &Error{Line: line, Key: key, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
