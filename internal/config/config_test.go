package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"shieldwall/internal/sigma"
)

func linux(vars map[string]string) Host {
	return Host{Getenv: func(k string) string { return vars[k] }, Name: "CERT-01.example.org", OS: "linux"}
}

var home = map[string]string{"HOME": "/home/op"}

func TestExampleSaysTheDefaults(t *testing.T) {
	c, err := Decode("example.yaml", Example)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("the example is\n%+v\nthe defaults are\n%+v", c, Default())
	}
}

// Every key is in the example, and a comment stands above it: this is the documentation.
func TestExampleDocumentsEveryKey(t *testing.T) {
	lines := strings.Split(string(Example), "\n")
	for _, whole := range wholeKeys(reflect.TypeFor[Config](), "") {
		key := whole[strings.LastIndex(whole, ".")+1:]
		at := regexp.MustCompile(`^ *` + key + `:`)
		found := false
		for i, line := range lines {
			if !at.MatchString(line) {
				continue
			}
			above := strings.TrimSpace(lines[max(0, i-1)])
			// max_age and max_size share the comment of their section, which is above it.
			found = found || strings.HasPrefix(above, "#") || strings.HasPrefix(above, "detections:") || strings.HasPrefix(above, "max_age:") || strings.HasPrefix(above, "jsonl:")
		}
		if !found {
			t.Errorf("%s is not in the example under a comment", whole)
		}
	}
	for _, key := range keysOf(reflect.TypeFor[Follow]()) {
		if !bytes.Contains(Example, []byte(key+":")) {
			t.Errorf("ingest.follow's %s is not in the example", key)
		}
	}
}

