package follow

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/decode/auditd"
	"shieldwall/internal/decode/lines"
	"shieldwall/internal/event"
)

// call is what auditd writes when a program starts, without the end that most kernels write.
func call(serial int, program string) (syscall, execve string) {
	return fmt.Sprintf("type=SYSCALL msg=audit(1700000000.000:%d): arch=c000003e syscall=59 success=yes ppid=1 pid=%d uid=0 exe=\"/bin/%s\"\n", serial, serial, program),
		fmt.Sprintf("type=EXECVE msg=audit(1700000000.000:%d): argc=1 a0=\"%s\"\n", serial, program)
}

func text(ev *event.Event, name string) string {
	v, _ := ev.Get(name)
	return v.Text
}

// image gives the world a sink that notes which programs started, and by which name.
func (w *world) image() *[]string {
	out := &[]string{}
	w.see = func(ev *event.Event) {
		if text(ev, "type") == "EXECVE" {
			*out = append(*out, text(ev, "Image")+" "+text(ev, "a0"))
		}
	}
	return out
}

func TestMixedFolder(t *testing.T) {
	w := newWorld(t)
	n := 0
	for _, name := range []string{"JSON", "Zeek", "auditd", "auditd joined", "syslog", "XML"} {
		style := styles[name]
		w.write(name+".log", style.head+style.lines(n+1, n+2))
		n += 2
	}
	w.write("cut.log", "d of a line\n"+styles["syslog"].lines(n+1, n+1))
	w.write("notes.txt", "Mar was cold.\n")
	f := w.start()
	w.polls(f)
	w.polls(f)
	w.expect(1, n+1)
	if st := f.Stats(); st.Files != 8 || st.Ignored != 1 || st.Errors != 1 || !strings.Contains(st.LastError, "line 1") {
		t.Errorf("stats: %+v", st)
	}
	for _, source := range []string{"auditd.log:1", "syslog.log:2", "XML.log:2"} {
		if !strings.Contains(strings.Join(w.events, " "), source) {
			t.Errorf("no event is of %s: %q", source, w.events)
		}
	}
}

// TestForcedFormat: the operator's word counts, but not for what is packed.
func TestForcedFormat(t *testing.T) {
	for format, want := range map[Format]string{
		Syslog: `7`, Auditd: `8`, JSON: `9`, XML: `10`, ByContent: ``,
	} {
		w := newWorld(t)
		w.write("a.log", "what a log may start with\nand go on\n"+
			"Mar  1 10:00:00 gate app: {\"v\":7}\ntype=USER msg=audit(1.0:1): v=8\n{\"v\":9}\n<Event><EventData><Data Name=\"v\">10</Data></EventData></Event>\n")
		w.write("a.log.gz", "\x1f\x8b\x08\x00")
		w.write("old.evtx", "ElfFile\x00")
		w.write("empty", "")
		f := w.start(Source{Path: w.dir, Format: format})
		w.polls(f)
		if got := w.values(); got != want {
			t.Errorf("as %q: took %q, want %q", format, got, want)
		}
	}
}

func TestParseFormat(t *testing.T) {
	for _, name := range []string{"", "json", "zeek", "auditd", "syslog", "xml"} {
		if f, err := ParseFormat(name); err != nil || string(f) != name {
			t.Errorf("%q: %q, %v", name, f, err)
		}
	}
	for _, name := range []string{"evtx", "JSON", "lines", " "} {
		if _, err := ParseFormat(name); err == nil {
			t.Errorf("%q is a format", name)
		}
	}
}

// TestPartialLines: half a line waits, over a restart too; where nobody goes on with it for long it is the last.
func TestPartialLines(t *testing.T) {
	for name, style := range styles {
		if name == "JSON" || name == "XML" {
			continue // they say themselves where they end
		}
		w := newWorld(t)
		f := w.start(Source{Path: w.path("a.log")})
		next := style.lines(3, 3)
		w.write("a.log", style.head+style.lines(1, 2)+next[:len(next)-len(pad)])
		w.polls(f)
		w.at = w.at.Add(2 * DefaultSettle)
		w.polls(f)
		w.expect(1, 2)
		f = w.start(Source{Path: w.path("a.log")})
		w.polls(f)
		w.append("a.log", next[len(next)-len(pad):])
		w.polls(f)
		w.expect(1, 3)
		w.append("a.log", strings.TrimSuffix(style.lines(4, 4), "\n"))
		w.polls(f)
		w.expect(1, 3)
		w.at = w.at.Add(grace)
		w.polls(f)
		w.expect(1, 4)
		if st := f.Stats(); st.Errors != 0 {
			t.Errorf("%s: %+v", name, st)
		}
	}
}

