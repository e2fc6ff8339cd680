// Package sigma reads Sigma detection rules (Sigma specification 2.1.0, 2025-08-02) into a syntax tree.
//
// It is vocabulary: it knows what a rule says, not how to run it. Everything a rule writer may leave
// implicit is made explicit here (wildcards put around keywords, modifiers applied left to right,
// pattern identifiers resolved), so that every evaluator sees the same rule. A rule that cannot be
// honoured completely is rejected with a reason; nothing is dropped in silence.
package sigma

import (
	"fmt"
	"strings"
	"unicode"
)

// Limits of one rule file and one rule. They lie far above the SigmaHQ rule base (largest rule:
// 295 KB, 4,475 YAML nodes, condition of 542 characters) and keep a hostile rule cheap to refuse.
const (
	// MaxFileSize bounds a rule file, in bytes.
	MaxFileSize = 4 << 20
	// MaxDocuments bounds the YAML documents of one file.
	MaxDocuments = 1000
	// MaxStructure bounds the characters of a file that can begin a YAML node. It is checked before
	// the YAML library builds its tree, whose nodes take a hundred times the memory of their text.
	MaxStructure = 400_000
	// MaxNodes bounds the YAML nodes of one document, counted with every alias expanded.
	MaxNodes = 100_000
	// MaxFileNodes bounds the YAML nodes of all documents of one file, counted with every alias expanded and
	// with what a collection merges into each (action: global, repeat).
	MaxFileNodes = 500_000
	// MaxFileText bounds the text of these nodes, in bytes.
	MaxFileText = 2 * MaxFileSize
	// MaxDepth bounds the nesting of YAML collections in one document.
	MaxDepth = 32
	// MaxSelections bounds the search identifiers of one rule.
	MaxSelections = 256
	// MaxName bounds the name of a search identifier or of a field with its modifiers, in bytes.
	MaxName = 512
	// MaxConditions bounds the list form of condition.
	MaxConditions = 100
	// MaxConditionLength bounds one condition, in bytes.
	MaxConditionLength = 16 << 10
	// MaxConditionDepth bounds the nesting of one condition.
	MaxConditionDepth = 64
	// MaxReferences bounds the search identifiers that a rule's conditions refer to, with pattern
	// identifiers resolved ("1 of selection_*" counts each selection).
	MaxReferences = 4096
	// MaxModifiers bounds the modifiers of one field.
	MaxModifiers = 16
	// MaxValues bounds the values of one rule after its modifiers.
	MaxValues = 20_000
	// MaxValueBytes bounds the text of one value after its modifiers, in bytes.
	MaxValueBytes = 64 << 10
	// MaxRuleBytes bounds the text of all values of one rule after their modifiers, in bytes.
	MaxRuleBytes = 8 << 20
	// MaxDashes bounds the dashes that windash varies in one value where an encoding modifier
	// follows and every spelling has to be written out (5 to the power of this many values).
	MaxDashes = 3
	// MaxRegexpLength bounds one regular expression, in bytes.
	MaxRegexpLength = 4096
	// MaxRegexpSize bounds one regular expression's program, in instructions as estimated before
	// it is compiled; matching takes time proportional to it.
	MaxRegexpSize = 10_000
	// MaxRuleRegexpSize bounds the programs of all regular expressions of one rule.
	MaxRuleRegexpSize = 200_000
	// MaxRefs bounds the rules that one correlation or filter refers to.
	MaxRefs = 100
	// MaxGroupBy bounds the fields by which one correlation groups, and those whose values it counts.
	MaxGroupBy = 16
	// MaxAliases bounds the field aliases of one correlation.
	MaxAliases = 64
	// MaxTimespan bounds the window of a correlation.
	MaxTimespan = 10 * year
	// MaxCount bounds the numbers that events, values or rules are counted against.
	MaxCount = 1_000_000_000
)

// Logsource names the telemetry a rule is meant for; empty parts are free (specification,
// "LogSource"). All parts are lower case.
type Logsource struct {
	Product  string
	Category string
	Service  string
}

// String gives the parts in the order product, category, service, "*" for a free one.
func (l Logsource) String() string {
	free := func(s string) string {
		if s == "" {
			return "*"
		}
		return s
	}
	return free(l.Product) + "/" + free(l.Category) + "/" + free(l.Service)
}

// ParseLogsource reads what String writes; a part may also be left empty to be free.
func ParseLogsource(text string) (Logsource, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return Logsource{}, fmt.Errorf("%s is no logsource: want product/category/service, with * for a free part", quote(text))
	}
	for i, p := range parts {
		if p == "*" {
			parts[i] = ""
		} else if strings.ContainsFunc(p, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.", r)
		}) {
			return Logsource{}, fmt.Errorf("%s in %s is no part of a logsource", quote(p), quote(text))
		}
	}
	ls := Logsource{strings.ToLower(parts[0]), strings.ToLower(parts[1]), strings.ToLower(parts[2])}
	if ls == (Logsource{}) {
		return ls, fmt.Errorf("%s names no product, category or service", quote(text))
	}
	return ls, nil
}

// Rule is one detection rule.
type Rule struct {
	ID          string
	Name        string
	Title       string
	Status      string
	Level       string // informational, low, medium, high, critical, or empty
	Author      string
	License     string
	Description string
	Date        string // as written
	Modified    string // as written
	References  []string
	Tags        []string
	// Fields are the names under the rule's "fields" key: what an analyst should be shown.
	Fields         []string
	FalsePositives []string
	Logsource      Logsource
	Detection      Detection
	// Line is the rule's first line in its file, from 1.
	Line int
}

// Detection is a rule's search: named selections and the condition over them.
type Detection struct {
	// Selections keep the order of the file; condition expressions refer to them by index.
	Selections []Selection
	Condition  Expr
}

// Selection is one search identifier: it holds if any alternative holds. A YAML map is one
// alternative, a list of maps is one each, and a list of plain values is one keyword item.
type Selection struct {
	Name         string
	Line         int
	Alternatives []Alternative
}

// Alternative holds if all its items hold.
type Alternative []Item

// Item is one "field|modifiers: values" entry with its modifiers applied.
type Item struct {
	// Field is the field's name in Sigma's taxonomy; empty means keywords over all values of the
	// event.
	Field string
	// Modifiers are those of the rule, in order; Values already carry their effect.
	Modifiers []string
	// Values is never empty. One must hold, or all where All is set.
	Values []Value
	// All is the modifier "all".
	All bool
	// Negated is the modifier "neq": it negates the item with its whole list of values, so that it
	// also holds where the field is missing.
	Negated bool
	Line    int
}

// FieldNames lists, once each and in order of appearance, the fields that the rule compares and
// those it asks to be shown.
func (r *Rule) FieldNames() []string {
	var names []string
	seen := map[string]bool{"": true}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, sel := range r.Detection.Selections {
		for _, alt := range sel.Alternatives {
			for _, item := range alt {
				add(item.Field)
				for _, v := range item.Values {
					if ref, ok := v.(FieldRef); ok {
						add(ref.Field)
					}
				}
			}
		}
	}
	for _, name := range r.Fields {
		add(name)
	}
	return names
}
