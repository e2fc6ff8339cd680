package match

import "shieldwall/internal/sigma"

// What the parts of a rule take beside their texts, in bytes. Rules stay in memory as they were read, for segments are
// compiled from them anew; together that is more than the programs take.
const (
	ruleBytes      = 1400 // with its conditions, what an engine keeps of it, and its place in buckets
	selectionBytes = 100
	itemBytes      = 140
	valueBytes     = 60
	partBytes      = 24
	regexpBytes    = 1200
	regexpByte     = 60 // for each byte of an expression's text
)

// bytesOf estimates what a rule takes as it was read.
func bytesOf(r *sigma.Rule) int {
	n := ruleBytes + len(r.ID) + len(r.Title) + len(r.Author) + len(r.License) + len(r.Level)
	for _, tag := range r.Tags {
		n += 16 + len(tag)
	}
	for _, sel := range r.Detection.Selections {
		n += selectionBytes + len(sel.Name)
		for _, alt := range sel.Alternatives {
			n += 24
			for _, item := range alt {
				n += itemBytes + len(item.Field) + bytesOfValues(item.Values)
			}
		}
	}
	return n
}

func bytesOfValues(values []sigma.Value) int {
	n := 0
	for _, v := range values {
		n += valueBytes
		switch v := v.(type) {
		case sigma.String:
			for _, part := range v.Pattern {
				n += partBytes + len(part.Text)
			}
		case sigma.Regexp:
			n += regexpBytes + regexpByte*len(v.Source)
		case sigma.AnyOf:
			n += bytesOfValues(v.Values)
		}
	}
	return n
}
