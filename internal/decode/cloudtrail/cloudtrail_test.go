package cloudtrail_test

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"shieldwall/internal/decode/cloudtrail"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

//go:embed testdata/trail.json
var trail string

// read decodes a stream and names what is CloudTrail's.
func read(t testing.TB, r io.Reader) (out []event.Event) {
	t.Helper()
	in := jsonl.New(r, jsonl.Options{})
	for {
		ev, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if cloudtrail.Is(taxonomy.MarksOf(ev)) {
			cloudtrail.Name(ev)
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
	got := read(t, cloudtrail.Unwrap(strings.NewReader(trail)))
	if len(got) != 3 {
		t.Fatalf("%d records", len(got))
	}
	for i, want := range []map[string]string{
		{"eventName": "StopLogging", "src_ip": "192.0.2.77", "SourceIp": "192.0.2.77", "User": "mallory", "userIdentity.type": "IAMUser",
			"responseElements": "", "requestParameters": `[arn:aws:cloudtrail:us-east-1:111122223333:trail/my[tr]ail"}]`},
		{"User": "arn:aws:iam::111122223333:root", "responseElements.ConsoleLogin": "Success", "responseElements": "[Success]",
			"additionalEventData.MFAUsed": "No", "requestParameters": ""},
		{"requestParameters": "[logs Suspended a 1]", "userIdentity.sessionContext.sessionIssuer.type": "Role", "errorCode": "AccessDenied"},
	} {
		ev := got[i]
		if ev.Product != "aws" || ev.Service != "cloudtrail" || ev.Category != "" {
			t.Errorf("%s: logsource %s/%s/%s", ev.Record, ev.Product, ev.Category, ev.Service)
		}
		for name, text := range want {
			if v, ok := ev.Get(name); !ok || spell(v) != text {
				t.Errorf("line %s: %s is %q, want %q", ev.Record, name, spell(v), text)
			}
		}
		if ev.Record != fmt.Sprint(i+1) || !ev.Time.Equal(time.Date(2023, 7, 19, 21, 11+i, 57, 0, time.UTC)) {
			t.Errorf("record %s at %v", ev.Record, ev.Time)
		}
	}
}

// TestEventBridge: a record that EventBridge carries is the record. Its own time is the record's too.
func TestEventBridge(t *testing.T) {
	got := read(t, strings.NewReader(`{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","account":"1","detail":`+
		`{"eventVersion":"1.08","eventTime":"2023-07-19T21:11:57Z","eventSource":"s3.amazonaws.com","eventName":"DeleteBucket","awsRegion":"eu-west-1",`+
		`"sourceIPAddress":"192.0.2.7","requestParameters":{"bucketName":"x"}}}`))[0]
	for name, want := range map[string]string{"eventName": "DeleteBucket", "detail.eventName": "DeleteBucket", "src_ip": "192.0.2.7", "requestParameters": "[x]"} {
		if v, ok := got.Get(name); !ok || spell(v) != want {
			t.Errorf("%s is %q", name, spell(v))
		}
	}
	if got.Product != "aws" || got.Time.Unix() != 1689801117 {
		t.Errorf("%s at %v", got.Product, got.Time)
	}
}

// TestIs: others have an eventName too.
func TestIs(t *testing.T) {
	for _, line := range []string{
		`{"eventSource":"SecurityComplianceCenter","eventName":"Activity from suspicious IP addresses","status":"success"}`,
		`{"eventVersion":"1.08","awsRegion":"us-east-1"}`,
	} {
		if ev := read(t, strings.NewReader(line))[0]; ev.Product != "" {
			t.Errorf("taken: %s", line)
		}
	}
}

// TestUnwrap: wrapped arrays become arrays in their place, everything else stays, however it arrives in pieces.
func TestUnwrap(t *testing.T) {
	for in, want := range map[string]string{
		`{"Records":[{"a":1},{"b":"]}"}]}`:               `           [{"a":1},{"b":"]}"}] `,
		"{\n \"records\" : [ ]\n}\n{\"Records\":[1]}":    " \n             [ ]\n \n           [1] ",
		`{"Records":[{"a":"\"]"}],"next":{"x":["}"]}}{}`: `           [{"a":"\"]"}]` + strings.Repeat(" ", 20) + `{}`,
		`{"Record":[1]}`:                      `{"Record":[1]}`,
		`{"a":{"Records":[1]}}{"Records":[]}`: `{"a":{"Records":[1]}}           [] `,
		`[{"Records":1}]`:                     `[{"Records":1}]`,
		`{"Records":{}}`:                      `{"Records":{}}`,
		`{}{"Rec`:                             `{}{"Rec`,
		`{"Rec ords":[1]}`:                    `{"Rec ords":[1]}`,
		`{"records":[`:                        `           [`,
		``:                                    ``,
		`{` + strings.Repeat(" ", 200) + `"Records":[1]}`: `{` + strings.Repeat(" ", 200) + `"Records":[1]}`,
	} {
		for name, src := range map[string]io.Reader{
			"whole": strings.NewReader(in), "bytes": iotest.OneByteReader(strings.NewReader(in)), "early": iotest.DataErrReader(strings.NewReader(in)),
		} {
			got, err := io.ReadAll(cloudtrail.Unwrap(src))
			if err != nil || string(got) != want {
				t.Errorf("%s, %s:\n%q, want\n%q (%v)", in, name, got, want, err)
			}
		}
	}
	if _, err := io.ReadAll(cloudtrail.Unwrap(iotest.TimeoutReader(strings.NewReader(trail)))); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("the source's error became %v", err)
	}
}

func seeds() []string {
	return append(strings.Split(strings.TrimSpace(trail), "\n"), `{"detail":{"detail":{"a":1},"eventName":2},"detail.":3,"detail.x":4,"x":5}`, trail, trail+trail, `{"Records":[]}`, `{"Records":[{"a":1}`, `{"Records":[]]]}`,
		`{"eventSource":[1],"eventName":{},"requestParameters":[{"a":null},"x"],"requestParameters.b":[1,2]}`, `{"records" : [{"a":"\u005d"}] } {"a":1}`)
}

func TestSeeds(t *testing.T) {
	if n := len(seeds()); n < 10 {
		t.Errorf("%d seeds", n)
	}
}

// FuzzUnwrap: no byte is lost or moved, and none but blanks comes in.
func FuzzUnwrap(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := io.ReadAll(cloudtrail.Unwrap(iotest.HalfReader(bytes.NewReader(data))))
		if err != nil || len(got) != len(data) {
			t.Fatalf("%d bytes became %d (%v)", len(data), len(got), err)
		}
		for i := range got {
			if got[i] != data[i] && got[i] != ' ' {
				t.Fatalf("byte %d: %q became %q", i, data[i], got[i])
			}
		}
		in := jsonl.New(bytes.NewReader(got), jsonl.Options{})
		for {
			ev, err := in.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				continue
			}
			cloudtrail.Name(ev)
			seen := map[string]bool{}
			for _, f := range ev.Fields {
				if seen[f.Name] {
					t.Fatalf("%s occurs twice", f.Name)
				}
				seen[f.Name] = true
			}
		}
	})
}

func BenchmarkTrail(b *testing.B) {
	stream := strings.Repeat(trail, 500)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		in := jsonl.New(cloudtrail.Unwrap(strings.NewReader(stream)), jsonl.Options{})
		for {
			ev, err := in.Next()
			if err != nil {
				break
			}
			if cloudtrail.Is(taxonomy.MarksOf(ev)) {
				cloudtrail.Name(ev)
			}
		}
	}
}
