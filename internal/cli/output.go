package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Much of what is printed comes from allies and from attackers' command lines. A terminal obeys control
// characters in it, so they are spelled out, always: what is safe must not depend on where it is shown.

// printable spells out what a terminal would obey: C0 and C1 controls, DEL, and the format characters that
// reorder text or hide in it. Invalid UTF-8 is spelled as bytes.
func printable(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || obeyed(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case !obeyed(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[n:]
	}
	return b.String()
}

// printableLines is printable for text whose line ends are its own.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = printable(l)
	}
	return strings.Join(lines, "\n")
}

// obeyed says whether a terminal may act on a character instead of showing it.
func obeyed(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f:
		return true
	case r == 0x061c, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff:
		return true // bidirectional controls, line separators, invisible characters
	}
	return false
}

// talk says something on stderr. Nothing can be done about a stderr that is gone.
func (p *program) talk(format string, args ...any) {
	fmt.Fprintln(p.stderr, printableLines(fmt.Sprintf(format, args...)))
}

// print writes text that is safe already to stdout.
func (p *program) print(text string) error {
	return writeOut(p.stdout, []byte(text))
}

// printf writes a line to stdout, made safe.
func (p *program) printf(format string, args ...any) error {
	return p.print(printableLines(fmt.Sprintf(format, args...)))
}

func writeOut(w io.Writer, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// printJSON writes a value as one line of JSON.
func (p *program) printJSON(v any) error {
	line, err := jsonLine(v)
	if err != nil {
		return err
	}
	return writeOut(p.stdout, line)
}

// jsonLine encodes a value as one line.
func jsonLine(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the output: %w", err)
	}
	return escapeJSON(buf.Bytes()), nil
}

// escapeJSON escapes what a terminal obeys in JSON that an encoder wrote. The encoder escaped C0 controls; the
// others can only stand inside strings, where the escape means the same. Line ends stay.
func escapeJSON(text []byte) []byte {
	bad := func(r rune) bool { return r != '\n' && obeyed(r) }
	if !bytes.ContainsFunc(text, bad) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if bad(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, text[:n]...)
		}
		text = text[n:]
	}
	return out
}

// table writes aligned columns; cells are made safe.
func (p *program) table(header []string, rows [][]string) error {
	var buf bytes.Buffer
	w := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing a table: %w", err)
	}
	text := buf.String()
	if head, rest, ok := strings.Cut(text, "\n"); ok && p.colour() {
		text = "\x1b[1m" + head + "\x1b[0m\n" + rest
	}
	return p.print(text)
}

// colour says whether stdout may be coloured (no-color.org).
func (p *program) colour() bool {
	return p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb" && isTerminal(p.stdout)
}

// isTerminal says whether a reader or writer is a terminal.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// when shows a time as people read it, UTC; a zero time is a dash.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// orDash shows an empty text as a dash, so that columns stay.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// joined shows a list.
func joined(list []string) string { return orDash(strings.Join(list, ", ")) }

// milliseconds shows a duration in milliseconds as people read it.
func milliseconds(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

// plural shows a count of something.
func plural[N int | int64 | uint64](n N, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
