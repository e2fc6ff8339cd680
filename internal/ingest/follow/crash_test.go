package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/decode/auditd"
	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/eventxml"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/syslog"
	"shieldwall/internal/decode/telemetry"
	"shieldwall/internal/event"
)

// ordeal follows one file while it grows and everything fails in turn, and holds what came of it to what a reader of
// the whole file makes: nothing is lost, and nothing that was acknowledged comes again.
type ordeal struct {
	*world
	source  Source
	name    string
	durable map[string]int      // how often each event was told
	acked   map[string]int      // and acknowledged
	written map[string][]string // durable and not acknowledged, by path
	waiting []told
	life    *life
	wrote   []string // what each file was given, the newest last
	rotates bool
	struck  [faults]int // how often each fault happened
}

// told is an event that the sink took.
type told struct{ text, path string }

// life is one process's; after its end nothing that it does has an effect.
type life struct {
	o     *ordeal
	calls int // left until it is killed, or refused once; 0: never
	fault fault
	dead  bool
}

type fault byte

const (
	killed fault = iota
	refused
	faults
)

var errFault = errors.New("a fault")

// strike says whether the call fails.
func (l *life) strike() error {
	if l.dead {
		return errFault
	}
	if l.calls == 0 {
		return nil
	}
	if l.calls--; l.calls > 0 {
		return nil
	}
	l.dead = l.fault == killed
	l.o.struck[l.fault]++
	return errFault
}

func (l *life) Submit(_ context.Context, ev *event.Event) error {
	if err := l.strike(); err != nil {
		return err
	}
	l.o.waiting = append(l.o.waiting, told{render(ev), ev.Source})
	return nil
}

func (l *life) Sync(context.Context) error {
	if err := l.strike(); err != nil {
		if !l.dead {
			l.o.waiting = nil // what could not be written is gone
		}
		return err
	}
	for _, x := range l.o.waiting {
		l.o.durable[x.text]++
		l.o.written[x.path] = append(l.o.written[x.path], x.text)
	}
	l.o.waiting = nil
	return nil
}

func (l *life) Offset(ctx context.Context, path string) (string, int64, error) {
	if l.dead {
		return "", 0, errFault
	}
	return l.o.world.Offset(ctx, path)
}

func (l *life) PutOffset(ctx context.Context, path, ident string, offset int64) error {
	if err := l.strike(); err != nil {
		delete(l.o.written, path) // it comes again
		return err
	}
	if len(l.o.waiting) > 0 {
		l.o.t.Error("a mark is noted before its events are durable")
	}
	for _, text := range l.o.written[path] {
		l.o.acked[text]++
	}
	delete(l.o.written, path)
	return l.o.world.PutOffset(ctx, path, ident, offset)
}

// render is an event as text; what was learnt of processes before a restart is left out.
func render(ev *event.Event) string {
	var fields []string
	for _, f := range ev.Fields {
		if f.Name != "ParentImage" && f.Name != "ParentCommandLine" {
			fields = append(fields, fmt.Sprintf("%s=%+v", f.Name, f.Value))
		}
	}
	slices.Sort(fields)
	return fmt.Sprintf("%s %s %s %s/%s/%s %v %s", ev.Record, ev.Time, ev.Computer, ev.Product, ev.Service, ev.Category, ev.Also, strings.Join(fields, " "))
}

