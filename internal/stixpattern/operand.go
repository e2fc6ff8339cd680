package stixpattern

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// path reads an object path: type, colon, property, steps.
func (p *parser) path() (Path, error) {
	var out Path
	if p.tok.kind != tokenWord && p.tok.kind != tokenHyphened || p.reserved() {
		return out, p.unexpected("an object path such as file:name")
	}
	out.Type = p.tok.text
	if err := p.advance(); err != nil {
		return out, err
	}
	if err := p.expect(":"); err != nil {
		return out, err
	}
	if err := p.property(&out); err != nil {
		return out, err
	}
	for {
		var err error
		switch {
		case p.isSymbol("."):
			if err = p.advance(); err == nil {
				err = p.property(&out)
			}
		case p.isSymbol("["):
			err = p.element(&out)
		default:
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

func (p *parser) reserved() bool { return slices.Contains(keywords, p.tok.text) }

// property reads a property name. The grammar wants names with hyphens quoted (hashes.'SHA-256');
// feeds forget that, and nothing else could be meant.
func (p *parser) property(path *Path) error {
	switch {
	case p.tok.kind == tokenString, p.tok.kind == tokenHyphened, p.tok.kind == tokenWord && !p.reserved():
		path.Steps = append(path.Steps, Step{Property: p.tok.text})
		return p.advance()
	}
	return p.unexpected("a property name")
}

// element reads "[n]" or "[*]".
func (p *parser) element(path *Path) error {
	if err := p.advance(); err != nil {
		return err
	}
	step := Step{IsIndex: true, Any: p.isSymbol("*")}
	if !step.Any {
		if p.tok.kind != tokenInt {
			return p.unexpected("an index or *")
		}
		n, err := strconv.ParseInt(p.tok.text, 10, 64)
		if err != nil {
			return p.fail(p.tok.pos, "index %s is out of range", p.tok.show())
		}
		step.Index = n
	}
	path.Steps = append(path.Steps, step)
	if err := p.advance(); err != nil {
		return err
	}
	return p.expect("]")
}

// literal reads a value.
func (p *parser) literal() (Literal, error) {
	out := Literal{Pos: p.tok.pos}
	if p.literals++; p.literals > MaxLiterals {
		return out, p.fail(p.tok.pos, "more than %d values", MaxLiterals)
	}
	var err error
	switch {
	case p.tok.kind == tokenString:
		out.Kind, out.Text = String, p.tok.text
	case p.tok.kind == tokenInt:
		out.Kind = Int
		if out.Int, err = strconv.ParseInt(p.tok.text, 10, 64); err != nil {
			return out, p.fail(out.Pos, "number %s is out of range", p.tok.show())
		}
		out.Float = float64(out.Int)
	case p.tok.kind == tokenFloat:
		out.Kind = Float
		if out.Float, err = strconv.ParseFloat(p.tok.text, 64); err != nil {
			return out, p.fail(out.Pos, "number %s is out of range", p.tok.show())
		}
	case p.isKeyword("true") || p.isKeyword("false"):
		out.Kind, out.Bool = Bool, p.tok.text == "true"
	case p.tok.kind == tokenHex:
		out.Kind = Hex
		if out.Bytes, err = hex.DecodeString(p.tok.text); err != nil {
			return out, p.fail(out.Pos, "hexadecimal value: %v", err)
		}
	case p.tok.kind == tokenBinary:
		out.Kind = Binary
		if p.tok.text == "" || strings.ContainsAny(p.tok.text, "\r\n") { // the library reads over line ends
			return out, p.fail(out.Pos, "base64 value: empty, or with line ends")
		}
		if out.Bytes, err = base64.StdEncoding.DecodeString(p.tok.text); err != nil {
			return out, p.fail(out.Pos, "base64 value: %v", err)
		}
	case p.tok.kind == tokenTimestamp:
		out.Kind = Timestamp
		var ok bool
		if out.Time, ok = timestamp(p.tok.text); !ok {
			return out, p.fail(out.Pos, "timestamp %s: want the form 2006-01-02T15:04:05.999Z", p.tok.show())
		}
	default:
		return out, p.unexpected("a value")
	}
	return out, p.advance()
}

// timestamp reads the grammar's form: RFC 3339 in UTC with "T" and "Z" in upper case, two digits
// everywhere (time.Parse is laxer) and the leap second 60.
func timestamp(text string) (time.Time, bool) {
	const layout = "2006-01-02T15:04:05Z"
	if len(text) < len(layout) {
		return time.Time{}, false
	}
	for i, want := range layout[:len(layout)-1] {
		if digit := isDigit(byte(want)); digit != isDigit(text[i]) || !digit && byte(want) != text[i] {
			return time.Time{}, false
		}
	}
	// A fraction has a point and at least one digit; time.Parse also takes a comma.
	if rest := text[len(layout)-1:]; rest != "Z" && (rest[0] != '.' || len(rest) < 3) {
		return time.Time{}, false
	}
	leap := time.Duration(0)
	if text[17:19] == "60" {
		text, leap = text[:17]+"59"+text[19:], time.Second
	}
	t, err := time.Parse(layout, text)
	t = t.Add(leap)
	return t, err == nil && t.Year() <= 9999
}
