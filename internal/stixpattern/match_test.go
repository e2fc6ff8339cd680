package stixpattern

import (
	"fmt"
	"strings"
	"testing"
)

// observedData is what the rules below are tried on: four observations, ten seconds apart.
const observedData = `{"type":"bundle","objects":[
{"type":"observed-data","id":"o0","first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:05Z","number_observed":1,"object_refs":["file--0","directory--0","file--1","absent"]},
{"type":"observed-data","id":"o1","first_observed":"2020-01-01T00:00:10Z","last_observed":"2020-01-01T00:00:10Z","number_observed":3,"object_refs":["ipv4-addr--0","ipv6-addr--0","network-traffic--0"]},
{"type":"observed-data","id":"o2","first_observed":"2020-01-01T00:00:20Z","last_observed":"2020-01-01T00:00:20Z","number_observed":1,"object_refs":["process--0","artifact--0"]},
{"type":"observed-data","id":"o3","first_observed":"2020-01-01T00:00:30Z","last_observed":"2020-01-01T00:00:40.5Z","number_observed":1,"object_refs":["file--1"]},
{"type":"file","id":"file--0","name":"cafe\u0301.exe","size":25536,"mtime":"2019-06-01T00:00:00.500Z","x_ratio":2.0,"x_big":9007199254740993,"x_on":true,
 "hashes":{"SHA-256":"aa","MD5":"bb"},"parent_directory_ref":"directory--0","contains_refs":["absent","file--1"],"x_list":[1,"two",[3]],"x_map":[{"k":"v"},{"k":"w"}]},
{"type":"file","id":"file--1","name":"inner.dll","size":2},
{"type":"directory","id":"directory--0","path":"C:\\Windows"},
{"type":"ipv4-addr","id":"ipv4-addr--0","value":"198.51.100.7"},
{"type":"ipv6-addr","id":"ipv6-addr--0","value":"2001:db8::/48"},
{"type":"network-traffic","id":"network-traffic--0","dst_ref":"ipv4-addr--0","dst_port":443,"protocols":["ipv4","tcp"],"src_ref":"absent"},
{"type":"process","id":"process--0","command_line":"a\nb%_c","pid":7},
{"type":"artifact","id":"artifact--0","payload_bin":"aGVsbG8=","x_raw_hex":"00ff61","x_bad_hex":"0","x_text":"\u00ff"}
]}`

