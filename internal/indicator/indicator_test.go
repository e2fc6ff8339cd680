package indicator

import (
	"errors"
	"strings"
	"testing"

	"shieldwall/internal/stixpattern"
)

const (
	md5Hex    = "d41d8cd98f00b204e9800998ecf8427e"
	sha1Hex   = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	sha256Hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// lines are lines of a plain list and what they are: "type value", "" for nothing, "!" for an error
// with a part of its text.
var lines = []struct{ in, want string }{
	{"", ""},
	{"  \t", ""},
	{"# comment", ""},
	{"  # comment", ""},
	{"192.0.2.1", "network 192.0.2.1/32"},
	{"192[.]0.2(.)1 # seen today", "network 192.0.2.1/32"},
	{"192.0.2.77/24", "network 192.0.2.0/24"},
	{"2001:DB8::1", "network 2001:db8::1/128"},
	{"2001:db8::/32", "network 2001:db8::/32"},
	{"::ffff:192.0.2.1", "network 192.0.2.1/32"},
	{"::ffff:192.0.2.0/120", "network 192.0.2.0/24"},
	{"0.0.0.0/0", "!every address"},
	{"::/0", "!every address"},
	{"192.0.2.256", "!neither"},
	{"192.0.2.1/33", "!not an IP address"},
	{"fe80::1%eth0", "!has a zone"},
	{"http://e%41.example/", "!not a URL"},
	{"http://a$b.example/", "!no name or address"},
	{"::/x", "!no name or address"},
	{md5Hex, "md5 " + md5Hex},
	{strings.ToUpper(sha1Hex), "sha1 " + sha1Hex},
	{sha256Hex, "sha256 " + sha256Hex},
	{sha256Hex + sha256Hex, "sha512 " + sha256Hex + sha256Hex},
	{"SHA256=" + sha256Hex, "sha256 " + sha256Hex},
	{"sha-1=" + sha1Hex, "sha1 " + sha1Hex},
	{"imphash=" + md5Hex, "imphash " + md5Hex},
	{"MD5=" + sha1Hex, "!is no md5 hash"},
	{"CRC32=12345678", "!unknown hash"},
	{md5Hex + "0", "!neither"},
	{"evil.example", "domain+ evil.example"},
	{"Evil.Example.", "domain+ evil.example"},
	{"*.evil.example", "domain+ evil.example"},
	{".evil.example", "domain+ evil.example"},
	{"evil[.]example", "domain+ evil.example"},
	{"evil[dot]example", "domain+ evil.example"},
	{"_dmarc.x-y.example", "domain+ _dmarc.x-y.example"},
	{"bücher.example", "domain+ bücher.example"},
	{"example", "!neither"},
	{"Evil.exe", "file-name evil.exe"},
	{"my-tool.v2.DLL # dropper", "file-name my-tool.v2.dll"},
	{"evil.com", "domain+ evil.com"},
	{"evil.exe.example", "domain+ evil.exe.example"},
	{"http://evil.example/a.exe", "url http://evil.example/a.exe"},
	{".exe", "!neither"},
	{"FILE=Evil Name.COM", "file-name evil name.com"},
	{"file=", "!"},
	{`file=a\b`, "!"},
	{`MUTEX=Global\Evil Mutex`, `mutex global\evil mutex`},
	{`HKLM\Software\Microsoft\Windows NT\Evil # persistence`, `registry-key hklm\software\microsoft\windows nt\evil`},
	{`HKEY_LOCAL_MACHINE\Software\.evil`, `registry-key hklm\software\.evil`},
	{`registry=HKCU\x`, `registry-key hkcu\x`},
	{`HKXX\Software`, "!neither"},
	{`C:\a\b.exe`, "!"},
	{"-x.example", "!neither"},
	{"a..example", "!neither"},
	{"1.2.3.4.5", "!neither"},
	{strings.Repeat("a", 64) + ".example", "!neither"},
	{strings.Repeat("a.", 130) + "example", "!neither"},
	{"http://Evil.Example", "url http://evil.example/"},
	{"hxxps://evil[.]example/Path?q=1#frag", "url https://evil.example/Path?q=1"},
	{"hxxp[://]evil[.]example:80/", "url http://evil.example/"},
	{"https://user:pw@evil.example:8443/x", "url https://evil.example:8443/x"},
	{"ftp://192.0.2.1:21/x", "url ftp://192.0.2.1/x"},
	{"http://[2001:db8::1]/x", "url http://[2001:db8::1]/x"},
	{"evil.example/x#y", "url evil.example/x"},
	{"evil.example/?u=http://a.example", "url evil.example/?u=http://a.example"},
	{"evil.example/@x", "url evil.example/@x"},
	{"192.0.2.1/x", "url 192.0.2.1/x"},
	{"http://", "!not a URL"},
	{"http://evil.example:port/", "!not a URL"},
	{"some/path", "!neither"},
	{"a@Evil.Example", "email a@evil.example"},
	{"A.b+c[@]evil[.]example", "email a.b+c@evil.example"},
	{"a@b@evil.example", "!not an e-mail"},
	{"@evil.example", "!not an e-mail"},
	{"a@localhost", "!not an e-mail"},
	{"evil.example:8080", "!with a port"},
	{"192.0.2.1:443", "!with a port"},
	{"0.0.0.0 evil.example", "!one value a line"},
	{"\xff.example", "!UTF-8"},
	{strings.Repeat("a", MaxLine+1), "!at most"},
	{"http://e.example/" + strings.Repeat("a", MaxValue), "!want 1 to"},
}

func text(i Indicator) string {
	plus := ""
	if i.Subdomains {
		plus = "+"
	}
	return i.Type.String() + plus + " " + i.Value
}

func TestParseLine(t *testing.T) {
	for _, tt := range lines {
		ind, ok, err := ParseLine(tt.in)
		got := ""
		switch {
		case err != nil:
			got = "!" + err.Error()
			if ok {
				t.Errorf("%.80q: ok beside an error", tt.in)
			}
		case ok:
			got = text(ind)
			if err := ind.Check(); err != nil {
				t.Errorf("%.80q: %v", tt.in, err)
			}
		}
		if part, isErr := strings.CutPrefix(tt.want, "!"); isErr && strings.HasPrefix(got, "!") && strings.Contains(got, part) && len(got) < 300 {
			continue
		}
		if got != tt.want {
			t.Errorf("%.80q: got %.200s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestParseList(t *testing.T) {
	got := ParseList([]byte("\xef\xbb\xbf# list\r\nevil.example\r\n\r\nnot one\r\n192.0.2.1\nx"))
	if len(got.Indicators) != 2 || got.Lines[0] != 2 || got.Lines[1] != 5 || got.Bad != 2 {
		t.Fatalf("%+v", got)
	}
	if s := got.Errors[0].Error(); !strings.HasPrefix(s, "line 4: ") {
		t.Errorf("error %s", s)
	}
	many := ParseList([]byte(strings.Repeat("x\n", 1000)))
	if many.Bad != 1000 || len(many.Errors) != MaxLineErrors {
		t.Errorf("%d bad, %d errors", many.Bad, len(many.Errors))
	}
	long := ParseList([]byte(strings.Repeat("x", 1<<20) + "\nevil.example"))
	if long.Bad != 1 || len(long.Indicators) != 1 {
		t.Errorf("a long line: %d bad, %d indicators", long.Bad, len(long.Indicators))
	}
}

func TestCheck(t *testing.T) {
	for _, ind := range []Indicator{
		{}, {Type: 99, Value: "x"}, {Type: Domain, Value: "Evil.Example"}, {Type: Domain}, {Type: Network, Value: "192.0.2.1/32"},
		{Type: MD5, Value: sha1Hex}, {Type: FileName, Value: `a\b`}, {Type: URL, Value: "http://evil.example"},
	} {
		if ind.Check() == nil {
			t.Errorf("%+v passes", ind)
		}
	}
	if got := Type(99).String(); got != "type-99" {
		t.Errorf("unknown type is called %s", got)
	}
}

// patterns are STIX patterns and what they look for; "!" names the construct that is not supported
// and "?" is any other error.
var patterns = []struct{ in, want string }{
	{`[domain-name:value = 'Evil.Example']`, "domain evil.example"},
	{`[ipv4-addr:value = '192.0.2.1']`, "network 192.0.2.1/32"},
	{`[ipv4-addr:value = '192.0.2.1/24']`, "network 192.0.2.0/24"},
	{`[ipv6-addr:value ISSUBSET '2001:db8::/32']`, "network 2001:db8::/32"},
	{`[url:value = 'HTTP://Evil.example/A']`, "url http://evil.example/A"},
	{`[email-addr:value = 'A@evil.example']`, "email a@evil.example"},
	{`[file:name = 'Evil.exe']`, "file-name evil.exe"},
	{`[file:hashes.'SHA-256' = '` + sha256Hex + `']`, "sha256 " + sha256Hex},
	{`[file:hashes.SHA256 = '` + sha256Hex + `']`, "sha256 " + sha256Hex},
	{`[file:hashes.SHA-1 = '` + sha1Hex + `' OR file:hashes.MD5 IN ('` + md5Hex + `')]`, "sha1 " + sha1Hex + ", md5 " + md5Hex},
	{`[domain-name:value = 'a.example'] OR [(url:value = 'http://b.example/' OR ipv4-addr:value = '192.0.2.1')]`,
		"domain a.example, url http://b.example/, network 192.0.2.1/32"},
	{`[domain-name:value IN ('a.example', 'b.example')]`, "domain a.example, domain b.example"},
	{`[domain-name:value = 'a.example' AND url:value = 'http://b.example/']`, "!AND between comparisons"},
	{`[domain-name:value = 'a.example'] AND [domain-name:value = 'b.example']`, "!AND between observations"},
	{`[domain-name:value = 'a.example'] FOLLOWEDBY [domain-name:value = 'b.example']`, "!FOLLOWEDBY between observations"},
	{`[domain-name:value = 'a.example'] WITHIN 5 SECONDS`, "!WITHIN"},
	{`[domain-name:value = 'a.example'] REPEATS 5 TIMES`, "!REPEATS"},
	{`[domain-name:value = 'a.example'] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'`, "!START ... STOP"},
	{`[EXISTS domain-name:value]`, "!EXISTS"},
	{`[domain-name:value LIKE '%.example']`, "!operator LIKE on \"domain-name:value\""},
	{`[domain-name:value != 'a.example']`, "!operator != on \"domain-name:value\""},
	{`[domain-name:value NOT = 'a.example']`, "!NOT on \"domain-name:value\""},
	{`[domain-name:value ISSUBSET '10.0.0.0/8']`, "!operator ISSUBSET on \"domain-name:value\""},
	{`[process:command_line = 'x']`, "!object path \"process:command_line\""},
	{`[file:hashes.SSDEEP = 'x']`, "!object path \"file:hashes.SSDEEP\""},
	{`[domain-name:resolves_to_refs[*].value = '192.0.2.1']`, "!object path \"domain-name:resolves_to_refs[*].value\""},
	{`[domain-name:value = 5]`, "!a value that is no string"},
	{`[domain-name:value IN ()]`, "!an empty set"},
	{`[domain-name:value = 'not a domain']`, "?is not a domain name"},
	{`[file:hashes.MD5 = 'x']`, "?is no md5 hash"},
	{`[ipv4-addr:value = '0.0.0.0/0']`, "?every address"},
}

func TestFromSTIX(t *testing.T) {
	for _, tt := range patterns {
		pattern, err := stixpattern.Parse(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		list, err := FromSTIX(pattern)
		var unsupported *UnsupportedError
		switch {
		case errors.As(err, &unsupported):
			if got := "!" + unsupported.Construct; got != tt.want {
				t.Errorf("%s: unsupported %s, want %s", tt.in, got, tt.want)
			}
			if !strings.Contains(err.Error(), unsupported.Construct) {
				t.Errorf("%s: error %v does not name the construct", tt.in, err)
			}
			continue
		case err != nil:
			if part, ok := strings.CutPrefix(tt.want, "?"); !ok || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %s", tt.in, err, tt.want)
			}
			continue
		}
		var all []string
		for _, ind := range list {
			all = append(all, text(ind))
			if err := ind.Check(); err != nil {
				t.Errorf("%s: %v", tt.in, err)
			}
		}
		if got := strings.Join(all, ", "); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestSeeds(t *testing.T) {
	if len(lines) < 50 || len(patterns) < 30 {
		t.Errorf("%d line and %d pattern seeds", len(lines), len(patterns))
	}
}

// FuzzParseLine checks that what is accepted is in the normal form, so that equal values are equal.
func FuzzParseLine(f *testing.F) {
	for _, tt := range lines {
		if len(tt.in) < 1000 {
			f.Add(tt.in)
		}
	}
	f.Add("../A")
	f.Fuzz(func(t *testing.T, s string) {
		ind, ok, err := ParseLine(s)
		if err != nil || !ok {
			return
		}
		if err := ind.Check(); err != nil {
			t.Fatalf("%q became %+v: %v", s, ind, err)
		}
	})
}

// FuzzFromSTIX does the same for patterns.
func FuzzFromSTIX(f *testing.F) {
	for _, tt := range patterns {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		pattern, err := stixpattern.Parse(s)
		if err != nil {
			return
		}
		list, err := FromSTIX(pattern)
		if err != nil {
			return
		}
		if len(list) == 0 {
			t.Fatalf("%q looks for nothing", s)
		}
		for _, ind := range list {
			if err := ind.Check(); err != nil {
				t.Fatalf("%q became %+v: %v", s, ind, err)
			}
		}
	})
}
