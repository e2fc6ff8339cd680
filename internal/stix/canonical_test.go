package stix

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

func TestCanonical(t *testing.T) {
	tests := []struct{ in, want string }{
		// RFC 8785, section 3.2.2 and 3.2.3.
		{`{ "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001], "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false] }`,
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		{`-0`, `0`}, {`1e21`, `1e+21`}, {`1e20`, `100000000000000000000`}, {`1e-6`, `0.000001`}, {`1e-7`, `1e-7`}, {`-1.50e-10`, `-1.5e-10`},
		{`[ ]`, `[]`}, {` {} `, `{}`}, {`"\b\f\t\u0000"`, `"\b\f\t\u0000"`}, {`5e-324`, `5e-324`}, {`1.7976931348623157e308`, `1.7976931348623157e+308`},
	}
	for _, tt := range tests {
		if got, err := Canonical([]byte(tt.in)); err != nil || string(got) != tt.want {
			t.Errorf("%s:\n got %s %v\nwant %s", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"", "{", `{"a":1,"a":2}`, "1e999", `"\ud800"`} {
		if _, err := Canonical([]byte(in)); err == nil {
			t.Errorf("%q accepted", in)
		}
	}
}

// FuzzCanonical: the canonical spelling means the same, and spelling it again changes nothing.
func FuzzCanonical(f *testing.F) {
	for _, s := range append(seeds(), `{"b":1,"a":[1e-7,-0,"\u2028"]}`, `1.5E+300`) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := Canonical(data)
		if err != nil {
			return
		}
		twice, err := Canonical(once)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("%q becomes %q: %v", once, twice, err)
		}
		var a, b any
		if json.Unmarshal(data, &a) != nil || json.Unmarshal(once, &b) != nil {
			t.Fatalf("not JSON: %q or %q", data, once)
		}
		if !reflect.DeepEqual(unsigned(a), unsigned(b)) {
			t.Fatalf("%q does not mean %q", once, data)
		}
	})
}

// unsigned makes -0 and 0 one, as RFC 8785 does.
func unsigned(v any) any {
	switch v := v.(type) {
	case float64:
		return math.Abs(v) + min(v, 0)*2
	case []any:
		for i := range v {
			v[i] = unsigned(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = unsigned(v[k])
		}
	}
	return v
}