// What `config check` prints can be read again and means the same.
func TestEffectiveConfigurationReadsBack(t *testing.T) {
	c, err := Load(Flags{Data: "/srv/sw"}, linux(home))
	if err != nil {
		t.Fatal(err)
	}
	c.Ingest.Follow = []Follow{{Path: "/var/log/x.jsonl", Product: "linux"}}
	c.Placeholders = sigma.Placeholders{"Admins": {"alice", "adm_*"}, "y": {"no", "1", "~"}}
	out, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode("out.yaml", out)
	if err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if !reflect.DeepEqual(again, c) {
		t.Errorf("got %+v, want %+v", again, c)
	}
	if _, err := json.Marshal(c); err != nil {
		t.Error(err)
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, tt := range []struct{ name, yaml, want string }{
		{"typo", "page:\n  lisen: x\n", `f.yaml:2: page.lisen: unknown key; did you mean page.listen?`},
		{"typo at the top", "memver: a\n", `f.yaml:1: memver: unknown key; did you mean member?`},
		{"key of another section", "\nmax_age: 3d\n", `f.yaml:2: max_age: unknown key; did you mean detections.max_age?`},
		{"nothing near", "zzzzzz: 1\n", `f.yaml:1: zzzzzz: unknown key; known here: data, member`},
		{"nothing near in a section", "log:\n  zzzzzz: 1\n", `f.yaml:2: log.zzzzzz: unknown key; known here: level`},
		{"twice", "member: a\nhold: 1h\nmember: b\n", `f.yaml:3: member: set twice; the first is on line 1`},
		{"section twice", "log: {}\nlog: {}\n", `f.yaml:2: log: set twice; the first is on line 1`},
		{"second document", "member: a\n---\nmember: b\n", `f.yaml:2: a second document; only one is read`},
		{"not YAML", "member: [\n", "f.yaml:1: not YAML: "},
		{"tab", "page:\n\tlisten: x\n", "f.yaml:2: not YAML: "},
		{"scalar for a section", "page: 80\n", "f.yaml:1: page: wants a section of keys: listen, hosts"},
		{"section for a scalar", "member: {a: b}\n", "f.yaml:1: member: wants one value, not a list or a section"},
		{"scalar for a list", "deny: a\n", "f.yaml:1: deny: wants a list"},
		{"list for a section", "- a\n", "f.yaml:1: wants a section of keys: data,"},
		{"empty item", "deny:\n  - a\n  -\n", "f.yaml:3: deny: an empty item"},
		{"word for a bool", "ingest: {jsonl: {enabled: yes}}\n", "f.yaml:1: ingest.jsonl.enabled: wants true or false"},
		{"bad duration", "hold: soon\n", `f.yaml:1: hold: "soon" is no time span`},
		{"negative duration", "hold: -1h\n", `f.yaml:1: hold: "-1h" is negative`},
		{"empty duration", "hold: ''\n", `f.yaml:1: hold: "" is no time span`},
		{"decimal size", "detections: {max_size: 5MB}\n", `f.yaml:1: detections.max_size: "5MB" is no size`},
		{"huge size", "detections: {max_size: 99999999999GiB}\n", `f.yaml:1: detections.max_size: "99999999999GiB" is too large`},
		{"alias", "rules: &r [a]\ndeny: *r\n", "f.yaml:1: rules: anchors and aliases are not used here"},
		{"merge", "page:\n  <<: {listen: x}\n", "f.yaml:2: page.<<: unknown key"},
		{"key that is no scalar", "? [a]\n: b\n", "f.yaml:1: "},
		{"follow typo", "ingest:\n  follow:\n    - path: a\n      prodct: linux\n", "f.yaml:4: ingest.follow[0].prodct: unknown key; did you mean ingest.follow[0].product?"},
		{"placeholders that are a list", "placeholders:\n  - a\n", "f.yaml:2: placeholders: want a map of names to values, found a list"},
		{"placeholder without values", "placeholders:\n  one: a\n  two: []\n", "f.yaml:3: placeholders.two: has no values"},
		{"placeholder with an empty value", "placeholders:\n  one:\n    - a\n    -\n", "f.yaml:4: placeholders.one[1]: is empty"},
		{"placeholder with its percent signs", "placeholders:\n  '%one%': a\n", "f.yaml:2: placeholders.%one%: names are written without their percent signs"},
		{"placeholder twice", "placeholders:\n  one: a\n  one: b\n", "f.yaml:3: placeholders.one: given twice"},
		{"too large", strings.Repeat("#", MaxFile+1), "f.yaml: larger than 1048576 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode("f.yaml", []byte(tt.yaml))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestDecodeReportsManyButNotAll(t *testing.T) {
	_, err := Decode("f.yaml", []byte("memver: a\nhold: soon\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two problems gave %v", err)
	}
	_, err = Decode("f.yaml", []byte("deny:\n"+strings.Repeat("  - [a]\n", 1000)))
	if err == nil || strings.Count(err.Error(), "\n") != maxProblems {
		t.Errorf("a thousand problems gave %v", err)
	}
}

func TestDecodeKeepsDefaultsOfWhatIsLeftOut(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "page:\n", "page: {}\n", "deny:\nlog:\n  # level: debug\n"} {
		c, err := Decode("f.yaml", []byte(text))
		if err != nil || !reflect.DeepEqual(c, Default()) {
			t.Errorf("%q gave %+v, %v", text, c, err)
		}
	}
	c, err := Decode("f.yaml", []byte("detections: {max_age: 2d}\nmember: 123\n"))
	if err != nil || c.Detections.MaxAge.Std() != 48*time.Hour || c.Detections.MaxSize != Default().Detections.MaxSize || c.Member != "123" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestDecodePlaceholders(t *testing.T) {
	c, err := Decode("f.yaml", []byte("placeholders:\n  Admins: [alice, 'adm_*', 007]\n  JumpServers: jump01\n"))
	want := sigma.Placeholders{"Admins": {"alice", "adm_*", "007"}, "JumpServers": {"jump01"}}
	if err != nil || !reflect.DeepEqual(c.Placeholders, want) {
		t.Errorf("got %v, %v", c.Placeholders, err)
	}
}

func TestDuration(t *testing.T) {
	for _, tt := range []struct{ in, out string }{
		{"90s", "1m30s"}, {"15m", "15m"}, {"24h", "24h"}, {"30d", "30d"}, {"1d", "24h"}, {"1d12h", "36h"},
		{"0s", "0s"}, {"0", "0s"}, {"0d", "0s"}, {"48h", "2d"}, {"1h10m", "1h10m"}, {"100ms", "100ms"}, {"2d1s", "48h0m1s"},
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(tt.in)); err != nil || d.String() != tt.out {
			t.Errorf("%q gave %q, %v; want %q", tt.in, d, err, tt.out)
		}
		var again Duration
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%q does not read back: %v, %v", d, again, err)
		}
	}
	for _, in := range []string{"", "d", "-1d", "1.5d", "65536d", "1d-1h", "3", "1y", "1dd", "65535d9999999h", "999999999h"} {
		var d Duration
		if err := d.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q was taken as %v", in, d)
		}
	}
}

