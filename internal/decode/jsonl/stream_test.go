package jsonl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"shieldwall/internal/event"
)

// entry is what one call of Next gave: an event's line and fields, or an error.
type entry struct {
	record string
	fields string
	err    error
}

func (e entry) String() string { return fmt.Sprintf("{line %s: %s %v}", e.record, e.fields, e.err) }

// drain reads to the end and gives what came.
func drain(t testing.TB, src io.Reader, opts Options) ([]entry, Stats) {
	t.Helper()
	r := New(src, opts)
	var out []entry
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, r.Stats()
		}
		var bad *ValueError
		switch {
		case errors.As(err, &bad):
			out = append(out, entry{record: fmt.Sprint(bad.Record), err: bad})
		case err != nil:
			out = append(out, entry{err: err})
			return out, r.Stats()
		default:
			out = append(out, entry{record: e.Record, fields: spell(e.Fields)})
		}
	}
}

func spell(fields []event.Field) string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name+"="+spellValue(f.Value))
	}
	return strings.Join(out, " ")
}

func spellValue(v event.Value) string {
	switch v.Kind {
	case event.Null:
		return "null"
	case event.String:
		return fmt.Sprintf("%q", v.Text)
	case event.List:
		var items []string
		for _, item := range v.Items {
			items = append(items, spellValue(item))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return v.Text
}

// TestStream reads streams and what is between their values.
func TestStream(t *testing.T) {
	tests := []struct {
		name, in string
		want     []entry
	}{
		{"empty", "", nil},
		{"blank", " \r\n\t\x00\x00\n", nil},
		{"lines", "{\"a\":1}\n{\"a\":2}\r\n\r\n{\"a\":3}", []entry{{"1", "a=1", nil}, {"2", "a=2", nil}, {"4", "a=3", nil}}},
		{"concatenated", `{"a":1}{"a":2} {"a":3}`, []entry{{"1", "a=1", nil}, {"1", "a=2", nil}, {"1", "a=3", nil}}},
		{"pretty", "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": 2\n  }\n}\n{\n  \"a\": 2\n}\n", []entry{{"1", "a=1 b.c=2", nil}, {"7", "a=2", nil}}},
		{"array", "[\n  {\"a\":1},\n  {\"a\":2}\n]\n", []entry{{"2", "a=1", nil}, {"3", "a=2", nil}}},
		{"array on one line", `[{"a":1},{"a":2},]`, []entry{{"1", "a=1", nil}, {"1", "a=2", nil}}},
		{"arrays and lines", "[]\n[{\"a\":1}]\n{\"a\":2}\n", []entry{{"2", "a=1", nil}, {"3", "a=2", nil}}},
		{"byte order marks", "\ufeff{\"a\":1}\n\ufeff{\"a\":2}", []entry{{"1", "a=1", nil}, {"2", "a=2", nil}}},
		{"NULs of a power cut", "{\"a\":1}\n\x00\x00\x00{\"a\":2}", []entry{{"1", "a=1", nil}, {"2", "a=2", nil}}},

		{"text", "rule: x\n  id: y\n\n{\"a\":1}\n", []entry{{"1", "", ErrSyntax}, {"4", "a=1", nil}}},
		{"a broken value", "{\"a\":1}\n{\"a\":tru}\n{\"a\":3}\n", []entry{{"1", "a=1", nil}, {"2", "", ErrSyntax}, {"3", "a=3", nil}}},
		{"broken, but it ends", `{"a":tru}{"a":2}`, []entry{{"1", "", ErrSyntax}, {"1", "a=2", nil}}},
		{"a line cut in a string", "{\"a\":\"x\n{\"a\":2}\n", []entry{{"1", "", ErrSyntax}, {"2", "a=2", nil}}},
		{"a line cut between members", "{\"a\":1,\n{\"a\":2}\n{\"a\":3}\n", []entry{{"1", "", ErrSyntax}, {"2", "a=2", nil}, {"3", "a=3", nil}}},
		{"a line cut behind a colon", "{\"a\":\n{\"b\":2}\n{\"c\":3}\n", []entry{{"1", "", ErrSyntax}, {"2", "b=2", nil}, {"3", "c=3", nil}}},
		{"a broken pretty value", "{\n  \"a\": {\n    \"b\": x\n  },\n  \"c\": [\n    {\"d\": 1}\n  ]\n}\n{\n  \"e\": 1\n}\n",
			[]entry{{"1", "", ErrSyntax}, {"9", "e=1", nil}}},
		{"a broken item", "[\n  {\n    \"a\": x\n  },\n  {\n    \"a\": 2\n  }\n]\n", []entry{{"2", "", ErrSyntax}, {"5", "a=2", nil}}},
		{"a broken item, braces side by side", "[{\n  \"a\": x\n}, {\n  \"a\": 2\n}]\n{\"b\":1}", []entry{{"1", "", ErrSyntax}, {"3", "a=2", nil}, {"6", "b=1", nil}}},
		{"the last item broken", "[\n  {\"a\": x\n]\n{\"b\":1}", []entry{{"2", "", ErrSyntax}, {"4", "b=1", nil}}},
		{"broken items on one line", `[{"a":x},{"a":2},{"a":"\q"},{"a":4}]`, []entry{{"1", "", ErrSyntax}, {"1", "a=2", nil}, {"1", "", ErrSyntax}, {"1", "a=4", nil}}},
		{"scalars", "1\n\"x\"\nnull\n{\"a\":1}", []entry{{"1", "", ErrNotObject}, {"4", "a=1", nil}}},
		{"scalars in an array", `[1,"a,]b",{"a":1},null]{"b":2}`, []entry{{"1", "", ErrNotObject}, {"1", "", ErrNotObject}, {"1", "a=1", nil}, {"1", "", ErrNotObject}, {"1", "b=2", nil}}},
		{"an array in an array", `[[{"a":1}],{"a":2}]`, []entry{{"1", "", ErrNotObject}, {"1", "a=2", nil}}},
		{"an array that does not end", "[{\"a\":1},\n", []entry{{"1", "a=1", nil}, {"2", "", ErrTruncated}}},
		{"a value that does not end", "{\"a\":1}\n{\"a\":", []entry{{"1", "a=1", nil}, {"2", "", ErrTruncated}}},
		{"an item that does not end", "[{\"a\":", []entry{{"1", "", ErrTruncated}, {"1", "", ErrTruncated}}},
		{"stray closers", "}\n]\n,\n{\"a\":1}", []entry{{"1", "", ErrSyntax}, {"4", "a=1", nil}}},
		{"a comma between values", `{"a":1},{"a":2}`, []entry{{"1", "a=1", nil}, {"1", "", ErrSyntax}}},
		{"half a byte order mark", "\xef\xbb", []entry{{"1", "", ErrSyntax}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, src := range map[string]io.Reader{
				"whole":     strings.NewReader(tt.in),
				"bytewise":  iotest.OneByteReader(strings.NewReader(tt.in)),
				"data, EOF": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				got, st := drain(t, src, Options{})
				check(t, name, got, tt.want)
				if st.Bytes != int64(len(tt.in)) {
					t.Errorf("%s: %d bytes counted of %d", name, st.Bytes, len(tt.in))
				}
			}
		})
	}
}

func check(t *testing.T, name string, got, want []entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %v, want %v", name, got, want)
		return
	}
	for i, w := range want {
		if g := got[i]; g.record != w.record || g.fields != w.fields || !errors.Is(g.err, w.err) {
			t.Errorf("%s, %d: got %v, want %v", name, i, g, w)
		}
	}
}

