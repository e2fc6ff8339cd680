package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/observed"
	"shieldwall/internal/stixpattern"
)

// TestPatterns: a bundle's patterns that say more than a value find their events.
func TestPatterns(t *testing.T) {
	dns := func(name string) string {
		return fmt.Sprintf("{\"@timestamp\":\"2030-01-01T00:00:00Z\",\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"EventID\":22,\"QueryName\":%q}\n", name)
	}
	dir := files(t, map[string]string{
		"bundle.json": bundle(
			indicatorOf(t, 1, "stix", "[process:command_line LIKE '%delete shadows%' AND NOT EXISTS process:image_ref.name]"),
			indicatorOf(t, 2, "stix", "[process:command_line LIKE '%delete shadows%'] FOLLOWEDBY [domain-name:value LIKE '%.evil.example']"),
			indicatorOf(t, 3, "stix", "[process:command_line LIKE '%DELETE SHADOWS%']"),
			indicatorOf(t, 4, "stix", "[domain-name:value LIKE '%.evil.example'] REPEATS 3 TIMES"),
			indicatorOf(t, 5, "stix", "[process:command_line LIKE '%delete shadows%'] REPEATS 1000000 TIMES"),
			indicatorOf(t, 6, "stix", "[process:command_line MATCHES '(?<=x)y']"),
			indicatorOf(t, 7, "stix", "[domain-name:value LIKE '%.evil.example' AND process:pid = 5]"),
		),
		"telemetry.jsonl": vssLine(1, "delete shadows") + dns("a.EVIL.example") + dns("good.example") + dns("b.evil.example") + dns("c.evil.example"),
	})
	got := run(t, Options{Indicators: []string{filepath.Join(dir, "bundle.json")}, Paths: []string{filepath.Join(dir, "telemetry.jsonl")}})
	if got.err != nil {
		t.Fatal(got.err)
	}
	var hits []string
	for _, d := range got.detections {
		hits = append(hits, d.Record+" "+d.Title+" "+d.Author)
	}
	if want := []string{"1 indicator 1 I. Author", "2 indicator 2 I. Author", "5 indicator 4 I. Author"}; !slices.Equal(hits, want) {
		t.Errorf("hits %q, want %q", hits, want)
	}
	if got.RulesLoaded != 4 || got.IndicatorsRejected != 3 {
		t.Errorf("%d rules, %d rejected: %v", got.RulesLoaded, got.IndicatorsRejected, got.rejected)
	}
	if others := got.detections[1].Fields["OtherObservations"]; !strings.Contains(others, "telemetry.jsonl") {
		t.Errorf("the earlier observation is not shown: %q", others)
	}
	for i, want := range []string{"at most 1000", "lookaround", "no observable"} {
		if !strings.Contains(got.rejected[i].Detail, want) {
			t.Errorf("rejected: %+v, want %q", got.rejected[i], want)
		}
	}
}

