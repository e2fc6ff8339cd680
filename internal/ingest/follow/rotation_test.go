package follow

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// style is how numbered lines are written; head stands before the first.
type style struct{ head, line string }

var pad = strings.Repeat("x", 40)

// styles are the formats; of the joined one each act waits for its time, for nothing says its end.
var styles = map[string]style{
	"JSON":          {"", `{"v":%d,"pad":"` + pad + `"}`},
	"Zeek":          {"#separator \\x09\n#path\tx\n#fields\tts\tv\tpad\n#types\ttime\tcount\tstring\n", "1.5\t%d\t" + pad},
	"auditd":        {"", "type=USER msg=audit(1.000:%[1]d): v=%[1]d pad=" + pad},
	"auditd joined": {"", "type=CWD msg=audit(1.000:%[1]d): v=%[1]d pad=" + pad},
	"syslog":        {"", `Mar  1 10:00:00 gate app: {"v":%d,"pad":"` + pad + `"}`},
	"XML":           {"", "<Event><System><EventID>1</EventID></System><EventData><Data Name=\"v\">%d</Data><Data>" + pad + "</Data></EventData></Event>"},
}

func TestRotation(t *testing.T) {
	type step = func(w *world)
	gap := 30 // lines in the file at first: more than a fingerprint
	for name, tc := range map[string]struct {
		before step // between a look and the next
		last   int
	}{
		"rename and create": {func(w *world) {
			w.append("a.log", w.lines(gap+1, gap+2))
			w.rename("a.log", "a.log.1")
			w.write("a.log", w.lines(gap+3, gap+4))
		}, gap + 4},
		"rename, the writer goes on in the old file": {func(w *world) {
			w.rename("a.log", "a.log.1")
			w.write("a.log", "")
			w.append("a.log.1", w.lines(gap+1, gap+2))
			w.append("a.log", w.lines(gap+3, gap+4))
		}, gap + 4},
		"rename, nothing new yet": {func(w *world) {
			w.append("a.log", w.lines(gap+1, gap+2))
			w.rename("a.log", "a.log.1")
		}, gap + 2},
		"a chain": {func(w *world) {
			w.write("a.log.1", "")
			w.append("a.log", w.lines(gap+1, gap+1))
			w.rename("a.log.1", "a.log.2")
			w.rename("a.log", "a.log.1")
			w.write("a.log", w.lines(gap+2, gap+3))
		}, gap + 3},
		"copy and truncate": {func(w *world) {
			w.append("a.log", w.lines(gap+1, gap+2))
			w.copy("a.log", "a.log.1")
			w.write("a.log", w.lines(gap+3, gap+4))
		}, gap + 4},
		"copy, truncate and grow beyond": {func(w *world) {
			w.copy("a.log", "a.log.1")
			w.write("a.log", w.lines(gap+1, 4*gap))
		}, 4 * gap},
		"truncate": {func(w *world) { w.write("a.log", w.lines(gap+1, gap+2)) }, gap + 2},
		"replace by another file": {func(w *world) {
			w.write("b.tmp", w.lines(gap+1, 3*gap))
			w.rename("b.tmp", "a.log")
		}, 3 * gap},
		"replace by a copy that goes on": {func(w *world) {
			w.write(".b", w.style.head+w.lines(1, gap+3))
			w.rename(".b", "a.log")
		}, gap + 3},
		"remove and create": {func(w *world) {
			if err := os.Remove(w.path("a.log")); err != nil {
				w.t.Fatal(err)
			}
			w.write("a.log", w.lines(gap+1, gap+2))
		}, gap + 2},
	} {
		for i := range 4 * len(styles) {
			folder, restart, style := i&1 > 0, i&2 > 0, slices.Sorted(maps.Keys(styles))[i/4]
			if folder && restart && name == "rename, nothing new yet" {
				continue // read again, as the package comment says
			}
			t.Run(fmt.Sprintf("%s, %s, folder %v, restart %v", name, style, folder, restart), func(t *testing.T) {
				w := newWorld(t)
				w.style = styles[style]
				src := Source{Path: w.path("a.log")}
				if folder {
					src.Path = w.dir
				}
				w.write("a.log", w.style.head+w.lines(1, gap))
				f := w.start(src)
				w.polls(f)
				w.expect(1, gap)
				tc.before(w)
				if restart {
					f = w.start(src)
				}
				w.polls(f)
				w.polls(f)
				w.expect(1, tc.last)
				w.append("a.log", w.lines(tc.last+1, tc.last+2))
				w.polls(f)
				w.expect(1, tc.last+2)
				w.polls(w.start(src))
				w.expect(1, tc.last+2)
				if st := f.Stats(); st.Errors != 0 {
					t.Errorf("stats: %+v", st)
				}
			})
		}
	}
}

// TestRenamedInFolder renames a followed file to any name: it is the same file still.
func TestRenamedInFolder(t *testing.T) {
	for _, to := range []string{"0.jsonl", "z.jsonl"} {
		w := newWorld(t)
		f := w.start()
		w.write("m.jsonl", w.lines(1, 30))
		w.polls(f)
		w.rename("m.jsonl", to)
		w.append(to, w.lines(31, 32))
		w.polls(f)
		w.expect(1, 32)
		f = w.start()
		w.append(to, w.lines(33, 33))
		w.polls(f)
		w.expect(1, 33)
	}
}

func TestRotatedIsForgotten(t *testing.T) {
	w := newWorld(t)
	f := w.start(Source{Path: w.path("a.log")})
	w.write("a.log", w.lines(1, 20))
	w.polls(f)
	w.rename("a.log", "a.log.1")
	w.write("a.log", w.lines(21, 22))
	w.polls(f)
	if len(f.watches[0].rotated) != 1 {
		t.Fatalf("the rotated file is not read on: %v", f.watches[0].rotated)
	}
	w.at = w.at.Add(2 * grace)
	w.polls(f)
	if x := f.watches[0]; len(x.rotated) != 0 || len(x.stray) != 0 || len(x.files) != 1 {
		t.Errorf("still kept: %v, %v, %v", x.rotated, x.stray, x.files)
	}
	w.expect(1, 22)
}
