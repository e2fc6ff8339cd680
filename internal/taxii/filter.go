package taxii

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/shelf"
	"shieldwall/internal/stix"
)

// fields says which match fields an endpoint knows.
type fields []string

var (
	anyField     = fields{"id", "type", "version", "spec_version"}
	objectFields = fields{"version", "spec_version"} // section 5.6
	versionField = fields{"spec_version"}            // section 5.8
)

// filter is what a URL's query asks for (section 3.4).
type filter struct {
	shelf.Query
	// nothing says that no object can match: the client wants other versions of STIX.
	nothing bool
	// mark tells this filter from others, but for the page: a cursor is of one filter.
	mark [8]byte
}

// parseFilter reads a query about an audience, or about one object of it. Everything malformed is an error; parameters
// and match fields that the specification does not have are left alone, as it allows.
func parseFilter(rawQuery, audience, object string, known fields) (filter, error) {
	f := filter{Query: shelf.Query{Audience: audience, Limit: DefaultLimit}}
	if object != "" {
		f.IDs = []string{object}
	}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return f, badRequest("the query is malformed: %v", err)
	}
	mark := sha256.New()
	mark.Write([]byte(audience + "\x00" + object))
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		read := f.reader(name, known)
		if read == nil {
			if err := checkField(name, known); err != nil {
				return f, err
			}
			continue
		}
		if len(values[name]) > 1 {
			return f, badRequest("%s is given more than once", name)
		}
		if err := read(values[name][0]); err != nil {
			return f, badRequest("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "match[") { // a cursor stands for added_after, whether that is sent again or not
			mark.Write([]byte("\x00" + name + "\x00" + values[name][0]))
		}
	}
	copy(f.mark[:], mark.Sum(nil))
	if next := values["next"]; next != nil {
		if f.After, err = f.place(next[0]); err != nil {
			return f, badRequest("next: %v", err)
		}
	}
	return f, nil
}

// reader is what reads a parameter; nil where the endpoint has none of this name.
func (f *filter) reader(name string, known fields) func(string) error {
	switch name {
	case "added_after":
		return f.readAfter
	case "limit":
		return f.readLimit
	case "next":
		return func(string) error { return nil } // once the filter is known
	}
	field, ok := matchField(name)
	if !ok || !slices.Contains(known, field) {
		return nil
	}
	return map[string]func(string) error{"id": f.readIDs, "type": f.readTypes, "version": f.readVersions, "spec_version": f.readSpec}[field]
}

func matchField(name string) (string, bool) {
	inner, ok := strings.CutPrefix(name, "match[")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(inner, "]")
}

// checkField refuses what would be ignored although it means something: a match field that is malformed, or one
// that another endpoint has.
func checkField(name string, known fields) error {
	if !strings.HasPrefix(name, "match") {
		return nil
	}
	field, ok := matchField(name)
	if !ok || field == "" {
		return badRequest("%s is no match[FIELD]", readable(name))
	}
	if slices.Contains(anyField, field) && !slices.Contains(known, field) {
		return badRequest("%s cannot be asked for here; %s can", name, strings.Join(known, " and "))
	}
	return nil
}

func (f *filter) readAfter(s string) (err error) {
	f.After, err = readTime(s)
	return err
}

var errTime = errors.New("want a timestamp such as 2026-01-02T15:04:05.123456Z")

func readTime(s string) (time.Time, error) {
	t, err := stix.ParseTime(s)
	if err != nil {
		return time.Time{}, errTime
	}
	return t, nil
}

func (f *filter) readLimit(s string) error {
	n, err := strconv.ParseUint(s, 10, 31)
	switch {
	case errors.Is(err, strconv.ErrRange):
		n = shelf.MaxPage
	case err != nil || n == 0:
		return errors.New("want a number greater than zero")
	}
	f.Limit = int(min(n, shelf.MaxPage))
	return nil
}

// list splits a match's values.
func list(s string) ([]string, error) {
	values := strings.Split(s, ",")
	if len(values) > shelf.MaxWanted {
		return nil, errors.New("more than " + strconv.Itoa(shelf.MaxWanted) + " values")
	}
	if slices.Contains(values, "") {
		return nil, errors.New("an empty value")
	}
	return values, nil
}

func (f *filter) readIDs(s string) (err error) {
	f.IDs, err = list(s)
	return err
}

func (f *filter) readTypes(s string) (err error) {
	f.Types, err = list(s)
	slices.Sort(f.Types)
	f.Types = slices.Compact(f.Types)
	return err
}

func (f *filter) readVersions(s string) error {
	values, err := list(s)
	if err != nil {
		return err
	}
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			return errors.New("a value is given twice")
		}
		switch v {
		case "all":
			f.Versions.All = true
		case "first":
			f.Versions.First = true
		case "last":
			f.Versions.Last = true
		default:
			key := stix.SortKey(v)
			if key == "" {
				return errors.New("want all, first, last, or a timestamp such as 2026-01-02T15:04:05.123Z")
			}
			f.Versions.Exact = append(f.Versions.Exact, key)
		}
	}
	if f.Versions.All && len(values) > 1 {
		return errors.New("all cannot be combined with other versions")
	}
	return nil
}

// readSpec: everything here is STIX 2.1, which is also what a client gets that does not ask.
func (f *filter) readSpec(s string) error {
	values, err := list(s)
	f.nothing = !slices.Contains(values, version)
	return err
}

// A cursor is opaque to clients: the time of admission up to which they have everything, and the mark of the filter
// that it is of. It holds nothing that a page did not say, and is good for ever.
const cursorSize = 16

func (f *filter) cursor(last time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(last.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, f.mark[:]...))
}

func (f *filter) place(cursor string) (time.Time, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) != cursorSize {
		return time.Time{}, errors.New("it is not one of this server's")
	}
	if string(b[8:]) != string(f.mark[:]) {
		return time.Time{}, errors.New("it belongs to a request with other filters; send those again with it (section 3.5)")
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC(), nil
}
