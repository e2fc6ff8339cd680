// Package canon is the canonical JSON of the alliance's signed statements (DESIGN.md, "Formats"): one line,
// the fields in the order of the Go type, no white space, no HTML escapes. A decoder accepts exactly what
// the encoder would write, so that no two spellings of one statement exist: that settles unknown fields,
// repeated fields, other letter cases and other number spellings at once.
package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"
)

// Marshal spells v canonically, without a line end. A nil list is spelled as an empty one. What is not
// UTF-8 or would need a null is an error: nobody could read it back.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(withLists(reflect.ValueOf(v))); err != nil {
		return nil, err
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return out, checkSpelling(out)
}

// ErrForm says that JSON is valid but not in canonical form.
var ErrForm = errors.New("not in canonical form")

// marshaler is the type of what spells itself.
var marshaler = reflect.TypeFor[json.Marshaler]()

// withLists copies v with an empty list for every nil one, which encoding/json would spell as null: an
// empty list must not have two spellings.
func withLists(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	fillLists(c)
	return c.Interface()
}

// fillLists works on a copy that may be set; what it descends into is copied first.
func fillLists(v reflect.Value) {
	if v.Type().Implements(marshaler) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillLists(v.Field(i))
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			c := reflect.New(v.Type().Elem())
			c.Elem().Set(v.Elem())
			fillLists(c.Elem())
			v.Set(c)
		}
	case reflect.Slice:
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		if v.Type().Elem().Kind() != reflect.Uint8 { // bytes hold no lists
			for i := range c.Len() {
				fillLists(c.Index(i))
			}
		}
		v.Set(c)
	}
}

// checkSpelling refuses what encoding/json wrote in place of what it cannot spell: null, and U+FFFD as an
// escape, which it uses for bytes that are not UTF-8 alone.
func checkSpelling(out []byte) error {
	inString := false
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '"':
			inString = !inString
		case c == 'n' && !inString:
			return errors.New("canonical JSON has no null")
		case c == '\\':
			if bytes.HasPrefix(out[i:], []byte(`\ufffd`)) {
				return errors.New("a text that is not UTF-8")
			}
			i++ // the escaped character
		}
	}
	return nil
}

// Unmarshal decodes data of at most max bytes into v, a pointer to a zero value, if it is canonical.
func Unmarshal(data []byte, v any, max int) error {
	if len(data) > max {
		return fmt.Errorf("%d bytes are over the limit of %d", len(data), max)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("something follows the value")
	}
	again, err := Marshal(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, data) {
		return ErrForm
	}
	return nil
}

// Time is a moment in whole seconds of UTC, spelled as RFC 3339. The zero Time is spelled as the empty string.
type Time struct{ time.Time }

// At cuts t to what Time can spell.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

const layout = "2006-01-02T15:04:05Z"

// MarshalText spells the time.
func (t Time) MarshalText() ([]byte, error) {
	if t.IsZero() {
		return nil, nil
	}
	if y := t.Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("year %d cannot be spelled", y)
	}
	return []byte(t.UTC().Format(layout)), nil
}

// MarshalJSON spells the time; without it the embedded time.Time's own would be taken.
func (t Time) MarshalJSON() ([]byte, error) {
	text, err := t.MarshalText()
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(text))
}

// UnmarshalJSON reads what MarshalJSON spells.
func (t *Time) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	return t.UnmarshalText([]byte(s))
}

// UnmarshalText reads what MarshalText spells.
func (t *Time) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = Time{}
		return nil
	}
	at, err := time.Parse(layout, string(text))
	if err != nil {
		return fmt.Errorf("%.40q is not a time like 2006-01-02T15:04:05Z", text)
	}
	*t = Time{at}
	return nil
}
