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

func TestZeroTime(t *testing.T) {
	got, err := Marshal(struct{ T Time }{})
	if err != nil || string(got) != `{"T":""}` {
		t.Fatalf("%s, %v", got, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{golden, `{}`, `null`, `{"name":"","count":0,"key":null,"at":"","list":null}`} {
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
