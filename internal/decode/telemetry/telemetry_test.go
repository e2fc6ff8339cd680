package telemetry_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/telemetry"
	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

const (
	windows = `{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":22,"@timestamp":"2024-01-01T00:00:00Z","QueryName":"a.example","event_type":"x","src_ip":"1.1.1.1","timestamp":"t"}`
	eve     = `{"timestamp":"2024-03-05T10:11:12.123456+0100","flow_id":1,"event_type":"dns","src_ip":"10.1.2.3","dns":{"rrname":"a.example"}}`
	zeek    = `{"_path":"dns","ts":1591367999.3,"uid":"C1","id.orig_h":"10.1.2.3","query":"a.example"}`
	trail   = `{"eventVersion":"1.08","eventSource":"s3.amazonaws.com","eventName":"ListBuckets","awsRegion":"eu-west-1","eventTime":"2023-07-19T21:11:57Z"}`
	ocsf    = `{"class_uid":4003,"time":1700000000123,"metadata":{"version":"1.1.0"},"query":{"hostname":"a.example"}}`
	ecs     = `{"@timestamp":"2024-05-06T07:08:11.000Z","event":{"category":["network"],"kind":"event"},"dns":{"question":{"name":"a.example"}}}`
	plain   = `{"message":"hello","ts":1}`
	tsv     = "#separator \\x09\n#path\tdns\n#fields\tts\tquery\n#types\ttime\tstring\n1.5\ta.example\n"
)

// read gives each event's logsource and query.
func read(t testing.TB, r *telemetry.Reader) string {
	t.Helper()
	var out []string
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(out, " ")
		}
		if bad := (*jsonl.ValueError)(nil); errors.As(err, &bad) {
			out = append(out, "fault")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		q, _ := ev.Get("QueryName")
		out = append(out, ev.Product+"/"+ev.Category+"/"+ev.Service+"="+q.Text)
	}
}

func TestReader(t *testing.T) {
	const dns = "/dns/dns=a.example"
	for name, c := range map[string]struct{ source, stream, want string }{
		"mixed": {"x", strings.Join([]string{windows, eve, zeek, trail, ocsf, ecs, plain}, "\n"),
			"//=a.example suricata" + dns + " zeek" + dns + " aws//cloudtrail= /dns/=a.example /dns/=a.example //="},
		"an array":          {"x", "[" + eve + "," + zeek + "]", "suricata" + dns + " zeek" + dns},
		"named after a log": {"logs/weird.log", plain, "zeek//weird="},
		"wrapped":           {"x", ` {"Records":[` + trail + "," + trail + "]}\n{\"Records\":[" + trail + "]}", "aws//cloudtrail= aws//cloudtrail= aws//cloudtrail="},
		"an answer": {"x", `{"took":3,"_shards":{"total":[1,{"hits":2}]},"hits":{"total":{"value":2},"hits":[` +
			`{"_index":"]","_source":` + zeek + `},` + "\n" + `{"_source":` + ecs + `}]},"aggregations":{"hits":[{"x":1}]}}`, "zeek" + dns + " /dns/=a.example"},
		"an answer without hits": {"x", `{"took":3,"hits":{"hits":[]}}`, ""},
		"an answer that is none": {"x", `{"took":3}` + "\n" + zeek, "//= zeek" + dns},
		"an answer cut":          {"x", `{"hits":{"hits":[{"_source":` + zeek + `},`, "zeek" + dns + " fault"},
		"rows of syslog": {"x", `{"TimeGenerated":"2024-01-01T00:00:00Z","Computer":"h","Facility":"authpriv","SeverityLevel":"info","ProcessName":"sudo",` +
			`"SyslogMessage":"ann : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"}` + "\n" + `{"Facility":"local0","ProcessName":"x","SyslogMessage":"m"}`,
			"linux//sudo= linux//syslog="},
		"Splunk's XML": {"x", `{"preview":false,"result":{"_time":"1","_raw":"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><EventID>22</EventID>` +
			`<Channel>c</Channel></System><EventData><Data Name='QueryName'>a.example</Data></EventData></Event>"}}`, "//=a.example"},
		"TSV":                {"x", tsv + tsv, "zeek" + dns + " zeek" + dns},
		"TSV with a bad row": {"x", tsv + "1.5\n", "zeek" + dns + " fault"},
		"a hash":             {"x", "#sep\n" + eve, "fault suricata" + dns},
		"nothing":            {"x", "", ""},
		"blanks":             {"x", strings.Repeat(" \n", 500) + eve, "suricata" + dns},
		"a fault":            {"x", eve + "\n{]\n" + zeek, "suricata" + dns + " fault zeek" + dns},
	} {
		for way, src := range map[string]io.Reader{"whole": strings.NewReader(c.stream), "bytes": iotest.OneByteReader(strings.NewReader(c.stream)),
			"early": iotest.DataErrReader(strings.NewReader(c.stream))} {
			r := telemetry.New(src, jsonl.Options{Source: c.source})
			if got := read(t, r); got != c.want {
				t.Errorf("%s, %s:\n%s, want\n%s", name, way, got, c.want)
			}
			if st := r.Stats(); st.Bytes != int64(len(c.stream)) {
				t.Errorf("%s, %s: %d of %d bytes", name, way, st.Bytes, len(c.stream))
			}
		}
	}
}