// TestValueError says where a fault is.
func TestValueError(t *testing.T) {
	in := "{\"a\":1}\n{\n \"b\": [1,\n  2, x],\n \"c\":1}\n{\"d\": \"\x01\"}\n"
	got, _ := drain(t, strings.NewReader(in), Options{})
	want := []string{"", `line 4, byte 25: 'x' where a value should start: invalid JSON`,
		`line 6, byte 44: control character '\x01' in a string: invalid JSON`}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i, w := range want {
		if g := got[i].err; w != "" && (g == nil || g.Error() != w) {
			t.Errorf("got %v, want %s", g, w)
		}
	}
	var e *ValueError
	if !errors.As(got[1].err, &e) || e.Record != 2 || e.Line != 4 || in[e.Offset] != 'x' {
		t.Errorf("got %+v", e)
	}
}

// endless gives the same bytes over and over, without holding them.
type endless struct {
	unit string
	left int
	page string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if e.page == "" {
		e.page = strings.Repeat(e.unit, 1+4096/len(e.unit))
	}
	n := copy(p[:min(len(p), e.left)], e.page)
	e.left -= n
	e.page = e.page[n:]
	return n, nil
}

// TestLimits refuses what is over a limit, says so, and goes on behind it.
func TestLimits(t *testing.T) {
	const good = "\n{\"a\":1}\n"
	long := func(head, unit string, n int, tail string) io.Reader {
		return io.MultiReader(strings.NewReader(head), &endless{unit: unit, left: n}, strings.NewReader(tail+good))
	}
	small := Options{MaxValueBytes: 1 << 20, MaxFields: 100, MaxDepth: 10}
	tests := []struct {
		name string
		src  io.Reader
		opts Options
		want []entry
	}{
		{"100 MB on one line", long(`{"a":"`, "x", 100<<20, `"}`), Options{}, []entry{{"1", "", ErrTooLong}, {"2", "a=1", nil}}},
		{"20 MB that do not end", long(`{"a":"`, "x", 20<<20, ``), Options{}, []entry{{"1", "", ErrTooLong}, {"2", "a=1", nil}}},
		{"100 MB of escapes", long(`{"a":"`, `\\n`, 100<<20, `"}`), Options{}, []entry{{"1", "", ErrTooLong}, {"2", "a=1", nil}}},
		{"long on many lines", long("{\"a\":[\n", " 1,\n", 2<<20, " 1\n]}"), Options{MaxValueBytes: 1 << 20, MaxFields: 1 << 24},
			[]entry{{"1", "", ErrTooLong}, {"524292", "a=1", nil}}},
		{"long, then another in the array", long(`[{"a":"`, "x", 2<<20, `"},{"b":2}]`), small,
			[]entry{{"1", "", ErrTooLong}, {"1", "b=2", nil}, {"2", "a=1", nil}}},
		{"just short enough", strings.NewReader(`{"a":"` + strings.Repeat("x", 92) + `"}` + good), Options{MaxValueBytes: 100},
			[]entry{{"1", `a="` + strings.Repeat("x", 92) + `"`, nil}, {"2", "a=1", nil}}},
		{"just too long", strings.NewReader(`{"a":"` + strings.Repeat("x", 93) + `"}` + good), Options{MaxValueBytes: 100},
			[]entry{{"1", "", ErrTooLong}, {"2", "a=1", nil}}},
		{"deep objects", long(``, `{"a":`, 10_000_000, ``), small, []entry{{"1", "", ErrTooDeep}, {"2", "a=1", nil}}},
		{"deep arrays", long(`{"a":`, "[", 10_000_000, `}`), small, []entry{{"1", "", ErrTooDeep}, {"2", "a=1", nil}}},
		{"just deep enough", strings.NewReader(`{"a":[[[[[[[[[1]]]]]]]]]}`), small, []entry{{"1", "a=[1]", nil}}},
		{"just too deep", strings.NewReader(`{"a":[[[[[[[[[[1]]]]]]]]]]}` + good), small, []entry{{"1", "", ErrTooDeep}, {"2", "a=1", nil}}},
		{"many items", long(`{"a":[0`, ",1", 10_000, `]}`), small, []entry{{"1", "", ErrTooManyFields}, {"2", "a=1", nil}}},
		{"many objects", long(`{"a":[{}`, ",{}", 9_999, `]}`), small, []entry{{"1", "", ErrTooManyFields}, {"2", "a=1", nil}}},
		{"a long name", strings.NewReader(`{"` + strings.Repeat("n", MaxPathBytes) + `":1}` + good), small, []entry{{"1", "", ErrLongName}, {"2", "a=1", nil}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := drain(t, tt.src, tt.opts)
			check(t, "", got, tt.want)
		})
	}
}

