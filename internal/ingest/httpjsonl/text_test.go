package httpjsonl

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"shieldwall/internal/decode/container"
)

const audit = `type=SYSCALL msg=audit(1700000000.001:1): arch=c000003e syscall=59 success=yes ppid=1 pid=2 uid=0 exe="/bin/sh"
type=SYSCALL msg=audit(1700000000.001:2): arch=c000003e syscall=59 success=yes ppid=1 pid=3 uid=0 exe="/bin/id"
not a record
type=EXECVE msg=audit(1700000000.001:1): argc=1 a0="sh"
`

// TestText: formats of lines and XML are told by their content; each has its logsource and its faults.
func TestText(t *testing.T) {
	for name, tc := range map[string]struct {
		body, events, rejected string
		line                   int64
	}{
		"auditd": {audit, "ingest:sensor-1#1 linux//auditd /bin/sh, ingest:sensor-1#4 linux/process_creation/auditd /bin/sh, ingest:sensor-1#2 linux//auditd /bin/id", "not an audit record", 3},
		"syslog": {"\nMar  1 10:00:00 gate sshd[1]: x\nbroken\n<86>1 2026-03-01T10:00:01Z gate sudo - - - y", "ingest:sensor-1#2 linux//sshd , ingest:sensor-1#4 linux//sudo ", "not a syslog message", 3},
		"XML":    {"<Events>\n<Event></Event><Event><EventData><Data Name=\"Image\">x</Data></EventData></Event><Event><a></Event>", "ingest:sensor-1#1 p/c/s , ingest:sensor-1#2 p/c/s x", "invalid XML", 3},
	} {
		s := &sink{}
		h := newTestHandler(s, func(o *Options) { o.Now = func() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) } })
		resp, a := post(h, "?product=p&category=c&service=s", "gzip", zipped(t, "gzip", []byte(tc.body)))
		if got := strings.Join(s.events, ", "); got != tc.events {
			t.Errorf("%s: took %q, want %q", name, got, tc.events)
		}
		if resp.StatusCode != http.StatusBadRequest || a.Accepted != int64(len(s.events)) || len(a.Rejected) != 1 ||
			a.Rejected[0].Line != tc.line || !strings.Contains(a.Rejected[0].Error, tc.rejected) {
			t.Errorf("%s: %d %+v", name, resp.StatusCode, a)
		}
	}
}

func TestTextRefused(t *testing.T) {
	for refuse, want := range map[error]int{errBusy: http.StatusTooManyRequests, errors.New("full"): http.StatusServiceUnavailable} {
		s := &sink{refuse: refuse, after: 1}
		if resp, a := post(newTestHandler(s), "", "", []byte(audit)); resp.StatusCode != want || a.Accepted != 1 {
			t.Errorf("%d %+v, want %d", resp.StatusCode, a, want)
		}
	}
	s := &sink{}
	if resp, a := post(newTestHandler(s, func(o *Options) { o.MaxBody = 150 }), "", "", []byte(audit)); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %+v", resp.StatusCode, a)
	}
}

// TestKindOf: as much is read as the answer needs, and all of it is given back.
func TestKindOf(t *testing.T) {
	long := strings.Repeat("x", 2*container.SniffSize)
	for _, tc := range []struct {
		body string
		kind container.Kind
		read int
	}{
		{`{"a":1}`, container.Unknown, 1},
		{"\n\n [", container.JSON, 4},
		{"#separator \\x09\n", container.Unknown, 1},
		{audit, container.Audit, strings.Index(audit, "\n") + 1},
		{"type=A msg=audit(1.0:1):", container.Audit, 24},
		{"Mar  1 10:00:00 gate sshd[1]: x", container.Syslog, 31},
		{"<Event>", container.XML, 7},
		{"", container.Unknown, 0},
		{long, container.Unknown, container.SniffSize},
	} {
		in := &counting{r: iotest.OneByteReader(strings.NewReader(tc.body))}
		kind, all := kindOf(in)
		read := in.n
		got, err := io.ReadAll(all)
		if tc.kind == container.JSON || tc.kind == container.Unknown {
			kind = tc.kind // telemetry tells those apart
		}
		if kind != tc.kind || read != tc.read || err != nil || string(got) != tc.body {
			t.Errorf("%.40q: %v after %d bytes, want %v after %d; %d bytes come back, %v", tc.body, kind, read, tc.kind, tc.read, len(got), err)
		}
	}
	broken := errors.New("broken")
	_, all := kindOf(io.MultiReader(strings.NewReader("Mar"), iotest.ErrReader(broken)))
	if got, err := io.ReadAll(all); string(got) != "Mar" || !errors.Is(err, broken) {
		t.Errorf("%q, %v", got, err)
	}
}

type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
