package jsonl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"shieldwall/internal/event"
)

// oracle reads the leaves of an object with encoding/json.
type oracle struct {
	dec    *json.Decoder
	paths  []string
	leaves map[string]*event.Value
	dups   int64
}

// readOracle gives the leaves in order of first appearance, the duplicate keys and the bytes read.
func readOracle(data []byte) (o oracle, n int64, err error) {
	var raw json.RawMessage
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&raw); err != nil {
		return o, 0, err
	}
	o = oracle{dec: json.NewDecoder(bytes.NewReader(raw)), leaves: map[string]*event.Value{}}
	o.dec.UseNumber()
	o.value("", false, true)
	return o, d.InputOffset(), nil
}

func (o *oracle) token() json.Token {
	t, err := o.dec.Token()
	if err != nil {
		panic(err) // the decoder has read this value once
	}
	return t
}

func (o *oracle) value(path string, inArray, keep bool) {
	switch t := o.token().(type) {
	case json.Delim:
		if t == '{' {
			o.object(path, inArray, keep)
			return
		}
		if !o.dec.More() && keep {
			o.list(path)
		}
		for o.dec.More() {
			o.value(path, true, keep)
		}
		o.token()
	case string:
		o.leaf(path, inArray, keep, event.Str(t))
	case json.Number:
		o.leaf(path, inArray, keep, event.Num(t.String()))
	case bool:
		o.leaf(path, inArray, keep, event.Value{Kind: event.Bool, Text: fmt.Sprint(t)})
	case nil:
		o.leaf(path, inArray, keep, event.Value{})
	}
}

func (o *oracle) object(path string, inArray, keep bool) {
	seen := map[string]bool{}
	for o.dec.More() {
		key := o.token().(string)
		if seen[key] && keep {
			o.dups++
		}
		o.value(path+"\x00"+key, inArray, keep && !seen[key])
		seen[key] = true
	}
	o.token()
}

func (o *oracle) leaf(path string, inArray, keep bool, v event.Value) {
	switch {
	case !keep:
	case inArray:
		l := o.list(path)
		l.Items = append(l.Items, v)
	default:
		o.paths = append(o.paths, path)
		o.leaves[path] = &v
	}
}

func (o *oracle) list(path string) *event.Value {
	v := o.leaves[path]
	if v == nil {
		v = &event.Value{Kind: event.List}
		o.leaves[path] = v
		o.paths = append(o.paths, path)
	} else if v.Kind != event.List {
		*v = event.Value{Kind: event.List, Items: []event.Value{*v}}
	}
	return v
}

func keys(p *path) string {
	if p.parent == nil {
		return ""
	}
	return keys(p.parent) + "\x00" + p.key
}

