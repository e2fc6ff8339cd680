package program

import "shieldwall/internal/match/literal"

// minFragment is the least length of what is looked for in a record's own text: shorter ones stand everywhere.
const minFragment = 4

// rawFilter makes the set of texts of which a record's own JSON must hold one before any question about all
// fields can be answered with yes (event.Event.Raw); nil where there is a question for which that is not so.
func (c *compiler) rawFilter() *literal.Set {
	var list []literal.Needle
	seen := map[string]bool{}
	for i := range c.atoms {
		switch a := &c.atoms[i]; {
		case a.slot != 0 || a.kind == anyAtom || a.kind == subroutine || a.kind == inSet:
			continue // a group's members are atoms of their own
		}
		text, known := c.text[uint32(i)]
		fragment := longestPlain(text.needle.Text)
		if !known || len(fragment) < minFragment {
			return nil
		}
		if !seen[fragment] {
			seen[fragment] = true
			list = append(list, literal.Needle{Kind: literal.Contains, Text: fragment})
		}
	}
	if len(list) == 0 {
		return nil
	}
	return literal.NewIndex(list, c.Model)
}

// longestPlain gives the longest run of ASCII that JSON has no escapes for (RFC 8259, section 7).
func longestPlain(text string) string {
	longest, from := "", 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\' && text[i] != '/' {
			continue
		}
		if i-from > len(longest) {
			longest = text[from:i]
		}
		from = i + 1
	}
	return longest
}

// MayHoldKeyword tells from a record's own text whether a question about all of its fields may be answered with
// yes. A no is certain; it holds for fields as they stand in the record, not for those that a view adds.
func (p *Program) MayHoldKeyword(raw string) bool { return p.raw == nil || p.raw.MayHold(raw) }
