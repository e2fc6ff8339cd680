package zeek

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/event"
)

// Limits of a TSV file.
const (
	// MaxLineBytes is the length of the longest line.
	MaxLineBytes = 1 << 20
	// MaxFields is how many fields a log may have.
	MaxFields = 1024
	// MaxItems is how many members one set or vector may have.
	MaxItems = 16384
	// maxSeparator is the length of a separator.
	maxSeparator = 8
)

// Magic is what a TSV file starts with.
const Magic = "#separator "

// ErrHeader says that a header line cannot be understood, or that a record stands before its header.
var ErrHeader = errors.New("invalid Zeek header")

// Reader decodes one TSV stream: files that were written one behind the other are one, for each header holds
// until the next. A line that is broken or over a limit costs that line; its fault is a *jsonl.ValueError.
type Reader struct {
	source, hint string
	in           *bufio.Reader
	long         []byte
	st           jsonl.Stats
	line         int64
	head         header
	ev           event.Event
}

// header is what the lines with a # said last.
type header struct {
	separator, set, empty, unset string
	path                         string
	columns                      []column
	lines                        [len(headerKeys)]string // as they stand, of headerKeys
}

// headerKeys are the lines that make a header, in the order in which Zeek writes them.
var headerKeys = [...]string{"separator", "set_separator", "empty_field", "unset_field", "path", "fields", "types"}

type column struct {
	name string
	kind event.Kind // of a value or, in a list, of its items
	list bool
	skip bool // a name that came before
}

// New makes a reader. It reads nothing yet.
func New(r io.Reader, source string) *Reader {
	rd := &Reader{source: source, hint: Hint(source), in: bufio.NewReaderSize(r, 64<<10)}
	rd.head.reset("\t")
	return rd
}

func (h *header) reset(separator string) {
	*h = header{separator: separator, set: ",", empty: "(empty)", unset: "-"}
}

// Resume makes a reader of a stream that is the rest of a file; head is what that file starts with. It takes
// the header from there, and counts from the stream's own first line.
func Resume(head []byte, r io.Reader, source string) *Reader {
	rd := New(r, source)
	for line := range bytes.Lines(head) {
		if text, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("#")); ok && line[len(line)-1] == '\n' {
			_ = rd.head.take(strings.ToValidUTF8(string(text), "\ufffd")) // it was reported where it was read
		}
	}
	return rd
}

// Header gives the lines of the header that holds now, for Resume; nil where there was none. It starts with Magic.
func (r *Reader) Header() []byte {
	var out []byte
	for i, line := range r.head.lines {
		if i == 0 && line == "" && r.head.lines != [len(headerKeys)]string{} {
			line = "separator \\x09" // it was not to be understood
		}
		if line != "" {
			out = append(append(append(out, '#'), line...), '\n')
		}
	}
	return out
}

// Fits tells whether a line could be a record under a header.
func Fits(header []byte, line string) bool {
	rd := Resume(header, nil, "")
	n := len(rd.head.columns)
	return n > 0 && !strings.HasPrefix(line, "#") && strings.Count(line, rd.head.separator)+1 == n
}

// Stats tells what was read so far.
func (r *Reader) Stats() jsonl.Stats { return r.st }

// Next gives the next event; its contract is that of jsonl's Next.
func (r *Reader) Next() (*event.Event, error) {
	for {
		start := r.st.Bytes
		line, err := r.readLine()
		switch {
		case errors.Is(err, jsonl.ErrTooLong):
			return nil, r.bad(start, err)
		case err != nil:
			return nil, err
		case len(line) == 0:
			continue
		case line[0] == '#':
			err = r.head.take(strings.ToValidUTF8(string(line[1:]), "\ufffd"))
		default:
			if err = r.record(string(line)); err == nil {
				r.st.Events++
				return &r.ev, nil
			}
		}
		if err != nil {
			return nil, r.bad(start, err)
		}
	}
}

func (r *Reader) bad(at int64, err error) *jsonl.ValueError {
	r.st.Errors++
	return &jsonl.ValueError{Record: r.line, Line: r.line, Offset: at, Err: err}
}

