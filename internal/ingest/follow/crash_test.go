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
	durable map[string]int
	acked   map[string]bool
	waiting []string
	life    *life
}

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
	return errFault
}

func (l *life) Submit(_ context.Context, ev *event.Event) error {
	if err := l.strike(); err != nil {
		return err
	}
	text := render(ev)
	if l.o.acked[text] {
		l.o.t.Errorf("acknowledged, and told again: %s", text)
	}
	l.o.waiting = append(l.o.waiting, text)
	return nil
}

func (l *life) Sync(context.Context) error {
	if err := l.strike(); err != nil {
		if !l.dead {
			l.o.waiting = nil // what could not be written is gone
		}
		return err
	}
	for _, text := range l.o.waiting {
		l.o.durable[text]++
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
		return err
	}
	if len(l.o.waiting) > 0 {
		l.o.t.Error("a mark is noted before its events are durable")
	}
	for text := range l.o.durable {
		l.o.acked[text] = true
	}
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
	o.waiting = nil
	o.life = &life{o: o}
	return New(Options{Sources: []Source{o.source}, Sink: o.life, Offsets: o.life, Now: o.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// look looks until there is nothing more; the clock stands still.
func (o *ordeal) look(f *Follower) {
	o.t.Helper()
	for n := 0; f.poll(o.t.Context()); n++ {
		if n > 10_000 {
			o.t.Fatal("never done")
		}
	}
}

// run writes the text in the pieces, and with the faults, that a schedule says.
func (o *ordeal) run(text string, schedule []byte) {
	f := o.begin()
	o.write(o.name, "")
	for len(schedule) >= 2 && len(text) > 0 {
		op, n := schedule[0], int(schedule[1])
		schedule = schedule[2:]
		switch {
		case op < 32: // the process is killed, or a call fails, some calls later
			o.life.calls, o.life.fault = n%40+1, fault(op)%faults
		case op < 48:
			f = o.begin()
		default:
			piece := min(len(text), n*int(op-47)/16+1)
			o.append(o.name, text[:piece])
			text = text[piece:]
		}
		o.look(f)
		if o.life.dead {
			f = o.begin()
		}
	}
	o.life.calls = 0
	o.append(o.name, text)
	o.look(f)
	o.at = o.at.Add(2 * grace) // acts without an end, and a line without one
	o.look(f)
	o.at = o.at.Add(2 * grace)
	o.look(f)
}

// whole is what a reader of the whole text makes of it.
func whole(t testing.TB, format Format, source, text string, now time.Time) map[string]bool {
	t.Helper()
	want := map[string]bool{}
	take := func(ev *event.Event) error {
		want[render(ev)] = true
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
func endure(t *testing.T, format Format, text string, schedule []byte) {
	t.Helper()
	o := &ordeal{world: newWorld(t), name: "f.log", durable: map[string]int{}, acked: map[string]bool{}}
	o.source = Source{Path: o.path(o.name), Format: format}
	o.run(text, schedule)
	want := whole(t, format, o.source.Path, text, o.at)
	for text := range want {
		if o.durable[text] == 0 {
			t.Errorf("lost: %s", text)
		}
	}
	for text := range o.durable {
		if !want[text] {
			t.Errorf("made up: %s", text)
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
			for what := range faults {
				for call := range 40 {
					for _, piece := range []byte{7, 200} {
						step := []byte{byte(what), byte(call), 63, piece, 63, piece}
						endure(t, format, text, bytes.Repeat(step, len(text)))
						if t.Failed() {
							t.Fatalf("fault %d at call %d, pieces of %d", what, call, piece)
						}
					}
				}
			}
			for seed := range uint64(200) {
				rng := rand.New(rand.NewPCG(seed, 7))
				schedule := make([]byte, 400)
				for i := range schedule {
					schedule[i] = byte(rng.Uint32())
				}
				endure(t, format, text, schedule)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
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
		endure(t, format, text, schedule)
	})
}
