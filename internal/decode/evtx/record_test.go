package evtx

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
)

func bytesReaderAt(b []byte) io.ReaderAt { return bytes.NewReader(b) }

func list(v ...event.Value) event.Value { return event.Value{Kind: event.List, Items: v} }

// payload gives the fields behind System's.
func payload(e event.Event) []event.Field {
	return e.Fields[len(systemFields):]
}

var systemFields = []event.Field{
	{Name: "Provider_Name", Value: event.Str("Microsoft-Windows-Sysmon")},
	{Name: "Provider_Guid", Value: event.Str("{5770385F-C22A-43E0-BF4C-06F5698FFBD9}")},
	{Name: "EventID", Value: event.Num("1")},
	{Name: "Level", Value: event.Num("4")},
	{Name: "Keywords", Value: event.Str("0x8000000000000000")},
	{Name: "TimeCreated", Value: event.Str("2025-11-27T07:40:10.1653240Z")},
	{Name: "Correlation", Value: event.Value{}},
	{Name: "Execution_ProcessID", Value: event.Num("3544")},
	{Name: "Channel", Value: event.Str("Microsoft-Windows-Sysmon/Operational")},
	{Name: "Computer", Value: event.Str("host.example")},
	{Name: "Security_UserID", Value: event.Str("S-1-5-18")},
}

