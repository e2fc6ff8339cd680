package ocsf_test

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/ocsf"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

//go:embed testdata/ocsf.json
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
		if ocsf.Is(taxonomy.MarksOf(ev)) {
			ocsf.Name(ev)
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
		{"windows/process_creation/", "ws-12", map[string]string{"Image": `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`,
			"CommandLine": "powershell.exe -enc AAAA", "ParentImage": `C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE`, "User": "alice",
			"Hashes": "MD5=D41D8CD98F00B204E9800998ECF8427E,SHA256=E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", "ProcessId": "815"}},
		{"linux/network_connection/", "srv-1", map[string]string{"Image": "/bin/bash", "Initiated": "true", "DestinationHostname": "tunnel.eu.ngrok.com", "DestinationPort": "4444", "src_ip": "10.0.0.7"}},
		{"/dns/", "", map[string]string{"query": "api.telegram.org", "QueryName": "api.telegram.org", "answer": "[192.0.2.1]"}},
		{"/proxy/", "", map[string]string{"c-useragent": "Microsoft BITS/7.8", "cs-host": "evil.example.tk", "c-uri": "[/p.exe?i=1 https://evil.example.tk/p.exe?i=1]", "sc-status": "200"}},
		{"linux/file_event/", "", map[string]string{"TargetFilename": "/etc/cron.d/backdoor", "Image": "/usr/bin/vim", "User": "root"}},
		{"windows/registry_set/", "", map[string]string{"TargetObject": `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\evil`, "Details": `C:\x.exe`}},
		{"aws//cloudtrail", "", map[string]string{"eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com", "sourceIPAddress": "192.0.2.77",
			"userIdentity.type": "IAMUser", "requestParameters.name": "my-trail", "requestParameters": "[my-trail]", "eventType": "AwsApiCall", "SourceIp": "192.0.2.77"}},
		{"/firewall/", "", map[string]string{"dst_ip": "89.185.234.145", "dst_port": "23", "blocked": "false", "Initiated": "true"}},
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
	if got[0].Time.UnixMilli() != 1700000000123 {
		t.Errorf("time %v", got[0].Time)
	}
}

// TestFingerprintsByNumber: the number of an algorithm is required, its name is not.
func TestFingerprintsByNumber(t *testing.T) {
	for hashes, want := range map[string]string{
		`[{"algorithm_id":3,"value":"ab"},{"algorithm_id":1,"value":"cd"},{"algorithm_id":6,"value":"ee"}]`:           "SHA256=AB,MD5=CD",
		`[{"algorithm_id":3,"algorithm":"SHA-256","value":"ab"},{"algorithm_id":2,"algorithm":"SHA-1","value":"cd"}]`: "SHA256=AB,SHA1=CD",
		`[{"algorithm_id":3,"algorithm":"SHA-256","value":"ab"},{"algorithm_id":2,"value":"cd"}]`:                     "SHA256=AB,SHA1=CD",
		`[{"algorithm_id":3},{"value":"cd"},{"value":"ef"}]`:                                                          "",
	} {
		ev := read(t, []byte(`{"class_uid":1001,"activity_id":1,"metadata":{"version":"1"},"file":{"path":"/x","hashes":`+hashes+`}}`))[0]
		if v, _ := ev.Get("Hashes"); v.Text != want {
			t.Errorf("%s: %q, want %q", hashes, v.Text, want)
		}
	}
}

func TestMail(t *testing.T) {
	ev := read(t, []byte(`{"class_uid":4009,"metadata":{"version":"1"},"email":{"from":"A <a@x.example>","to":["b@y.example","c@y.example"],"subject":"hello"}}`))[0]
	for name, want := range map[string]string{"From": "A <a@x.example>", "To": "[b@y.example c@y.example]", "Subject": "hello"} {
		if v, _ := ev.Get(name); spell(v) != want {
			t.Errorf("%s is %q, want %q", name, spell(v), want)
		}
	}
}

// TestIs: what only looks like it is left alone.
func TestIs(t *testing.T) {
	for _, line := range []string{
		`{"class_uid":1007,"time":1700000000123}`,
		`{"metadata":{"version":"1"},"time":1700000000123}`,
	} {
		if ev := read(t, []byte(line))[0]; ev.Product+ev.Category+ev.Service != "" {
			t.Errorf("taken: %s", line)
		}
	}
}

func seeds() []string {
	return append(strings.Split(strings.TrimSpace(sample), "\n"),
		`{"class_uid":[1007],"metadata":{"version":1},"time":-1}`, `{"class_uid":4002,"metadata.version":"1","http_request":{"url":{"url_string":"://"}}}`,
		`{"class_uid":1007,"activity_id":1,"metadata":{"version":"1"},"process":{"file":{"hashes":[{"algorithm":"MD5"},{"value":"x"}]}}}`,
		`{"class_uid":6003,"metadata":{"version":"1","product":{"name":"CloudTrail"}},"unmapped":{"":1,"a":[{"b":2}],"class_uid":3}}`,
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
			ocsf.Name(ev)
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
			if ocsf.Is(taxonomy.MarksOf(ev)) {
				ocsf.Name(ev)
			}
		}
	}
}