// TestConstantMemory skips a line of 64 MB while no more than the limit is held.
func TestConstantMemory(t *testing.T) {
	r := New(io.MultiReader(strings.NewReader(`{"a":"`), &endless{unit: "x", left: 64 << 20}, strings.NewReader("\"}\n{\"a\":1}")),
		Options{MaxValueBytes: 1 << 20})
	if _, err := r.Next(); !errors.Is(err, ErrTooLong) {
		t.Fatal(err)
	}
	if n := cap(r.in.buf); n > 4<<20 {
		t.Errorf("%d bytes held", n)
	}
	if e, err := r.Next(); err != nil || e.Record != "2" {
		t.Errorf("%v, %v", e, err)
	}
}

// countingReader gives at most n bytes at a time and counts the reads.
type countingReader struct {
	io.Reader
	n, reads int
}

func (c *countingReader) Read(p []byte) (int, error) {
	c.reads++
	return c.Reader.Read(p[:min(len(p), c.n)])
}

// A live source: each event comes as soon as its bytes are there, without waiting for more.
func TestLive(t *testing.T) {
	src := &countingReader{Reader: strings.NewReader("{\"a\":1}\n{\"a\":2}\n"), n: 8}
	r := New(src, Options{})
	for i := range 2 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		// The first read only takes the two bytes that may be a byte order mark.
		if want := 3 + i; src.reads > want {
			t.Errorf("event %d came after %d reads, want %d", i, src.reads, want)
		}
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("cable pulled")
	for _, in := range []string{"", "{", "{\"a\":1}\n{\"a\":", "{\"a\":tru ", "x"} {
		r := New(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), Options{})
		var err error
		for range 10 {
			if _, err = r.Next(); errors.Is(err, broken) {
				break
			}
		}
		if !errors.Is(err, broken) {
			t.Errorf("%q: %v", in, err)
		}
		if _, again := r.Next(); !errors.Is(again, broken) {
			t.Errorf("%q: then %v", in, again)
		}
	}
	r := New(iotest.ErrReader(nil), Options{})
	if _, err := r.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that gives nothing: %v", err)
	}
}

