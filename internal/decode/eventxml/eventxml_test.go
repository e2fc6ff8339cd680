package eventxml

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"shieldwall/internal/event"
)

const (
	// An event as Sysmon for Linux writes it.
	linux = `<Event><System><Provider Name="Linux-Sysmon" Guid="{ff032593-a8d3-4f13-b0d6-01fc615a0f97}"/><EventID>1</EventID><Version>5</Version><Level>4</Level><Task>1</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime="2021-10-21T15:51:43.123456000Z"/><EventRecordID>77</EventRecordID><Correlation/><Execution ProcessID="9" ThreadID="9"/><Channel>Linux-Sysmon/Operational</Channel><Computer>h1</Computer><Security UserId="0"/></System><EventData><Data Name="RuleName">-</Data><Data Name="UtcTime">2021-10-21 15:51:43.120</Data><Data Name="ProcessId">4711</Data><Data Name="Image">/usr/bin/dash</Data><Data Name="CommandLine">sh -c &quot;id &amp;&amp; cat /etc/shadow&quot;</Data><Data Name="User">root</Data><Data Name="LogonId">0</Data></EventData></Event>`
	// An event as wevtutil qe writes it.
	windows = `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Eventlog'/><EventID Qualifiers='16384'>104</EventID><TimeCreated SystemTime='2024-05-01T10:00:00.5Z'/><EventRecordID>5</EventRecordID><Channel>System</Channel><Computer>pc</Computer></System><UserData><LogFileCleared xmlns='x'><SubjectUserName>ann</SubjectUserName><Channel>Application</Channel></LogFileCleared></UserData><RenderingInfo Culture='en-US'><Message>cleared</Message></RenderingInfo></Event>`
	classic = `<Event><System><Provider Name="x"/><EventID>7</EventID></System><EventData><Data>a</Data><Data>b</Data><Data Name="Threat Name">c</Data></EventData></Event>`
	export  = "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<Events>\r\n" + linux + "\r\n" + windows + classic + "\n</Events>\n"
)

func read(t testing.TB, text string) (events []*event.Event, st Stats, problems []string) {
	t.Helper()
	r := New(strings.NewReader(text), Options{Source: "s", OnProblem: func(e *Error) { problems = append(problems, e.Error()) }})
	err := r.Read(func(ev *event.Event) error {
		events = append(events, ev)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, r.Stats(), problems
}

func TestRead(t *testing.T) {
	events, st, problems := read(t, export)
	if len(events) != 3 || len(problems) != 0 || st.Bytes != int64(len(export)) {
		t.Fatalf("%d events, %q, %+v", len(events), problems, st)
	}
	for i, want := range []map[string]string{
		{"EventID": "1", "Image": "/usr/bin/dash", "CommandLine": `sh -c "id && cat /etc/shadow"`, "Provider_Name": "Linux-Sysmon",
			"Execution_ProcessID": "9", "Security_UserId": "0", "TimeCreated": "2021-10-21T15:51:43.123456000Z", "User": "root", "Channel": "Linux-Sysmon/Operational"},
		{"EventID": "104", "EventID_Qualifiers": "16384", "Channel": "Application", "SubjectUserName": "ann", "Message": "cleared"},
		{"EventID": "7", "ThreatName": "c"},
	} {
		for name, text := range want {
			if got, ok := events[i].Get(name); !ok || got.Text != text {
				t.Errorf("event %d: %s is %q, want %q", i, name, got.Text, text)
			}
		}
	}
	first, second := events[0], events[1]
	if first.Product != "linux" || first.Category != "process_creation" || first.Service != "sysmon" || first.Record != "77" ||
		first.Computer != "h1" || first.Time.Nanosecond() != 123456000 {
		t.Errorf("%+v", first)
	}
	if second.Product != "" || second.Channel != "System" || second.EventID != "104" {
		t.Errorf("%+v", second)
	}
	if list, _ := events[2].Get("Data"); list.Kind != event.List || len(list.Items) != 2 || events[2].Record != "3" {
		t.Errorf("unnamed data: %+v", list)
	}
}

// TestBroken: a broken event costs itself alone.
func TestBroken(t *testing.T) {
	deep := "<Event>" + strings.Repeat("<a>", MaxDepth+1) + "</Event>"
	fields := "<Event><System></System><EventData>" + strings.Repeat("<Data>x</Data>", MaxFields+2) + "</EventData></Event>"
	long := "<Event>" + strings.Repeat("x", MaxEvent) + "</Event>"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"cut":          {linux[:len(linux)/2], ErrSyntax},
		"wrong end":    {"<Event><a></b></Event>", ErrSyntax},
		"entity":       {"<Event><a>&x;</a></Event>", ErrSyntax},
		"document":     {"<Event><!DOCTYPE a [<!ENTITY x 'y'>]></Event>", ErrSyntax},
		"deep":         {deep, ErrTooDeep},
		"many fields":  {fields, ErrTooManyFields},
		"long":         {long, ErrTooLong},
		"no event":     {"<a/>", ErrNotEvent},
		"more behind":  {linux + "x", ErrSyntax},
		"bad encoding": {"<Event><a>\xff</a></Event>", ErrSyntax},
	} {
		if _, err := Parse([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "no event" || name == "more behind" {
			continue
		}
		events, st, problems := read(t, "<Events>"+linux+c.text+"\n"+windows+"</Events>")
		if len(events) != 2 || st.Errors != 1 || len(problems) != 1 || !strings.HasPrefix(problems[0], "event at byte ") {
			t.Errorf("%s: %d events, %+v, %.200q", name, len(events), st, problems)
		}
	}
}

// TestPieces: it does not matter how the input arrives.
func TestPieces(t *testing.T) {
	n := 0
	err := New(iotest.OneByteReader(strings.NewReader(export)), Options{}).Read(func(*event.Event) error { n++; return nil })
	if err != nil || n != 3 {
		t.Errorf("%d events, %v", n, err)
	}
	bad := errors.New("bad disk")
	if err := New(iotest.ErrReader(bad), Options{}).Read(nil); !errors.Is(err, bad) {
		t.Error(err)
	}
}

var seeds = []string{export, linux, windows, classic, "<Event><Event></Event>", "<Event>&#x41;<![CDATA[</Event>]]></Event>"}

func FuzzRead(f *testing.F) {
	if len(seeds) < 6 {
		f.Fatal("seeds are missing")
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		events, st, problems := read(t, string(data))
		if st.Events != int64(len(events)) || st.Errors != int64(len(problems)) || st.Bytes != int64(len(data)) {
			t.Errorf("%+v, %d events, %d problems of %d bytes", st, len(events), len(problems), len(data))
		}
		if got := bytes.Count(data, opening); len(events)+len(problems) > got {
			t.Errorf("%d results of %d events", len(events)+len(problems), got)
		}
	})
}

// BenchmarkRead decodes 1,000 events of Sysmon for Linux.
func BenchmarkRead(b *testing.B) {
	text := strings.Repeat(linux+"\n", 1000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := New(strings.NewReader(text), Options{})
		if err := r.Read(func(*event.Event) error { return nil }); err != nil || r.Stats().Events != 1000 {
			b.Fatal(err, r.Stats())
		}
	}
}