// readLine gives the next line without its end; it is valid until the next call.
func (r *Reader) readLine() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.readLong(line)
	}
	r.st.Bytes += int64(len(line))
	if errors.Is(err, jsonl.ErrTooLong) {
		return nil, err
	}
	if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("reading: %w", err)
	}
	r.line++
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}

// readLong puts a line together that is longer than the buffer. One over the limit is skipped to its end.
func (r *Reader) readLong(first []byte) ([]byte, error) {
	r.long = append(r.long[:0], first...)
	dropped := 0
	for {
		part, err := r.in.ReadSlice('\n')
		if len(r.long)+len(part) <= MaxLineBytes && dropped == 0 {
			r.long = append(r.long, part...)
		} else {
			dropped += len(part)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if dropped == 0 {
			return r.long, err
		}
		r.st.Bytes += int64(len(r.long) + dropped)
		r.line++
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, fmt.Errorf("a line of more than %d bytes: %w", MaxLineBytes, jsonl.ErrTooLong)
	}
}

// take reads a header line behind its #. Comments that are no header (#open, #close, ours) say nothing.
func (h *header) take(line string) error {
	if text, ok := strings.CutPrefix(line, "separator "); ok {
		separator := decode(text)
		if separator == "" || len(separator) > maxSeparator || strings.ContainsAny(separator, "\n") {
			return fmt.Errorf("separator %.20q: %w", text, ErrHeader)
		}
		h.reset(separator)
		h.keep("separator", line)
		return nil
	}
	key, text, _ := strings.Cut(line, h.separator)
	h.keep(key, line)
	switch key {
	case "set_separator":
		if text = decode(text); text == "" || len(text) > maxSeparator {
			return fmt.Errorf("set separator %.20q: %w", text, ErrHeader)
		}
		h.set = text
	case "empty_field":
		h.empty = strings.Clone(text)
	case "unset_field":
		h.unset = strings.Clone(text)
	case "path":
		h.path = strings.Clone(text)
	case "fields":
		return h.fields(text)
	case "types":
		return h.types(text)
	}
	return nil
}

// keep remembers a line of the header.
func (h *header) keep(key, line string) {
	if i := slices.Index(headerKeys[:], key); i >= 0 {
		h.lines[i] = strings.Clone(line)
	}
	if key == "fields" {
		h.lines[len(headerKeys)-1] = "" // types are those of fields before them
	}
}

func (h *header) fields(text string) error {
	h.columns = nil
	names := strings.SplitN(text, h.separator, MaxFields+1)
	if len(names) > MaxFields {
		return fmt.Errorf("more than %d fields: %w", MaxFields, jsonl.ErrTooManyFields)
	}
	seen := map[string]bool{}
	columns := make([]column, 0, len(names))
	for _, name := range names {
		if name == "" {
			return fmt.Errorf("a field without a name: %w", ErrHeader)
		}
		if len(name) > jsonl.MaxPathBytes {
			return fmt.Errorf("a name of more than %d bytes: %w", jsonl.MaxPathBytes, jsonl.ErrLongName)
		}
		columns = append(columns, column{name: strings.Clone(name), kind: event.String, skip: seen[name]})
		seen[name] = true
	}
	h.columns = columns
	return nil
}

func (h *header) types(text string) error {
	if types := strings.Count(text, h.separator) + 1; types != len(h.columns) {
		return fmt.Errorf("%d types for %d fields: %w", types, len(h.columns), ErrHeader)
	}
	i := 0
	for name := range strings.SplitSeq(text, h.separator) {
		c := &h.columns[i]
		i++
		if inner, ok := strings.CutSuffix(name, "]"); ok {
			if container, item, ok := strings.Cut(inner, "["); ok && (container == "set" || container == "vector" || container == "table") {
				c.list, name = true, item
			}
		}
		switch name {
		case "time", "interval", "count", "int", "port", "double":
			c.kind = event.Number
		case "bool":
			c.kind = event.Bool
		default:
			c.kind = event.String
		}
	}
	return nil
}

// record makes a line the event.
func (r *Reader) record(line string) error {
	h := &r.head
	if len(h.columns) == 0 {
		return fmt.Errorf("a record before #fields: %w", ErrHeader)
	}
	if n := strings.Count(line, h.separator) + 1; n != len(h.columns) {
		return fmt.Errorf("%d fields where the header names %d: %w", n, len(h.columns), jsonl.ErrSyntax)
	}
	if !utf8.ValidString(line) {
		line = strings.ToValidUTF8(line, "\ufffd")
	}
	r.ev = event.Event{Source: r.source, Record: strconv.FormatInt(r.line, 10), Fields: r.ev.Fields[:0]}
	rest := line
	for i := range h.columns {
		var text string
		text, rest, _ = strings.Cut(rest, h.separator)
		if c := &h.columns[i]; text != h.unset && !c.skip {
			v, err := h.value(c, text)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			r.ev.Fields = append(r.ev.Fields, event.Field{Name: c.name, Value: v})
		}
	}
	log := h.path
	if log == "" {
		log = r.hint
	}
	if log == "" {
		log = guess(&r.ev)
	}
	name(&r.ev, strings.TrimSuffix(log, "_red"))
	return nil
}

func (h *header) value(c *column, text string) (event.Value, error) {
	if !c.list {
		return h.scalar(c.kind, text), nil
	}
	list := event.Value{Kind: event.List}
	if text == h.empty {
		return list, nil
	}
	n := strings.Count(text, h.set) + 1
	if n > MaxItems {
		return list, fmt.Errorf("more than %d items: %w", MaxItems, jsonl.ErrTooManyFields)
	}
	list.Items = slices.Grow(list.Items, n)
	for item := range strings.SplitSeq(text, h.set) {
		if item == h.unset {
			list.Items = append(list.Items, event.Value{Kind: event.Null})
		} else {
			list.Items = append(list.Items, h.scalar(c.kind, item))
		}
	}
	return list, nil
}

func (h *header) scalar(kind event.Kind, text string) event.Value {
	switch {
	case kind == event.Bool && text == "T":
		return event.Value{Kind: event.Bool, Text: "true"}
	case kind == event.Bool && text == "F":
		return event.Value{Kind: event.Bool, Text: "false"}
	case kind == event.Number && isNumber(text):
		return event.Num(text)
	case text == h.empty:
		return event.Str("")
	}
	return event.Str(decode(text))
}

// isNumber tells whether a text is a decimal number as Zeek writes them: -12, 0.000251, 1.5e-05.
func isNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	digits := false
	for i := range len(text) {
		switch c := text[i]; {
		case c-'0' <= 9:
			digits = true
		case c == '.':
			if !digits {
				return false
			}
		case c == 'e':
			_, err := strconv.ParseFloat(text, 64)
			return err == nil
		default:
			return false
		}
	}
	return digits && strings.Count(text, ".") <= 1
}

