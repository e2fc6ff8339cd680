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
	for _, c := range b {
		switch u.at {
		case between:
			if c == '{' {
				u.at, u.held = opening, append(u.held[:0], c)
				continue
			}
		case opening:
			u.open(c)
			continue
		case object:
			if u.track(c); u.depth == 0 {
				u.at = between
			}
		case records:
			if u.track(c); u.depth == 0 {
				u.at, u.depth = closing, 1
			}
		case closing:
			if u.track(c); u.depth == 0 {
				u.at = between
			}
			c = blank(c)
		}
		u.buf = append(u.buf, c)
	}
}

// open takes a byte of what may be the opening.
func (u *unwrapper) open(c byte) {
	u.held = append(u.held, c)
	switch matched, whole := Opening(u.held); {
	case whole:
		for _, c := range u.held[:len(u.held)-1] {
			u.buf = append(u.buf, blank(c))
		}
		u.buf = append(u.buf, '[')
		u.held = u.held[:0]
		u.at, u.depth = records, 1
	case !matched || len(u.held) == maxOpening:
		u.at, u.depth = object, 0
		for _, c := range u.held {
			u.track(c)
		}
		u.buf = append(u.buf, u.held...)
		u.held = u.held[:0]
		if u.depth == 0 {
			u.at = between
		}
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

// track counts brackets outside strings.
func (u *unwrapper) track(c byte) {
	if u.text {
		switch {
		case u.escaped:
			u.escaped = false
		case c == '\\':
			u.escaped = true
		case c == '"':
			u.text = false
		}
		return
	}
	switch c {
	case '"':
		u.text = true
	case '{', '[':
		u.depth++
	case '}', ']':
		u.depth--
	}
}

func blank(c byte) byte {
	if c == '\n' {
		return c
	}
	return ' '
}
