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
	"time"
)

// Marshal spells v canonically, without a line end.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ErrForm says that JSON is valid but not in canonical form.
var ErrForm = errors.New("not in canonical form")

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
