package match_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
	"shieldwall/internal/match"
	"shieldwall/internal/stixpattern"
)

const (
	md5Hex    = "d41d8cd98f00b204e9800998ecf8427e"
	sha1Hex   = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	sha256Hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// TestIndicatorsMeetEvents decides which indicator is met where.
func TestIndicatorsMeetEvents(t *testing.T) {
	tests := []struct {
		ind  string // a STIX comparison, or a line of a list after "list "
		ev   []any
		want string // fields it is met in
	}{
		{"domain-name:value = 'evil.example'", []any{"QueryName", "EVIL.example."}, "QueryName"},
		{"domain-name:value = 'evil.example'", []any{"QueryName", "www.evil.example"}, ""},
		{"list evil.example", []any{"QueryName", "www.evil.example"}, "QueryName"},
		{"list evil.example", []any{"QueryName", "notevil.example"}, ""},
		{"list evil.example", []any{"QueryName", "evil.example"}, "QueryName"},
		{"list *.evil.example", []any{"DestinationHostname", "a.b.evil.example"}, "DestinationHostname"},
		{"list evil.example", []any{"c-uri", "https://user@www.evil.example:8443/x"}, "c-uri"},
		{"list evil.example", []any{"cs-host", "evil.example", "c-uri", "/x"}, "cs-host c-uri"},
		{"list evil.example", []any{"CommandLine", "ping evil.example"}, "CommandLine"},
		{"list evil.example", []any{"QueryResults", "type:  5 evil.example;::ffff:192.0.2.1;"}, "QueryResults"},
		{"list evil.example", []any{"query", []any{"a.example", "evil.example"}}, "query"},
		{"ipv4-addr:value = '192.0.2.1'", []any{"SourceIp", "192.0.2.1", "DestinationIp", "192.0.2.1"}, "SourceIp DestinationIp"},
		{"ipv4-addr:value = '192.0.2.1'", []any{"IpAddress", "::ffff:192.0.2.1"}, "IpAddress"},
		{"ipv4-addr:value = '192.0.2.1'", []any{"IpAddress", "192.0.2.10"}, ""},
		{"ipv4-addr:value = '192.0.2.0/24'", []any{"DestAddress", "192.0.2.99"}, "DestAddress"},
		{"ipv4-addr:value ISSUBSET '192.0.2.0/24'", []any{"dst_ip", "192.0.3.1"}, ""},
		{"ipv4-addr:value ISSUBSET '192.0.2.128/25'", []any{"dst_ip", "192.0.2.200"}, "dst_ip"},
		{"ipv6-addr:value = '2001:DB8::1'", []any{"DestinationIp", "2001:db8:0:0:0:0:0:1"}, "DestinationIp"},
		{"ipv6-addr:value = 'fe80::1'", []any{"SourceIp", "fe80::1%12"}, "SourceIp"},
		{"list 2001:db8::/32", []any{"id.resp_h", "2001:db8:ffff::1"}, "id.resp_h"},
		{"list 192.0.2.1", []any{"QueryResults", "::ffff:192.0.2.1;"}, "QueryResults"},
		{"list 192.0.2.1", []any{"answer", []any{"a.example", "192.0.2.1"}}, "answer"},
		{"list evil.example", []any{"answer", []any{"192.0.2.1", "cname.evil.example."}}, "answer"},
		{"list a@evil.example", []any{"From", "A Name <a@evil.example>"}, "From"},
		{"list a@evil.example", []any{"To", "b@c.example, a@EVIL.example"}, "To"},
		{"list evil.exe", []any{"Image", `C:\x\Evil.exe`}, "Image"},
		{"list MUTEX=Global\\Evil", []any{"MutexName", `Global\Evil`}, "MutexName"},
		{"list HKLM\\Software\\Evil", []any{"TargetObject", `HKLM\SOFTWARE\Evil\Run`}, "TargetObject"},
		{"list 192.0.2.1", []any{"c-uri", "http://192.0.2.1/x"}, "c-uri"},
		{"list 2001:db8::1", []any{"c-uri", "http://[2001:db8::1]:8080/x"}, "c-uri"},
		{"list 192.0.2.1", []any{"SourceIp", "-"}, ""},
		{"url:value = 'http://Evil.Example/Path?Q=1#f'", []any{"c-uri", "HTTP://evil.example:80/Path?Q=1"}, "c-uri"},
		{"url:value = 'http://evil.example/Path'", []any{"c-uri", "http://evil.example/path"}, ""},
		{"url:value = 'http://evil.example/x'", []any{"c-uri", "https://evil.example/x"}, ""},
		{"url:value = 'http://evil.example'", []any{"c-uri", "http://evil.example/"}, "c-uri"},
		{"url:value = 'https://evil.example/x'", []any{"c-uri", "evil.example/x"}, "c-uri"},
		{"url:value = 'https://evil.example/x'", []any{"cs-host", "evil.example", "c-uri", "/x"}, "c-uri"},
		{"list evil.example/x", []any{"cs-uri", "https://evil.example/x"}, "cs-uri"},
		{"list hxxps://evil[.]example/x", []any{"RemoteName", "https://evil.example/x"}, "RemoteName"},
		{"file:hashes.'SHA-256' = '" + sha256Hex + "'", []any{"Hashes", "MD5=1,SHA256=" + strings.ToUpper(sha256Hex) + ",IMPHASH=0"}, "Hashes"},
		{"file:hashes.SHA-1 = '" + sha1Hex + "'", []any{"Hashes", "SHA1=" + sha1Hex}, "Hashes"},
		{"file:hashes.MD5 = '" + md5Hex + "'", []any{"Hashes", "IMPHASH=" + md5Hex}, ""},
		{"file:hashes.MD5 = '" + md5Hex + "'", []any{"md5", md5Hex}, "md5"},
		{"file:hashes.MD5 = '" + md5Hex + "'", []any{"Imphash", md5Hex}, ""},
		{"file:hashes.IMPHASH = '" + md5Hex + "'", []any{"Imphash", md5Hex}, "Imphash"},
		{"list " + sha256Hex, []any{"sha256", sha256Hex}, "sha256"},
		{"list IMPHASH=" + md5Hex, []any{"Hashes", "MD5=1,IMPHASH=" + md5Hex}, "Hashes"},
		{"file:name = 'evil.exe'", []any{"Image", `C:\x\EVIL.exe`}, "Image"},
		{"file:name = 'evil.exe'", []any{"TargetFilename", "/srv/evil.exe"}, "TargetFilename"},
		{"file:name = 'evil.exe'", []any{"Image", `C:\evil.exe\x`}, ""},
		{"email-addr:value = 'a@evil.example'", []any{"Sender", "<A@Evil.Example>"}, "Sender"},
		{"list a@evil[.]example", []any{"Recipient", "a@evil.example"}, "Recipient"},
		{"mutex:name = 'Global\\\\Evil'", []any{"MutexName", `global\evil`}, "MutexName"},
		{"mutex:name = 'Evil'", []any{"ObjectName", `\Sessions\1\BaseNamedObjects\Evil`}, "ObjectName"},
		{"mutex:name = 'Evil'", []any{"CommandLine", "Evil"}, ""},
		{"windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\Software\\\\Evil'", []any{"TargetObject", `HKLM\SOFTWARE\Evil\Value`}, "TargetObject"},
		{"windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\Software\\\\Evil'", []any{"TargetObject", `HKLM\SOFTWARE\Evil`}, "TargetObject"},
		{"windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\Software\\\\Evil'", []any{"TargetObject", `HKLM\SOFTWARE\Evil\Key\Value`}, ""},
		{"windows-registry-key:key = 'HKLM\\\\Software\\\\Evil'", []any{"ObjectName", `\REGISTRY\MACHINE\SOFTWARE\Evil`}, "ObjectName"},
		{"list 192.0.2.0/24", []any{"Message", "from 192.0.2.7:443."}, "Message"},
		{"list 2001:db8::/32", []any{"Payload", "to [2001:db8::7]:443"}, "Payload"},
		{"file:name = 'evil.exe'", []any{"CommandLine", `"C:\x\EVIL.exe" /q`}, "CommandLine"},
		{"list " + sha256Hex, []any{"ScriptBlockText", "if ($h -eq '" + strings.ToUpper(sha256Hex) + "')"}, "ScriptBlockText"},
		{"list a@evil.example", []any{"Details", "mailto:A@evil.example"}, "Details"},
		{"url:value = 'http://evil.example/x'", []any{"CommandLine", "(New-Object X).Get('http://Evil.example/x')"}, "CommandLine"},
		{"domain-name:value IN ('a.example', 'b.example')", []any{"QueryName", "b.example"}, "QueryName"},
	}
	for _, tt := range tests {
		e := match.New(time.Now)
		c, err := match.CompileIndicators(match.Key{ID: "i"}, match.Attribution{RuleID: "i"}, indicators(t, tt.ind)...)
		if err != nil {
			t.Fatalf("%s: %v", tt.ind, err)
		}
		e.Update([]match.Compiled{c}, nil)
		got := hits(e, fields(tt.ev...))
		names := ""
		for _, h := range got {
			for _, f := range h.Fields {
				names = strings.TrimSpace(names + " " + f.Name)
			}
			if h.Indicator == nil || h.RuleID != "i" {
				t.Errorf("%s: hit %+v", tt.ind, h)
			}
		}
		if names != tt.want || len(got) > 1 {
			t.Errorf("%s on %v: %d hits in %q, want %q", tt.ind, tt.ev, len(got), names, tt.want)
		}
	}
}

// TestRenderedMessage: what Windows renders out of a record's fields is looked through only where those are not,
// however the record was decoded.
func TestRenderedMessage(t *testing.T) {
	e := match.New(time.Now)
	c, err := match.CompileIndicators(match.Key{ID: "i"}, match.Attribution{}, indicators(t, "list 192.0.2.0/24")...)
	if err != nil {
		t.Fatal(err)
	}
	e.Update([]match.Compiled{c}, nil)
	for _, tt := range []struct {
		line, want string
	}{
		{`{"Channel":"Security","EventID":1,"Message":"from 192.0.2.7","Image":"C:\\x"}`, ""},
		{`{"Channel":"Security","EventID":1,"Message":"from 192.0.2.7","Unheard":"x"}`, "Message"},
		{`{"Channel":"Security","EventID":1,"Message":"from 192.0.2.7","DestinationIp":"192.0.2.7"}`, "DestinationIp"},
		{`{"Message":"from 192.0.2.7","Image":"C:\\x"}`, "Message"},
	} {
		for _, opts := range []jsonl.Options{{}, {Names: e.Names()}, {Names: e.Names(), Sparse: true}, {Names: e.Names(), Sparse: true, Borrow: true}} {
			ev, err := jsonl.New(strings.NewReader(tt.line), opts).Next()
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, h := range hits(e, ev) {
				got += h.Fields[0].Name
			}
			if got != tt.want {
				t.Errorf("%s, %+v: met in %q, want %q", tt.line, opts, got, tt.want)
			}
		}
	}
}

func indicators(t testing.TB, text string) []indicator.Indicator {
	t.Helper()
	if line, ok := strings.CutPrefix(text, "list "); ok {
		ind, ok, err := indicator.ParseLine(line)
		if err != nil || !ok {
			t.Fatalf("%s: %v", text, err)
		}
		return []indicator.Indicator{ind}
	}
	pattern, err := stixpattern.Parse("[" + text + "]")
	if err != nil {
		t.Fatal(err)
	}
	list, err := indicator.FromSTIX(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestIndicatorsApartFromLogsource: indicators are looked for in events that no rule is meant for.
func TestIndicatorsApartFromLogsource(t *testing.T) {
	e := match.New(time.Now)
	e.Update([]match.Compiled{domains(t, match.Key{ID: "d"}, "x.example")}, nil)
	ev := &event.Event{Fields: []event.Field{{Name: "QueryName", Value: event.Str("x.example")}}}
	if got := len(hits(e, ev)); got != 1 {
		t.Errorf("%d hits", got)
	}
}

// TestManyIndicators adds and removes many, with values that several keys share.
func TestManyIndicators(t *testing.T) {
	e := match.New(time.Now)
	const n = 3000
	name := func(i int) string { return fmt.Sprintf("d%d.example", i) }
	var all []string
	for i := range n {
		all = append(all, name(i))
	}
	e.Update([]match.Compiled{domains(t, match.Key{ID: "all"}, all...)}, nil)
	for i := 0; i < n; i += 10 {
		e.Update([]match.Compiled{domains(t, match.Key{ID: fmt.Sprint(i)}, name(i))}, nil)
	}
	if _, got := e.Len(); got != n+n/10 {
		t.Errorf("%d live", got)
	}
	if got := len(hits(e, fields("QueryName", name(10)))); got != 2 {
		t.Errorf("%d hits on a shared value", got)
	}
	e.Update(nil, []match.Key{{ID: "all"}})
	if got := len(hits(e, fields("QueryName", name(10)))) + len(hits(e, fields("QueryName", name(11)))); got != 1 {
		t.Errorf("%d hits after one of the keys went", got)
	}
	if _, got := e.Len(); got != n/10 {
		t.Errorf("%d live", got)
	}
}

// TestHitSaysWhichAndHowSure: a hit carries the list's line, and its publisher's confidence and end.
func TestHitSaysWhichAndHowSure(t *testing.T) {
	list := indicator.ParseList([]byte("# a comment\n\nother.example\nx.example\n"))
	c, err := match.CompileIndicators(match.Key{Publisher: "bravo", ID: "list"}, match.Attribution{Title: "T"}, list.Indicators...)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	c.Confidence, c.Until = 70, now.Add(time.Hour)
	e := match.New(func() time.Time { return now })
	e.Update([]match.Compiled{c}, nil)
	got := hits(e, fields("QueryName", "a.x.example"))
	if len(got) != 1 || got[0].Indicator.Line != 4 || got[0].Indicator.Value != "x.example" || got[0].Publisher != "bravo" ||
		got[0].Confidence != 70 || !got[0].Until.Equal(c.Until) || got[0].Title != "T" {
		t.Fatalf("%+v", got)
	}
	now = c.Until
	if got := hits(e, fields("QueryName", "a.x.example")); len(got) != 0 {
		t.Fatalf("expired, and met: %+v", got)
	}
	// The part of the sets that is made anew lets go of it.
	e.Update([]match.Compiled{domains(t, match.Key{ID: "new"}, "x.example")}, nil)
	if _, n := e.Len(); n > 2 {
		t.Errorf("%d live", n)
	}
	if s := e.IndicatorStats(); s.Owners != 2 || s.Bytes == 0 {
		t.Fatalf("%+v", s)
	}
	e.Update(nil, []match.Key{{Publisher: "bravo", ID: "list"}, {ID: "new"}})
	if s := e.IndicatorStats(); s.Owners != 0 || s.Values != 0 {
		t.Fatalf("%+v", s)
	}
}