// TestOpenAct: an act waits for its other records, over a restart, and is told after its time on the wall though
// nothing more is written.
func TestOpenAct(t *testing.T) {
	for _, prefix := range []string{"", "Mar  1 10:00:00 gate audispd: "} {
		w := newWorld(t)
		took := w.image()
		src := Source{Path: w.path("audit.log")}
		f := w.start(src)
		syscall, execve := call(1, "sh")
		w.write("audit.log", prefix+syscall)
		w.look(f)
		f = w.start(src)
		w.at = w.at.Add(time.Hour) // the act's time begins when its record is read again
		w.look(f)
		w.append("audit.log", prefix+execve)
		w.look(f)
		w.at = w.at.Add(1900 * time.Millisecond)
		w.look(f)
		if len(w.events) != 0 {
			t.Fatalf("told before its time: %q", w.events)
		}
		w.at = w.at.Add(200 * time.Millisecond)
		w.look(f)
		if len(*took) != 1 || (*took)[0] != "/bin/sh sh" || len(w.events) != 2 {
			t.Errorf("took %q, %q", *took, w.events)
		}
		w.polls(w.start(src))
		if len(w.events) != 2 {
			t.Errorf("after a restart again: %q", w.events)
		}
	}
}

// TestBusyLog: what goes on being written beside an act does not keep it.
func TestBusyLog(t *testing.T) {
	w := newWorld(t)
	took := w.image()
	f := w.start(Source{Path: w.path("sys.log")})
	syscall, execve := call(1, "sh")
	const prefix = "Mar  1 10:00:00 gate audispd: "
	w.write("sys.log", prefix+syscall+prefix+execve)
	for i := range 5 {
		w.look(f)
		if early := i < 3 && len(*took) > 0; early {
			t.Fatalf("told before its time: %q", *took)
		}
		w.at = w.at.Add(700 * time.Millisecond)
		w.append("sys.log", styles["syslog"].lines(i, i))
	}
	if len(*took) != 1 {
		t.Errorf("took %q", *took)
	}
}

// TestKnownParents: what a log has shown of processes is known in the one that follows it.
func TestKnownParents(t *testing.T) {
	w := newWorld(t)
	var parents []string
	w.see = func(ev *event.Event) {
		if text(ev, "type") == "EXECVE" {
			parents = append(parents, text(ev, "ParentImage"))
		}
	}
	f := w.start(Source{Path: w.path("audit.log")})
	syscall, execve := call(1, "sh")
	w.write("audit.log", syscall+execve)
	w.polls(f)
	w.rename("audit.log", "audit.log.1")
	syscall, execve = call(2, "id")
	w.write("audit.log", syscall+execve)
	w.polls(f)
	if strings.Join(parents, ",") != ",/bin/sh" {
		t.Errorf("parents %q", parents)
	}
}

// TestGone: what a file held back is told though the file is gone.
func TestGone(t *testing.T) {
	for name, gone := range map[string]func(*world){
		"removed": func(w *world) {
			if err := os.Remove(w.path("audit.log")); err != nil {
				w.t.Fatal(err)
			}
		},
		"truncated": func(w *world) { w.write("audit.log", "") },
		"replaced":  func(w *world) { w.write("audit.log", styles["auditd"].lines(1, 40)) },
	} {
		w := newWorld(t)
		took := w.image()
		f := w.start(Source{Path: w.path("audit.log")})
		syscall, execve := call(1, "sh")
		w.write("audit.log", syscall+execve)
		w.look(f)
		if len(w.events) != 0 {
			t.Fatalf("told too early: %q", w.events)
		}
		gone(w)
		w.refuse = func(string) error { return errors.New("busy") }
		w.polls(f)
		w.refuse = nil
		w.polls(f)
		if len(*took) != 1 || (*took)[0] != "/bin/sh sh" {
			t.Errorf("%s: took %q", name, *took)
		}
	}
}

// TestNotedAtFirstSight: a file of which nothing could be taken yet is found where it was rotated to, after a restart.
func TestNotedAtFirstSight(t *testing.T) {
	w := newWorld(t)
	src := Source{Path: w.path("a.log")}
	f := w.start(src)
	w.refuse = func(string) error { return errors.New("busy") }
	w.write("a.log", numbered(1, 3))
	w.polls(f)
	w.refuse = nil
	w.rename("a.log", "a.log.1")
	w.write("a.log", numbered(4, 5))
	w.polls(w.start(src))
	w.expect(1, 5)
}