// begin starts a process.
func (o *ordeal) begin() *Follower {
	o.waiting, o.written = nil, map[string][]string{}
	o.life = &life{o: o}
	return New(Options{Sources: []Source{o.source}, Sink: o.life, Offsets: o.life, Now: o.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// run writes the text in the pieces, and with the faults, that a schedule says.
func (o *ordeal) run(text string, schedule []byte) {
	f := o.begin()
	o.write(o.name, "")
	o.wrote = []string{""}
	for len(schedule) >= 2 && len(text) > 0 {
		op, n := schedule[0], int(schedule[1])
		schedule = schedule[2:]
		switch {
		case op < 32: // the process is killed, or a call fails, some calls later
			if o.life.calls == 0 {
				o.life.calls, o.life.fault = n%40+1, fault(op)%faults
			}
		case op < 40 || !o.rotates && op < 48:
			f = o.begin()
		case op < 48 && !o.noted():
		case op < 44:
			o.rename(o.name, fmt.Sprintf("%s.%d", o.name, len(o.wrote)))
			o.write(o.name, "")
			o.wrote = append(o.wrote, "")
		case op < 48:
			o.copy(o.name, fmt.Sprintf("%s.%d", o.name, len(o.wrote)))
			o.write(o.name, "")
			o.wrote = append(o.wrote, "")
		default:
			piece := min(len(text), n*int(op-47)/16+1)
			o.add(text[:piece])
			text = text[piece:]
		}
		o.look(f)
		if o.life.dead {
			f = o.begin()
		}
	}
	o.life.calls = 0
	o.add(text)
	o.look(f)
	o.at = o.at.Add(2 * grace) // acts without an end, and a line without one
	o.look(f)
	o.at = o.at.Add(2 * grace)
	o.look(f)
}

// add appends to the file.
func (o *ordeal) add(text string) {
	o.append(o.name, text)
	o.wrote[len(o.wrote)-1] += text
}

// noted says whether the file that is to be rotated was seen, and can be told by its content.
func (o *ordeal) noted() bool {
	ident, offset, err := o.world.Offset(o.t.Context(), o.source.Path)
	m, merr := parseMark(ident)
	if err != nil || merr != nil || m.Head.N < printSize {
		return false
	}
	here, _ := (&tracked{mark: m, offset: offset}).at(o.source.Path)
	return here
}

// whole is what a reader of the whole text makes of it.
func whole(t testing.TB, format Format, source, text string, now time.Time) map[string]int {
	t.Helper()
	want := map[string]int{}
	take := func(ev *event.Event) error {
		want[render(ev)]++
		return nil
	}
	in := strings.NewReader(text)
	var err error
	switch format {
	case Auditd:
		err = auditd.New(in, auditd.Options{Source: source}).Read(take)
	case Syslog:
		err = syslog.New(in, syslog.Options{Source: source, Hint: now}).Read(take)
	case XML:
		err = eventxml.New(in, eventxml.Options{Source: source}).Read(take)
	default:
		r := telemetry.New(in, jsonl.Options{Source: source})
		for {
			var ev *event.Event
			if ev, err = r.Next(); err == nil {
				err = take(ev)
			}
			if bad := (*jsonl.ValueError)(nil); err != nil && !errors.As(err, &bad) {
				break
			}
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// endure is one ordeal.
func endure(t *testing.T, format Format, text string, rotates bool, schedule []byte) (struck [faults]int) {
	t.Helper()
	o := &ordeal{world: newWorld(t), name: "f.log", durable: map[string]int{}, acked: map[string]int{}, rotates: rotates}
	o.source = Source{Path: o.path(o.name), Format: format}
	o.run(text, schedule)
	want := map[string]int{}
	for _, text := range o.wrote {
		for event, n := range whole(t, format, o.source.Path, text, o.at) {
			want[event] += n
		}
	}
	for event, n := range want {
		if o.durable[event] < n {
			t.Errorf("lost: %s", event)
		}
	}
	for event, n := range o.acked {
		if n > want[event] {
			t.Errorf("acknowledged %d times, and there are %d: %s", n, want[event], event)
		}
	}
	for event := range o.durable {
		if want[event] == 0 {
			t.Errorf("made up: %s", event)
		}
	}
	return o.struck
}

// counted adds up what ordeals went through.
type counted [faults]int

func (c *counted) add(struck [faults]int) {
	for i, n := range struck {
		c[i] += n
	}
}

// check holds the test to have tested something.
func (c *counted) check(t *testing.T, least int) {
	t.Helper()
	for i, n := range c {
		if n < least {
			t.Errorf("fault %d happened %d times only", i, n)
		}
	}
}

// Texts of each format: acts that interleave and have no end, lines that are broken, headers that change.
var ordeals = map[Format]string{
	Auditd: `type=SYSCALL msg=audit(1700000000.001:1): arch=c000003e syscall=59 success=yes ppid=1 pid=2 uid=0 exe="/bin/sh" key="k"
type=SYSCALL msg=audit(1700000000.002:2): arch=c000003e syscall=257 success=yes ppid=1 pid=3 uid=5 exe="/bin/touch"
type=EXECVE msg=audit(1700000000.001:1): argc=2 a0="sh" a1="-c"
not a record
type=CWD msg=audit(1700000000.002:2): cwd="/etc/cron.d"
type=USER_CMD msg=audit(1700000000.003:3): pid=9 uid=0 auid=5 msg='cwd="/" cmd="id" exe="/usr/bin/sudo" res=success'
type=PATH msg=audit(1700000000.002:2): item=0 name="x" nametype=CREATE
type=SYSCALL msg=audit(1700000000.004:4): arch=c000003e syscall=59 success=yes ppid=2 pid=4 uid=0 exe="/bin/id"
type=EXECVE msg=audit(1700000000.004:4): argc=1 a0="id"
type=PROCTITLE msg=audit(1700000000.004:4): proctitle=6964
type=PATH msg=audit(1700000000.002:2): item=1 name="y" nametype=CREATE
type=EOE msg=audit(1700000000.004:4):
type=EOE msg=audit(1700000000.002:2):

type=PATH msg=audit(1700000000.002:2): item=2 name="late" nametype=CREATE
type=SYSCALL msg=audit(1700000009.000:5): arch=c000003e syscall=59 success=yes ppid=4 pid=6 uid=0 exe="/bin/ls"
type=EXECVE msg=audit(1700000009.000:5): argc=1 a0="ls"
`,
	Syslog: `Mar  1 10:00:00 gate sshd[12]: Failed password for invalid user bob from 192.0.2.7 port 50222 ssh2
Mar  1 10:00:00 gate kernel: [ 1.0] audit: type=1300 audit(1700000000.001:1): arch=c000003e syscall=59 success=yes ppid=1 pid=2 uid=0 exe="/bin/sh"
<86>1 2026-03-01T10:00:01Z gate sudo 77 - [x@1 a="b"] ann : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh
Mar  1 10:00:01 gate kernel: [ 1.0] audit: type=1309 audit(1700000000.001:1): argc=1 a0="sh"
broken
Mar  1 10:00:02 gate app[1]: {"EventID":1,"a":"b"}
Mar  1 10:00:02 gate sysmon: <Event><System><Provider Name="Linux-Sysmon"/><EventID>5</EventID><EventRecordID>7</EventRecordID></System><EventData><Data Name="Image">/bin/x</Data></EventData></Event>
Mar  1 10:00:03 gate audispd: node=gate type=SYSCALL msg=audit(1700000000.002:2): arch=c000003e syscall=59 success=yes ppid=1 pid=3 exe="/bin/a"
Mar  1 10:00:03 gate audispd: node=gate type=PROCTITLE msg=audit(1700000000.002:2): proctitle=61
Mar  1 10:00:04 gate cron[3]: (root) CMD (x)
`,
	Zeek: "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\tuid\tn\n#types\ttime\tstring\tcount\n" +
		"1.5\tC1\t1\n2.5\tC2\n3.5\tC3\t3\n#close\tx\n#separator ,\n#path,dns\n#fields,ts,uid,query\n#types,time,string,string\n4.5,C4,a.example\n5.5,C5,b.example\n",
	XML: `<?xml version="1.0"?><Events><Event xmlns="x"><System><EventID>1</EventID><EventRecordID>11</EventRecordID><Channel>A</Channel></System></Event>
<Event><System><EventID>2</EventID></System>
  <EventData><Data Name="a">b</Data></EventData></Event><Event><broken></Event><Event><System><EventID>3</EventID></System></Event> </Events>
<Event><System><EventID>4</EventID><EventRecordID>14</EventRecordID></System></Event>
`,
}

// TestOrdeal kills and refuses at every call, one after the other, and then at random ones.
func TestOrdeal(t *testing.T) {
	for format, text := range ordeals {
		t.Run(string(format), func(t *testing.T) {
			var struck counted
			for what := range faults {
				for call := range 25 {
					for _, piece := range []byte{7, 200} {
						step := []byte{byte(what), byte(call), 63, piece, 63, piece}
						struck.add(endure(t, format, text, false, bytes.Repeat(step, len(text))))
						if t.Failed() {
							t.Fatalf("fault %d at call %d, pieces of %d", what, call, piece)
						}
					}
				}
			}
			for seed := range uint64(40) {
				rng := rand.New(rand.NewPCG(seed, 7))
				schedule := make([]byte, 400)
				for i := range schedule {
					schedule[i] = byte(rng.Uint32())
				}
				struck.add(endure(t, format, text, false, schedule))
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
			struck.check(t, 60)
		})
	}
}

// bigText is an ordeal of many acts and messages, each of them unlike all others.
func bigText(format Format) string {
	var text strings.Builder
	for i := range 12 {
		numbers := strings.NewReplacer("1700000000", fmt.Sprint(1700000000+i), "1700000009", fmt.Sprint(1700000009+i), "gate", fmt.Sprintf("gate%d", i), "exe=", fmt.Sprintf("n=%d exe=", i), "item=", fmt.Sprintf("n=%d item=", i), "argc=", fmt.Sprintf("n=%d argc=", i), "cwd=", fmt.Sprintf("n=%d cwd=", i), "proctitle=", fmt.Sprintf("n=%d proctitle=", i))
		text.WriteString(numbers.Replace(ordeals[format]))
	}
	return text.String()
}

// TestRotatedOrdeal has a log of many acts that is rotated, by renaming and by copying, while everything fails.
func TestRotatedOrdeal(t *testing.T) {
	for _, format := range []Format{Auditd, Syslog} {
		t.Run(string(format), func(t *testing.T) {
			var struck counted
			text := bigText(format)
			for seed := range uint64(30) {
				rng := rand.New(rand.NewPCG(seed, 8))
				schedule := make([]byte, 300)
				for i := range schedule {
					schedule[i] = byte(rng.Uint32())
					if i%2 == 0 {
						schedule[i] %= 96
					}
				}
				struck.add(endure(t, format, text, true, schedule))
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
			struck.check(t, 40)
		})
	}
}

// FuzzOrdeal does so with hostile texts.
func FuzzOrdeal(f *testing.F) {
	formats := []Format{Auditd, Syslog, Zeek, XML}
	seeds := 0
	for i, format := range formats {
		for _, schedule := range []string{"", "\x00\x05\xff\x40\xff\x40", "\x01\x03\xff\x80\x20\x00\xff\x80\x00\x09\xff\xff\xff\xff"} {
			f.Add(byte(i), ordeals[format], []byte(schedule))
			seeds++
		}
	}
	if seeds != 12 {
		f.Fatalf("%d seeds", seeds)
	}
	f.Fuzz(func(t *testing.T, n byte, text string, schedule []byte) {
		format := formats[int(n)%len(formats)]
		head := []byte(text[:min(len(text), container.SniffSize)])
		if len(text) > 64<<10 || len(schedule) > 400 || container.Packed(head) || container.KindOf(head) == container.EVTX {
			t.Skip()
		}
		if format == Zeek && (!strings.HasPrefix(text, zeekMagic) || len(text) > maxHeader) {
			t.Skip()
		}
		endure(t, format, text, false, schedule)
	})
}
