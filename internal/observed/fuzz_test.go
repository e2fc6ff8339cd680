package observed_test

import (
	"strings"
	"testing"

	"shieldwall/internal/event"
	"shieldwall/internal/match/naive"
	"shieldwall/internal/observed"
	"shieldwall/internal/stixpattern"
)

// fuzzed makes an event of lines, name=value; a name that comes again makes a list.
func fuzzed(text string) *event.Event {
	ev := &event.Event{}
	at := map[string]int{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || len(ev.Fields) > 50 {
			continue
		}
		if i, again := at[name]; again {
			v := &ev.Fields[i].Value
			if v.Kind != event.List {
				*v = event.Value{Kind: event.List, Items: []event.Value{*v}}
			}
			v.Items = append(v.Items, event.Str(value))
			continue
		}
		at[name] = len(ev.Fields)
		ev.Fields = append(ev.Fields, event.Field{Name: name, Value: event.Str(value)})
	}
	return ev
}

var seeds = [][2]string{
	{`[process:command_line = 'rundll32 "A B".dll,x']`, "CommandLine=rundll32 \"A B\".dll,x\nImage=C:\\a.exe"},
	{`[process:image_ref.name = 'Rundll32.exe' AND process:pid = 4711]`, "Image=C:\\Windows\\Rundll32.exe\nProcessId=4711"},
	{`[process:pid = 31 AND process:parent_ref.pid = 16]`, "NewProcessName=a.exe\nNewProcessId=0x1f\nProcessId=0x10"},
	{`[file:hashes.MD5 = 'aB' AND file:name LIKE '%.exe']`, "Image=C:\\a\\x.exe\nHashes=MD5=AB,SHA256=0F"},
	{`[network-traffic:dst_ref.value ISSUBSET '2001:db8::/32' AND network-traffic:protocols[*] = 'tcp']`, "SourceIp=10.1.2.3\nDestinationIp=2001:DB8:0::1\nDestinationPort=443\nProtocol=TCP"},
	{`[ipv4-addr:value NOT ISSUBSET '10.0.0.0/8']`, "SourceIp=192.0.2.1"},
	{`[domain-name:value MATCHES '^Evil\\.'] FOLLOWEDBY [url:value != 'x'] WITHIN 5 SECONDS`, "QueryName=EVIL.Example.\nc-uri=http://x/"},
	{`[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\Software\\Run' AND windows-registry-key:values[*].name = 'Evil']`, "TargetObject=HKLM\\Software\\Run\\Evil\nDetails=calc.exe\nEventType=SetValue"},
	{`[email-message:to_refs[*].value = 'b@b.example' OR EXISTS email-message:subject]`, "From=a@a.example\nTo=b@b.example\nTo=c@c.example\nSubject=x"},
	{`[user-account:account_login IN ('alice', 'bob') AND NOT EXISTS user-account:user_id]`, "User=LAB\\alice"},
}

func TestSeeds(t *testing.T) {
	if len(seeds) < 10 {
		t.Errorf("%d seeds", len(seeds))
	}
	for _, s := range seeds {
		if tree, err := stixpattern.Parse(s[0]); err != nil {
			t.Errorf("%s: %v", s[0], err)
		} else if _, _, err := observed.Candidate(tree); err != nil {
			t.Errorf("%s: %v", s[0], err)
		}
	}
}

// FuzzCandidate: wherever a test of a pattern holds on an event's observables, the rule that looks for candidates holds
// on the event. Otherwise a pattern would miss what it describes.
func FuzzCandidate(f *testing.F) {
	for _, s := range seeds {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, fields string) {
		if len(text) > 2000 || len(fields) > 4000 {
			return
		}
		tree, err := stixpattern.Parse(text)
		if err != nil {
			return
		}
		rule, p, err := observed.Candidate(tree)
		if err != nil {
			return
		}
		ev := fuzzed(fields)
		if p.Look(observed.Objects(ev)).Empty() {
			return
		}
		plain, err := naive.New(rule)
		if err != nil {
			t.Fatalf("the rule for %s does not compile: %v", text, err)
		}
		var r naive.Record
		r.Load(ev.Fields)
		if !plain.Match(&r) {
			t.Fatalf("%s\nholds on\n%s\nand its candidates leave it out", text, fields)
		}
	})
}
