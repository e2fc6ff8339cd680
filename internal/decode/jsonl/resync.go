package jsonl

import "bytes"

// skipper follows brackets and strings without looking at anything else.
type skipper struct {
	depth   int
	quoted  bool
	escaped bool
}

// step takes one byte and tells whether it closed the outermost bracket.
func (s *skipper) step(c byte) bool {
	switch {
	case s.escaped:
		s.escaped = false
	case s.quoted:
		s.escaped = c == '\\'
		s.quoted = c != '"'
	case c == '"':
		s.quoted = true
	case c == '{' || c == '[':
		s.depth++
	case c == '}' || c == ']':
		s.depth--
		return s.depth == 0
	}
	return false
}

// balanced takes bytes and tells whether the outermost bracket was closed in them.
func (s *skipper) balanced(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if i += s.quotedRun(b[i:]); i < len(b) && s.step(b[i]) {
			return true
		}
	}
	return false
}

// quotedRun tells how many bytes of b are the inside of a string, with nothing in them that matters.
func (s *skipper) quotedRun(b []byte) int {
	if !s.quoted || s.escaped {
		return 0
	}
	// A short look ahead: text that is all escapes must not be searched to its end for each of them.
	b = b[:min(len(b), 512)]
	if i := bytes.IndexByte(b, '"'); i >= 0 {
		b = b[:i]
	}
	for _, c := range [...]byte{'\\', '\n'} {
		if i := bytes.IndexByte(b, c); i >= 0 {
			b = b[:i]
		}
	}
	return len(b)
}

// resync finds the place behind a bad value where reading can go on, in constant memory.
//
// If the value's brackets close on the line where it starts, that is behind them. Otherwise it is at
// the next line that starts a value: one that is indented no deeper than the line of the bad value, and
// whose first character, but for closing braces and commas, opens one. So a line that was cut costs
// itself and not its neighbour, and of a pretty-printed value no inner object is taken for an event.
func (r *Reader) resync() error {
	indent := r.indent
	done, err := r.skipOnLine()
	for !done && err == nil {
		done, err = r.lineStarts(indent)
		if !done && err == nil {
			err = r.skipLine()
		}
	}
	return err
}

// skipOnLine skips the value at the position if it ends on its line, else the line.
func (r *Reader) skipOnLine() (bool, error) {
	var s skipper
	first := true
	for {
		rest := r.in.rest()
		for i := 0; i < len(rest); i++ {
			if i += s.quotedRun(rest[i:]); i == len(rest) {
				break
			}
			switch c := rest[i]; {
			case c == '\n':
				r.advance(i + 1)
				return false, nil
			case s.depth == 0 && !s.quoted && !first && (c == ',' || c == ']') && r.array:
				// Behind a number, string or the like in an array.
				r.advance(i)
				return true, nil
			case s.step(c):
				r.advance(i + 1)
				return true, nil
			}
			first = false
		}
		r.advance(len(rest))
		if err := r.in.fill(0); err != nil {
			return false, err
		}
	}
}

// lineStarts goes to the value that the line at the position starts, if it does.
func (r *Reader) lineStarts(indent int) (bool, error) {
	blanks, i := true, 0
	for {
		rest := r.in.rest()
		for ; i < len(rest); i++ {
			switch c := rest[i]; {
			case c == '{' || c == '[' || c == ']' && r.array:
				if blanks && i > indent {
					return false, nil
				}
				r.advance(i)
				return true, nil
			case c == '}' || c == ',':
				if blanks && i > indent {
					return false, nil
				}
				blanks = false
			case c != ' ' && c != '\t':
				return false, nil
			}
			if i > maxLead {
				return false, nil
			}
		}
		if err := r.in.fill(0); err != nil {
			return false, err
		}
	}
}

// maxLead is how far into a line lineStarts looks.
const maxLead = 4096

func (r *Reader) skipLine() error {
	for {
		rest := r.in.rest()
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			r.advance(i + 1)
			return nil
		}
		r.advance(len(rest))
		if err := r.in.fill(0); err != nil {
			return err
		}
	}
}