// TestRotatedOn: a file that was rotated away and has something left is found after a restart, where it is now; the
// file of another source is not.
func TestRotatedOn(t *testing.T) {
	for _, on := range []bool{false, true} {
		w := newWorld(t)
		sources := []Source{{Path: w.path("a.log"), Service: "a"}, {Path: w.path("b.log"), Service: "b"}}
		w.see = func(ev *event.Event) {
			if ev.Service != filepath.Base(ev.Source)[:1] {
				t.Errorf("%s is read as a file of %s", ev.Source, ev.Service)
			}
		}
		f := w.start(sources...)
		w.write("a.log", numbered(1, 30))
		w.write("b.log", numbered(31, 60))
		w.polls(f)
		w.rename("a.log", "a.log.1")
		w.rename("b.log", "b.log.1")
		w.write("a.log", numbered(61, 62))
		w.write("b.log", numbered(63, 64))
		w.polls(f)
		w.append("a.log.1", numbered(65, 66)) // its writer has not turned to the new file
		w.append("b.log.1", numbered(67, 68))
		if on {
			w.rename("a.log.1", "a.log.2")
			w.write("a.log.1", "")
			w.rename("b.log.1", "b.log.2")
			w.write("b.log.1", "")
		}
		w.polls(w.start(sources...))
		w.expect(1, 68)
	}
}

// TestLongWait: an act stays open while more is read than one look takes; a restart and a kill on the way through it
// repeat nothing.
func TestLongWait(t *testing.T) {
	w := newWorld(t)
	took := w.image()
	src := Source{Path: w.path("sys.log")}
	syscall, execve := call(1, "sh")
	const prefix = "Mar  1 10:00:00 gate audispd: "
	var log strings.Builder
	log.WriteString(prefix + syscall)
	last := 0
	for ; log.Len() < MaxLine*5/4; last++ {
		fmt.Fprintf(&log, "Mar  1 10:00:00 gate app: {\"v\":%d,\"pad\":\"%s\"}\n", last+1, strings.Repeat("x", 2000))
	}
	w.write("sys.log", log.String())
	w.look(w.start(src))
	w.expect(1, last)
	f := w.start(src)
	f.poll(t.Context()) // and no further
	f = w.start(src)
	w.append("sys.log", prefix+execve)
	w.look(f)
	w.at = w.at.Add(3 * time.Second)
	w.look(f)
	if len(*took) != 1 || (*took)[0] != "/bin/sh sh" || len(w.events) != last+2 {
		t.Errorf("took %q, %d events of %d", *took, len(w.events), last+2)
	}
}

// TestFarHeader: the header that holds is not the one at the file's start, and far behind it; a log that is truncated
// goes on under it.
func TestFarHeader(t *testing.T) {
	w := newWorld(t)
	src := Source{Path: w.path("conn.log")}
	first := styles["Zeek"]
	w.write("conn.log", first.head+first.lines(1, 2000)+"#separator ,\n#path,y\n#fields,ts,pad,v\n#types,time,string,count\n2.5,x,2001\n")
	w.polls(w.start(src))
	w.append("conn.log", "2.5,x,2002\n")
	w.polls(w.start(src))
	w.write("conn.log", "2.5,x,20")
	f := w.start(src)
	w.polls(f) // it could be anything
	f = w.start(src)
	w.append("conn.log", "03\n2.5,x,2004\n")
	w.polls(f)
	w.append("conn.log", "2.5,x,2005\n")
	w.polls(w.start(src))
	w.expect(1, 2005)
	if st := f.Stats(); st.Errors != 0 {
		t.Errorf("stats: %+v", st)
	}
}

func TestLongTextLine(t *testing.T) {
	w := newWorld(t)
	src := Source{Path: w.path("a.log")}
	f := w.start(src)
	long := "Mar  1 10:00:00 gate app: " + strings.Repeat("x", MaxLine) + " \nMar  1 10:00:00 gate app: {\"v\":666}"
	cut := strings.Index(long, "\n")
	w.write("a.log", styles["syslog"].lines(1, 1)+long[:lines.MaxLine+100]+"\n"+styles["syslog"].lines(2, 2)+long[:cut])
	w.polls(f)
	f2 := w.start(src) // within the line
	w.append("a.log", strings.ReplaceAll(long[cut:], "\n", " ")+"\n"+styles["syslog"].lines(3, 3))
	w.polls(f2)
	w.expect(1, 3)
	if st := f.Stats(); st.Errors != 2 || !strings.Contains(st.LastError, "line 4 is longer") {
		t.Errorf("stats: %+v", st)
	}
	if st := f2.Stats(); st.Errors != 0 {
		t.Errorf("stats: %+v", st)
	}
}

// TestManyOpen: as many acts as may be open fit a mark.
func TestManyOpen(t *testing.T) {
	w := newWorld(t)
	src := Source{Path: w.path("a.log")}
	style := styles["auditd joined"]
	w.write("a.log", style.lines(1, 3*auditd.MaxPending))
	w.look(w.start(src))
	w.expect(1, 2*auditd.MaxPending)
	f := w.start(src)
	w.polls(f)
	w.expect(1, 3*auditd.MaxPending)
	if st := f.Stats(); st.Errors != 0 {
		t.Errorf("stats: %+v", st)
	}
}
