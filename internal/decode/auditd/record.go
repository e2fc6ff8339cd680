package auditd

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/event"
)

// record is one line.
type record struct {
	line   int64
	node   string
	kind   string // its type's name
	number int    // its type's number, 0 if unknown
	time   time.Time
	serial string // with the time as written: what the records of one act share
	interp bool   // ausearch -i: values are names, and nothing is encoded
	size   int
	fields []event.Field
}

// header takes apart "[node=HOST ]type=TYPE msg=audit(TIME:SERIAL): " and the kernel's and the dispatcher's
// "audit: type=1300 audit(TIME:SERIAL): ".
func header(text string) (r record, body string, ok bool) {
	text = strings.TrimPrefix(text, "audit: ")
	if rest, found := strings.CutPrefix(text, "node="); found {
		if r.node, text, ok = strings.Cut(rest, " "); !ok {
			return r, "", false
		}
	}
	rest, found := strings.CutPrefix(text, "type=")
	if !found {
		return r, "", false
	}
	kind, rest, _ := strings.Cut(rest, " ")
	rest = strings.TrimPrefix(strings.TrimLeft(rest, " "), "msg=")
	stamp, found := strings.CutPrefix(rest, "audit(")
	if !found || !r.named(kind) {
		return r, "", false
	}
	stamp, body, ok = strings.Cut(stamp, ")")
	body, colon := strings.CutPrefix(strings.TrimLeft(body, " "), ":")
	at := strings.LastIndexByte(stamp, ':')
	if !ok || !colon || at < 0 || len(stamp) > 64 || !digits(stamp[at+1:]) {
		return r, "", false
	}
	r.serial = stamp
	r.time, r.interp, ok = parseTime(stamp[:at])
	return r, body, ok
}