// decode undoes Zeek's escapes where the result is text: \\, and \xHH of printable ASCII, tab, and whole
// UTF-8 characters. Others stay.
func decode(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		if text[0] != '\\' {
			next := strings.IndexByte(text, '\\')
			if next < 0 {
				next = len(text)
			}
			out, text = append(out, text[:next]...), text[next:]
			continue
		}
		if strings.HasPrefix(text, `\\`) {
			out, text = append(out, '\\'), text[2:]
			continue
		}
		var run [utf8.UTFMax]byte
		n := 0
		for n < len(run) {
			b, ok := escaped(text[4*n:])
			if !ok {
				break
			}
			run[n] = b
			n++
		}
		c, size := utf8.DecodeRune(run[:n])
		switch {
		case n == 0:
			out, text = append(out, text[0]), text[1:]
		case c >= ' ' && c != 0x7f && (c != utf8.RuneError || size > 1) || c == '\t':
			out, text = append(out, run[:size]...), text[4*size:]
		default:
			out, text = append(out, text[:4]...), text[4:]
		}
	}
	return string(out)
}

// escaped reads the \xHH that a text starts with.
func escaped(text string) (byte, bool) {
	if len(text) < 4 || text[0] != '\\' || text[1] != 'x' {
		return 0, false
	}
	b, err := strconv.ParseUint(text[2:4], 16, 8)
	return byte(b), err == nil
}