// The rules are those of STIX 2.1, section 9; the numbers in a want are the observations found.
var rules = []struct{ rule, pattern, want string }{
	{"= compares exactly", `[file:name = 'inner.dll' AND file:size = 2]`, "0"},
	{"strings are case-sensitive", `[file:name = 'Inner.dll']`, ""},
	{"= does not normalise", `[file:name = 'caf` + "\u00e9" + `.exe']`, ""},
	{"nor does IN", `[file:name IN ('caf` + "\u00e9" + `.exe')]`, ""},
	{"LIKE does", `[file:name LIKE 'caf` + "\u00e9" + `.e__']`, "0"},
	{"MATCHES does", `[file:name MATCHES '^caf.\\.exe$']`, "0"},
	{"LIKE is anchored", `[file:name LIKE 'inner']`, ""},
	{"% is any run", `[file:name LIKE '%n%e%.d%']`, "0"},
	{"% and _ cross lines", `[process:command_line LIKE 'a_b%c']`, "2"},
	{"nothing escapes in LIKE", `[process:command_line LIKE '%\\%\\_c']`, ""},
	{"MATCHES searches", `[file:name MATCHES 'ner']`, "0"},
	{"a missing path never matches", `[file:missing != 1 OR file:missing NOT = 1 OR file:missing NOT IN (1) OR file:missing NOT LIKE 'x']`, ""},
	{"any element may match", `[file:x_list[*] = 'two']`, "0"},
	{"one element", `[file:x_list[0] = 1 AND file:x_list[2][0] = 3]`, "0"},
	{"no such element", `[file:x_list[3] = 1 OR file:x_list[-1] != 1]`, ""},
	{"maps in lists", `[file:x_map[*].k = 'w' AND file:x_map[0].k = 'v']`, "0"},
	{"existential !=", `[file:x_map[*].k != 'w' AND file:x_map[*].k != 'v']`, "0"},
	{"references", `[file:parent_directory_ref.path = 'C:\\Windows' AND file:contains_refs[*].name = 'inner.dll']`, "0"},
	{"an index counts what the list has", `[file:contains_refs[1].name = 'inner.dll']`, "0"},
	{"an absent object's place", `[file:contains_refs[0].name = 'inner.dll' OR network-traffic:src_ref.value != 'x']`, ""},
	{"references stay inside the observation", `[file:name = 'inner.dll' AND NOT EXISTS file:parent_directory_ref]`, "0"},
	{"AND is about one object", `[file:size = 25536 AND file:name = 'inner.dll']`, ""},
	{"OR may be about two", `[file:size = 25536 OR ipv4-addr:value = 'x']`, "0"},
	{"integers and floats", `[file:x_ratio = 2 AND file:size > 2.5 AND file:size < 25536.5]`, "0"},
	{"exact where floats are not", `[file:x_big = 9007199254740992.0 OR file:x_big = 9007199254740992]`, ""},
	{"exact above too", `[file:x_big > 9007199254740992.0]`, "0"},
	{"types that cannot be compared: = is false", `[file:size = '2' OR file:x_on = 1 OR file:name = 2]`, ""},
	{"and != is true", `[file:size != 'x' AND file:x_on != 1]`, "0"},
	{"and order is false, with NOT, too", `[file:size > 'x' OR file:size NOT > 'x']`, ""},
	{"booleans", `[file:x_on = true AND file:x_on != false]`, "0"},
	{"timestamps", `[file:mtime = t'2019-06-01T00:00:00.5Z' AND file:mtime < t'2019-06-01T00:00:01Z']`, "0"},
	{"what is no timestamp", `[file:name = t'2019-06-01T00:00:00Z' OR file:size = t'2019-06-01T00:00:00Z']`, ""},
	{"_bin is decoded", `[artifact:payload_bin = b'aGVsbG8=' AND artifact:payload_bin = 'hello' AND artifact:payload_bin MATCHES '^h.l+o$']`, "2"},
	{"_hex is decoded", `[artifact:x_raw_hex = h'00FF61' AND artifact:x_raw_hex > h'00' AND artifact:x_raw_hex LIKE '__a']`, "2"},
	{"text is compared with binary by code points", `[artifact:x_text = h'ff']`, "2"},
	{"what cannot be decoded is not there", `[artifact:x_bad_hex != h'00']`, ""},
	{"ISSUBSET", `[ipv4-addr:value ISSUBSET '198.51.100.0/24']`, "1"},
	{"ISSUBSET of itself", `[ipv4-addr:value ISSUBSET '198.51.100.7/32' AND ipv4-addr:value ISSUPERSET '198.51.100.7']`, "1"},
	{"IPv6", `[ipv6-addr:value ISSUBSET '2001:db8::/32' AND ipv6-addr:value ISSUPERSET '2001:db8:0:1::/64']`, "1"},
	{"families do not mix", `[ipv6-addr:value ISSUBSET '0.0.0.0/0' OR ipv4-addr:value ISSUBSET '::/0']`, ""},
	{"EXISTS", `[EXISTS network-traffic:protocols[1] AND NOT EXISTS network-traffic:protocols[2]]`, "1"},
	{"EXISTS asks for the reference, not for what it names", `[EXISTS network-traffic:src_ref AND NOT EXISTS network-traffic:src_ref.value]`, "1"},
	{"sets", `[file:name IN ('x', 'inner.dll')]`, "0"},
	{"the empty set", `[file:name IN ()]`, ""},
	{"NOT the empty set", `[file:name NOT IN ()]`, "0"},
	{"FOLLOWEDBY", `[file:name = 'inner.dll'] FOLLOWEDBY [process:pid = 7]`, "0 2"},
	{"FOLLOWEDBY looks at order", `[process:pid = 7] FOLLOWEDBY [ipv4-addr:value LIKE '%']`, ""},
	{"but intervals may overlap", `[file:name = 'inner.dll'] FOLLOWEDBY [file:size = 25536]`, ""},
	{"AND needs distinct observations", `[ipv4-addr:value LIKE '%'] AND [network-traffic:dst_port = 443]`, "1"},
	{"number_observed counts", `[ipv4-addr:value LIKE '%'] REPEATS 3 TIMES`, "1"},
	{"and ends", `[ipv4-addr:value LIKE '%'] REPEATS 4 TIMES`, ""},
	{"REPEATS over several", `[file:name = 'inner.dll'] REPEATS 2 TIMES`, "0 3"},
	{"WITHIN", `([network-traffic:dst_port = 443] AND [process:pid = 7]) WITHIN 10 SECONDS`, "1 2"},
	{"WITHIN is too short", `([network-traffic:dst_port = 443] AND [process:pid = 7]) WITHIN 9.9 SECONDS`, ""},
	{"WITHIN takes the best moments", `([file:name = 'inner.dll'] REPEATS 2 TIMES) WITHIN 25 SECONDS`, "0 3"},
	{"START is inside", `[process:pid = 7] START t'2020-01-01T00:00:20Z' STOP t'2020-01-01T00:00:21Z'`, "2"},
	{"STOP is not", `[process:pid = 7] START t'2020-01-01T00:00:10Z' STOP t'2020-01-01T00:00:20Z'`, ""},
	{"START after STOP", `[process:pid = 7] START t'2020-01-01T00:00:30Z' STOP t'2020-01-01T00:00:10Z'`, ""},
	{"AND binds closer than OR", `[process:pid = 7] OR [process:pid = 7] AND [process:pid = 8]`, "2"},
	{"OR binds closer than FOLLOWEDBY", `[process:pid = 7] FOLLOWEDBY [process:pid = 8] OR [file:size = 2]`, "2 3"},
	{"a qualifier binds to what is before it", `[file:size = 2] AND [file:size = 2] WITHIN 1 SECONDS`, "0 3"},
	{"unless there are brackets", `([file:size = 2] AND [file:size = 2]) WITHIN 1 SECONDS`, ""},
	{"objects that describe are not observed", `[observed-data:number_observed = 3]`, ""},
}

