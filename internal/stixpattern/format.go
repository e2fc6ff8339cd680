package stixpattern

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Format writes a pattern in its canonical form: one spelling of operators, no brackets but those that
// change the meaning. Parse reads it back to the same tree, positions apart.
func Format(o Observation) string {
	var b strings.Builder
	writeObservation(&b, o)
	return b.String()
}

func writeObservation(b *strings.Builder, o Observation) {
	switch o := o.(type) {
	case *Test:
		b.WriteByte('[')
		writeComparison(b, o.Comparison)
		b.WriteByte(']')
	case *Combined:
		for i, operand := range o.Operands {
			if i > 0 {
				b.WriteString(" " + o.Op.String() + " ")
			}
			inner, nested := operand.(*Combined)
			bracketed(b, nested && inner.Op >= o.Op, func() { writeObservation(b, operand) })
		}
	case *Qualified:
		bracketed(b, wantsBrackets(o), func() { writeObservation(b, o.Observation) })
		b.WriteString(" " + formatQualifier(o.Qualifier))
	}
}

// following lists the qualifiers that stand behind an observation without brackets between them.
func following(o Observation) []string {
	q, ok := o.(*Qualified)
	if !ok {
		return nil
	}
	keyword := keywordOf(q.Qualifier)
	if wantsBrackets(q) {
		return []string{keyword}
	}
	return append(following(q.Observation), keyword)
}

// wantsBrackets tells whether what is qualified needs brackets: a group, or a second qualifier of a kind.
func wantsBrackets(q *Qualified) bool {
	_, group := q.Observation.(*Combined)
	return group || slices.Contains(following(q.Observation), keywordOf(q.Qualifier))
}

func keywordOf(q Qualifier) string {
	keyword, _, _ := strings.Cut(formatQualifier(q), " ")
	return keyword
}

func bracketed(b *strings.Builder, wanted bool, write func()) {
	if wanted {
		b.WriteByte('(')
	}
	write()
	if wanted {
		b.WriteByte(')')
	}
}

func formatQualifier(q Qualifier) string {
	switch q := q.(type) {
	case StartStop:
		return "START " + formatTime(q.Start) + " STOP " + formatTime(q.Stop)
	case Within:
		// Above 2^53 a float may round to a number that no integer literal can hold.
		if q.Seconds == math.Trunc(q.Seconds) && q.Seconds < 1<<53 {
			return "WITHIN " + strconv.FormatFloat(q.Seconds, 'f', -1, 64) + " SECONDS"
		}
		return "WITHIN " + formatFloat(q.Seconds) + " SECONDS"
	case Repeats:
		return "REPEATS " + strconv.FormatInt(q.Times, 10) + " TIMES"
	}
	return ""
}

func writeComparison(b *strings.Builder, c Comparison) {
	switch c := c.(type) {
	case *Logical:
		for i, operand := range c.Operands {
			if i > 0 {
				b.WriteString(map[bool]string{true: " OR ", false: " AND "}[c.Or])
			}
			inner, nested := operand.(*Logical)
			bracketed(b, nested && (inner.Or || !c.Or), func() { writeComparison(b, operand) })
		}
	case *Exists:
		if c.Negated {
			b.WriteString("NOT ")
		}
		b.WriteString("EXISTS " + c.Path.String())
	case *Compare:
		writeCompare(b, c)
	}
}

func writeCompare(b *strings.Builder, c *Compare) {
	b.WriteString(c.Path.String() + " ")
	if c.Negated {
		b.WriteString("NOT ")
	}
	b.WriteString(c.Op.String() + " ")
	bracketed(b, c.Op == In, func() {
		for i, v := range c.Values {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(v.String())
		}
	})
}

// String writes the literal as a pattern would.
func (l Literal) String() string {
	switch l.Kind {
	case Int:
		return strconv.FormatInt(l.Int, 10)
	case Float:
		return formatFloat(l.Float)
	case Bool:
		return strconv.FormatBool(l.Bool)
	case Hex:
		return "h'" + hex.EncodeToString(l.Bytes) + "'"
	case Binary:
		return "b'" + base64.StdEncoding.EncodeToString(l.Bytes) + "'"
	case Timestamp:
		return formatTime(l.Time)
	}
	return quote(l.Text)
}

func formatFloat(f float64) string {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func formatTime(t time.Time) string {
	return "t'" + t.UTC().Format("2006-01-02T15:04:05.999999999Z") + "'"
}

// escaper is made once: making it costs more than using it.
var escaper = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func quote(text string) string { return "'" + escaper.Replace(text) + "'" }
