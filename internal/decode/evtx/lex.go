package evtx

import "fmt"

// Tokens of binary XML (MS-EVEN6 2.2.12; EVTX "Token types"). moreData marks variants of some.
const (
	tokEOF           = 0x00
	tokOpen          = 0x01
	tokCloseStart    = 0x02
	tokCloseEmpty    = 0x03
	tokEnd           = 0x04
	tokValue         = 0x05
	tokAttribute     = 0x06
	tokCDATA         = 0x07
	tokCharRef       = 0x08
	tokEntityRef     = 0x09
	tokPITarget      = 0x0a
	tokPIData        = 0x0b
	tokTemplate      = 0x0c
	tokSubst         = 0x0d
	tokOptionalSubst = 0x0e
	tokFragment      = 0x0f
	moreData         = 0x40
)

const noDependency = 0xffff

// lexer rewrites the tokens of one element into a canonical form: names are written out in place
// instead of by chunk offset, sizes and processing instructions are dropped. What a template means
// is then a function of these bytes alone, so they are the key under which its program is kept from
// chunk to chunk. (Its GUID is not: a hostile file gives two templates one GUID.)
//
// Canonical tokens: Open, dependency u16, name; Attribute, name; Value, text; CDATA becomes Value;
// CharRef, u16; EntityRef, name; Subst, id u16; CloseStart; CloseEmpty; End.
// Names and texts are a u16 count of UTF-16 units and the units.
type lexer struct {
	chunk []byte
	pos   int
	end   int
	// deps: elements carry a dependency identifier. Those in template definitions do, those
	// directly in a record or a binary XML value do not (EVTX, "Element start", note).
	deps bool
	out  []byte
}

func (l *lexer) errorf(format string, args ...any) error {
	return fmt.Errorf("binary XML at chunk offset %d: %s: %w", l.pos, fmt.Sprintf(format, args...), ErrFormat)
}

// element rewrites one element; pos stands at its Open token.
func (l *lexer) element() error {
	for depth := 0; ; {
		if l.pos >= l.end {
			return l.errorf("the element does not end")
		}
		if len(l.out) > MaxTemplateBytes {
			return fmt.Errorf("template of more than %d bytes: %w", MaxTemplateBytes, ErrLimit)
		}
		tok := l.chunk[l.pos] &^ moreData
		l.pos++
		switch tok {
		case tokOpen:
			if depth++; depth > MaxElementDepth {
				return fmt.Errorf("elements nest deeper than %d: %w", MaxElementDepth, ErrLimit)
			}
			if err := l.open(); err != nil {
				return err
			}
		case tokCloseEmpty, tokEnd:
			l.out = append(l.out, tok)
			if depth--; depth <= 0 {
				return nil
			}
		default:
			if err := l.token(tok); err != nil {
				return err
			}
		}
	}
}

func (l *lexer) token(tok byte) error {
	switch tok {
	case tokCloseStart:
		l.out = append(l.out, tok)
		return nil
	case tokAttribute, tokEntityRef:
		l.out = append(l.out, tok)
		return l.name()
	case tokValue:
		// Only string values are legal as text (MS-EVEN6 2.2.12, ValueText).
		if !l.has(1) || l.chunk[l.pos] != typeString {
			return l.errorf("text that is not of type string")
		}
		l.pos++
		return l.text(true)
	case tokCDATA:
		return l.text(true)
	case tokPIData:
		return l.text(false)
	case tokPITarget:
		kept := len(l.out)
		err := l.name()
		l.out = l.out[:kept]
		return err
	case tokCharRef:
		return l.copy(tok, 2)
	case tokSubst, tokOptionalSubst:
		// The type byte is the template's wish; the type of the value in the record counts. Optional
		// or not makes no difference either: null content is null, a null attribute is left out.
		if err := l.copy(tokSubst, 2); err != nil {
			return err
		}
		if !l.has(1) {
			return l.errorf("cut substitution")
		}
		l.pos++
		return nil
	}
	return l.errorf("unexpected token 0x%02x", tok)
}

// open rewrites the head of an element, up to its attributes.
func (l *lexer) open() error {
	hasAttributes := l.chunk[l.pos-1]&moreData != 0
	if l.deps {
		if err := l.copy(tokOpen, 2); err != nil {
			return err
		}
	} else {
		l.out = append(l.out, tokOpen, 0xff, 0xff)
	}
	if !l.has(4) {
		return l.errorf("cut element")
	}
	l.pos += 4 // data size: the tokens say where the element ends
	if err := l.name(); err != nil {
		return err
	}
	if hasAttributes {
		if !l.has(4) {
			return l.errorf("cut attribute list")
		}
		l.pos += 4 // attribute list size
	}
	return nil
}

// name resolves a name reference (EVTX, "Name"): an offset of link u32, hash u16, count u16, units
// and a terminator, which lie right here when the name occurs for the first time.
func (l *lexer) name() error {
	if !l.has(4) {
		return l.errorf("cut name reference")
	}
	off := int(le32(l.chunk[l.pos:]))
	l.pos += 4
	const head = 8
	if off < 0 || off > len(l.chunk)-head {
		return l.errorf("name offset %d outside the chunk", off)
	}
	n := int(le16(l.chunk[off+6:]))
	if n > MaxNameChars {
		return fmt.Errorf("name of %d characters: %w", n, ErrLimit)
	}
	if off+head+2*n > len(l.chunk) {
		return l.errorf("name at %d ends outside the chunk", off)
	}
	l.out = append(l.out, l.chunk[off+6:off+head+2*n]...)
	if off == l.pos {
		if !l.has(head + 2*n + 2) {
			return l.errorf("cut name")
		}
		l.pos += head + 2*n + 2
	}
	return nil
}

// text rewrites or skips counted UTF-16 (EVTX, "Unicode text string").
func (l *lexer) text(keep bool) error {
	if !l.has(2) {
		return l.errorf("cut text")
	}
	n := 2 + 2*int(le16(l.chunk[l.pos:]))
	if !l.has(n) {
		return l.errorf("text ends outside its element")
	}
	if keep {
		l.out = append(l.out, tokValue)
		l.out = append(l.out, l.chunk[l.pos:l.pos+n]...)
	}
	l.pos += n
	return nil
}

func (l *lexer) copy(tok byte, n int) error {
	if !l.has(n) {
		return l.errorf("cut token 0x%02x", tok)
	}
	l.out = append(l.out, tok)
	l.out = append(l.out, l.chunk[l.pos:l.pos+n]...)
	l.pos += n
	return nil
}

func (l *lexer) has(n int) bool { return n <= l.end-l.pos }

// fragmentHead skips fragment headers and processing instructions (MS-EVEN6 2.2.12, Prolog) and
// gives the token that follows, or tokEOF at the end.
func (l *lexer) fragmentHead() (byte, error) {
	for l.pos < l.end {
		switch tok := l.chunk[l.pos] &^ moreData; tok {
		case tokFragment:
			if !l.has(4) {
				return 0, l.errorf("cut fragment header")
			}
			l.pos += 4
		case tokPITarget, tokPIData:
			l.pos++
			if err := l.token(tok); err != nil {
				return 0, err
			}
		default:
			return tok, nil
		}
	}
	return tokEOF, nil
}
