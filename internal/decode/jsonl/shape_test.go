package jsonl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
)

func decodeOne(t testing.TB, in string) *event.Event {
	t.Helper()
	e, err := New(strings.NewReader(in), Options{Source: "s"}).Next()
	if err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return e
}

// TestShapes gives for one object of each shape, and its odd relatives, the facts and all fields.
func TestShapes(t *testing.T) {
	tests := []struct{ name, in, facts, fields string }{
		{"nested", `{"Event":{"#attributes":{"xmlns":"http://x"},"System":{"Provider":{"#attributes":{"Name":"P","Guid":"G"}},
			"EventID":{"#attributes":{"Qualifiers":0},"#text":5805},"Level":2,"TimeCreated":{"#attributes":{"SystemTime":"2020-09-15T19:28:49.359772Z"}},
			"Correlation":null,"Execution":{"#attributes":{"ProcessID":4}},"Channel":"System","Computer":"c","Security":{"#attributes":{"UserID":"S-1-5-18"}}},
			"EventData":{"#attributes":{"Name":"N"},"Threat Name":"x","Data":{"#text":["a","b"]},"Binary":null,"Level":9}}}`,
			"System|5805|P|c|2020-09-15T19:28:49.359772Z",
			`Provider_Name="P" Provider_Guid="G" EventID_Qualifiers=0 EventID=5805 Level=2 TimeCreated="2020-09-15T19:28:49.359772Z" Correlation=null ` +
				`Execution_ProcessID=4 Channel="System" Computer="c" Security_UserID="S-1-5-18" EventData_Name="N" ThreatName="x" Data=["a","b"] Binary=null`},
		{"nested, payload first", `{"Event":{"EventData":{"Level":9,"A":{"B":1}},"System":{"EventID":1,"Level":2,"Channel":"c"}}}`, "c|1|||",
			`Level=2 B=1 EventID=1 Channel="c"`},
		{"nested, no payload", `{"Event":{"System":{"EventID":1},"EventData":null,"UserData":null}}`, "|1|||", `EventID=1`},
		{"nested, payload of text", `{"Event":{"System":{"EventID":1},"EventData":"x"}}`, "|1|||", `EventID=1 EventData="x"`},
		{"nested, text beside", `{"Event":{"System":{"EventID":1},"EventData":{"#text":"x"}},"tag":{"a":1}}`, "|1|||", `EventID=1 EventData="x" tag.a=1`},
		{"nested, UserData", `{"Event":{"System":{"EventID":104,"Channel":"System"},"UserData":{"LogFileCleared":{"#attributes":{"xmlns:auto-ns3":"y","xmlns":"x","K":"k"},
			"Channel":"Security","Inner":{"#attributes":{"U":"u"},"#text":"t"}}}}}`, "System|104|||",
			`EventID=104 Channel="Security" LogFileCleared_K="k" Inner_U="u" Inner="t"`},
		{"nested, attributes with an at sign", `{"Event":{"System":{"Provider":{"@Name":"P"},"TimeCreated":{"@SystemTime":"2020-01-02T03:04:05Z"},"EventID":"1"}}}`,
			"|1|P||2020-01-02T03:04:05Z", `Provider_Name="P" TimeCreated="2020-01-02T03:04:05Z" EventID="1"`},
		{"Winlogbeat 7", `{"@timestamp":"2021-01-02T03:04:05.678Z","message":"m","event":{"code":4688},"winlog":{"channel":"Security","event_id":4688,"provider_name":"P",
			"provider_guid":"{g}","computer_name":"c","record_id":7,"process":{"pid":4,"thread":{"id":8}},"user":{"identifier":"S-1"},"task":"T",
			"event_data":{"New Name":"n","UtcTime":"2000-01-01 00:00:00"},"user_data":{"Channel":"other"},"api":"wineventlog"},"host":{"name":"h"}}`,
			"Security|4688|P|c|2021-01-02T03:04:05.678Z",
			`@timestamp="2021-01-02T03:04:05.678Z" Message="m" event.code=4688 Channel="other" EventID=4688 Provider_Name="P" Provider_Guid="{g}" Computer="c" EventRecordID=7 ` +
				`Execution_ProcessID=4 Execution_ThreadID=8 Security_UserID="S-1" Task="T" NewName="n" UtcTime="2000-01-01 00:00:00" winlog.api="wineventlog" host.name="h"`},
		{"Winlogbeat 7, keys with dots", `{"winlog.channel":"Security","winlog.event_id":1,"winlog.event_data.Image Path":"x","winlog":{"event_data":{"Y":1}}}`, "Security|1|||",
			`Channel="Security" EventID=1 ImagePath="x" Y=1`},
		{"Winlogbeat 6", `{"@timestamp":"2019-05-18T20:36:46.254Z","log_name":"Security","event_id":4624,"source_name":"P","computer_name":"c","record_number":"5",
			"process_id":1,"thread_id":2,"level":"Information","message":"m","event_data":{"A":"x"},"user_data":{"B":"y"},"beat":{"name":"w"}}`,
			"Security|4624|P|c|2019-05-18T20:36:46.254Z",
			`@timestamp="2019-05-18T20:36:46.254Z" Channel="Security" EventID=4624 Provider_Name="P" Computer="c" EventRecordID="5" Execution_ProcessID=1 Execution_ThreadID=2 ` +
				`Level="Information" Message="m" A="x" B="y" beat.name="w"`},
		{"exported, flat", `{"_index":"x","_id":"1","_source":{"Channel":"Security","EventID":4688,"Image":"a"},"sort":[1]}`, "Security|4688|||",
			`_index="x" _id="1" Channel="Security" EventID=4688 Image="a" sort=[1]`},
		{"exported, Winlogbeat 7", `{"_source":{"@timestamp":"2021-01-02T03:04:05.678Z","winlog":{"channel":"Security","event_id":4688,"event_data":{"A":"x"}}}}`, "Security|4688|||2021-01-02T03:04:05.678Z",
			`@timestamp="2021-01-02T03:04:05.678Z" Channel="Security" EventID=4688 A="x"`},
		{"exported, nested", `{"_source":{"Event":{"System":{"Channel":"Security","EventID":{"#text":4688}},"EventData":{"A":"x"}}}}`, "Security|4688|||",
			`Channel="Security" EventID=4688 A="x"`},
		{"exported, other", `{"a":1,"_source":{"a":2,"b":{"_source":{"c":3}}}}`, "||||", `a=1 b._source.c=3`},
		{"flat", `{"Channel":"security","EventID":4688,"SourceName":"P","ProviderGuid":"{g}","Hostname":"h","RecordNumber":9,"ExecutionProcessID":4,"Source":"s",
			"Threat Name":"t","EventTime":"2020-08-05 02:09:26","@timestamp":"2020-08-05T06:09:29.626Z","tags":["a","b"],"host":{"name":"x"}}`,
			"security|4688|P|h|2020-08-05T06:09:29.626Z",
			`Channel="security" EventID=4688 SourceName="P" ProviderGuid="{g}" Hostname="h" RecordNumber=9 ExecutionProcessID=4 Source="s" ThreatName="t" ` +
				`EventTime="2020-08-05 02:09:26" @timestamp="2020-08-05T06:09:29.626Z" tags=["a","b"] host.name="x" ` +
				`Provider_Name="P" Provider_Guid="{g}" Computer="h" EventRecordID=9 Execution_ProcessID=4`},
		{"flat, Sigma's own names", `{"EventID":"1","Provider_Name":"P","SourceName":"x","Source":"y","Computer":"c","Hostname":"h"}`, "|1|P|c|",
			`EventID="1" Provider_Name="P" SourceName="x" Source="y" Computer="c" Hostname="h"`},
		{"flat, Source only", `{"Channel":"Application","EventID":2,"Source":"Raccine","Hostname":null}`, "Application|2|Raccine||",
			`Channel="Application" EventID=2 Source="Raccine" Hostname=null Provider_Name="Raccine"`},
		{"other", `{"eventVersion":"1.08","eventTime":"2023-01-02T03:04:05Z","userIdentity":{"type":"Root","session":{"mfa":false}},"resources":[{"ARN":"a","n":1},{"ARN":"b"}],"e":{}}`,
			"||||2023-01-02T03:04:05Z",
			`eventVersion="1.08" eventTime="2023-01-02T03:04:05Z" userIdentity.type="Root" userIdentity.session.mfa=false resources.ARN=["a","b"] resources.n=[1]`},
		{"other, with a computer", `{"Computer":"UBUNTU5","EventTime":"2022-05-11T18:10:20Z","SourceName":"not Windows"}`, "|||UBUNTU5|2022-05-11T18:10:20Z",
			`Computer="UBUNTU5" EventTime="2022-05-11T18:10:20Z" SourceName="not Windows"`},
		{"not quite Winlogbeat 6", `{"log_name":"x","Event":{"a":1},"winlogx":1}`, "||||", `log_name="x" Event.a=1 winlogx=1`},
		{"nested, an event id of two parts", `{"Event":{"System":{"EventID":{"Value":4624,"Qualifiers":""},"Channel":"Security"}}}`, "Security|4624|||",
			`EventID=4624 EventID_Qualifiers="" Channel="Security"`},
		{"named data", `{"Event":{"System":{"EventID":"1","Channel":"c","TimeCreated":{"@SystemTime":"2020-01-02T03:04:05Z"}},
			"EventData":{"Data":[{"@Name":"Image","#text":"a.exe"},{"@Name":"Empty"},{"@Name":"N","#text":7},{"#text":"x"},"y"]}}}`, "c|1|||2020-01-02T03:04:05Z",
			`Data=["x","y"] Empty=null Image="a.exe" N=7 Channel="c" EventID="1" TimeCreated="2020-01-02T03:04:05Z"`},
		{"named data, a single one", `{"Event":{"System":{"EventID":1},"EventData":{"Data":{"@Name":"Data","#text":"a"}}}}`, "|1|||", `Data="a" EventID=1`},
		{"named data that are no record's", `{"a":{"Data":[{"@Name":"x","#text":"y"}]}}`, "||||", `a.Data.@Name=["x"] a.Data.#text=["y"]`},
		{"bare", `{"System":{"Channel":"c","EventID":{"#text":"3"},"Provider":{"#attributes":{"Name":"P"}}},"EventData":{"A":"x"}}`, "c|3|P||",
			`A="x" Channel="c" EventID="3" Provider_Name="P"`},
		{"EvtxECmd", `{"PayloadData1":"Target: x","UserId":"S-1-5-18","MapDescription":"d","ChunkNumber":0,"Computer":"h","Payload":"{\"EventData\":{\"Data\":[{\"@Name\":\"TargetUserName\",\"#text\":\"x\"},{\"@Name\":\"Empty\"}]}}",
			"Channel":"Security","Provider":"P","EventId":4624,"EventRecordId":"7","ProcessId":4,"ThreadId":5,"Level":"LogAlways","SourceFile":"f","TimeCreated":"2021-01-02T03:04:05.1234567+00:00"}`,
			"Security|4624|P|h|2021-01-02T03:04:05.1234567Z",
			`Empty=null TargetUserName="x" Channel="Security" Computer="h" EventID=4624 EventRecordID="7" Execution_ProcessID=4 Execution_ThreadID=5 ` +
				`Level="LogAlways" Provider_Name="P" Security_UserID="S-1-5-18" TimeCreated="2021-01-02T03:04:05.1234567+00:00"`},
		{"EvtxECmd, a payload that is none", `{"ChunkNumber":0,"Payload":"x","Channel":"c","EventId":1}`, "c|1|||", `Channel="c" EventID=1`},
		{"Wazuh", `{"timestamp":"2021-01-02T03:04:06.000+0000","rule":{"id":"1"},"data":{"win":{"system":{"providerName":"P","providerGuid":"{g}","eventID":"1","channel":"c","computer":"h",
			"systemTime":"2021-01-02T03:04:05.5Z","processID":"4","message":"m"},"eventdata":{"image":"C:\\a.exe","commandLine":"a b","utcTime":"x"}}}}`, "c|1|P|h|2021-01-02T03:04:05.5Z",
			`CommandLine="a b" Image="C:\\a.exe" UtcTime="x" Channel="c" Computer="h" EventID="1" Execution_ProcessID="4" Provider_Guid="{g}" Provider_Name="P" TimeCreated="2021-01-02T03:04:05.5Z"`},
		{"Splunk", `{"preview":false,"offset":1,"result":{"EventCode":"4688","LogName":"Security","ComputerName":"h","SourceName":"P","New_Process_Name":"a","_time":"2021-01-02T03:04:05.000+00:00","_raw":"x"}}`,
			"Security|4688|P|h|2021-01-02T03:04:05Z",
			`@timestamp="2021-01-02T03:04:05.000+00:00" Channel="Security" Computer="h" ComputerName="h" EventCode="4688" EventID="4688" LogName="Security" ` +
				`New_Process_Name="a" SourceName="P" _raw="x" _time="2021-01-02T03:04:05.000+00:00" Provider_Name="P"`},
		{"Splunk, JSON inside", `{"result":{"_raw":"{\"Channel\":\"c\",\"EventID\":1,\"A\":\"x\"}","_time":"1"}}`, "c|1|||", `A="x" Channel="c" EventID=1`},
		{"Splunk, a result that is none", `{"result":"x","result._raw":"y"}`, "||||", `result="x" result._raw="y"`},
		{"seconds since 1970", `{"Channel":"c","EventID":1,"@timestamp":1609556645.5}`, "c|1|||2021-01-02T03:04:05.5Z", `Channel="c" EventID=1 @timestamp=1609556645.5`},
		{"milliseconds", `{"Channel":"c","EventID":1,"TimeCreated":"/Date(1609556645123)/"}`, "c|1|||2021-01-02T03:04:05.123Z", `Channel="c" EventID=1 TimeCreated="/Date(1609556645123)/"`},
		{"microseconds", `{"a":1,"timestamp":"1609556645123456"}`, "||||2021-01-02T03:04:05.123456Z", `a=1 timestamp="1609556645123456"`},
		{"nanoseconds", `{"a":1,"time":1609556645123456789}`, "||||2021-01-02T03:04:05.123456789Z", `a=1 time=1609556645123456789`},
		{"a duration", `{"a":1,"time":12345}`, "||||", `a=1 time=12345`},
		{"one name by two ways", `{"a.b":1,"a":{"b":2}}`, "||||", `a.b=1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := decodeOne(t, tt.in)
			when := ""
			if !e.Time.IsZero() {
				when = e.Time.Format(time.RFC3339Nano)
			}
			if facts := strings.Join([]string{e.Channel, e.EventID, e.Provider, e.Computer, when}, "|"); facts != tt.facts {
				t.Errorf("facts %s, want %s", facts, tt.facts)
			}
			if got := spell(e.Fields); got != tt.fields {
				t.Errorf("fields\n     %s\nwant %s", got, tt.fields)
			}
			if e.Source != "s" || e.Record != "1" {
				t.Errorf("source %q, record %q", e.Source, e.Record)
			}
		})
	}
}

// TestShapesMixed reads objects of all shapes through one reader, twice: what a path is called must not
// leak from one shape into another.
func TestShapesMixed(t *testing.T) {
	objects := []string{
		`{"Channel":"a","EventID":1,"event_id":2,"log_name":"x"}`,
		`{"log_name":"a","event_id":1,"Channel":"y"}`,
		`{"event_id":3,"message":"m"}`,
		`{"winlog":{"channel":"a"},"message":"m","log_name":"z"}`,
		`{"Event":{"System":{"Channel":"a"}},"message":"m"}`,
	}
	var alone, mixed []string
	for range 2 {
		for _, o := range objects {
			alone = append(alone, spell(decodeOne(t, o).Fields))
		}
	}
	r := New(strings.NewReader(strings.Join(append(objects, objects...), "\n")), Options{})
	for range 2 * len(objects) {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		mixed = append(mixed, spell(e.Fields))
	}
	if a, m := strings.Join(alone, "\n"), strings.Join(mixed, "\n"); a != m {
		t.Errorf("got\n%s\nwant\n%s", m, a)
	}
}

// TestManyPaths brings new names for ever: what is remembered stays bounded, and right.
func TestManyPaths(t *testing.T) {
	const n = 3 * maxPaths
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, "{\"k%d\":{\"x\":%d},\"Channel\":\"c\",\"EventID\":1,\"Hostname\":\"h\"}\n", i, i)
	}
	r := New(strings.NewReader(in.String()), Options{})
	for i := range n {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`k%d.x=%d Channel="c" EventID=1 Hostname="h" Computer="h"`, i, i); spell(e.Fields) != want {
			t.Fatalf("got %s, want %s", spell(e.Fields), want)
		}
		if r.scan.paths.count > maxPaths+10 || len(r.names.fields) > maxPaths+20 {
			t.Fatalf("%d paths, %d names", r.scan.paths.count, len(r.names.fields))
		}
	}
}

// TestCounts counts what had to be changed.
func TestCounts(t *testing.T) {
	in := "{\"a\":\"\xff\\ud800\",\"a\":1,\"b\":{\"c\":1,\"c\":2}}\n{\"a\":\"\xff\",x}\n"
	_, st := drain(t, strings.NewReader(in), Options{})
	if want := (Stats{Bytes: int64(len(in)), Events: 1, Errors: 1, Replaced: 2, DuplicateKeys: 2}); st != want {
		t.Errorf("got %+v, want %+v", st, want)
	}
}

// Strings and lists stay valid after the reader went on.
func TestKeptStrings(t *testing.T) {
	var in strings.Builder
	const n = 5000
	for i := range n {
		fmt.Fprintf(&in, "{\"plain\":\"%0200d\",\"esc\":\"\\t%d\",\"list\":[\"%d\"]}\n", i, i, i)
	}
	r := New(strings.NewReader(in.String()), Options{})
	var kept [][]event.Field
	for range n {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, append([]event.Field(nil), e.Fields...))
	}
	for i, fields := range kept {
		if want := fmt.Sprintf("plain=\"%0200d\" esc=\"\\t%d\" list=[\"%d\"]", i, i, i); spell(fields) != want {
			t.Fatalf("got %s, want %s", spell(fields), want)
		}
	}
}

func TestTimes(t *testing.T) {
	tests := []struct{ in, want string }{
		{"2023-07-19T12:20:11.928Z", "2023-07-19T12:20:11.928Z"},
		{"2020-10-19 03:30:41.104", "2020-10-19T03:30:41.104Z"},
		{"2020-10-19 03:30:41", "2020-10-19T03:30:41Z"},
		{"2026-03-20T08:31:26.751156500Z", "2026-03-20T08:31:26.7511565Z"},
		{"2020-10-19T03:30:41.1234567891234Z", "2020-10-19T03:30:41.123456789Z"},
		{"2020-10-19T03:30:41,5+02:00", "2020-10-19T01:30:41.5Z"},
		{"2020-10-19T03:30:41-0130", "2020-10-19T05:00:41Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
		{"", ""}, {"2020-10-19", ""}, {"2020-13-19T03:30:41Z", ""}, {"2020-10-32T03:30:41Z", ""}, {"2020-10-19T24:30:41Z", ""},
		{"2020-10-19T03:60:41Z", ""}, {"2020-10-19T03:30:61Z", ""}, {"2020-10-19T03:30:41.Z", ""}, {"2020-10-19T03:30:41 UTC", ""},
		{"2020-10-19T03:30:41+24:00", ""}, {"2020-10-19T03:30:41+0x:00", ""}, {"2020-10-19x03:30:41Z", ""}, {"20a0-10-19T03:30:41Z", ""},
		{"1604994496.155", ""}, {"2020-10-19T03:30:41+02", ""},
	}
	for _, tt := range tests {
		got, _, ok := parseTime(tt.in)
		if text := got.Format(time.RFC3339Nano); ok != (tt.want != "") || ok && text != tt.want {
			t.Errorf("%q: %s, %t, want %q", tt.in, text, ok, tt.want)
		}
	}
}

// TestWhen picks the time that deserves most trust.
func TestWhen(t *testing.T) {
	const (
		created = `"TimeCreated":"2020-01-01T00:00:00Z"`
		noZone  = `"TimeCreated":"2020-01-04 00:00:00"`
		utc     = `"UtcTime":"2020-01-02 00:00:00.000"`
		stamp   = `"@timestamp":"2020-01-03T00:00:00Z"`
		local   = `"EventTime":"2020-01-05 00:00:00"`
		gen     = `"TimeGenerated":"2020-01-06T00:00:00Z"`
	)
	tests := []struct {
		day int
		in  []string
	}{
		{1, []string{gen, local, stamp, utc, created}}, {2, []string{gen, local, noZone, stamp, utc}}, {3, []string{gen, local, noZone, stamp}},
		{4, []string{gen, local, noZone}}, {5, []string{gen, local}}, {6, []string{gen}}, {1, []string{`"UtcTime":"-"`, created}},
		{3, []string{`"UtcTime":"-"`, stamp}}, {0, []string{`"time":12345`}}, {3, []string{`"EventTime":1604994496`, stamp}},
	}
	for _, tt := range tests {
		e := decodeOne(t, `{"EventID":1,`+strings.Join(tt.in, ",")+`}`)
		if tt.day == 0 && e.Time.IsZero() {
			continue
		}
		if want := time.Date(2020, 1, tt.day, 0, 0, 0, 0, time.UTC); !e.Time.Equal(want) {
			t.Errorf("%v: %v, want %v", tt.in, e.Time, want)
		}
	}
}
