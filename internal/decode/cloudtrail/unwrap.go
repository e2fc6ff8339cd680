package cloudtrail

import "io"

const (
	// blockSize is how much is read at once.
	blockSize = 64 << 10
	// maxOpening bounds the white space in {"Records":[.
	maxOpening = 128
	// maxEmptyReads is how often a source may give neither bytes nor an error.
	maxEmptyReads = 100
)

// Unwrap takes the wrapping off {"Records":[ ... ]}, so that a reader of JSON meets an array and takes its objects
// one by one: a file of any size is never held. What is taken off becomes blanks, so that lines and positions in
// messages are those of the file. Other values pass as they are; several wrapped arrays may follow one another.
func Unwrap(r io.Reader) io.Reader {
	return &unwrapper{src: r, in: make([]byte, blockSize), buf: make([]byte, 0, blockSize+maxOpening)}
}

// place is where in the stream the next byte stands.
type place uint8

const (
	between place = iota // between values
	opening              // in what may become {"Records":[
	object               // in another object
	records              // in the array
	closing              // behind it, before the brace that closes its object
)

type unwrapper struct {
	src     io.Reader
	in      []byte
	buf     []byte // what the input became
	out     []byte // what of it is still to be given away
	held    []byte // the opening so far
	at      place
	depth   int
	text    bool // in a string
	escaped bool
	err     error
}

func (u *unwrapper) Read(p []byte) (int, error) {
	for tries := 0; len(u.out) == 0; tries++ {
		if u.err != nil {
			return 0, u.err
		}
		if tries == maxEmptyReads {
			return 0, io.ErrNoProgress
		}
		n, err := u.src.Read(u.in)
		u.buf = u.buf[:0]
		if n > 0 {
			u.take(u.in[:n])
			tries = 0
		}
		if err != nil {
			u.err = err
			u.buf = append(u.buf, u.held...)
			u.held = u.held[:0]
		}
		u.out = u.buf
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

// take moves input to the output.
func (u *unwrapper) take(b []byte) {
	for len(b) > 0 {
		n := 1
		switch u.at {
		case between:
			if b[0] == '{' {
				u.at, u.held = opening, append(u.held[:0], '{')
			} else {
				u.buf = append(u.buf, b[0])
			}
		case opening:
			u.open(b[0])
		case object:
			if n = u.track(b); u.depth == 0 {
				u.at = between
			}
			u.buf = append(u.buf, b[:n]...)
		case records:
			if n = u.track(b); u.depth == 0 {
				u.at, u.depth = closing, 1
			}
			u.buf = append(u.buf, b[:n]...)
		case closing:
			if n = u.track(b); u.depth == 0 {
				u.at = between
			}
			u.blank(b[:n])
		}
		b = b[n:]
	}
}

// open takes a byte of what may be the opening.
func (u *unwrapper) open(c byte) {
	u.held = append(u.held, c)
	switch matched, whole := Opening(u.held); {
	case whole:
		u.blank(u.held[:len(u.held)-1])
		u.buf = append(u.buf, '[')
		u.held = u.held[:0]
		u.at, u.depth = records, 1
	case !matched || len(u.held) == maxOpening:
		u.at, u.depth = object, 0
		if u.track(u.held); u.depth == 0 { // only its last byte can close it
			u.at = between
		}
		u.buf = append(u.buf, u.held...)
		u.held = u.held[:0]
	}
}

// Opening tells whether bytes are the start of {"Records":[, or all of it. Azure writes the key small.
func Opening(b []byte) (start, whole bool) {
	const tokens = `{"Records":[`
	i := 0
	for _, c := range b {
		inKey := i > 1 && i < len(`{"Records"`)
		switch {
		case c == tokens[i], i == 2 && c == 'r':
			i++
		case !inKey && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
		default:
			return false, false
		}
		if i == len(tokens) {
			return true, true
		}
	}
	return true, false
}

// track counts brackets outside strings, to where none is open or the bytes end.
func (u *unwrapper) track(b []byte) int {
	for i, c := range b {
		if !special[c] {
			u.escaped = false
			continue
		}
		switch {
		case u.escaped:
			u.escaped = false
		case c == '"':
			u.text = !u.text
		case c == '\\':
			u.escaped = u.text
		case u.text:
		case c == '{' || c == '[':
			u.depth++
		default:
			if u.depth--; u.depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

// special are the bytes that track looks at.
var special = [256]bool{'"': true, '\\': true, '{': true, '[': true, '}': true, ']': true}

func (u *unwrapper) blank(b []byte) {
	for _, c := range b {
		if c != '\n' {
			c = ' '
		}
		u.buf = append(u.buf, c)
	}
}