var objects = []string{
	`{"_index":"x","_source":{"winlog":{"channel":"Security","event_data":{"A":"x"}},"Channel":"y","_source":{"EventID":1}},"winlog.channel":"z"}`,
	`{}`, `{"a":1}`, `{"a":"x","b":null,"c":true,"d":false,"e":[],"f":{}}`,
	`{"n":[0,-0,1.5,1e9,1E+9,1e-9,123456789012345678901234567890,-1.25e-300]}`,
	`{"s":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00"}`,
	`{"s":"\ud83d","t":"\ude00","u":"\ud83dx","v":"\ud83d\u0041","w":"\ud83d\ud83d\ude00","x":"\ud83d\n"}`,
	"{\"s\":\"\xff\xfe\xc3\x28\xe2\x82\",\"\xff\":1}", `{"é":"世界 😀 plain and long enough"}`,
	`{"a":1,"a":2,"a":{"b":3}}`, `{"a":{"x":1},"a":{"x":2,"y":3}}`, `{"\u0061":1,"a":2}`,
	`{"a":[1,[2,[3]],{"b":4},{"b":[5,{"c":6}]},"x",null]}`, `{"a":[{"b":1,"b":2},{"b":3}]}`, `{"a":[[],[[]]]}`,
	`{"a.b":1,"a":{"b":2}}`, `{"":{"":0}}`, ` { "a" : 1 , "b" : [ 1 , 2 ] } `, "{\r\n\t\"a\":\r\n1}",
	`{"a":01}`, `{"a":+1}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":-}`, `{"a":NaN}`, `{"a":nul}`, `{"a":truE}`,
	`{"a":1,}`, `{,"a":1}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a" 1}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":[1 2]}`, `{"a":'x'}`,
	`{"a":"\x41"}`, `{"a":"\u12g4"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\n\"}", `{"a":"`, `{"a":`, `{"a"`, `{`, `{"a":1`, `{"a":[`,
	`{"a":"\`, `{"a":"\u00`, `{"a":"\ud83d`, `{"a":tr`, `{"a":-1`, `{"a":1.5e`, "{\"a\":1\x00}", `{"a":1}}`, `{"a":1}{"b":2}`,
	`{"12345678":"12345678","1234567":"123456\"8","k":"1234567\\"}`,
	`{"Event":{"System":{"EventID":1,"Provider":{"#attributes":{"Name":"x"}}},"EventData":{"A B":1}}}`,
}

func TestSeeds(t *testing.T) {
	if len(objects) < 50 {
		t.Errorf("%d seeds", len(objects))
	}
}

// FuzzObject compares the scanner with encoding/json: what they take, the leaves, the duplicates.
func FuzzObject(f *testing.F) {
	for _, s := range objects {
		f.Add([]byte(s))
	}
	var s scanner
	s.init(DefaultMaxDepth, DefaultMaxFields)
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.TrimLeft(data, " \t\r\n")
		if len(data) == 0 || data[0] != '{' {
			return
		}
		n, err := s.object(data)
		want, read, wantErr := readOracle(data)
		switch {
		case errors.Is(err, ErrTooDeep) || errors.Is(err, ErrTooManyFields) || errors.Is(err, ErrLongName):
			return
		case (err == nil) != (wantErr == nil):
			t.Fatalf("%q: %v, encoding/json says %v", data, err, wantErr)
		case err == nil && int64(n) != read:
			t.Fatalf("%q: %d bytes, encoding/json %d", data, n, read)
		case (err == errIncomplete) != errors.Is(wantErr, io.ErrUnexpectedEOF):
			t.Fatalf("%q: %v, encoding/json says %v", data, err, wantErr)
		case err != nil:
			if n > len(data) {
				t.Fatalf("%q: fault at %d", data, n)
			}
			return
		}
		if len(s.leaves) != len(want.paths) || s.duplicates != want.dups {
			t.Fatalf("%q: %d leaves and %d duplicates, want %d and %d", data, len(s.leaves), s.duplicates, len(want.paths), want.dups)
		}
		for i, p := range want.paths {
			if got := s.leaves[i]; keys(got.at) != p || !reflect.DeepEqual(got.value, *want.leaves[p]) {
				t.Errorf("%q: leaf %q = %v, want %q = %v", data, keys(got.at), got.value, p, *want.leaves[p])
			}
		}
	})
}

// FuzzStream reads any bytes whole, bytewise and in odd pieces: the same must come, and it must end.
func FuzzStream(f *testing.F) {
	for i, s := range objects {
		f.Add([]byte(s + "\n" + objects[(i+1)%len(objects)] + "\n{\"a\":1}\n"))
	}
	f.Add([]byte("[\n" + strings.Join(objects, ",\n") + "\n]"))
	f.Add(append([]byte{0xff, 0xfe}, "{\x00\"\x00a\x00\"\x00:\x001\x00}\x00"...))
	opts := Options{MaxValueBytes: 4096, MaxDepth: 8, MaxFields: 64}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, st := drain(t, bytes.NewReader(data), opts)
		if len(want) > len(data)+1 {
			t.Errorf("%q: %d results", data, len(want))
		}
		for name, src := range map[string]io.Reader{
			"bytewise":  iotest.OneByteReader(bytes.NewReader(data)),
			"in sevens": &countingReader{Reader: bytes.NewReader(data), n: 7},
		} {
			got, gotSt := drain(t, src, opts)
			if fmt.Sprint(got) != fmt.Sprint(want) || gotSt != st {
				t.Errorf("%q %s: %v, want %v", data, name, got, want)
			}
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"2023-07-19T12:20:11.928Z", "2020-10-19 03:30:41.104", "2020-08-05T02:09:26+02:00", "2020-08-05 02:09:26,5-0130", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, zoned, ok := parseTime(s); ok && (got.IsZero() && !strings.HasPrefix(s, "0001") || zoned != strings.ContainsAny(s[19:], "Zz+-")) {
			t.Errorf("%q: %v, %t", s, got, zoned)
		}
	})
}
