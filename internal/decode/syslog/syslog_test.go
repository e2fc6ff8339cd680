package syslog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/decode/lines"
	"shieldwall/internal/event"
)

var hint = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

func read(t testing.TB, text string) (events []event.Event, st Stats, problems []string) {
	t.Helper()
	r := New(strings.NewReader(text), Options{Source: "s", Hint: hint, OnProblem: func(e *lines.Error) { problems = append(problems, e.Error()) }})
	err := r.Read(func(ev *event.Event) error {
		copied := *ev
		copied.Fields = slices.Clone(ev.Fields)
		events = append(events, copied)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, r.Stats(), problems
}

// The examples of RFC 3164 (5.4) and RFC 5424 (6.5), and lines as rsyslog, journalctl, sudo, sshd and the
// kernel write them.
var messages = []struct {
	line, time string
	services   string
	fields     map[string]string
}{
	{"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8", "2023-10-11T22:14:15Z", "su auth syslog",
		map[string]string{"message": "'su root' failed for lonvick on /dev/pts/8", "program": "su", "Computer": "mymachine", "facility": "auth", "severity": "crit"}},
	{"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8", "2003-10-11T22:14:15.003Z", "su auth syslog",
		map[string]string{"message": "'su root' failed for lonvick on /dev/pts/8", "msgid": "ID47", "pid": "?"}},
	{"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.", "2003-08-24T12:14:15.000003Z", "syslog",
		map[string]string{"pid": "8710", "facility": "local4", "severity": "notice", "message": "%% It's time to make the do-nuts."}},
	{`<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Appl\"i\]c\\" x="\n"][examplePriority@32473 class="high"]`, "2003-10-11T22:14:15.003Z", "syslog",
		map[string]string{"exampleSDID@32473.iut": "3", "exampleSDID@32473.eventSource": `Appl"i]c\`, "exampleSDID@32473.x": `\n`, "examplePriority@32473.class": "high", "message": "?"}},
	{"Mar  2 11:00:00 h CRON[42]: (root) CMD (x)", "2024-03-02T11:00:00Z", "cron syslog", map[string]string{"pid": "42", "program": "CRON"}},
	{"Mar  2 13:00:00 h app: x", "2023-03-02T13:00:00Z", "syslog", nil},
	{"Feb 29 13:00:00 h app: x", "2024-02-29T13:00:00Z", "syslog", nil},
	{"2024-05-01T10:00:00.123456+02:00 h sshd[7]: Failed password for invalid user x from y from 192.0.2.7 port 4711 ssh2", "2024-05-01T08:00:00.123456Z", "sshd auth syslog",
		map[string]string{"SourceIp": "192.0.2.7", "SourcePort": "4711", "User": "x from y"}},
	{"2024-05-01T10:00:00+0200 h sudo[7]:    ann : TTY=pts/0 ; PWD=/home/ann ; USER=#-1 ; COMMAND=/bin/sh -c a ; USER=b", "2024-05-01T08:00:00Z", "sudo auth syslog",
		map[string]string{"User": "ann", "TTY": "pts/0", "PWD": "/home/ann", "USER": "#-1", "COMMAND": "/bin/sh -c a ; USER=b"}},
	{"<13>Oct 11 22:14:15 app[1]: no host", "2023-10-11T22:14:15Z", "syslog", map[string]string{"program": "app", "Computer": "?"}},
	{"Oct 11 22:14:15 h no tag at all", "2023-10-11T22:14:15Z", "syslog", map[string]string{"message": "no tag at all", "program": "?"}},
	{"<190>Oct 11 22:14:15 r1 %SYS-5-CONFIG_I: Configured", "2023-10-11T22:14:15Z", "syslog", map[string]string{"program": "%SYS-5-CONFIG_I"}},
	{`Oct 11 22:14:15 h app: {"a":{"b":"c"}}`, "2023-10-11T22:14:15Z", "syslog", map[string]string{"a.b": "c", "message": "?"}},
	{`Oct 11 22:14:15 h suricata[7]: @cee: {"timestamp":"2023-10-11T22:14:14.000001+0000","flow_id":1,"event_type":"dns","src_ip":"192.0.2.1","dns":{"rrname":"a.example"}}`, "2023-10-11T22:14:14.000001Z", "dns",
		map[string]string{"query": "a.example", "SourceIp": "192.0.2.1", "message": "?"}},
	{`Oct 11 22:14:15 h app: {"a":1} and text`, "2023-10-11T22:14:15Z", "syslog", map[string]string{"message": `{"a":1} and text`}},
	{`Oct 11 22:14:15 h kernel: [    1.5] audit: type=1400 audit(1700000000.000:9): apparmor="DENIED" pid=3`, "2023-11-14T22:13:20Z", "auditd",
		map[string]string{"type": "AVC", "apparmor": "DENIED", "Computer": "h"}},
	{`Oct 11 22:14:15 h audispd: node=n type=USER_CMD msg=audit(1700000000.000:9): pid=3 msg='cmd=6C73 res=success'`, "2023-11-14T22:13:20Z", "auditd",
		map[string]string{"type": "USER_CMD", "cmd": "ls", "Computer": "n"}},
	{`Oct 11 22:14:15 h sysmon: <Event><System><Provider Name="Linux-Sysmon"/><EventID>11</EventID></System><EventData><Data Name="TargetFilename">/etc/x</Data></EventData></Event>`,
		"2023-10-11T22:14:15Z", "sysmon", map[string]string{"TargetFilename": "/etc/x", "EventID": "11"}},
}

func TestMessages(t *testing.T) {
	for i, m := range messages {
		events, _, problems := read(t, "-- Boot 1 --\n"+m.line+"\n")
		if len(events) != 1 || len(problems) != 0 {
			t.Errorf("%d: %d events, %q", i, len(events), problems)
			continue
		}
		ev := events[0]
		if got := ev.Time.Format(time.RFC3339Nano); got != m.time {
			t.Errorf("%d: at %s, want %s", i, got, m.time)
		}
		if got := strings.Join(append([]string{ev.Service}, ev.Also...), " "); got != m.services {
			t.Errorf("%d: services %q, want %q", i, got, m.services)
		}
		product := "linux"
		if strings.Contains(m.line, "%SYS") {
			product = ""
		} else if strings.Contains(m.line, "event_type") {
			product = "suricata"
		}
		if ev.Product != product {
			t.Errorf("%d: product %q", i, ev.Product)
		}
		if ev.Record != "2" || ev.Source != "s" {
			t.Errorf("%d: record %s of %s", i, ev.Record, ev.Source)
		}
		for name, want := range m.fields {
			if got, ok := ev.Get(name); ok == (want == "?") || ok && got.Text != want {
				t.Errorf("%d: %s is %q, want %q", i, name, got.Text, want)
			}
		}
	}
}

// TestProblems: a broken line costs itself alone.
func TestProblems(t *testing.T) {
	const good = "Oct 11 22:14:15 h app: x\n"
	var many strings.Builder
	for i := range MaxParams + 1 {
		fmt.Fprintf(&many, ` p%d="x"`, i)
	}
	header := "<1>1 2003-10-11T22:14:15Z h a - - "
	for bad, want := range map[string]error{
		"plain text":                 ErrNotSyslog,
		"<192>Oct 11 22:14:15 h a: ": ErrNotSyslog,
		"<1>1 yesterday h a - - - x": ErrNotSyslog,
		"<1>1 - h a":                 ErrNotSyslog,
		"<1>1 - " + strings.Repeat("h", maxWord+1) + " a - - -": ErrNotSyslog,
		header + "x":                               ErrStructuredData,
		header + `[id a="b`:                        ErrStructuredData,
		header + `[id a=b]`:                        ErrStructuredData,
		header + `[id a="b"`:                       ErrStructuredData,
		header + `[id` + many.String() + "]":       ErrStructuredData,
		strings.Repeat("x", lines.MaxLine+1):       lines.ErrTooLong,
		"Oct 11 22:14:15 h sysmon: <Event><a></b>": nil,
	} {
		events, st, problems := read(t, good+bad+"\n"+good)
		if len(events) != 2 || st.Errors != 1 || len(problems) != 1 || !strings.HasPrefix(problems[0], "line 2: ") {
			t.Errorf("%.60q: %d events, %q", bad, len(events), problems)
		}
		if want != nil && !errors.Is(want, lines.ErrTooLong) {
			if _, err := parse(bad, hint); !errors.Is(err, want) {
				t.Errorf("%.60q: %v", bad, err)
			}
		}
	}
}

func TestYieldEnds(t *testing.T) {
	stop := errors.New("stop")
	for _, m := range messages {
		n := 0
		err := New(strings.NewReader(m.line+"\n"+m.line), Options{Hint: hint}).Read(func(*event.Event) error { n++; return stop })
		if !errors.Is(err, stop) || n != 1 {
			t.Errorf("%s: %v after %d", m.line, err, n)
		}
	}
}

// TestRefused: a message that the taker refuses is given out later; a decoder that goes on gives out what was open and
// nothing else.
func TestRefused(t *testing.T) {
	const text = "Mar  1 10:00:00 h a: type=CWD msg=audit(1.0:1): cwd=\"/\"\nMar  1 10:00:00 h b: given\nbroken\nMar  1 10:00:00 h c: refused\n"
	var took []string
	refuse := true
	take := func(ev *event.Event) error {
		message, _ := ev.Get("message")
		if message.Text == "refused" && refuse {
			return errors.New("no")
		}
		took = append(took, ev.Record)
		return nil
	}
	add := func(d *Decoder) (problems int, err error) {
		var at lines.Place
		for line := range strings.Lines(text) {
			at.Line++
			err := d.Add(at, strings.TrimSuffix(line, "\n"))
			if bad := (*lines.Error)(nil); errors.As(err, &bad) {
				problems++
			} else if err != nil {
				return problems, err
			}
			at.Offset += int64(len(line))
		}
		return problems, nil
	}
	d := NewDecoder("", take)
	d.At(hint)
	problems, err := add(d)
	open := d.Open()
	if err == nil || problems != 1 || len(open) != 2 || open[0].Line != 1 || open[1].Line != 4 || len(took) != 1 {
		t.Fatalf("%v, %d problems, open %+v, took %q", err, problems, open, took)
	}
	if err := d.Flush(); err == nil {
		t.Fatal("refused, and no error")
	}
	refuse = false
	again := NewDecoder("", take)
	again.At(hint)
	again.Resume(int64(len(text)), open)
	if problems, err := add(again); err != nil || problems != 0 {
		t.Fatal(problems, err)
	}
	if err := errors.Join(d.Flush(), again.Flush()); err != nil || strings.Join(took, " ") != "2 4 4 1 1" {
		t.Errorf("took %q, %v", took, err)
	}
}

func FuzzRead(f *testing.F) {
	if len(messages) < 17 {
		f.Fatal("seeds are missing")
	}
	for _, m := range messages {
		f.Add(m.line + "\n" + messages[0].line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		events, st, problems := read(t, text)
		if st.Events != int64(len(events)) || st.Errors != int64(len(problems)) || st.Bytes != int64(len(text)) {
			t.Errorf("%+v, %d events, %d problems of %d bytes", st, len(events), len(problems), len(text))
		}
		for _, ev := range events {
			seen := map[string]bool{}
			for _, field := range ev.Fields {
				if seen[field.Name] {
					t.Errorf("the field %q twice", field.Name)
				}
				seen[field.Name] = true
			}
		}
	})
}

// BenchmarkRead decodes 1,000 lines of each message above that is plain.
func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	for range 1000 {
		for _, m := range messages[:12] {
			text.WriteString(m.line + "\n")
		}
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r := New(strings.NewReader(text.String()), Options{Hint: hint})
		if err := r.Read(func(*event.Event) error { return nil }); err != nil || r.Stats().Events != 12000 {
			b.Fatal(err, r.Stats())
		}
	}
}
