package canon

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

type statement struct {
	Name  string   `json:"name"`
	Count uint64   `json:"count"`
	Key   []byte   `json:"key"`
	At    Time     `json:"at"`
	List  []string `json:"list"`
}

const golden = `{"name":"a<b>\u2028","count":7,"key":"AQI=","at":"2026-03-02T03:11:00Z","list":["x"]}`

func TestGolden(t *testing.T) {
	in := statement{"a<b>\u2028", 7, []byte{1, 2}, At(time.Date(2026, 3, 2, 4, 11, 0, 999, time.FixedZone("", 3600))), []string{"x"}}
	got, err := Marshal(in)
	if err != nil || string(got) != golden {
		t.Fatalf("%s, %v", got, err)
	}
	var back statement
	if err := Unmarshal(got, &back, 1000); err != nil || !back.At.Equal(in.At.Time) {
		t.Fatalf("%+v, %v", back, err)
	}
}

func TestOnlyOneSpelling(t *testing.T) {
	cases := map[string]string{
		"white space":    strings.Replace(golden, ":7", ": 7", 1),
		"line end":       golden + "\n",
		"unknown field":  strings.Replace(golden, `"count":7`, `"count":7,"more":1`, 1),
		"repeated field": strings.Replace(golden, `"count":7`, `"count":8,"count":7`, 1),
		"other case":     strings.Replace(golden, `"count"`, `"Count"`, 1),
		"other order":    `{"count":7,"name":"a","key":"AQI=","at":"","list":null}`,
		"other number":   strings.Replace(golden, `:7`, `:7.0`, 1),
		"other escape":   strings.Replace(golden, `a<`, `\u0061<`, 1),
		"loose base64":   strings.Replace(golden, `AQI=`, `AQJ=`, 1),
		"trailing value": golden + `{}`,
		"fractional sec": strings.Replace(golden, `00Z`, `00.5Z`, 1),
		"missing field":  `{"name":"a"}`,
		"not JSON":       `{`,
		"invalid UTF-8":  strings.Replace(golden, "a<", "\xff<", 1),
	}
	for name, s := range cases {
		if err := Unmarshal([]byte(s), new(statement), 1000); err == nil {
			t.Errorf("%s was accepted: %s", name, s)
		}
	}
	if err := Unmarshal([]byte(cases["white space"]), new(statement), 1000); !errors.Is(err, ErrForm) {
		t.Errorf("err = %v", err)
	}
	if err := Unmarshal([]byte(golden), new(statement), 10); err == nil {
		t.Error("the limit was not kept")
	}
}

// An empty list has one spelling, and what is handed in stays as it is.
func TestNilListsAreEmpty(t *testing.T) {
	type inner struct {
		List []string `json:"list"`
		Key  []byte   `json:"key"`
	}
	type outer struct {
		Inner []inner `json:"inner"`
		Ptr   *inner  `json:"ptr,omitempty"`
		At    Time    `json:"at"`
	}
	in := outer{Inner: []inner{{}}, Ptr: &inner{}}
	for _, v := range []any{in, &in} {
		got, err := Marshal(v)
		if want := `{"inner":[{"list":[],"key":""}],"ptr":{"list":[],"key":""},"at":""}`; err != nil || string(got) != want {
			t.Fatalf("%s, %v", got, err)
		}
	}
	if in.Inner[0].List != nil || in.Ptr.List != nil {
		t.Error("the statement itself was changed")
	}
	for _, s := range []string{`{"inner":null,"at":""}`, `{"inner":[],"ptr":null,"at":""}`, `{"inner":[{"list":null,"key":""}],"at":""}`, `{"inner":[],"at":null}`, `null`} {
		if err := Unmarshal([]byte(s), new(outer), 1000); err == nil {
			t.Errorf("%s was accepted", s)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"not UTF-8":       statement{Name: "a\xff"},
		"nil":             nil,
		"a nil pointer":   (*statement)(nil),
		"a nil map":       struct{ M map[string]int }{},
		"year 10,000":     At(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)),
		"a channel":       make(chan int),
		"not UTF-8, deep": struct{ L []statement }{[]statement{{List: []string{"\xc3"}}}},
	} {
		if got, err := Marshal(v); err == nil {
			t.Errorf("%s was spelled: %s", name, got)
		}
	}
	// The character itself, the escape's text and the word null are ordinary text.
	for _, s := range []string{"\ufffd", `\ufffd`, `\\ufffd`, "null", `"null`, "\\"} {
		b, err := Marshal(statement{Name: s})
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		var back statement
		if err := Unmarshal(b, &back, 1000); err != nil || back.Name != s {
			t.Errorf("%q came back as %q (%v)", s, back.Name, err)
		}
	}
}

func TestTimeText(t *testing.T) {
	for _, s := range []string{"2026-03-02T03:11:00+00:00", "2026-03-02 03:11:00Z", "2026-02-30T00:00:00Z", "2026-03-02T03:11:60Z", "2026-03-02T24:00:00Z", "26-03-02T03:11:00Z", "x"} {
		if err := new(Time).UnmarshalText([]byte(s)); err == nil {
			t.Errorf("%s was accepted", s)
		}
	}
	if err := new(Time).UnmarshalJSON([]byte(`7`)); err == nil {
		t.Error("a number was accepted")
	}
}

func TestZeroTime(t *testing.T) {
	got, err := Marshal(struct{ T Time }{})
	if err != nil || string(got) != `{"T":""}` {
		t.Fatalf("%s, %v", got, err)
	}
}

func seeds() []string {
	return []string{
		golden, `{}`, `null`, `{"name":"","count":0,"key":null,"at":"","list":null}`, `{"name":"","count":0,"key":"","at":"","list":[]}`,
		`{"name":"\ufffd","count":18446744073709551615,"key":"AA==","at":"0001-01-01T00:00:01Z","list":["\u2028","\\","\u0000"]}`, golden + golden,
	}
}

// TestSeeds keeps the fuzz target from running on nothing.
func TestSeeds(t *testing.T) {
	accepted := 0
	for _, s := range seeds() {
		if Unmarshal([]byte(s), new(statement), 1<<16) == nil {
			accepted++
		}
	}
	if len(seeds()) < 7 || accepted < 2 {
		t.Fatalf("%d seeds, of which %d are statements", len(seeds()), accepted)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v statement
		if Unmarshal(data, &v, 1<<16) != nil {
			return
		}
		if again, err := Marshal(v); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%q became %q (%v)", data, again, err)
		}
	})
}