func TestSize(t *testing.T) {
	for _, tt := range []struct {
		in, out string
		n       int64
	}{{"0", "0", 0}, {"512", "512", 512}, {"1024", "1KiB", 1024}, {"64KiB", "64KiB", 64 << 10}, {"1024MiB", "1GiB", 1 << 30}, {"1025", "1025", 1025}} {
		var s Size
		if err := s.UnmarshalText([]byte(tt.in)); err != nil || s.String() != tt.out || int64(s) != tt.n {
			t.Errorf("%q gave %q (%d), %v; want %q", tt.in, s, s, err, tt.out)
		}
	}
	for _, in := range []string{"", "MiB", "-1", "1.5GiB", "5MB", "1 GiB", "9223372036854775808", "8589934592GiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q was taken as %d", in, s)
		}
	}
}

func TestLoadDerives(t *testing.T) {
	c, err := Load(Flags{}, linux(home))
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "/home/op/.local/state/shieldwall" || c.Member != "cert-01" || c.File() != "" ||
		c.OfficerKey != "/home/op/.local/state/shieldwall/officer.key" || !strings.HasPrefix(c.Guard, "/home/op/.config/shieldwall/guard/") {
		t.Errorf("got %+v", c)
	}
	other, err := Load(Flags{Data: "/srv/two", Member: "two", PageListen: "127.0.0.1:0", PeerListen: "127.0.0.1:0"}, linux(home))
	if err != nil || other.Guard == c.Guard || other.Member != "two" || other.Page.Listen != "127.0.0.1:0" {
		t.Errorf("got %+v, %v; the guard must follow the data folder", other, err)
	}
	xdg, err := Load(Flags{}, linux(map[string]string{"HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_CONFIG_HOME": "/c"}))
	if err != nil || xdg.Data != "/s/shieldwall" || !strings.HasPrefix(xdg.Guard, "/c/shieldwall/guard/") {
		t.Errorf("got %+v, %v", xdg, err)
	}
	mac, err := Load(Flags{}, Host{Getenv: linux(home).Getenv, OS: "darwin"})
	if err != nil || mac.Data != "/home/op/Library/Application Support/shieldwall" || within(mac.Data, mac.Guard) {
		t.Errorf("got %+v, %v", mac, err)
	}
}