// TestEmbedded: collectors of syslog put Sysmon for Linux's XML into a field of theirs.
func TestEmbedded(t *testing.T) {
	for _, line := range []string{
		`{"winlog":{"channel":"Linux-Sysmon/Operational","event_id":"1","event_data":{"QueryName":"a.example"}}}`,
		`{"Channel":"linux-sysmon/operational","EventID":1,"QueryName":"a.example"}`,
	} {
		if got := read(t, telemetry.New(strings.NewReader(line), jsonl.Options{})); got != "linux/process_creation/sysmon=a.example" {
			t.Errorf("%s: %s", line, got)
		}
	}
	const xml = `<Event><System><Provider Name=\"Linux-Sysmon\"/><EventID>1</EventID><Channel>Linux-Sysmon/Operational</Channel></System>` +
		`<EventData><Data Name=\"QueryName\">a.example</Data></EventData></Event>`
	for stream, want := range map[string]string{
		`{"TimeGenerated":"2022-05-11T18:10:20.4Z","Computer":"h","SyslogMessage":"` + xml + `"}`: "linux/process_creation/sysmon=a.example",
		`{"Computer":"h","message":" ` + xml + `\n"}`:                                             "linux/process_creation/sysmon=a.example",
		`{"QueryName":"b.example","SyslogMessage":"` + xml[:40] + `"}`:                            "//=b.example",
		`{"QueryName":"b.example","SyslogMessage":"` + xml + ` and more"}`:                        "//=b.example",
		`{"QueryName":"b.example","Channel":"System","Message":"` + xml + `"}`:                    "//=b.example",
	} {
		got := read(t, telemetry.New(strings.NewReader(stream+"\n"+eve), jsonl.Options{Source: "x"}))
		if got != want+" suricata/dns/dns=a.example" {
			t.Errorf("%s: %s, want %s", stream, got, want)
		}
	}
	ev, err := telemetry.New(strings.NewReader(`{"TimeGenerated":"2022-05-11T18:10:20.4Z","Computer":"h","SyslogMessage":"`+xml+`"}`), jsonl.Options{Source: "x"}).Next()
	if err != nil || ev.Source != "x" || ev.Record != "1" || ev.Computer != "h" || ev.Time.IsZero() {
		t.Errorf("%+v, %v", ev, err)
	}
}

