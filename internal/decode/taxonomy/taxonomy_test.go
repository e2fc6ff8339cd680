package taxonomy

import (
	"fmt"
	"strings"
	"testing"

	"shieldwall/internal/event"
)

func spell(ev *event.Event) string {
	var out []string
	for _, f := range ev.Fields {
		text := f.Value.Text
		if f.Value.Kind == event.List {
			var items []string
			for _, i := range f.Value.Items {
				items = append(items, i.Text)
			}
			text = fmt.Sprint(items)
		}
		out = append(out, f.Name+"="+text)
	}
	return strings.Join(out, " ")
}

func eventOf(pairs ...string) *event.Event {
	ev := &event.Event{}
	for i := 0; i < len(pairs); i += 2 {
		ev.Fields = append(ev.Fields, event.Field{Name: pairs[i], Value: event.Str(pairs[i+1])})
	}
	return ev
}

func TestTable(t *testing.T) {
	table := New("a x y\nb x\n", "c z\n  \nx w")
	for _, c := range []struct {
		ev   *event.Event
		want string
	}{
		{eventOf("a", "1"), "a=1 x=1 y=1 w=1"},
		{eventOf("b", "2", "a", "1"), "b=2 a=1 x=1 y=1 w=1"}, // the first line wins
		{eventOf("b", "2"), "b=2 x=2 w=2"},
		{eventOf("x", "own", "a", "1"), "x=own a=1 y=1 w=own"}, // its own name stays
		{eventOf("", "1", "d", "2"), "=1 d=2"},
		{&event.Event{Fields: []event.Field{{Name: "a"}, {Name: "b", Value: event.Str("2")}}}, "a= b=2 x=2 w=2"}, // null names nothing
		{&event.Event{}, ""},
	} {
		table.Add(c.ev)
		if got := spell(c.ev); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestLift(t *testing.T) {
	ev := eventOf("p.a", "1", "b", "own", "p.b", "2", "p.", "3", "p.p.a", "4", "q.a", "5", "px", "6")
	Lift(ev, "p.")
	if got, want := spell(ev), "p.a=1 b=own p.b=2 p.=3 p.p.a=4 q.a=5 px=6 a=1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTableLimit(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a table with too many names was made")
		}
	}()
	var b strings.Builder
	for i := range maxNames + 1 {
		fmt.Fprintf(&b, "n%d\n", i)
	}
	New(b.String())
}

// TestMarks: each mark has its own bit, and each name its mark.
func TestMarks(t *testing.T) {
	var all Marks
	names := []string{"event_type", "timestamp", "src_ip", "flow_id", "stats.uptime", "eventSource", "eventName", "eventVersion", "awsRegion",
		"class_uid", "metadata.version", "ecs.version", "@timestamp", "event.category", "_path", "ts", "uid", "id.orig_h", "fuid", "certificate.serial"}
	for _, name := range names {
		m := MarksOf(eventOf(name, ""))
		if m == 0 || m&(m-1) != 0 || all&m != 0 {
			t.Errorf("%s: %b", name, m)
		}
		all |= m
	}
	if MarksOf(eventOf("x", "", "Channel", "")) != 0 {
		t.Error("a mark for nothing")
	}
}

func TestRequest(t *testing.T) {
	for _, c := range []struct{ host, target, want string }{
		{"h.example", "/a/b.php?x=1", "c-uri=[/a/b.php?x=1 http://h.example/a/b.php?x=1] cs-uri=[/a/b.php?x=1 http://h.example/a/b.php?x=1]" +
			" cs-uri-stem=/a/b.php c-uri-stem=/a/b.php c-uri-query=x=1 cs-uri-query=[/a/b.php?x=1 x=1] c-uri-extension=php"},
		{"", "/a", "c-uri=/a cs-uri=/a cs-uri-stem=/a c-uri-stem=/a cs-uri-query=/a"},
		{"h", "https://h.example", "c-uri=[/ https://h.example] cs-uri=[/ https://h.example] cs-uri-stem=/ c-uri-stem=/ cs-uri-query=/"},
		{"h", "/go?to=http://x/", "c-uri=[/go?to=http://x/ http://h/go?to=http://x/] cs-uri=[/go?to=http://x/ http://h/go?to=http://x/]" +
			" cs-uri-stem=/go c-uri-stem=/go c-uri-query=to=http://x/ cs-uri-query=[/go?to=http://x/ to=http://x/]"},
		{"h", "*", "c-uri=* cs-uri=* cs-uri-stem=* c-uri-stem=* cs-uri-query=*"},
		{"h", "", ""},
	} {
		ev := &event.Event{}
		Request(ev, "http", c.host, c.target)
		if got := spell(ev); got != c.want {
			t.Errorf("%s\n%s, want\n%s", c.target, got, c.want)
		}
	}
}

func TestSystem(t *testing.T) {
	for name, want := range map[string]string{"Windows": "windows", "LINUX": "linux", "darwin": "macos", "ubuntu": "linux", "": "", "ios": ""} {
		if got := System(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
