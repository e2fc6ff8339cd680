package zeek

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

var (
	//go:embed testdata/conn.log
	connLog string
	//go:embed testdata/dns.log
	dnsLog string
	//go:embed testdata/json.log
	jsonLog string
)

type reader interface {
	Next() (*event.Event, error)
}

// drain gives events and faults in order.
func drain(t testing.TB, r reader, each func(*event.Event)) (out []event.Event, faults []error) {
	t.Helper()
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, faults
		}
		if bad := (*jsonl.ValueError)(nil); errors.As(err, &bad) {
			faults = append(faults, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if each != nil {
			each(ev)
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

func expect(t *testing.T, ev *event.Event, logsource string, fields map[string]string) {
	t.Helper()
	if got := ev.Product + "/" + ev.Category + "/" + ev.Service; got != logsource {
		t.Errorf("line %s: logsource %s, want %s", ev.Record, got, logsource)
	}
	for name, want := range fields {
		if v, ok := ev.Get(name); !ok || spell(v) != want {
			t.Errorf("line %s: %s is %q, want %q", ev.Record, name, spell(v), want)
		}
	}
}

func TestTSV(t *testing.T) {
	got, faults := drain(t, New(strings.NewReader(connLog+dnsLog), "logs/whatever.log"), nil)
	if len(got) != 3 || len(faults) != 0 {
		t.Fatalf("%d events, faults %v", len(got), faults)
	}
	expect(t, &got[0], "zeek/network_connection/conn", map[string]string{
		"id.orig_h": "192.168.4.76", "SourceIp": "192.168.4.76", "src_ip": "192.168.4.76", "dst_port": "53", "Protocol": "udp",
		"local_orig": "true", "duration": "0.066851", "service": "dns"})
	if want := time.Unix(1591367999, 305988000); !got[0].Time.Equal(want) || got[0].Record != "9" || got[0].Source != "logs/whatever.log" {
		t.Errorf("%v %s %s", got[0].Time, got[0].Record, got[0].Source)
	}
	if _, ok := got[0].Get("tunnel_parents"); ok {
		t.Error("an unset field is there")
	}
	if v, ok := got[1].Get("tunnel_parents"); !ok || v.Kind != event.List || len(v.Items) != 0 {
		t.Errorf("an empty set is %v", v)
	}
	if v, _ := got[0].Get("id.orig_p"); v.Kind != event.Number {
		t.Errorf("a port is %v", v)
	}
	expect(t, &got[2], "zeek/dns/dns", map[string]string{
		"query": "pool.minexmr.com", "QueryName": "pool.minexmr.com", "record_type": "A", "rejected": "false", "Z": "0",
		"answers": `[a,b.example 31.3.245.133 café\x00]`, "answer": `[a,b.example 31.3.245.133 café\x00]`})
}

func TestJSON(t *testing.T) {
	got, faults := drain(t, jsonl.New(strings.NewReader(jsonLog), jsonl.Options{}), func(ev *event.Event) {
		if !Is(taxonomy.MarksOf(ev), "") {
			t.Errorf("line %s is not taken for Zeek's", ev.Record)
		}
		Name(ev, "")
	})
	if len(got) != 5 || len(faults) != 0 {
		t.Fatalf("%d events, faults %v", len(got), faults)
	}
	expect(t, &got[0], "zeek/network_connection/conn", map[string]string{"DestinationIp": "192.168.4.1", "DestinationPort": "53"})
	expect(t, &got[1], "zeek/dns/dns", map[string]string{"QueryName": "pool.minexmr.com"})
	expect(t, &got[2], "zeek/proxy/http", map[string]string{"cs-host": "testmyids.com", "c-useragent": "curl/7.47.0", "cs-method": "GET",
		"c-uri": "[/vpns/cfg/smb.conf?x=1 http://testmyids.com/vpns/cfg/smb.conf?x=1]", "cs-uri-stem": "/vpns/cfg/smb.conf", "sc-status": "200"})
	expect(t, &got[3], "zeek//dce_rpc", map[string]string{"SourceIp": "10.0.0.5", "endpoint": "svcctl"})
	expect(t, &got[4], "zeek//x509", map[string]string{"certificate.serial": "8BB00EE"})
	for i, want := range []int64{1591367999305988000, 1591367999306059000, 1591368002112000000, 1591368003500000000, 1591368004000000000} {
		if got[i].Time.UnixNano() != want {
			t.Errorf("line %s: time %v", got[i].Record, got[i].Time)
		}
	}
	if got[1].Computer != "sensor-3" {
		t.Errorf("computer %q", got[1].Computer)
	}
}

// TestFormsAgree: a record says the same in TSV and in JSON.
func TestFormsAgree(t *testing.T) {
	a, _ := drain(t, New(strings.NewReader(connLog), "conn.log"), nil)
	b, _ := drain(t, jsonl.New(strings.NewReader(jsonLog), jsonl.Options{}), func(ev *event.Event) { Name(ev, "") })
	for _, f := range b[0].Fields {
		if v, ok := a[0].Get(f.Name); !ok || v.Kind != f.Value.Kind || v.Text != f.Value.Text {
			t.Errorf("%s: %v in JSON, %v in TSV", f.Name, f.Value, v)
		}
	}
}

func TestHint(t *testing.T) {
	for source, want := range map[string]string{
		"conn.log": "conn", "a/b/dns.log.gz": "dns", "x.zip!logs/http.2024-03-05-10-00-00.log": "http",
		`C:\logs\ssl_20240305_10:00:00-11:00:00+0000.log`: "ssl", "dns.10:00:00-11:00:00.log.gz": "dns", "dns_red_20240305.log": "dns",
		"dce_rpc.log": "dce_rpc", "smb_files-20240305.log": "smb_files",
		"stats.json":      "",
		"connections.log": "", "conn-summary.log": "", "evil.json": "", "dns": "", "": "", "ingest:dns": "",
	} {
		if got := Hint(source); got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

// TestGuess: every sign has a bit of its own and names a log that is known.
func TestGuess(t *testing.T) {
	if len(signBits) > 64 {
		t.Errorf("%d names for 64 bits", len(signBits))
	}
	for _, s := range signs {
		if _, known := kinds[s.log]; !known || s.need == 0 {
			t.Errorf("%+v", s)
		}
		ev := &event.Event{}
		for name, bit := range signBits {
			if s.need>>bit&1 != 0 {
				ev.Fields = append(ev.Fields, event.Field{Name: name})
			}
		}
		if got := guess(ev); got != s.log {
			t.Errorf("%v: %s, want %s", ev.Fields, got, s.log)
		}
		ev.Fields = ev.Fields[1:]
		if got := guess(ev); got == s.log {
			t.Errorf("%v is enough for %s", ev.Fields, got)
		}
	}
}

// TestHostile: a bad line costs that line, and says why.
func TestHostile(t *testing.T) {
	head := "#separator \\x09\n#path\tdns\n#fields\tts\tquery\tquery\tanswers\n#types\ttime\tstring\tstring\tvector[string]\n"
	good := "1.5\ta\tb\tc,d\n"
	for name, c := range map[string]struct {
		text   string
		events int
		err    error
		line   int64
	}{
		"good":             {head + good, 1, nil, 0},
		"no newline":       {head + strings.TrimSuffix(good, "\n"), 1, nil, 0},
		"CRLF":             {strings.ReplaceAll(head+good, "\n", "\r\n"), 1, nil, 0},
		"too few":          {head + "1.5\ta\n" + good, 1, jsonl.ErrSyntax, 5},
		"too many":         {head + "1.5\ta\tb\tc\td\n" + good, 1, jsonl.ErrSyntax, 5},
		"no header":        {good + head + good, 1, ErrHeader, 1},
		"types do not fit": {"#separator \\x09\n#fields\ta\tb\n#types\tstring\n" + "1\t2\n", 1, ErrHeader, 3},
		"no separator":     {"#separator \n" + head + good, 1, ErrHeader, 1},
		"long separator":   {"#separator \\x09\\x09\\x09\\x09\\x09\\x09\\x09\\x09\\x09\n" + head + good, 1, ErrHeader, 1},
		"empty name":       {"#separator \\x09\n#fields\ta\t\t\n" + head + good, 1, ErrHeader, 2},
		"long name":        {"#separator \\x09\n#fields\t" + strings.Repeat("a", 2000) + "\n" + head + good, 1, jsonl.ErrLongName, 2},
		"many names":       {"#separator \\x09\n#fields" + strings.Repeat("\ta", MaxFields+1) + "\n" + head + good, 1, jsonl.ErrTooManyFields, 2},
		"many items":       {head + "1.5\ta\tb\t" + strings.Repeat(",", MaxItems) + "\n" + good, 1, jsonl.ErrTooManyFields, 5},
		"long line":        {head + "1.5\t" + strings.Repeat("x", MaxLineBytes) + "\n" + good, 1, jsonl.ErrTooLong, 5},
		"long last line":   {head + good + strings.Repeat("x", 2*MaxLineBytes), 1, jsonl.ErrTooLong, 6},
		"longish line":     {head + "1.5\t" + strings.Repeat("x", MaxLineBytes/2) + "\tb\tc\n", 1, nil, 0},
	} {
		r := New(strings.NewReader(c.text), "x")
		got, faults := drain(t, r, nil)
		if len(got) != c.events {
			t.Errorf("%s: %d events", name, len(got))
		}
		if c.err == nil != (len(faults) == 0) || c.err != nil && !errors.Is(faults[0], c.err) {
			t.Errorf("%s: faults %v, want %v", name, faults, c.err)
		}
		if c.err != nil && len(faults) > 0 {
			var bad *jsonl.ValueError
			if errors.As(faults[0], &bad); bad.Line != c.line {
				t.Errorf("%s: in line %d, want %d", name, bad.Line, c.line)
			}
		}
		if st := r.Stats(); st.Bytes != int64(len(c.text)) || st.Events != int64(len(got)) || st.Errors != int64(len(faults)) {
			t.Errorf("%s: stats %+v of %d bytes", name, st, len(c.text))
		}
	}
}

func TestDecode(t *testing.T) {
	for in, want := range map[string]string{
		`plain`: "plain", `a\x09b`: "a\tb", `C:\\Users\\x`: `C:\Users\x`, `\xc3\xa9`: "é", `\xe2\x82\xac!`: "€!", `\xf0\x9f\x98\x80`: "😀",
		`\x00\xff`: `\x00\xff`, `\xc3`: `\xc3`, `\x`: `\x`, `\xzz`: `\xzz`, `\x2d`: "-", `\`: `\`, `\x1b[0m`: `\x1b[0m`, `\xef\xbf\xbd`: "\ufffd",
	} {
		if got := decode(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "-12": true, "0.000251": true, "1.5e-05": true, "1591367999.305988": true,
		"": false, "-": false, ".": false, ".5": false, "1.2.3": false, "0x10": false, "NaN": false, "inf": false, "1e": false, "12a": false, "tcp": false} {
		if got := isNumber(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func seeds() []string {
	head := "#separator \\x09\n#fields\ta\tb\n"
	return append(strings.SplitAfter(jsonLog, "\n")[:5], connLog, dnsLog, connLog+dnsLog,
		head+"1\t2\n", head+"#types\tset[int]\tvector[bool]\n1,2\tT,-\n", "#separator ,\n#set_separator,;\n#unset_field,\n#fields,a,b\n,x;y\n",
		"#separator \\x00\n#fields\x00a\nb\n", "#separator \\x09\n#types\tint\n", "#\n#\n\n", `{"ts":1e400,"uid":[],"id.orig_h":{}}`)
}

func TestSeeds(t *testing.T) {
	if n := len(seeds()); n < 15 {
		t.Errorf("%d seeds", n)
	}
}

// TestHeaderGoesOn: the header that a reader has is that of the reader which goes on behind it.
func TestHeaderGoesOn(t *testing.T) {
	const first = "#separator \\x09\n#path\tconn\n#fields\ta\tb\n#types\tstring\tcount\n#open\tx\n"
	for text, want := range map[string]string{
		"": "", "x\ty\n": "",
		first:                                 first[:len(first)-len("#open\tx\n")],
		first + "#fields\tc\n":                "#separator \\x09\n#path\tconn\n#fields\tc\n",
		first + "#separator ,\n#fields,c,d\n": "#separator ,\n#fields,c,d\n",
		"#separator way too long for one\n#fields\tc\n": "#separator \\x09\n#fields\tc\n",
	} {
		r := New(strings.NewReader(text), "x")
		drain(t, r, func(*event.Event) {})
		if got := string(r.Header()); got != want {
			t.Errorf("%q has the header %q, want %q", text, got, want)
		}
		again := Resume(r.Header(), strings.NewReader(""), "x")
		if got := string(again.Header()); got != want {
			t.Errorf("%q is resumed with %q", want, got)
		}
	}
	for line, want := range map[string]bool{"1\t2": true, "1": false, "1\t2\t3": false, "#\tx": false} {
		if Fits([]byte(first), line) != want {
			t.Errorf("%q fits: %v", line, !want)
		}
	}
	if Fits(nil, "") {
		t.Error("no header, and a line fits")
	}
}

// FuzzTSV: nothing breaks the reader, every byte is accounted for, and a name occurs once.
func FuzzTSV(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := New(bytes.NewReader(data), "dns.log")
		drain(t, r, func(ev *event.Event) { once(t, ev) })
		if st := r.Stats(); st.Bytes != int64(len(data)) {
			t.Errorf("%d of %d bytes", st.Bytes, len(data))
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		drain(t, jsonl.New(bytes.NewReader(data), jsonl.Options{}), func(ev *event.Event) {
			Name(ev, "")
			once(t, ev)
		})
	})
}

// once: a name occurs at most once.
func once(t testing.TB, ev *event.Event) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range ev.Fields {
		if seen[f.Name] {
			t.Fatalf("%s occurs twice", f.Name)
		}
		seen[f.Name] = true
	}
}

func BenchmarkTSV(b *testing.B) {
	head, rows, _ := strings.Cut(connLog, "\n1591367999")
	rows = "\n1591367999" + strings.TrimSuffix(rows, "#close\t2024-03-05-11-00-00\n")
	stream := head + strings.Repeat(strings.TrimSuffix(rows, "\n"), 2000)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		for r := New(strings.NewReader(stream), "conn.log"); ; {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	stream := strings.Repeat(jsonLog, 400)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		for r := jsonl.New(strings.NewReader(stream), jsonl.Options{}); ; {
			ev, err := r.Next()
			if err != nil {
				break
			}
			if Is(taxonomy.MarksOf(ev), "") {
				Name(ev, "")
			}
		}
	}
}