func TestWholeRecord(t *testing.T) {
	got := one(t, newChunk().record(4711, sampleRecord("cmd /c whoami ")))
	want := event.Event{
		Time:     time.Date(2025, 11, 27, 7, 40, 10, 165324000, time.UTC),
		Source:   "test",
		Record:   "4711",
		Channel:  "Microsoft-Windows-Sysmon/Operational",
		EventID:  "1",
		Provider: "Microsoft-Windows-Sysmon",
		Computer: "host.example",
		Fields: append(append([]event.Field(nil), systemFields...),
			event.Field{Name: "Image", Value: event.Str(`C:\Windows\System32\cmd.exe`)},
			event.Field{Name: "CommandLine", Value: event.Str("cmd /c whoami ")},
			event.Field{Name: "ProcessId", Value: event.Num("4460")},
		),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestPayload(t *testing.T) {
	binXML := func(n node) value {
		return value{typ: typeBinXML, body: func(c *chunkBuilder) { c.element(n, false) }}
	}
	tests := []struct {
		name    string
		payload node
		values  []value
		want    []event.Field
	}{
		{"spaces leave names", node{name: "EventData", kids: []any{data("Threat Name", "x")}}, nil,
			[]event.Field{{Name: "ThreatName", Value: event.Str("x")}}},
		{"text of all kinds", node{name: "EventData", kids: []any{
			data("A", "1 ", entityRef("lt"), " 2 ", entityRef("amp"), entityRef("gt"), entityRef("quot"), entityRef("apos"),
				entityRef("unknown"), charRef(0x20ac), cdata("<c>"), pi{"target", "dropped"}, "!"),
		}}, nil, []event.Field{{Name: "A", Value: event.Str(`1 < 2 &>"'&unknown;€<c>!`)}}},
		{"text around a value", node{name: "EventData", kids: []any{data("A", "pid ", sub{slot: 0}, ";", sub{slot: 1}, sub{slot: 9})}},
			[]value{{typ: typeUint32, data: u32(7)}, {}}, []event.Field{{Name: "A", Value: event.Str("pid 7;")}}},
		{"null, empty, absent and number of no bytes", node{name: "EventData", kids: []any{
			data("Null", sub{slot: 0}), data("Optional", sub{slot: 0, optional: true}), data("Empty", sub{slot: 1}),
			data("Nothing"), data("Absent", sub{slot: 50}), data("NoBytes", sub{slot: 2}), data("EmptyText", "")}},
			[]value{{}, str(""), {typ: typeUint32}},
			[]event.Field{{Name: "Null"}, {Name: "Optional"}, {Name: "Empty", Value: event.Str("")}, {Name: "Nothing"},
				{Name: "Absent"}, {Name: "NoBytes"}, {Name: "EmptyText", Value: event.Str("")}}},
		{"a null dependency takes the element away", node{name: "EventData", kids: []any{
			node{name: "Binary", dep: 1, kids: []any{sub{slot: 0}}},
			node{name: "Group", dep: 1, kids: []any{node{name: "Inner", kids: []any{"x"}}}},
			node{name: "Kept", dep: 2, kids: []any{sub{slot: 1}}}}},
			[]value{{}, str("k")}, []event.Field{{Name: "Kept", Value: event.Str("k")}}},
		{"one unnamed Data", node{name: "EventData", kids: []any{node{name: "Data", kids: []any{sub{slot: 0}}}}},
			[]value{str("only")}, []event.Field{{Name: "Data", Value: event.Str("only")}}},
		{"unnamed Data and what is between", node{name: "EventData", kids: []any{
			node{name: "Data", kids: []any{sub{slot: 0}}}, data("Named", "n"), node{name: "Data", kids: []any{"two"}},
			node{name: "Data", attrs: []attr{{"Name", []any{""}}}, kids: []any{"three"}}, node{name: "Data"}}},
			[]value{{typ: typeUint8, data: []byte{1}}}, []event.Field{
				{Name: "Data", Value: list(event.Num("1"), event.Str("two"), event.Str("three"), event.Value{})},
				{Name: "Named", Value: event.Str("n")}}},
		{"an array of strings in an unnamed Data", node{name: "EventData", kids: []any{node{name: "Data", kids: []any{sub{slot: 0}}}}},
			[]value{{typ: typeString | typeArray, data: utf16le("a\x00bc\x00\x00d")}}, []event.Field{
				{Name: "Data", Value: list(event.Str("a"), event.Str("bc"), event.Str(""), event.Str("d"))}}},
		{"named arrays", node{name: "EventData", kids: []any{data("N", sub{slot: 0}), data("S", sub{slot: 1}), data("E", sub{slot: 2}), data("A", sub{slot: 3})}},
			[]value{{typ: typeInt16 | typeArray, data: append(u16(1), 0xff, 0xff)},
				{typ: typeSID | typeArray, data: append([]byte{1, 0, 0, 0, 0, 0, 0, 5}, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0)},
				{typ: typeUint32 | typeArray}, {typ: typeANSI | typeArray, data: []byte("x\x00y")}},
			[]event.Field{{Name: "N", Value: list(event.Num("1"), event.Num("-1"))}, {Name: "S", Value: list(event.Str("S-1-5"), event.Str("S-1-5-18"))},
				{Name: "E", Value: list()}, {Name: "A", Value: list(event.Str("x"), event.Str("y"))}}},
		{"an array that does not divide", node{name: "EventData", kids: []any{data("N", sub{slot: 0})}},
			[]value{{typ: typeUint16 | typeArray, data: []byte{1, 0, 2}}},
			[]event.Field{{Name: "N", Value: list(event.Num("1"), event.Str("02"))}}},
		{"UserData goes by leaves", node{name: "UserData", kids: []any{node{name: "LogFileCleared",
			attrs: []attr{{"xmlns", []any{"http://x"}}, {"xmlns:auto-ns3", []any{"http://y"}}, {"Kind", []any{"k"}}},
			kids: []any{"\r\n ", node{name: "SubjectUserName", kids: []any{sub{slot: 0}}},
				node{name: "Outer", kids: []any{node{name: "Inner", attrs: []attr{{"Unit", []any{"ms"}}}, kids: []any{"5"}}}}}}}},
			[]value{str("admin")}, []event.Field{{Name: "LogFileCleared_Kind", Value: event.Str("k")},
				{Name: "SubjectUserName", Value: event.Str("admin")}, {Name: "Inner_Unit", Value: event.Str("ms")}, {Name: "Inner", Value: event.Str("5")}}},
		{"mixed content", node{name: "UserData", kids: []any{node{name: "M", kids: []any{"text", node{name: "In", kids: []any{"x"}}}}}}, nil,
			[]event.Field{{Name: "In", Value: event.Str("x")}, {Name: "M", Value: event.Str("text")}}},
		{"attributes of EventData", node{name: "EventData", attrs: []attr{{"Name", []any{"TaskDisabled"}}}, kids: []any{data("A", "x")}}, nil,
			[]event.Field{{Name: "EventData_Name", Value: event.Str("TaskDisabled")}, {Name: "A", Value: event.Str("x")}}},
		{"binary XML in a payload", node{name: "UserData", kids: []any{sub{slot: 0}}},
			[]value{binXML(node{name: "EventXML", attrs: []attr{{"xmlns", []any{"Event_NS"}}}, kids: []any{node{name: "Param1", kids: []any{"v"}}}})},
			[]event.Field{{Name: "Param1", Value: event.Str("v")}}},
		{"binary XML among text", node{name: "EventData", kids: []any{data("A", "see ", sub{slot: 0})}},
			[]value{binXML(node{name: "P", kids: []any{"v"}})},
			[]event.Field{{Name: "P", Value: event.Str("v")}, {Name: "A", Value: event.Str("see ")}}},
		{"a Data whose name is a value", node{name: "EventData", kids: []any{
			node{name: "Data", attrs: []attr{{"Name", []any{"Dyn ", sub{slot: 0}}}}, kids: []any{sub{slot: 1}}},
			node{name: "Data", attrs: []attr{{"Name", []any{"Dyn ", sub{slot: 0}}}}, kids: []any{"again"}}}},
			[]value{str("X"), str("v")}, []event.Field{{Name: "DynX", Value: event.Str("v")}}},
		{"the first of a name wins", node{name: "EventData", kids: []any{
			data("A", "1"), data("A", "2"), data("Level", "9"), data("Provider_Name", "p"), data("Other", "o")}}, nil,
			[]event.Field{{Name: "A", Value: event.Str("1")}, {Name: "Other", Value: event.Str("o")}}},
		{"an optional first of a name gives way", node{name: "EventData", kids: []any{
			node{name: "A", dep: 1, kids: []any{sub{slot: 0}}}, data("A", "2")}}, []value{{}},
			[]event.Field{{Name: "A", Value: event.Str("2")}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := one(t, newChunk().record(1, eventRecord("p", tt.payload, tt.values...)))
			if got := payload(e); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// Event 104 names the cleared log in its own Channel, which rules mean; routing uses the record's.
func TestPayloadChannel(t *testing.T) {
	e := one(t, newChunk().record(1, eventRecord("p", node{name: "UserData", kids: []any{node{name: "LogFileCleared", kids: []any{
		node{name: "Channel", kids: []any{"Security"}}, node{name: "Channel", kids: []any{"ignored"}}}}}})))
	if e.Channel != "Microsoft-Windows-Sysmon/Operational" {
		t.Errorf("Event.Channel = %q", e.Channel)
	}
	if v, _ := e.Get("Channel"); v.Text != "Security" || len(payload(e)) != 0 {
		t.Errorf("fields %+v", e.Fields)
	}
}

// A record may be one template, hold elements directly, or several payloads.
func TestOtherLayouts(t *testing.T) {
	direct := node{name: "Event", kids: []any{
		node{name: "System", kids: []any{node{name: "EventID", kids: []any{"7036"}}, node{name: "Channel", kids: []any{"System"}}}},
		node{name: "EventData", kids: []any{data("param1", "svc")}},
		node{name: "RenderingInfo", attrs: []attr{{"Culture", []any{"en-US"}}}, kids: []any{
			node{name: "Message", kids: []any{"entered"}}, node{name: "Channel", kids: []any{"shadow"}}}}}}
	want := []event.Field{{Name: "EventID", Value: event.Str("7036")}, {Name: "Channel", Value: event.Str("shadow")},
		{Name: "param1", Value: event.Str("svc")}, {Name: "RenderingInfo_Culture", Value: event.Str("en-US")}, {Name: "Message", Value: event.Str("entered")}}
	for name, body := range map[string]func(c *chunkBuilder){
		"elements": func(c *chunkBuilder) { c.element(direct, false) },
		"template": func(c *chunkBuilder) { c.instance("d", direct) },
	} {
		e := one(t, newChunk().record(1, body))
		if !reflect.DeepEqual(e.Fields, want) || e.EventID != "7036" || e.Channel != "System" {
			t.Errorf("%s: %+v", name, e)
		}
		if want := fileTime(testFileTime); !e.Time.Equal(want) {
			t.Errorf("%s: time %v, want the record header's %v", name, e.Time, want)
		}
	}
	several := node{name: "Event", kids: []any{sub{slot: 0}, node{name: "UserData", kids: []any{node{name: "A", kids: []any{"late"}}}}, sub{slot: 1}}}
	inner := func(text string) value {
		return value{typ: typeBinXML, body: func(c *chunkBuilder) {
			c.element(node{name: "EventData", kids: []any{data("A", text), data("B"+text, "x")}}, false)
		}}
	}
	e := one(t, newChunk().record(1, func(c *chunkBuilder) { c.instance("s", several, inner("1"), inner("2")) }))
	if want := []event.Field{{Name: "A", Value: event.Str("1")}, {Name: "B1", Value: event.Str("x")}, {Name: "B2", Value: event.Str("x")}}; !reflect.DeepEqual(e.Fields, want) {
		t.Errorf("several payloads: %+v", e.Fields)
	}
}

// Templates are shared between chunks only if they mean the same, whatever their GUID says.
func TestTemplatesAcrossChunks(t *testing.T) {
	var chunks [][]byte
	for _, name := range []string{"A", "B", "A"} {
		c := newChunk()
		for id := range uint64(3) {
			c.record(id+1, eventRecord("same id", node{name: "EventData", kids: []any{data(name, sub{slot: 0})}}, str("v")))
		}
		chunks = append(chunks, c.bytes())
	}
	r := readAll(t, file(chunks...))
	if len(r.events) != 9 || len(r.problems) != 0 {
		t.Fatalf("%d events, problems %v", len(r.events), r.problems)
	}
	for i, e := range r.events {
		if want := []string{"A", "B", "A"}[i/3]; payload(e)[0].Name != want {
			t.Errorf("event %d has %s, want %s", i, payload(e)[0].Name, want)
		}
	}
}

// Strings and lists stay valid after the reader went on; the event itself does not.
func TestKeptStrings(t *testing.T) {
	c := newChunk()
	for id := range uint64(40) {
		c.record(id+1, sampleRecord(strings.Repeat(string(rune('a'+id%26)), 300)))
	}
	r := readAll(t, file(c.bytes(), c.bytes(), c.bytes()))
	if len(r.events) != 120 {
		t.Fatalf("%d events: %v", len(r.events), r.problems)
	}
	for i, e := range r.events {
		v, _ := e.Get("CommandLine")
		if want := strings.Repeat(string(rune('a'+i%40%26)), 300); v.Text != want {
			t.Errorf("event %d: %q", i, v.Text)
		}
	}
}