// TestSourceFails: an error of the source is the caller's to see.
func TestSourceFails(t *testing.T) {
	for _, src := range []io.Reader{iotest.ErrReader(io.ErrUnexpectedEOF), io.MultiReader(strings.NewReader("#sep"), iotest.ErrReader(io.ErrUnexpectedEOF)),
		io.MultiReader(strings.NewReader(tsv), iotest.ErrReader(io.ErrUnexpectedEOF))} {
		r := telemetry.New(src, jsonl.Options{})
		var err error
		for range 5 {
			if _, err = r.Next(); errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	}
}

// slow gives one line and then nothing, as a sender does that waits for an answer.
type slow struct {
	line string
	t    *testing.T
}

func (s *slow) Read(p []byte) (int, error) {
	if s.line == "" {
		s.t.Error("it waits for more than the first line")
		return 0, io.EOF
	}
	n := copy(p, s.line)
	s.line = s.line[n:]
	return n, nil
}

func TestNoWaiting(t *testing.T) {
	for _, line := range []string{`{"a":1}` + "\n", tsv} {
		if ev, err := telemetry.New(&slow{line, t}, jsonl.Options{}).Next(); err != nil || ev == nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestRest: a decoder that left fields out is asked for them before the event is judged.
func TestRest(t *testing.T) {
	var names event.Names
	slot := names.Want("QueryName")[0]
	ev := event.Event{Names: &names}
	ev.Rest = func(e *event.Event) {
		for _, name := range []string{"event_type", "timestamp", "src_ip", "dns.rrname"} {
			e.Fields = append(e.Fields, event.Field{Name: name, Value: event.Str("dns")})
		}
	}
	telemetry.Name(&ev, "")
	if ev.Product != "suricata" || ev.Rest != nil {
		t.Fatalf("%+v", ev)
	}
	for _, f := range ev.Fields {
		if f.Name == "QueryName" && f.Slot == slot {
			return
		}
	}
	t.Error("QueryName has no slot")
}

func seeds() []string {
	return []string{windows, eve, zeek, trail, ocsf, ecs, plain, tsv, `{"Records":[` + trail + "]}", "#separator", ` {"Recor`, "[" + eve + "]",
		`{"took":1,"hits":{"hits":[{"_source":` + zeek + `}]}}`, ` { "hits" : {"hits":[`, `{"Facility":"cron","ProcessName":"sshd","SyslogMessage":"for a from 1.1.1.1 port 2"}`}
}

func TestSeeds(t *testing.T) {
	if n := len(seeds()); n < 15 {
		t.Errorf("%d seeds", n)
	}
}

// FuzzReader: every stream ends, every byte of it is accounted for, and how it arrives makes no difference.
func FuzzReader(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		whole := telemetry.New(bytes.NewReader(data), jsonl.Options{Source: "conn.log"})
		pieces := telemetry.New(iotest.OneByteReader(bytes.NewReader(data)), jsonl.Options{Source: "conn.log"})
		if a, b := read(t, whole), read(t, pieces); a != b {
			t.Errorf("%s\n%s", a, b)
		}
	})
}

// BenchmarkName is what telling formats apart costs, by what it meets.
func BenchmarkName(b *testing.B) {
	for _, c := range []struct{ name, line string }{
		{"windows", windows}, {"eve", eve}, {"zeek", zeek}, {"cloudtrail", trail}, {"ocsf", ocsf}, {"ecs", ecs}, {"unknown", plain},
	} {
		b.Run(c.name, func(b *testing.B) {
			ev, err := jsonl.New(strings.NewReader(c.line), jsonl.Options{}).Next()
			if err != nil {
				b.Fatal(err)
			}
			n := len(ev.Fields)
			b.SetBytes(int64(len(c.line)))
			b.ReportAllocs()
			for b.Loop() {
				ev.Fields, ev.Product = ev.Fields[:n], ""
				telemetry.Name(ev, "")
			}
		})
	}
}

// BenchmarkReader reads the samples of all formats, mixed; "scanned" is the same without names.
func BenchmarkReader(b *testing.B) {
	var mixed bytes.Buffer
	for _, path := range []string{"../eve/testdata/eve.json", "../zeek/testdata/json.log", "../ocsf/testdata/ocsf.json", "../ecs/testdata/ecs.json"} {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		mixed.Write(data)
	}
	stream := bytes.Repeat(mixed.Bytes(), 50)
	type reader interface{ Next() (*event.Event, error) }
	for name, open := range map[string]func() reader{
		"named":   func() reader { return telemetry.New(bytes.NewReader(stream), jsonl.Options{}) },
		"scanned": func() reader { return jsonl.New(bytes.NewReader(stream), jsonl.Options{}) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			events := 0
			for b.Loop() {
				for r := open(); ; events++ {
					if _, err := r.Next(); err != nil {
						break
					}
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// TestMakes tells log sources that decoders give from those that somebody has to say.
func TestMakes(t *testing.T) {
	for text, want := range map[string]bool{
		"linux//auditd": true, "linux//sshd": true, "linux/process_creation/": true, "linux//": true, "macos/process_creation/": true, "zeek//weird": true,
		"suricata/dns/dns": true, "aws//cloudtrail": true, "/proxy/": true, "/firewall/": true, "//apache": true, "//": true,
		"linux/process_creaton/": false, "linux//bind": false, "azure//auditlogs": false, "aws//vpcflow": false, "/antivirus/": false, "macos//syslog": false,
	} {
		part := strings.Split(text, "/")
		if got := telemetry.Makes(sigma.Logsource{Product: part[0], Category: part[1], Service: part[2]}); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	// What the streams above are read as, some decoder makes.
	for _, s := range seeds() {
		r := telemetry.New(strings.NewReader(s), jsonl.Options{})
		for {
			ev, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil && ev.Channel == "" && !telemetry.Makes(sigma.Logsource{Product: ev.Product, Category: ev.Category, Service: ev.Service}) {
				t.Errorf("%s/%s/%s is read, and no decoder makes it", ev.Product, ev.Category, ev.Service)
			}
		}
	}
}