// recorded reads up to most events of the corpus's recordings, some of each.
func recorded(t *testing.T, each, most int) (out []*event.Event) {
	t.Helper()
	enough := errors.New("enough")
	seen := 0
	take := func(ev *event.Event) error {
		if seen++; seen > each {
			return enough
		}
		if seen%3 == 0 {
			clone := *ev
			clone.Fields = slices.Clone(ev.Fields)
			for i := range clone.Fields {
				f := &clone.Fields[i]
				f.Name, f.Value.Text = strings.Clone(f.Name), strings.Clone(f.Value.Text)
			}
			clone.Rest = nil
			out = append(out, &clone)
		}
		return nil
	}
	for _, folder := range []string{"otrf", "evtx"} {
		err := filepath.WalkDir(corpus(t, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || len(out) >= most {
				return err
			}
			seen = 0
			if _, err := Events(t.Context(), []string{path}, take); err != nil && !errors.Is(err, enough) {
				return err
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestCandidates: on recorded events, whatever a pattern's own evaluator finds, the engine finds its
// candidate; and patterns made of an event's observables find that event.
func TestCandidates(t *testing.T) {
	events := recorded(t, 120, 6000)
	if len(events) < 1000 {
		t.Fatalf("%d events", len(events))
	}
	r := rand.New(rand.NewPCG(5, 6))
	found, likely, patterns := 0, 0, 0
	for range 600 {
		ev := events[r.IntN(len(events))]
		text, ok := patternOf(r, ev)
		if !ok {
			continue
		}
		tree, err := stixpattern.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		rule, pattern, err := observed.Candidate(tree)
		if err != nil {
			if errors.As(err, new(*observed.UnsupportedError)) {
				continue // two observables between one pair of brackets
			}
			t.Fatalf("%s: %v", text, err)
		}
		patterns++
		c, err := match.CompileSigma(match.Key{ID: "x"}, rule)
		if err != nil {
			t.Fatal(err)
		}
		engine := match.New(time.Now)
		engine.Update([]match.Compiled{c}, nil)
		for range 60 {
			other := events[r.IntN(len(events))]
			if r.IntN(20) == 0 {
				other = ev
			}
			candidate := false
			engine.Match(other, func(match.Hit) { candidate = true })
			holds := !pattern.Look(observed.Objects(other)).Empty()
			if holds && !candidate {
				t.Fatalf("%s\nholds on %s:%s, the engine does not find it", text, other.Source, other.Record)
			}
			if holds {
				found++
			}
			if candidate {
				likely++
			}
		}
	}
	t.Logf("%d patterns, %d candidates, %d confirmed", patterns, likely, found)
	if patterns < 300 || found < 300 {
		t.Error("that checks little")
	}
}

// patternOf makes a pattern of an event's own observables, with operators of all kinds.
func patternOf(r *rand.Rand, ev *event.Event) (string, bool) {
	var paths []string
	values := map[string]string{}
	list, _ := observed.Lists(ev)
	for _, o := range list {
		typ, _ := o["type"].(string)
		collect(typ+":", o, func(path, value string) {
			paths = append(paths, path)
			values[path] = value
		})
	}
	if len(paths) == 0 {
		return "", false
	}
	slices.Sort(paths)
	var parts []string
	for range 1 + r.IntN(2) {
		path := paths[r.IntN(len(paths))]
		parts = append(parts, comparison(r, path, values[path]))
	}
	return "[" + strings.Join(parts, []string{" AND ", " OR "}[r.IntN(2)]) + "]", true
}

func collect(at string, o map[string]any, yield func(path, value string)) {
	for key, value := range o {
		path := at + "'" + key + "'"
		if strings.HasSuffix(key, "_ref") || strings.HasSuffix(key, "_refs") || at[len(at)-1] == ':' && (key == "type" || key == "id") {
			continue
		}
		if list, ok := value.([]any); ok {
			path, value = path+"[*]", list[0]
		}
		switch v := value.(type) {
		case string:
			yield(path, (stixpattern.Literal{Kind: stixpattern.String, Text: v}).String())
		case int64:
			yield(path, fmt.Sprint(v))
		case map[string]any:
			collect(path+".", v, yield)
		}
	}
}

func comparison(r *rand.Rand, path, value string) string {
	isText := value[0] == '\''
	switch r.IntN(8) {
	case 0:
		return path + " != " + value
	case 1:
		return path + " NOT IN (" + value + ")"
	case 2:
		return path + " IN (" + value + ", " + value + ")"
	case 3:
		return "EXISTS " + path
	case 4:
		return path + " >= " + value
	case 5:
		if isText {
			runes := []rune(strings.ReplaceAll(value[1:len(value)-1], `\`, ""))
			if len(runes) > 4 {
				return path + " LIKE '%" + strings.ReplaceAll(string(runes[len(runes)/2:]), "'", "_") + "'"
			}
		}
	case 6:
		if isText {
			return path + " MATCHES '^.*[A-Z0-9]'"
		}
	}
	return path + " = " + value
}

var candidateSeeds = [][3]string{
	{`[process:command_line LIKE '%a_b%' AND process:image_ref.name = 'x.exe']`, "CommandLine", "aXb"},
	{`[process:name LIKE 'K%']`, "Image", "C:\\\u212a.exe"},
	{`[process:command_line LIKE 'caf` + "\u00e9" + `']`, "CommandLine", "cafe\u0301"},
	{`[process:command_line MATCHES '^.$']`, "CommandLine", "e\u0301"},
	{`[process:pid > 5 OR process:pid = 16]`, "ProcessId", "0x10"},
	{`[file:hashes.MD5 = 'AB']`, "Hashes", "MD5=ab,SHA1=cd"},
	{`[domain-name:value IN ('A.example.', 'b')]`, "QueryName", "a.EXAMPLE."},
	{`[ipv4-addr:value = '::ffff:10.0.0.1']`, "SourceIp", " 10.0.0.1"},
	{`[ipv6-addr:value ISSUBSET '2001:db8::/32']`, "DestinationIp", "2001:DB8::1"},
	{`[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\a']`, "TargetObject", `HKLM\a`},
	{`[user-account:account_login LIKE '%lice']`, "User", `LAB\alice`},
	{`[directory:path = '/tmp']`, "TargetFilename", "/tmp/x"},
	{`[email-addr:value = 'A@b.example']`, "From", "<a@B.example>"},
	{`[NOT EXISTS process:pid]`, "CommandLine", ""},
	{`[url:value != 'x' AND url:value NOT LIKE 'y%']`, "c-uri", "z"},
}

// FuzzCandidate: whatever the pattern and the event, the engine's candidates are all that the pattern finds.
func FuzzCandidate(f *testing.F) {
	if len(candidateSeeds) < 15 {
		f.Fatal("too few seeds")
	}
	for _, s := range candidateSeeds {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, text, name, value string) {
		tree, err := stixpattern.Parse(text)
		if err != nil {
			return
		}
		rule, pattern, err := observed.Candidate(tree)
		if err != nil {
			return
		}
		c, err := match.CompileSigma(match.Key{ID: "x"}, rule)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		ev := &event.Event{Fields: []event.Field{{Name: "Image", Value: event.Str(`C:\x.exe`)}, {Name: name, Value: event.Str(value)}}}
		if name == "Image" {
			ev.Fields = ev.Fields[1:]
		}
		if len(value)%3 == 0 {
			ev.Fields[len(ev.Fields)-1].Value = event.Value{Kind: event.List, Items: []event.Value{event.Str("-"), {}, event.Str(value), event.Str("x")}}
		}
		engine := match.New(time.Now)
		engine.Update([]match.Compiled{c}, nil)
		candidate := false
		engine.Match(ev, func(match.Hit) { candidate = true })
		if !pattern.Look(observed.Objects(ev)).Empty() && !candidate {
			t.Fatalf("%q holds on %q = %q, the engine does not find it", text, name, value)
		}
	})
}
