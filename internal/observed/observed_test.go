package observed

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/event"
	"shieldwall/internal/stixpattern"
)

// eventOf makes an event of name, value, name, value ...
func eventOf(fields ...string) *event.Event {
	ev := &event.Event{}
	for i := 0; i+1 < len(fields); i += 2 {
		ev.Fields = append(ev.Fields, event.Field{Name: fields[i], Value: event.Str(fields[i+1])})
	}
	return ev
}

var (
	process = eventOf("EventID", "1", "Image", `C:\Windows\System32\Rundll32.exe`, "CommandLine", `rundll32 "A B".dll,x`, "ProcessId", "4711",
		"ParentImage", `C:\Office\WINWORD.EXE`, "ParentCommandLine", "winword /n", "ParentProcessId", "12", "User", `LAB\alice`,
		"CurrentDirectory", `C:\Temp\`, "IntegrityLevel", "High", "Product", "Windows", "Hashes", "MD5=AB,SHA256=0F0F,IMPHASH=CC")
	creation  = eventOf("EventID", "4688", "NewProcessName", `C:\x\a.exe`, "NewProcessId", "0x1f", "ProcessId", "0x10", "ParentProcessName", `C:\x\p.exe`, "SubjectUserName", "bob")
	load      = eventOf("Image", `C:\a\host.exe`, "ImageLoaded", `C:\b\evil.dll`, "Hashes", "SHA1=DD")
	written   = eventOf("Image", `C:\a\host.exe`, "TargetFilename", `/tmp/x/evil.bin`)
	traffic   = eventOf("Image", `C:\a\host.exe`, "SourceIp", "10.1.2.3", "SourcePort", "50000", "DestinationIp", "2001:DB8:0::1", "DestinationPort", "443", "Protocol", "TCP")
	contact   = eventOf("Image", `C:\a\host.exe`, "DestinationIp", "192.0.2.1")
	dns       = eventOf("QueryName", "EVIL.Example.", "Image", "/usr/bin/curl")
	registry2 = eventOf("EventType", "SetValue", "TargetObject", `HKLM\Software\Run\Evil`, "Details", "calc.exe")
	mail      = eventOf("From", "<Mallory@Evil.example>", "To", "bob@good.example", "Subject", "Invoice")
	proxy     = eventOf("c-uri", "http://evil.example/A?b", "cs-method", "POST", "c-useragent", "Mozilla", "cs-host", "evil.example")
)

func TestObjects(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		ev      *event.Event
		want    bool
	}{
		{`[process:command_line = 'rundll32 "A B".dll,x']`, process, true},
		{`[process:command_line = 'RUNDLL32 "A B".dll,x']`, process, false}, // STIX is case-sensitive
		{`[process:command_line LIKE '%.dll,_']`, process, true},
		{`[process:command_line MATCHES 'dll,\\w$']`, process, true},
		{`[process:image_ref.name = 'Rundll32.exe']`, process, true},
		{`[process:image_ref.name = 'C:\\Windows\\System32\\Rundll32.exe']`, process, false},
		{`[process:image_ref.parent_directory_ref.path = 'C:\\Windows\\System32']`, process, true},
		{`[process:image_ref.hashes.'SHA-256' = '0f0f' AND process:pid = 4711]`, process, true},
		{`[process:parent_ref.command_line = 'winword /n' AND process:command_line LIKE 'rundll32%']`, process, true},
		{`[process:command_line = 'winword /n']`, process, false}, // the parent has an event of its own
		{`[process:parent_ref.image_ref.name = 'WINWORD.EXE' AND process:pid > 4000 AND process:pid < 5000]`, process, true},
		{`[process:creator_user_ref.account_login = 'alice']`, process, true},
		{`[user-account:account_login = 'LAB\\alice']`, process, true},
		{`[process:cwd = 'C:\\Temp\\' AND process:extensions.'windows-process-ext'.integrity_level = 'high']`, process, true},
		{`[software:name = 'Windows']`, process, true},
		{`[file:hashes.MD5 = 'aB' AND file:name = 'Rundll32.exe']`, process, true},
		{`[file:hashes.MD5 = 'AB' AND file:name = 'WINWORD.EXE']`, process, false}, // another file's hash
		{`[process:parent_ref.image_ref.name = 'WINWORD.EXE']`, process, true},
		{`[file:name = 'host.exe' AND NOT EXISTS file:hashes.'SHA-1']`, load, true},
		{`[process:pid = 31 AND process:parent_ref.pid = 16 AND process:name = 'a.exe' AND process:parent_ref.name = 'p.exe']`, creation, true},
		{`[process:pid != 16]`, creation, true},
		{`[user-account:account_login = 'bob']`, creation, true},
		{`[file:name = 'evil.dll' AND file:hashes.'SHA-1' = 'dd']`, load, true},
		{`[file:name = 'host.exe' AND file:hashes.'SHA-1' = 'dd']`, load, false},
		{`[file:name = 'evil.bin' AND file:parent_directory_ref.path = '/tmp/x']`, written, true},
		{`[directory:path = '/tmp/x']`, written, true},
		{`[network-traffic:dst_port IN (80, 443) AND network-traffic:src_ref.value ISSUBSET '10.0.0.0/8']`, traffic, true},
		{`[network-traffic:dst_ref.value = '2001:db8::0:1']`, traffic, true},
		{`[network-traffic:dst_ref.value ISSUBSET '2001:db8::/32' AND network-traffic:protocols[*] = 'tcp']`, traffic, true},
		{`[network-traffic:protocols[0] = 'TCP']`, traffic, true},
		{`[process:opened_connection_refs[*].dst_port = 443]`, traffic, true},
		{`[network-traffic:dst_ref.value = '192.0.2.1']`, contact, true}, // neither ports nor a protocol
		{`[network-traffic:src_ref.value = '192.0.2.1']`, contact, false},
		{`[process:opened_connection_refs[*].dst_ref.value = '192.0.2.1']`, contact, true},
		{`[network-traffic:dst_port != 443]`, contact, false},
		{`[network-traffic:dst_ref.value != '192.0.2.1']`, process, false},
		{`[ipv4-addr:value NOT ISSUBSET '10.0.0.0/8']`, traffic, false},
		{`[ipv4-addr:value LIKE '10.1.%']`, traffic, true},
		{`[domain-name:value LIKE '%.EXAMPLE']`, dns, true},
		{`[domain-name:value MATCHES '^Evil\\.']`, dns, true},
		{`[domain-name:value != 'evil.example']`, dns, false},
		{`[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\Software\\Run\\Evil']`, registry2, true},
		{`[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\Software\\Run' AND windows-registry-key:values[*].name = 'Evil' AND windows-registry-key:values[0].data = 'calc.exe']`, registry2, true},
		{`[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\Software\\Run\\Evil' AND windows-registry-key:values[*].data = 'calc.exe']`, registry2, false},
		{`[email-message:from_ref.value = 'mallory@evil.example' AND email-message:to_refs[*].value = 'bob@good.example' AND email-message:subject = 'Invoice']`, mail, true},
		{`[url:value = 'http://evil.example/A?b']`, proxy, true},
		{`[network-traffic:extensions.'http-request-ext'.request_method = 'POST' AND network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' LIKE 'Moz%']`, proxy, true},
		{`[EXISTS process:parent_ref.command_line]`, process, true},
		{`[EXISTS process:parent_ref.command_line]`, creation, false},
	} {
		_, p := candidate(t, tt.pattern)
		if got := !p.Look(Objects(tt.ev)).Empty(); got != tt.want {
			t.Errorf("%s: %v", tt.pattern, got)
		}
	}
}

func candidate(t *testing.T, text string) (string, *stixpattern.Pattern) {
	t.Helper()
	tree, err := stixpattern.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	rule, p, err := Candidate(tree)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return fmt.Sprint(rule.FieldNames()), p
}

// TestRest: fields that a decoder left out because no rule asks for them are fetched.
func TestRest(t *testing.T) {
	ev := eventOf("Image", `C:\a.exe`)
	ev.Rest = func(e *event.Event) {
		e.Fields = eventOf("Image", `C:\a.exe`, "ImageLoaded", `C:\b.dll`, "Hashes", "MD5=1").Fields
	}
	_, p := candidate(t, `[file:name = 'b.dll' AND file:hashes.MD5 = '1']`)
	if p.Look(Objects(ev)).Empty() || len(ev.Fields) != 1 {
		t.Error("the rest of the event is not seen, or the event was changed")
	}
}

// TestLists: each item of a list is an observable of its own.
func TestLists(t *testing.T) {
	ev := eventOf("From", "a@a.example", "Subject", "x")
	ev.Fields = append(ev.Fields, event.Field{Name: "To", Value: event.Value{Kind: event.List, Items: []event.Value{
		event.Str("b@b.example"), {Kind: event.Null}, event.Str("not an address"), event.Str("C@c.example")}}})
	for text, want := range map[string]bool{
		`[email-addr:value = 'c@c.example']`:                                               true,
		`[email-message:to_refs[*].value = 'c@c.example' AND email-message:subject = 'x']`: true,
		`[email-message:to_refs[1].value = 'c@c.example']`:                                 true,
		`[email-message:to_refs[0].value = 'c@c.example']`:                                 false,
		`[email-message:to_refs[2].value != 'x']`:                                          false,
		`[email-addr:value = 'b@b.example' AND email-addr:value = 'c@c.example']`:          false,
		`[email-addr:value = 'b@b.example' AND NOT EXISTS email-addr:value]`:               false,
	} {
		if _, p := candidate(t, text); p.Look(Objects(ev)).Empty() == want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}

func TestUnsupported(t *testing.T) {
	for _, tt := range []struct{ pattern, want string }{
		{`[process:command_line = 'x' OR mutex:name = 'x']`, "character 32: object path mutex:name has no field"},
		{`[process:parent_ref = 'x']`, "object path process:parent_ref has no field"},
		{`[network-traffic:protocols[1] = 'x']`, "object path network-traffic:protocols[1] has no field"},
		{`[file:hashes.SSDEEP = 'x']`, "object path file:hashes.SSDEEP has no field"},
		{`[process:parent_ref.parent_ref.command_line = 'x']`, "has no field"},
		{`[process:pid = 1 AND domain-name:value = 'x']`, "no observable can have all"},
		{`[process:command_line MATCHES '(?=x)']`, "lookaround"},
		{`[process:command_line MATCHES '` + strings.Repeat("(", 5000) + `']`, "more than 4096 bytes"},
		{`[ipv4-addr:value ISSUBSET 'x']`, "no address"},
		{`[process:pid = 1` + strings.Repeat(" OR process:pid = 1", MaxTests) + `]`, "more than 1000 comparisons"},
		{`[process:pid IN (1` + strings.Repeat(", 1", MaxLiterals) + `)]`, "more than 10000 values"},
	} {
		tree, err := stixpattern.Parse(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = Candidate(tree)
		var a *UnsupportedError
		var b *stixpattern.Error
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &a) && !errors.As(err, &b) {
			t.Errorf("%.80s: %v", tt.pattern, err)
		}
	}
}

// TestTable: the table in the documentation is this one, and its roles are sound.
func TestTable(t *testing.T) {
	var b strings.Builder
	if err := Table(&b); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("TABLE.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), b.String()) {
		if os.Getenv("UPDATE") != "" {
			head, _, _ := strings.Cut(string(doc), "```\n")
			if err := os.WriteFile("TABLE.md", []byte(head+"```\n"+b.String()+"```\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		t.Error("TABLE.md is not what Table prints: UPDATE=1 go test ./internal/observed")
	}
	ids := map[string]bool{}
	for _, r := range roles {
		if ids[r.id()] || len(r.properties) == 0 {
			t.Errorf("%s is there twice, or has no property", r.id())
		}
		ids[r.id()] = true
	}
	if names := FieldNames(); !slices.Contains(names, "Details") || !slices.Contains(names, "ImageLoaded") || !slices.IsSorted(names) {
		t.Errorf("fields: %q", names)
	}
	reads := map[string]bool{} // path -> folded
	for _, r := range roles {
		for _, ref := range r.references {
			for _, id := range ref.roles {
				if !ids[id] {
					t.Errorf("%s refers to %s", r.id(), id)
				}
			}
		}
		for _, p := range r.properties {
			for _, f := range p.fields {
				path := r.typ + ":" + strings.Join(p.path, ".")
				if before, known := reads[path]; known && before != f.read.folds() {
					t.Errorf("%s is folded in one place and not in another", path)
				}
				reads[path] = f.read.folds()
			}
		}
	}
	if !regexp.MustCompile(`(?m)^process:parent_ref\.?`).MatchString(b.String()) {
		t.Error("no references in the table")
	}
}