func TestRules(t *testing.T) {
	observed, err := Decode([]byte(observedData))
	if err != nil || len(observed) != 4 {
		t.Fatalf("%d: %v", len(observed), err)
	}
	for _, tt := range rules {
		found, err := compiled(t, tt.pattern).Match(observed)
		if got := strings.Trim(fmt.Sprint(found), "[]"); err != nil || got != tt.want {
			t.Errorf("%s: %s\nfound %q, want %q, %v", tt.rule, tt.pattern, got, tt.want, err)
		}
	}
}

func TestDecode(t *testing.T) {
	old := `[{"type":"observed-data","first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:00Z","number_observed":1,
		"objects":{"0":{"type":"file","name":"x","parent_directory_ref":"1"},"1":{"type":"directory","path":"/"}}}]`
	observed, err := Decode([]byte(old))
	if err != nil || len(observed) != 1 {
		t.Fatalf("STIX 2.0: %d, %v", len(observed), err)
	}
	if found, err := compiled(t, `[file:parent_directory_ref.path = '/']`).Match(observed); err != nil || len(found) != 1 {
		t.Errorf("STIX 2.0: %v, %v", found, err)
	}
	for _, tt := range []struct{ data, want string }{
		{`{"type":"observed-data"}`, "first_observed"},
		{`{"type":"observed-data","first_observed":"2020-01-01T00:00:01Z","last_observed":"2020-01-01T00:00:00Z","number_observed":1}`, "before"},
		{`{"type":"observed-data","first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:00Z","number_observed":0}`, "number_observed"},
		{`{"type":"observed-data","first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:00Z","number_observed":1e9}`, "number_observed"},
		{`{`, "unexpected EOF"},
		{strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested deeper"},
	} {
		if _, err := Decode([]byte(tt.data)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.data, err, tt.want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for _, tt := range []struct{ pattern, want string }{
		{`[a:b MATCHES '(?=x)']`, "character 14: error parsing regexp: invalid or unsupported Perl syntax: `(?=`; expressions are those of RE2"},
		{`[a:b MATCHES '(a)\\1']`, "RE2"},
		{`[a:b MATCHES '((a{900}){900}){900}']`, "RE2"},
		{`[a:b MATCHES '(a{900}){1,1}' OR a:b MATCHES '` + strings.Repeat("(a{500})", 300) + `']`, "more than 100000 instructions"},
		{`[a:b LIKE '` + strings.Repeat("a", 5000) + `']`, "more than 4096 bytes"},
		{`[a:b ISSUBSET '10.0.0.0/33']`, "no network in CIDR notation"},
	} {
		tree, err := Parse(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Compile(tree); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: %v, want %q", tt.pattern, err, tt.want)
		}
	}
}

// TestHostileText: parsing ends where the limits say, whatever the depth.
func TestHostileText(t *testing.T) {
	deep := 100_000
	for _, pattern := range []string{
		strings.Repeat("(", deep) + "[a:b = 1]" + strings.Repeat(")", deep),
		"[" + strings.Repeat("(", deep) + "a:b = 1" + strings.Repeat(")", deep) + "]",
		"[a:b" + strings.Repeat("[*]", deep/2) + "= 1]",
	} {
		tree, err := Parse(pattern)
		if err == nil { // a long path is only long
			_, err = Compile(tree)
		}
		if err != nil && !strings.Contains(err.Error(), "nested deeper") {
			t.Error(err)
		}
	}
	// Time grows with the text, not with the ways to match it.
	slow := compiled(t, `[a:b MATCHES '^(a+)+$' OR a:b LIKE '%a%a%a%a%a%a%a%a%a%b' OR a:b LIKE '%_a_a_a_a_b%']`)
	if !slow.Look(NewObjects([]Object{{"type": "a", "b": strings.Repeat("a", 50_000) + "c"}})).Empty() {
		t.Error("matched")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(observedData))
	for _, tt := range []string{`[]`, `{"type":"bundle","objects":[[]]}`, `{"type":"observed-data","objects":{"0":[]}}`, `{"type":1}`, `1e400`} {
		f.Add([]byte(tt))
	}
	var patterns []*Pattern
	for _, tt := range rules {
		patterns = append(patterns, compiled(f, tt.pattern))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		observed, err := Decode(data)
		if err != nil {
			return
		}
		for _, p := range patterns {
			found, err := p.Match(observed)
			if err != nil || len(found) > len(observed) {
				t.Fatalf("%v, %v", found, err)
			}
		}
	})
}
