package syslog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limits.
const (
	// MaxParams is how many parameters the structured data of one message may have.
	MaxParams = 256
	// maxWord is the length of a host, a program, an identifier: RFC 5424 (6) allows 255.
	maxWord = 255
)

// Errors that a lines.Error may wrap.
var (
	// ErrNotSyslog says that a line has no header of RFC 3164 or RFC 5424.
	ErrNotSyslog = errors.New("not a syslog message")
	// ErrStructuredData says that structured data is not as RFC 5424 (6.3) has it, or exceeds MaxParams.
	ErrStructuredData = errors.New("invalid structured data")
)

// message is one line taken apart. Words that a line does not have, or has as "-", are empty.
type message struct {
	priority           int // -1: none
	time               time.Time
	host, program, pid string
	id                 string
	data               []param
	text               string
}

// param is a parameter of structured data, named id.name.
type param struct{ name, value string }

// parse reads a line. hint is a time that no message is much later than: it gives dates their year.
func parse(line string, hint time.Time) (message, error) {
	m := message{priority: -1}
	rest := line
	if strings.HasPrefix(rest, "<") {
		digits, after, ok := strings.Cut(rest[1:], ">")
		n, err := strconv.ParseUint(digits, 10, 8)
		if !ok || err != nil || n > 191 || len(digits) > 3 { // RFC 5424, 6.2.1
			return m, fmt.Errorf("the priority: %w", ErrNotSyslog)
		}
		m.priority, rest = int(n), after
		if after, ok := strings.CutPrefix(rest, "1 "); ok {
			return m, m.modern(after)
		}
	}
	return m, m.old(rest, hint)
}

// word cuts the next word and its blank.
func word(s string) (string, string) {
	w, rest, _ := strings.Cut(s, " ")
	return w, rest
}

// modern reads what follows the version (RFC 5424, 6.2).
func (m *message) modern(rest string) error {
	var stamp string
	stamp, rest = word(rest)
	if stamp != "-" {
		var ok bool
		if m.time, ok = isoTime(stamp); !ok {
			return fmt.Errorf("the time %.40q: %w", stamp, ErrNotSyslog)
		}
	}
	for _, to := range [...]*string{&m.host, &m.program, &m.pid, &m.id} {
		*to, rest = word(rest)
		if *to == "" || len(*to) > maxWord {
			return fmt.Errorf("a word of the header: %w", ErrNotSyslog)
		}
		if *to == "-" {
			*to = ""
		}
	}
	rest, err := m.structured(rest)
	if err != nil {
		return err
	}
	m.text = strings.TrimPrefix(strings.TrimPrefix(rest, " "), "\ufeff")
	return nil
}

// structured reads "-" or [id name="value" ...][...] and gives what is behind it (RFC 5424, 6.3).
func (m *message) structured(s string) (string, error) {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		return rest, nil
	}
	if !strings.HasPrefix(s, "[") {
		return "", fmt.Errorf("it starts with %.10q: %w", s, ErrStructuredData)
	}
	for strings.HasPrefix(s, "[") {
		end := strings.IndexAny(s, " ]")
		if end < 2 || end > maxWord {
			return "", fmt.Errorf("an element's name: %w", ErrStructuredData)
		}
		id := s[1:end]
		s = s[end:]
		for strings.HasPrefix(s, " ") {
			name, rest, ok := strings.Cut(strings.TrimLeft(s, " "), `="`)
			if !ok || name == "" || len(name) > maxWord || strings.ContainsAny(name, ` "]`) {
				return "", fmt.Errorf("a parameter of %.40q: %w", id, ErrStructuredData)
			}
			value, rest, ok := unquote(rest)
			if !ok || len(m.data) >= MaxParams {
				return "", fmt.Errorf("%.40q of %.40q has no end, or there are more than %d: %w", name, id, MaxParams, ErrStructuredData)
			}
			m.data = append(m.data, param{id + "." + name, value})
			s = rest
		}
		var ok bool
		if s, ok = strings.CutPrefix(s, "]"); !ok {
			return "", fmt.Errorf("the end of %.40q: %w", id, ErrStructuredData)
		}
	}
	return s, nil
}

// unquote reads up to the closing quote; a backslash escapes a quote, a bracket and itself, and stands for
// itself elsewhere (RFC 5424, 6.3.3).
func unquote(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`"\]`, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// old reads what follows the priority (RFC 3164, 4.1.2), or the time that rsyslog and journalctl write instead.
func (m *message) old(rest string, hint time.Time) error {
	const layout = time.Stamp // Jan _2 15:04:05
	var ok bool
	if len(rest) > len(layout) && rest[len(layout)] == ' ' {
		if m.time, ok = yearless(rest[:len(layout)], hint); ok {
			rest = rest[len(layout)+1:]
		}
	}
	if !ok {
		var stamp string
		stamp, rest = word(rest)
		if m.time, ok = isoTime(stamp); !ok {
			return fmt.Errorf("the time %.20q: %w", stamp, ErrNotSyslog)
		}
	}
	host, after := word(rest)
	if !strings.HasSuffix(host, ":") && !strings.Contains(host, "[") {
		m.host, rest = host, after // a program that writes to the local socket leaves it out
	}
	if len(m.host) > maxWord {
		return fmt.Errorf("the host: %w", ErrNotSyslog)
	}
	m.text = rest
	tag, text, found := strings.Cut(rest, ":")
	if !found || len(tag) > maxWord || strings.ContainsAny(tag, " \t") {
		return nil // RFC 3164, 4.1.3: the tag may be missing
	}
	m.program, m.text = tag, strings.TrimPrefix(text, " ")
	if program, pid, ok := strings.Cut(tag, "["); ok && program != "" {
		m.program, m.pid = program, strings.TrimSuffix(pid, "]")
	}
	return nil
}

// yearless reads a date without a year, as UTC: the year is that which puts it last before a day after hint.
func yearless(s string, hint time.Time) (time.Time, bool) {
	for year := hint.UTC().Year() + 1; year > hint.UTC().Year()-5; year-- { // 29 February has not every year
		t, err := time.Parse("2006 "+time.Stamp, strconv.Itoa(year)+" "+s)
		if err == nil && !t.After(hint.Add(24*time.Hour)) {
			return t, true
		}
	}
	return time.Time{}, false
}

// isoTime reads RFC 3339, also with journalctl's zone +hhmm, or without one as UTC.
func isoTime(s string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
