package sigma

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// transform applies the modifiers that write a value differently.
func (b *itemBuilder) transform(v Value, name string) (Value, error) {
	if draft, ok := v.(regexpDraft); ok && name == "expand" {
		return b.expandRegexp(draft)
	}
	s, ok := v.(String)
	if !ok {
		return nil, b.fail(ReasonModifier, "modifier %s needs a text", name)
	}
	switch name {
	case "expand":
		return b.expand(s)
	case "windash":
		s.Pattern = withDashes(s.Pattern)
		return s, nil
	case "base64":
		return b.base64(s)
	case "base64offset":
		return b.base64Offset(s)
	}
	return b.wide(s, name)
}

// withDashes marks the dashes of options: "-" or "/" before a word and not after one, so that the
// second dash of "-param-name" stays as it is.
func withDashes(p Pattern) Pattern {
	var out Pattern
	for _, part := range p {
		if part.Kind != Literal {
			out = append(out, part)
			continue
		}
		start, prev := 0, rune(0)
		for i, r := range part.Text {
			if r == '-' || r == '/' {
				next, _ := utf8.DecodeRuneInString(part.Text[i+1:])
				if !isWord(prev) && isWord(next) {
					out = out.appendText(part.Text[start:i])
					out = append(out, Part{Kind: Dash})
					start = i + 1
				}
			}
			prev = r
		}
		out = out.appendText(part.Text[start:])
	}
	return out
}

func isWord(r rune) bool {
	return r == '_' || (r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r)))
}

// spelled writes every dash of the pattern out, for encodings that cannot carry a choice.
func (b *itemBuilder) spelled(p Pattern) ([]Pattern, error) {
	if !p.has(Dash) {
		return []Pattern{p}, nil
	}
	if p.size() > MaxValueBytes {
		return nil, b.fail(ReasonLimit, "value too long for an encoding modifier")
	}
	dashes := 0
	out := []Pattern{nil}
	for _, part := range p {
		choices := []Pattern{{part}}
		if part.Kind == Dash {
			if dashes++; dashes > MaxDashes {
				return nil, b.fail(ReasonLimit, "windash before an encoding varies at most %d dashes of a value", MaxDashes)
			}
			choices = nil
			for _, r := range Dashes {
				choices = append(choices, Pattern{{Kind: Literal, Text: string(r)}})
			}
		}
		out = product(out, choices)
	}
	return out, nil
}

// product joins every head with every tail.
func product(heads, tails []Pattern) []Pattern {
	out := make([]Pattern, 0, len(heads)*len(tails))
	for _, head := range heads {
		for _, tail := range tails {
			out = append(out, Pattern{}.appendPattern(head).appendPattern(tail))
		}
	}
	return out
}

// alternatives wraps patterns as one value.
func alternatives(patterns []Pattern, cased bool) Value {
	if len(patterns) == 1 {
		return String{Pattern: patterns[0], Cased: cased}
	}
	out := AnyOf{Values: make([]Value, len(patterns))}
	for i, p := range patterns {
		out.Values[i] = String{Pattern: p, Cased: cased}
	}
	return out
}

// plainTexts returns the texts to be encoded in base64, which carries neither wildcards nor choices.
func (b *itemBuilder) plainTexts(p Pattern, name string) ([]string, error) {
	patterns, err := b.spelled(p)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(patterns))
	for i, q := range patterns {
		text, ok := q.Text()
		if !ok {
			return nil, b.fail(ReasonValue, "modifier %s cannot encode wildcards or placeholders", name)
		}
		if len(text) > MaxValueBytes {
			return nil, b.fail(ReasonLimit, "value too long for modifier %s", name)
		}
		out[i] = text
	}
	return out, nil
}

func literal(text string) Pattern { return Pattern{}.appendText(text) }

func (b *itemBuilder) base64(s String) (Value, error) {
	texts, err := b.plainTexts(s.Pattern, "base64")
	if err != nil {
		return nil, err
	}
	var out []Pattern
	for _, text := range texts {
		out = append(out, literal(base64.StdEncoding.EncodeToString([]byte(text))))
	}
	return alternatives(out, s.Cased), nil
}

// base64Offset writes what a text looks like inside a longer base64 text at each of the three byte
// positions, without the characters that its neighbours decide (appendix modifiers, "base64offset").
func (b *itemBuilder) base64Offset(s String) (Value, error) {
	texts, err := b.plainTexts(s.Pattern, "base64offset")
	if err != nil {
		return nil, err
	}
	cutHead, cutTail := [3]int{0, 2, 3}, [3]int{0, 3, 2}
	var out []Pattern
	for _, text := range texts {
		for offset := range 3 {
			padded := strings.Repeat(" ", offset) + text
			encoded := base64.StdEncoding.EncodeToString([]byte(padded))
			from, to := cutHead[offset], len(encoded)-cutTail[len(padded)%3]
			if from >= to {
				// Nothing of so short a text is certain at this offset; an empty piece would match
				// everything.
				return nil, b.fail(ReasonValue, "text too short for modifier base64offset")
			}
			out = append(out, literal(encoded[from:to]))
		}
	}
	return alternatives(out, s.Cased), nil
}

// wide encodes the literal parts in UTF-16; wildcards stay.
func (b *itemBuilder) wide(s String, name string) (Value, error) {
	patterns, err := b.spelled(s.Pattern)
	if err != nil {
		return nil, err
	}
	for i, p := range patterns {
		var out Pattern
		if name == "utf16" {
			out = out.appendText("\xff\xfe") // byte order mark, little endian
		}
		for _, part := range p {
			switch part.Kind {
			case Literal:
				if len(part.Text) > MaxValueBytes {
					return nil, b.fail(ReasonLimit, "value too long for modifier %s", name)
				}
				out = out.appendText(utf16Bytes(part.Text, name == "utf16be"))
			case placeholder:
				return nil, b.fail(ReasonValue, "modifier %s cannot encode placeholders: put expand first", name)
			default:
				out = append(out, part)
			}
		}
		patterns[i] = out
	}
	return alternatives(patterns, s.Cased), nil
}

func utf16Bytes(text string, bigEndian bool) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		hi, lo := byte(unit>>8), byte(unit)
		if bigEndian {
			hi, lo = lo, hi
		}
		b.WriteByte(lo)
		b.WriteByte(hi)
	}
	return b.String()
}