func TestLoadWithoutAHome(t *testing.T) {
	none := linux(nil)
	if _, err := Load(Flags{}, none); err == nil || !strings.Contains(err.Error(), "HOME") {
		t.Errorf("no home gave %v", err)
	}
	if _, err := Load(Flags{Data: "/srv/sw"}, none); err == nil || !strings.Contains(err.Error(), "guard: no home folder") {
		t.Errorf("no place for a guard gave %v", err)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadFile(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, FileName), "rules: [rules, /abs/rules]\nguard: ../guard\npage: {listen: '127.0.0.1:1'}\n")
	c, err := Load(Flags{Data: dir}, linux(home))
	if err != nil {
		t.Fatal(err)
	}
	if c.File() != file || c.Rules[0] != filepath.Join(dir, "rules") || c.Rules[1] != "/abs/rules" || c.Guard != filepath.Join(filepath.Dir(dir), "guard") {
		t.Errorf("got %+v", c)
	}
	c, err = Load(Flags{Data: dir, PageListen: "127.0.0.1:2"}, linux(home))
	if err != nil || c.Page.Listen != "127.0.0.1:2" {
		t.Errorf("the flag did not win: %+v, %v", c, err)
	}

	elsewhere := t.TempDir()
	named := write(t, filepath.Join(elsewhere, "sw.yaml"), "data: node\n")
	c, err = Load(Flags{File: named}, linux(home))
	if err != nil || c.Data != filepath.Join(elsewhere, "node") {
		t.Errorf("got %+v, %v", c, err)
	}
	c, err = Load(Flags{File: named, Data: "/srv/sw"}, linux(home))
	if err != nil || c.Data != "/srv/sw" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(Flags{File: filepath.Join(dir, "none.yaml")}, linux(home)); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a file that is not there gave %v", err)
	}
	if _, err := Load(Flags{File: dir}, linux(home)); err == nil {
		t.Error("a folder was read as a file")
	}
	file := write(t, filepath.Join(dir, FileName), "guard: ~/guard\n")
	if _, err := Load(Flags{Data: dir}, linux(home)); err == nil || !strings.Contains(err.Error(), "~ is not expanded") {
		t.Errorf("a ~ gave %v", err)
	}
	write(t, file, "data: /elsewhere\n")
	if _, err := Load(Flags{Data: dir}, linux(home)); err == nil || !strings.Contains(err.Error(), "another data folder") {
		t.Errorf("a file that names another folder gave %v", err)
	}
	write(t, file, "page: {listen: '0.0.0.0:80'}\n")
	if _, err := Load(Flags{Data: dir}, linux(home)); err == nil || !strings.Contains(err.Error(), file+": page.listen") {
		t.Errorf("a dangerous file gave %v", err)
	}
}

