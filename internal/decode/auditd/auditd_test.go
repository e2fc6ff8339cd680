package auditd

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

// read decodes a text and gives its events as "record type category name=value ...".
func read(t testing.TB, text string) (events []event.Event, st Stats, problems []string) {
	t.Helper()
	r := New(strings.NewReader(text), Options{Source: "s", OnProblem: func(e *lines.Error) { problems = append(problems, e.Error()) }})
	err := r.Read(func(ev *event.Event) error {
		kept := *ev
		kept.Fields = slices.Clone(ev.Fields)
		events = append(events, kept)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, r.Stats(), problems
}

func check(t *testing.T, ev event.Event, want map[string]string) {
	t.Helper()
	for name, text := range want {
		got, ok := ev.Get(name)
		if text == "-" {
			if ok {
				t.Errorf("%s: has %q, which it should not", name, got.Text)
			}
		} else if !ok || got.Text != text {
			t.Errorf("%s: %q (there: %t), want %q", name, got.Text, ok, text)
		}
	}
}

// The first example is that of the Red Hat documentation of audit events, the others are as the kernel, the
// daemon's ENRICHED format and ausearch -i write them.
const (
	raw = `type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e syscall=59 success=yes exit=0 a0=7f a1=0 a2=1b6 a3=fe items=2 ppid=2686 pid=3538 auid=4294967295 uid=0 gid=500 tty=pts0 ses=1 comm="sh" exe="/bin/sh" key="susp"
type=EXECVE msg=audit(1364481363.243:24287): argc=3 a0="sh" a1="-c" a2=636174202F6574632F736861646F77
type=CWD msg=audit(1364481363.243:24287):  cwd="/home/shadowman"
type=PATH msg=audit(1364481363.243:24287): item=0 name="/bin/sh" inode=409248 nametype=NORMAL
type=PROCTITLE msg=audit(1364481363.243:24287): proctitle=7368002D6300636174
`
	enriched = "node=h1 type=SYSCALL msg=audit(1700000000.001:7): arch=c000003e syscall=42 success=yes exit=0 ppid=3538 pid=9 auid=1000 uid=33 comm=\"nc\" exe=\"/usr/bin/nc\" key=(null)\x1dARCH=x86_64 SYSCALL=connect AUID=\"ann\" UID=\"www-data\"\n" +
		"node=h1 type=SOCKADDR msg=audit(1700000000.001:7): saddr=020000357F0000350000000000000000\x1dSADDR={ saddr_fam=inet laddr=127.0.0.53 lport=53 }\n" +
		"node=h1 type=EOE msg=audit(1700000000.001:7): \n"
	interpreted = `----
type=PROCTITLE msg=audit(11/10/2020 08:19:44.965:93777) : proctitle=dd if=/dev/zero bs=1
type=EXECVE msg=audit(11/10/2020 08:19:44.965:93778) : argc=3 a0=dd a1=if=/dev/zero a2=two words of=x
type=SYSCALL msg=audit(11/10/2020 08:19:44.965:93778) : arch=x86_64 syscall=execve success=yes exit=0 pid=5 uid=root auid=unset comm=dd exe=/bin/dd key=(null)
`
	programs = `type=USER_CMD msg=audit(1700000000.5:8): pid=5 uid=1000 auid=1000 ses=1 msg='cwd="/home/ann" cmd=6361742078 exe="/usr/bin/sudo" terminal=pts/0 res=success'
type=SERVICE_STOP msg=audit(1700000000.6:9): pid=1 uid=0 msg='unit=firewalld comm="systemd" exe="/usr/lib/systemd/systemd" hostname=? res=success'
type=UNKNOWN[1420] msg=audit(1700000000.7:10): op=x
type=AVC msg=audit(1700000000.8:11): avc:  denied  { read } for  pid=7 comm="httpd" name="x" tclass=file
`
)

func TestRaw(t *testing.T) {
	events, st, problems := read(t, raw)
	if len(events) != 5 || len(problems) != 0 || st.Incomplete != 0 || st.Bytes != int64(len(raw)) {
		t.Fatalf("%d events, %+v, %q", len(events), st, problems)
	}
	check(t, events[0], map[string]string{
		"type": "SYSCALL", "SYSCALL": "execve", "syscall": "59", "a0": "7f", "key": "susp", "Image": "/bin/sh", "User": "root",
		"ProcessId": "3538", "ParentProcessId": "2686", "LogonId": "0", "CommandLine": "-",
	})
	check(t, events[1], map[string]string{
		"type": "EXECVE", "a0": "sh", "a2": "cat /etc/shadow", "CommandLine": "sh -c cat /etc/shadow",
		"CurrentDirectory": "/home/shadowman", "Image": "/bin/sh", "exe": "-", "ParentImage": "-",
	})
	check(t, events[4], map[string]string{"type": "PROCTITLE", "proctitle": "sh -c cat"})
	ev := events[1]
	if ev.Product != "linux" || ev.Service != "auditd" || ev.Category != "process_creation" || ev.Record != "2" || events[3].Category != "" {
		t.Errorf("%+v", ev)
	}
	if got := ev.Time.Format("2006-01-02T15:04:05.000Z07:00"); got != "2013-03-28T14:36:03.243Z" {
		t.Error(got)
	}
}

func TestEnriched(t *testing.T) {
	events, st, _ := read(t, enriched)
	if len(events) != 2 || st.Incomplete != 0 {
		t.Fatalf("%d events, %+v", len(events), st)
	}
	check(t, events[0], map[string]string{"SYSCALL": "connect", "User": "www-data", "AUID": "ann", "LogonId": "1000", "key": "-", "Computer": "h1"})
	check(t, events[1], map[string]string{"DestinationIp": "127.0.0.53", "DestinationPort": "53", "Initiated": "true", "Image": "/usr/bin/nc"})
	if events[1].Category != "network_connection" || events[1].Computer != "h1" {
		t.Errorf("%+v", events[1])
	}
	// The same without the enrichment: from the bytes.
	events, _, _ = read(t, "type=SYSCALL msg=audit(1.0:1): arch=c00000b7 syscall=203 success=yes pid=1\n"+
		"type=SOCKADDR msg=audit(1.0:1): saddr=0A0001BB0000000020010DB8000000000000000000000001000000\n")
	check(t, events[1], map[string]string{"DestinationIp": "2001:db8::1", "DestinationPort": "443"})
}

func TestInterpreted(t *testing.T) {
	events, _, problems := read(t, interpreted)
	if len(events) != 3 || len(problems) != 0 {
		t.Fatalf("%d events, %q", len(events), problems)
	}
	check(t, events[0], map[string]string{"proctitle": "dd if=/dev/zero bs=1"})
	check(t, events[1], map[string]string{"a0": "dd", "a1": "if=/dev/zero", "a2": "two words of=x", "User": "root", "Image": "/bin/dd", "LogonId": "0"})
	check(t, events[2], map[string]string{"SYSCALL": "execve", "comm": "dd"})
}

func TestPrograms(t *testing.T) {
	events, st, problems := read(t, programs)
	if len(events) != 4 || len(problems) != 0 || st.Incomplete != 2 {
		t.Fatalf("%d events, %q, %+v", len(events), problems, st)
	}
	check(t, events[0], map[string]string{"type": "USER_CMD", "cmd": "cat x", "terminal": "pts/0", "Image": "/usr/bin/sudo", "User": "1000"})
	check(t, events[1], map[string]string{"type": "SERVICE_STOP", "unit": "firewalld", "res": "success"})
	check(t, events[2], map[string]string{"type": "UNKNOWN[1420]", "op": "x"})
	check(t, events[3], map[string]string{"type": "AVC", "text": "avc:  denied  { read } for", "tclass": "file"})
}

// TestJoin: acts interleave; long arguments come in pieces and several records; files that are created and
// parents that were seen have their names; a call that failed did nothing.
func TestJoin(t *testing.T) {
	events, st, problems := read(t, raw+`type=1300 audit(1364481364.0:2): arch=c000003e syscall=59 success=yes ppid=3538 pid=4000 uid=0 exe="/bin/cat" key=6101620A
type=SYSCALL msg=audit(1364481364.0:3): arch=c000003e syscall=257 success=yes ppid=1 pid=2 uid=5 exe="/bin/touch"
audit: type=1309 audit(1364481364.0:2): argc=3 a0="cat" a1_len=6 a1[0]=6162 a1[1]="cd"
type=CWD msg=audit(1364481364.0:3): cwd="/etc/cron.d"
type=EXECVE msg=audit(1364481364.0:2): a2="last"
type=PATH msg=audit(1364481364.0:3): item=1 name="../x" nametype=CREATE
type=SYSCALL msg=audit(1364481364.5:4): arch=c000003e syscall=59 success=no ppid=3538 pid=4001
type=EXECVE msg=audit(1364481364.5:4): argc=1 a0="no"
`)
	if len(problems) != 0 || st.Incomplete != 3 || len(events) != 12 {
		t.Fatalf("%d events, %q, %+v", len(events), problems, st)
	}
	list, _ := events[5].Get("key")
	if list.Kind != event.List || len(list.Items) != 2 || list.Items[0].Text != "a" {
		t.Errorf("keys: %+v", list)
	}
	check(t, events[6], map[string]string{
		"a1": "abcd", "a2": "last", "CommandLine": "cat abcd last", "ParentImage": "/bin/sh", "ParentCommandLine": "sh -c cat /etc/shadow", "a1_len": "-",
	})
	check(t, events[9], map[string]string{"TargetFilename": "/etc/x", "Image": "/bin/touch"})
	if events[9].Category != "file_event" || events[11].Category != "" {
		t.Errorf("categories %q and %q", events[9].Category, events[11].Category)
	}
}

func TestProblems(t *testing.T) {
	many := "type=USER msg=audit(1.0:1):"
	for i := range MaxFields + 1 {
		many += fmt.Sprintf(" f%d=x", i)
	}
	_, st, problems := read(t, "type=SYSCALL msg=audit(x:1): a=b\n"+many+"\n"+strings.Repeat("x", lines.MaxLine+1)+"\n"+raw)
	want := []string{"line 1: not an audit record", "line 2: more than 512: too many fields", "line 3: more than 1048576 bytes: line too long"}
	if strings.Join(problems, "\n") != strings.Join(want, "\n") || st.Errors != 3 || st.Events != 5 {
		t.Errorf("%q, %+v", problems, st)
	}
}

// TestPending: what never ends is bounded by number, bytes, records and the log's clock.
func TestPending(t *testing.T) {
	given := 0
	j := NewJoiner("", func(*event.Event) error { given++; return nil })
	add := func(text string) {
		t.Helper()
		if err := j.Add(lines.Place{Line: 1}, "", text); err != nil {
			t.Fatal(err)
		}
		if j.order.Len() > MaxPending || j.bytes > MaxPendingBytes || len(j.pending) != j.order.Len() {
			t.Fatalf("%d acts wait with %d bytes", j.order.Len(), j.bytes)
		}
	}
	for i := range 3 * MaxPending {
		add(fmt.Sprintf("type=CWD msg=audit(1.000:%d): cwd=\"/\"", i))
	}
	if given != 2*MaxPending {
		t.Errorf("%d events", given)
	}
	add(`type=CWD msg=audit(9.000:1): cwd="/"`)
	if j.order.Len() != 1 {
		t.Errorf("%d wait after their time", j.order.Len())
	}
	for range MaxRecords {
		add(`type=PATH msg=audit(9.000:2): name="/"`)
	}
	if j.order.Len() != 1 {
		t.Errorf("%d wait, one of them full", j.order.Len())
	}
	big := strings.Repeat("A", lines.MaxLine-100)
	for i := range 40 {
		add(fmt.Sprintf("type=CWD msg=audit(9.000:%d): cwd=%s", 10+i, big))
	}
	if err := j.Flush(); err != nil || j.order.Len() != 0 || j.bytes != 0 || len(j.pending) != 0 {
		t.Errorf("after a flush: %v, %d acts, %d bytes", err, j.order.Len(), j.bytes)
	}
	for i := range 2 * MaxProcesses {
		j.known.put("", fmt.Sprint(i), process{image: "x"})
	}
	if len(j.known.of) != MaxProcesses {
		t.Errorf("%d processes are remembered", len(j.known.of))
	}
}

// told is a taker that refuses at will.
type told struct {
	records []string
	refuse  func(record string) bool
}

var errRefused = errors.New("refused")

func (x *told) take(ev *event.Event) error {
	kind, _ := ev.Get("type")
	image, _ := ev.Get("Image")
	record := ev.Record + " " + kind.Text + " " + image.Text
	if x.refuse != nil && x.refuse(record) {
		return errRefused
	}
	x.records = append(x.records, record)
	return nil
}

// addAll adds a text from an offset on, until an error.
func addAll(j *Joiner, text string, from int64) error {
	at := lines.Place{Line: 1}
	for line := range strings.Lines(text) {
		if at.Offset >= from {
			if err := j.Add(at, "", strings.TrimSuffix(line, "\n")); err != nil {
				return err
			}
		}
		at.Line++
		at.Offset += int64(len(line))
	}
	return nil
}

const two = `type=SYSCALL msg=audit(1.0:1): exe="/bin/a"
type=SYSCALL msg=audit(1.0:2): exe="/bin/b"
type=CWD msg=audit(1.0:2): cwd="/"
type=USER msg=audit(1.0:3): exe="/bin/c"
type=PROCTITLE msg=audit(1.0:2): proctitle=62
`

// TestRefused: what a taker refuses is given out later, from the event that was; another joiner that goes on from what
// was open gives out the same.
func TestRefused(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		x := &told{refuse: func(record string) bool { return strings.Contains(record, "CWD") }}
		j := NewJoiner("", x.take)
		if err := addAll(j, two, 0); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
		open := j.Open()
		if len(open) != 2 || open[0] != (lines.Open{Place: lines.Place{Line: 1}}) || open[1].Line != 2 || open[1].Given != 1 {
			t.Fatalf("open: %+v", open)
		}
		x.refuse = nil
		if resumed {
			j = NewJoiner("", x.take)
			j.Resume(int64(len(two)), open)
			if err := addAll(j, two, open[0].Offset); err != nil {
				t.Fatal(err)
			}
		} else if err := j.Deliver(); err != nil {
			t.Fatal(err)
		}
		if open := j.Open(); len(open) != 1 || open[0].Line != 1 {
			t.Errorf("open: %+v", open)
		}
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		want := []string{"4 USER /bin/c", "2 SYSCALL /bin/b", "3 CWD /bin/b", "5 PROCTITLE /bin/b", "1 SYSCALL /bin/a"}
		if !slices.Equal(x.records, want) || len(j.Open()) != 0 {
			t.Errorf("resumed %v: %q, want %q", resumed, x.records, want)
		}
	}
}

// TestExpire: an act is given out when nothing of it came for its time on the wall, whichever way the clock went.
func TestExpire(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for wait, want := range map[time.Duration]int{joinTime: 0, joinTime + 1: 1, -time.Hour: 1} {
		x := &told{}
		j := NewJoiner("", x.take)
		j.At(start)
		if err := j.Add(lines.Place{Line: 1}, "", `type=CWD msg=audit(1.0:1): cwd="/"`); err != nil {
			t.Fatal(err)
		}
		if err := j.Expire(start.Add(wait)); err != nil || len(x.records) != want || len(j.Open()) != 1-want {
			t.Errorf("after %v: %q, %v", wait, x.records, err)
		}
	}
}

// TestHostileShapes: what could make the work grow with the square of a line does not; a regression takes
// minutes here, where it should take none.
func TestHostileShapes(t *testing.T) {
	words := "type=AVC msg=audit(1.0:1): " + strings.Repeat("a ", lines.MaxLine/2-20)
	var pieces strings.Builder
	for range MaxRecords - 1 {
		pieces.WriteString("type=EXECVE msg=audit(1.0:2):" + strings.Repeat(" a0[0]=x", MaxArgs-1) + "\n")
	}
	events, _, problems := read(t, words+"\n"+pieces.String())
	if len(events) != 2 || len(problems) != 0 {
		t.Fatalf("%d events, %q", len(events), problems)
	}
	if got, _ := events[0].Get("text"); len(got.Text) < lines.MaxLine-100 {
		t.Errorf("%d bytes of words", len(got.Text))
	}
	if got, _ := events[1].Get("a0"); len(got.Text) != (MaxRecords-1)*(MaxArgs-1) {
		t.Errorf("an argument of %d bytes", len(got.Text))
	}
}

// TestYieldEnds: the error of whoever takes the events ends the reading.
func TestYieldEnds(t *testing.T) {
	stop := errors.New("stop")
	if err := New(strings.NewReader(raw), Options{}).Read(func(*event.Event) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

var seeds = []string{raw, enriched, interpreted, programs, "node= type=", "type=1300 audit(1.1:1): a=\"", "type=EXECVE msg=audit(1.1:1): a0[0]=41 a0[1]=42 a0=43"}

func TestSeeds(t *testing.T) {
	if len(seeds) < 7 {
		t.Errorf("%d seeds", len(seeds))
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		events, st, problems := read(t, text)
		if st.Events != int64(len(events)) || st.Errors != int64(len(problems)) || st.Bytes != int64(len(text)) {
			t.Errorf("%+v, %d events, %d problems of %d bytes", st, len(events), len(problems), len(text))
		}
		for _, ev := range events {
			seen := map[string]bool{}
			for _, field := range ev.Fields {
				if seen[field.Name] || field.Name == "" {
					t.Errorf("the field %q twice, or none", field.Name)
				}
				seen[field.Name] = true
			}
		}
	})
}

// BenchmarkRead decodes 1,000 acts of five records.
func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		text.WriteString(strings.ReplaceAll(raw, ":24287)", fmt.Sprintf(":%d)", i)))
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r := New(strings.NewReader(text.String()), Options{})
		if err := r.Read(func(*event.Event) error { return nil }); err != nil || r.Stats().Events != 5000 {
			b.Fatal(err, r.Stats())
		}
	}
}