func TestUTF16(t *testing.T) {
	text := "{\"a\":\"Grüße 😀\"}\n{\"b\":1}\n"
	want, _ := drain(t, strings.NewReader(text), Options{})
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		in := order.AppendUint16(nil, 0xfeff)
		for _, u := range utf16.Encode([]rune(text)) {
			in = order.AppendUint16(in, u)
		}
		for _, src := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in))} {
			got, st := drain(t, src, Options{})
			if !reflect.DeepEqual(got, want) || st.Replaced != 0 {
				t.Errorf("%v: got %v, want %v (%d replaced)", order, got, want, st.Replaced)
			}
		}
	}
	broken := append([]byte{0xff, 0xfe}, '{', 0, '"', 0, 'a', 0, '"', 0, ':', 0, '"', 0, 0x3d, 0xd8, 'x', 0, 0x00, 0xde, '"', 0, '}', 0, '\n')
	got, st := drain(t, bytes.NewReader(broken), Options{})
	if len(got) != 2 || got[0].fields != "a=\"\ufffdx\ufffd\"" || !errors.Is(got[1].err, ErrSyntax) || st.Replaced != 3 {
		t.Errorf("broken UTF-16: %v, %d replaced", got, st.Replaced)
	}
	half := append([]byte{0xff, 0xfe}, '{', 0, 0x3d, 0xd8)
	if got, st := drain(t, bytes.NewReader(half), Options{}); len(got) != 1 || st.Replaced != 1 {
		t.Errorf("half a character at the end: %v, %d replaced", got, st.Replaced)
	}
	if got, _ := drain(t, strings.NewReader("\xff"), Options{}); len(got) != 1 {
		t.Errorf("one byte: %v", got)
	}
}

// TestTruncationEverywhere cuts a stream at every byte: what is whole comes out, and one error.
func TestTruncationEverywhere(t *testing.T) {
	whole := []string{`{"a":"\ud83d\ude00é","b":[1,-2.5e3,{"c":null}]}`, `{"d":true}`, "{\n \"e\": false\n}"}
	text := strings.Join(whole, "\n")
	for n := range len(text) {
		want, end := 0, 0
		for _, w := range whole {
			if end += len(w); n >= end {
				want++
			}
			end++
		}
		got, _ := drain(t, strings.NewReader(text[:n]), Options{})
		events, faults := 0, 0
		for _, g := range got {
			if g.err == nil {
				events++
			} else if faults++; !errors.Is(g.err, ErrTruncated) {
				t.Errorf("cut at %d: %v", n, g.err)
			}
		}
		if events != want || faults > 1 {
			t.Fatalf("cut at %d: %v, want %d events", n, got, want)
		}
	}
}