// Is tells whether text is an audit record by its header.
func Is(text string) bool {
	_, _, ok := header(text)
	return ok
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// named sets the type: a name, a number, or UNKNOWN[number].
func (r *record) named(kind string) bool {
	number := strings.TrimSuffix(strings.TrimPrefix(kind, "UNKNOWN["), "]")
	if digits(number) && len(number) <= 4 {
		r.number, _ = strconv.Atoi(number)
		if r.kind = typeNames[number]; r.kind == "" {
			r.kind = kind
		}
		return true
	}
	r.kind, r.number = kind, typeNumbers[kind]
	return kind != "" && len(kind) <= 64 && strings.Trim(kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

var typeNumbers = func() map[string]int {
	out := map[string]int{}
	for number, name := range typeNames {
		out[name], _ = strconv.Atoi(number)
	}
	return out
}()

// alone tells records that are an act by themselves: those of programs, and anomalies (auparse does the same).
func (r *record) alone() bool { return r.number < 1300 || r.number >= 2000 }

// parseTime reads seconds with a fraction, or ausearch's date in the form of the C or en_US locale; the zone
// of that is not written, it is taken for UTC.
func parseTime(s string) (t time.Time, interpreted, ok bool) {
	seconds, fraction, dot := strings.Cut(s, ".")
	if digits(seconds) && len(seconds) <= 11 && dot && digits(fraction) && len(fraction) <= 9 {
		sec, _ := strconv.ParseInt(seconds, 10, 64)
		nsec, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		return time.Unix(sec, nsec).UTC(), false, true
	}
	for _, layout := range [...]string{"01/02/2006 15:04:05.000", "01/02/06 15:04:05.000"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true, true
		}
	}
	return time.Time{}, false, false
}

// encodedFields may be written in hexadecimal, upper case and unquoted, where they hold a blank, a quote or a
// control character (auparse's typetab.h, ESCAPED). Arguments of EXECVE too.
var encodedFields = map[string]bool{
	"acct": true, "cgroup": true, "cmd": true, "comm": true, "cwd": true, "data": true, "device": true, "dir": true,
	"exe": true, "file": true, "grp": true, "key": true, "name": true, "new-disk": true, "old-disk": true,
	"new_group": true, "path": true, "proctitle": true, "root_dir": true, "sw": true, "vm": true, "watch": true,
}

// parse reads one line.
func parse(line int64, text string) (*record, error) {
	r, body, ok := header(text)
	if !ok {
		return nil, ErrNotAudit
	}
	r.line, r.size = line, len(text)
	raw, enriched, _ := strings.Cut(body, "\x1d")
	r.fields = make([]event.Field, 0, min(strings.Count(body, "="), MaxFields))
	if r.kind == "PROCTITLE" && r.interp {
		title := strings.TrimSpace(raw)
		r.fields = append(r.fields, event.Field{Name: "proctitle", Value: event.Str(strings.TrimPrefix(title, "proctitle="))})
		return &r, nil
	}
	if err := r.pairs(raw, 0); err != nil {
		return nil, err
	}
	return &r, r.pairs(enriched, 1)
}

// pairs reads "name=value" until the text ends. A value is bare, "quoted", or 'quoted'; msg='...' holds pairs
// of its own. Words without a name belong to the value before them (only ausearch writes blanks unquoted);
// before the first name they are the record's text (AVC).
func (r *record) pairs(text string, depth int) error {
	first := len(r.fields)
	for {
		text = strings.TrimLeft(text, " ")
		if text == "" {
			return nil
		}
		name, rest := r.name(text)
		if name == "" {
			var words string
			words, text = r.cutWords(text)
			r.extend(first, words)
			continue
		}
		most := MaxFields
		if r.kind == "EXECVE" && isArg(name) {
			most = MaxArgs
		}
		if len(r.fields) >= most {
			return fmt.Errorf("more than %d: %w", most, ErrTooManyFields)
		}
		value, quoted, after := cutValue(rest)
		text = after
		switch {
		case name == "msg" && depth == 0 && (quoted || value == ""):
			if err := r.pairs(value, depth+1); err != nil {
				return err
			}
		default:
			r.add(name, value, quoted)
		}
	}
}

func cutWord(text string) (word, rest string) {
	word, rest, _ = strings.Cut(text, " ")
	return word, rest
}

// cutWords cuts what stands before the next name.
func (r *record) cutWords(text string) (words, rest string) {
	for rest = text; rest != ""; {
		_, rest = cutWord(rest)
		if name, _ := r.name(rest); name != "" {
			break
		}
	}
	return strings.TrimRight(text[:len(text)-len(rest)], " "), rest
}

// name reads a field's name and its equals sign.
func (r *record) name(text string) (name, rest string) {
	i := 0
	for i < len(text) && i < 64 && (text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z' || text[i] >= '0' && text[i] <= '9' || strings.IndexByte("_-[]", text[i]) >= 0) {
		i++
	}
	if i == 0 || i == len(text) || text[i] != '=' || text[0] == '[' {
		return "", text
	}
	if r.interp && r.kind == "EXECVE" && text[:i] != "argc" && !isArg(text[:i]) {
		return "", text // if=/dev/zero is the rest of an argument with blanks
	}
	return text[:i], text[i+1:]
}

// isArg tells a0, a1 ..., their pieces a1[0] and their lengths a1_len.
func isArg(name string) bool {
	return len(name) > 1 && name[0] == 'a' && name[1] >= '0' && name[1] <= '9'
}

func cutValue(text string) (value string, quoted bool, rest string) {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		if i := strings.IndexByte(text[1:], text[0]); i >= 0 {
			return text[1 : i+1], true, text[i+2:]
		}
	}
	value, rest = cutWord(text)
	return value, false, rest
}

// extend puts words without a name to the field before them.
func (r *record) extend(first int, words string) {
	if len(r.fields) == first {
		r.add("text", words, true)
		return
	}
	if last := &r.fields[len(r.fields)-1].Value; last.Kind == event.String {
		last.Text += " " + words
	}
}

// add decodes a value. A name occurs once: the first counts.
func (r *record) add(name, value string, quoted bool) {
	if r.has(name) || !quoted && (value == "(null)" || value == "(none)") {
		return // the kernel's words for: not there
	}
	encoded := encodedFields[name] || r.kind == "EXECVE" && isArg(name) && !strings.HasSuffix(name, "_len")
	if encoded && !quoted && !r.interp {
		value = decode(value)
	}
	switch name {
	case "proctitle":
		value = strings.TrimRight(strings.ReplaceAll(value, "\x00", " "), " ")
	case "key":
		if keys := strings.Split(value, "\x01"); len(keys) > 1 { // AUDIT_KEY_SEPARATOR
			list := event.Value{Kind: event.List}
			for _, key := range keys {
				list.Items = append(list.Items, event.Str(key))
			}
			r.fields = append(r.fields, event.Field{Name: name, Value: list})
			return
		}
	}
	r.fields = append(r.fields, event.Field{Name: name, Value: event.Str(strings.ToValidUTF8(value, "\ufffd"))})
}

func (r *record) has(name string) bool {
	if r.kind == "EXECVE" && isArg(name) {
		return false // arguments are many, and join looks at them again
	}
	if name == "type" {
		return true // the record's own
	}
	for i := range r.fields {
		if r.fields[i].Name == name {
			return true
		}
	}
	return false
}

// get gives a field's text.
func (r *record) get(name string) string {
	for i := range r.fields {
		if r.fields[i].Name == name {
			return r.fields[i].Value.Text
		}
	}
	return ""
}

// decode reads what audit_log_n_hex wrote: pairs of upper case digits. Anything else is as it stands.
func decode(value string) string {
	if len(value)%2 != 0 || strings.Trim(value, "0123456789ABCDEF") != "" {
		return value
	}
	b, err := hex.DecodeString(value)
	if err != nil {
		return value
	}
	return string(b)
}