func TestMemberFromHost(t *testing.T) {
	for _, tt := range []struct{ host, want string }{
		{"cert.example.org", "cert"}, {"CERT-01", "cert-01"}, {"my_host", "my-host"}, {"-x-", "x"}, {"", "member"}, {"żółw", "w"},
		{"alliance", "member"}, {"everyone.local", "member"}, {"local", "member"}, {"...", "member"},
		{strings.Repeat("a", 31) + "-b", strings.Repeat("a", 31)}, {strings.Repeat("a", 63), strings.Repeat("a", 32)},
	} {
		if got := memberFromHost(tt.host); got != tt.want {
			t.Errorf("%q gave %q, want %q", tt.host, got, tt.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*Config)
		want string // empty: valid
	}{
		{"the defaults", func(c *Config) {}, ""},
		{"reserved member", func(c *Config) { c.Member = "everyone" }, `member: name "everyone" is taken`},
		{"local is where unshared objects are filed", func(c *Config) { c.Member = "local" }, "taken"},
		{"bad member", func(c *Config) { c.Member = "Big" }, "member: "},
		{"member with a newline", func(c *Config) { c.Member = "a\n" }, "member: "},
		{"guard inside", func(c *Config) { c.Guard = c.Data + "/guard" }, "guard: "},
		{"guard is the folder", func(c *Config) { c.Guard = c.Data }, "guard: "},
		{"guard beside", func(c *Config) { c.Guard = c.Data + "-guard" }, ""},
		{"page to the world", func(c *Config) { c.Page.Listen = "0.0.0.0:8470" }, "page.listen: 0.0.0.0:8470 is not loopback"},
		{"page to the world by an empty host", func(c *Config) { c.Page.Listen = ":8470" }, "not loopback"},
		{"page to the world by IPv6", func(c *Config) { c.Page.Listen = "[::]:8470" }, "not loopback"},
		{"page by a name", func(c *Config) { c.Page.Listen = "shieldwall.lan:8470" }, "not loopback"},
		{"page to the world on purpose", func(c *Config) { c.Page.Listen, c.Page.Hosts = "0.0.0.0:8470", []string{"sw.lan"} }, ""},
		{"page on other loopbacks", func(c *Config) { c.Page.Listen = "127.8.8.8:1" }, ""},
		{"page on IPv6 loopback", func(c *Config) { c.Page.Listen = "[::1]:1" }, ""},
		{"page on mapped loopback", func(c *Config) { c.Page.Listen = "[::ffff:127.0.0.1]:1" }, ""},
		{"page on localhost", func(c *Config) { c.Page.Listen = "localhost:1" }, ""},
		{"page without a port", func(c *Config) { c.Page.Listen = "127.0.0.1" }, "no host:port"},
		{"page with a named port", func(c *Config) { c.Page.Listen = "127.0.0.1:http" }, "no port"},
		{"page with a large port", func(c *Config) { c.Page.Listen = "127.0.0.1:65536" }, "no port"},
		{"host with a port", func(c *Config) { c.Page.Hosts = []string{"a:1"} }, "page.hosts: "},
		{"host with a wildcard", func(c *Config) { c.Page.Hosts = []string{"*"} }, "page.hosts: "},
		{"host by address", func(c *Config) { c.Page.Hosts = []string{"::1", "192.0.2.1"} }, ""},
		{"peers everywhere, no endpoint", func(c *Config) { c.Peer.Listen = "0.0.0.0:1" }, "peer.listen: 0.0.0.0:1 means every address"},
		{"peers everywhere", func(c *Config) { c.Peer.Listen, c.Peer.Advertise = ":1", []string{"https://a.example:1"} }, ""},
		{"peers on an address", func(c *Config) { c.Peer.Listen = "192.0.2.1:8471" }, ""},
		{"one port for both", func(c *Config) { c.Peer.Listen = c.Page.Listen }, "is the page's address too"},
		{"one port, one of them everywhere", func(c *Config) { c.Peer.Listen, c.Peer.Advertise = ":8470", []string{"https://a"} }, "is the page's address too"},
		{"free ports for both", func(c *Config) { c.Peer.Listen, c.Page.Listen = "127.0.0.1:0", "127.0.0.1:0" }, ""},
		{"TAXII elsewhere, in clear", func(c *Config) { c.TAXII.Listen = "192.0.2.1:8472" }, "taxii.listen: 192.0.2.1:8472 is not loopback: TAXII there wants TLS"},
		{"TAXII everywhere, in clear", func(c *Config) { c.TAXII.Listen = ":8472" }, "wants TLS"},
		{"TAXII elsewhere", func(c *Config) { c.TAXII.Listen, c.TAXII.Certificate, c.TAXII.Key = ":8472", "/c.pem", "/k.pem" }, ""},
		{"TAXII at loopback", func(c *Config) { c.TAXII.Listen = "127.0.0.1:8472" }, ""},
		{"TAXII without a port", func(c *Config) { c.TAXII.Listen = "127.0.0.1" }, "taxii.listen: "},
		{"TAXII on the page's address", func(c *Config) { c.TAXII.Listen = c.Page.Listen }, "taxii.listen: 127.0.0.1:8470 is the address of page.listen too"},
		{"TAXII on the peers' address", func(c *Config) { c.TAXII.Listen = c.Peer.Listen }, "is the address of peer.listen too"},
		{"a certificate without a key", func(c *Config) { c.TAXII.Listen, c.TAXII.Certificate = "127.0.0.1:1", "/c.pem" }, "taxii.key: "},
		{"a key without a certificate", func(c *Config) { c.TAXII.Listen, c.TAXII.Key = "127.0.0.1:1", "/k.pem" }, "taxii.key: "},
		{"a certificate for the page", func(c *Config) { c.TAXII.Certificate, c.TAXII.Key = "/c.pem", "/k.pem" }, "taxii.listen: a certificate wants an address"},
		{"TAXII's own name", func(c *Config) { c.TAXII.URL = "https://taxii.example.org" }, ""},
		{"TAXII's own name with a path", func(c *Config) { c.TAXII.URL = "https://taxii.example.org/x" }, "taxii.url: "},
		{"an inbox rule", func(c *Config) { c.Inbox = Inbox{TLP: "amber", To: []string{"states", "member:b"}} }, ""},
		{"an inbox rule for the public", func(c *Config) { c.Inbox = Inbox{TLP: "clear", To: []string{"everyone"}} }, ""},
		{"an inbox rule for the public by mistake", func(c *Config) { c.Inbox = Inbox{To: []string{"everyone"}} }, "inbox.to: everyone may read CLEAR alone"},
		{"an inbox rule for nobody", func(c *Config) { c.Inbox = Inbox{To: []string{"A"}} }, "inbox.to: "},
		{"an inbox rule of no marking", func(c *Config) { c.Inbox = Inbox{TLP: "pink"} }, "inbox.tlp: "},
		{"an inbox rule for RED", func(c *Config) { c.Inbox = Inbox{TLP: "red"} }, "inbox.tlp: RED is published by people"},
		{"http endpoint", func(c *Config) { c.Peer.Advertise = []string{"http://a:1"} }, "peer.advertise: "},
		{"endpoint with a path", func(c *Config) { c.Peer.Advertise = []string{"https://a:1/x"} }, "peer.advertise: "},
		{"endpoint with a user", func(c *Config) { c.Peer.Advertise = []string{"https://u:p@a:1"} }, "peer.advertise: "},
		{"endpoint nowhere", func(c *Config) { c.Peer.Advertise = []string{"https://0.0.0.0:1"} }, "peer.advertise: "},
		{"no hold", func(c *Config) { c.Hold = 0 }, ""},
		{"endless hold", func(c *Config) { c.Hold = Duration(91 * day) }, "hold: 91d is more than 90d"},
		{"deny oneself", func(c *Config) { c.Deny = []string{c.Member} }, "deny: "},
		{"deny a bad name", func(c *Config) { c.Deny = []string{"A"} }, "deny: "},
		{"keep nothing", func(c *Config) { c.Detections.MaxAge = 0 }, "detections.max_age: "},
		{"keep too little", func(c *Config) { c.Detections.MaxSize = 1 }, "detections.max_size: less than 1MiB"},
		{"frantic tick", func(c *Config) { c.Sightings.Tick = 1 }, "sightings.tick: "},
		{"as nobody", func(c *Config) { c.Sightings.As = "nobody" }, "sightings.as: "},
		{"as no sector", func(c *Config) { c.Sightings.As = AsSector }, "sightings.as: wants sightings.sector"},
		{"as a sector", func(c *Config) { c.Sightings.As, c.Sightings.Sector = AsSector, "energy" }, ""},
		{"sightings for all to see", func(c *Config) { c.Sightings.To = []string{"everyone"} }, "sightings.to: everyone would tell"},
		{"sightings to the alliance", func(c *Config) { c.Sightings.To = []string{"alliance", "states", "group:rail", "member:a"} }, ""},
		{"sightings to a bad reader", func(c *Config) { c.Sightings.To = []string{"user:a"} }, "sightings.to: "},
		{"follow nothing", func(c *Config) { c.Ingest.Follow = []Follow{{}} }, "ingest.follow[0]: path: names no"},
		{"follow itself", func(c *Config) { c.Ingest.Follow = []Follow{{Path: c.Data + "/detections.jsonl"}} }, "would read what it writes"},
		{"follow above itself", func(c *Config) { c.Ingest.Follow = []Follow{{Path: "/"}} }, "would read what it writes"},
		{"follow twice", func(c *Config) { c.Ingest.Follow = []Follow{{Path: "/v"}, {Path: "/v"}} }, "ingest.follow[1]: path: /v is followed twice"},
		{"follow with a bad format", func(c *Config) { c.Ingest.Follow = []Follow{{Path: "/v", Format: "csv"}} }, `ingest.follow[0]: format: "csv" is no format: want json, zeek, auditd, syslog, xml`},
		{"follow with a bad logsource", func(c *Config) { c.Ingest.Follow = []Follow{{Path: "/v", Product: "a b"}} }, "logsource"},
		{"bad level", func(c *Config) { c.Log.Level = "loud" }, "log.level: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(Flags{}, linux(home))
			if err != nil {
				t.Fatal(err)
			}
			tt.set(&c)
			err = c.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
