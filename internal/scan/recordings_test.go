package scan

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"shieldwall/internal/event"
	"shieldwall/internal/observed"
	"shieldwall/internal/stixpattern"
)

// TestPatternsOnRecordings: on all recordings in EVTX, patterns find the events that plain Go finds by their fields.
func TestPatternsOnRecordings(t *testing.T) {
	get := func(ev *event.Event, name string) string {
		v, _ := ev.Get(name)
		return v.Text
	}
	base := func(path string) string { return path[strings.LastIndexAny(path, `\/`)+1:] }
	image := func(ev *event.Event) string {
		for _, name := range []string{"Image", "NewProcessName", "SourceImage", "ProcessName", "Application"} {
			if path := get(ev, name); path != "" && path != "-" {
				return path
			}
		}
		return ""
	}
	cases := []struct {
		pattern string
		want    func(ev *event.Event) bool
		hits    int
	}{
		{pattern: `[process:command_line LIKE '%powershell%' AND process:image_ref.name = 'cmd.exe']`,
			want: func(ev *event.Event) bool {
				return strings.Contains(get(ev, "CommandLine"), "powershell") && base(image(ev)) == "cmd.exe"
			}},
		{pattern: `[process:image_ref.name = 'powershell.exe' AND process:parent_ref.image_ref.name != 'cmd.exe']`,
			want: func(ev *event.Event) bool {
				parent := get(ev, "ParentImage") + get(ev, "ParentProcessName")
				return base(image(ev)) == "powershell.exe" && parent != "" && base(parent) != "cmd.exe"
			}},
		{pattern: `[network-traffic:dst_port IN (445, 135, 3389) AND network-traffic:src_ref.value ISSUBSET '10.0.0.0/8']`,
			want: func(ev *event.Event) bool {
				port := get(ev, "DestinationPort") + get(ev, "DestPort")
				from := strings.TrimPrefix(get(ev, "SourceIp")+get(ev, "SourceAddress"), "::ffff:")
				return (port == "445" || port == "135" || port == "3389") && strings.HasPrefix(from, "10.")
			}},
		{pattern: `[windows-registry-key:key LIKE 'HKEY_LOCAL_MACHINE\\%\\Run\\%' OR windows-registry-key:key MATCHES 'HKEY_LOCAL_MACHINE.*\\\\Services\\\\']`,
			want: func(ev *event.Event) bool {
				key := strings.TrimPrefix(get(ev, "TargetObject"), `HKLM\`)
				return key != get(ev, "TargetObject") && (strings.Contains(`\`+key, `\Run\`) || strings.Contains(`\`+key, `\Services\`))
			}},
		{pattern: `[file:name LIKE '%.exe' AND file:parent_directory_ref.path MATCHES '^[A-Z]:.Users.']`,
			want: func(ev *event.Event) bool {
				for _, path := range []string{image(ev), get(ev, "ImageLoaded"), get(ev, "TargetFilename"), get(ev, "TargetImage")} {
					if len(path) > 8 && path[1] == ':' && path[0] >= 'A' && path[0] <= 'Z' && path[3:8] == "Users" && strings.HasSuffix(path, ".exe") && strings.Count(path, `\`) > 1 {
						return true
					}
				}
				return false
			}},
	}
	var objects []string
	for i, c := range cases {
		objects = append(objects, indicatorOf(t, i, "stix", c.pattern))
	}
	dir := files(t, map[string]string{"bundle.json": bundle(objects...)})
	logs := corpus(t, "evtx")
	got := run(t, Options{Indicators: []string{filepath.Join(dir, "bundle.json")}, Paths: []string{logs}})
	if got.err != nil {
		t.Fatal(got.err)
	}
	found := map[[3]string]bool{}
	for _, d := range got.detections {
		found[[3]string{d.RuleID, d.Source, d.Record}] = true
	}
	_, err := Events(t.Context(), []string{logs}, func(ev *event.Event) error {
		for i := range cases {
			id := [3]string{fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", i), ev.Source, ev.Record}
			if want := cases[i].want(ev); want != found[id] {
				t.Errorf("%s\n%s:%s matched %v, want %v: %+v", cases[i].pattern, ev.Source, ev.Record, found[id], want, ev.Fields)
			} else if want {
				cases[i].hits++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Logf("%d hits of %s", c.hits, c.pattern)
		if c.hits == 0 {
			t.Errorf("no event in the recordings for %s", c.pattern)
		}
	}
}

// TestSequencesOnRecordings: patterns of several observations are found in the recordings where, and only where,
// the evaluator finds them in all events together.
func TestSequencesOnRecordings(t *testing.T) {
	logs := corpus(t, "evtx")
	patterns := []string{
		`([process:image_ref.name = 'cmd.exe'] FOLLOWEDBY [network-traffic:dst_port = 445]) WITHIN 3600 SECONDS`,
		`([process:image_ref.name MATCHES '(?i)^powershell'] AND [windows-registry-key:values[*].name LIKE '%']) WITHIN 600 SECONDS`,
		`[process:image_ref.name = 'rundll32.exe'] REPEATS 5 TIMES WITHIN 60 SECONDS`,
		`([file:name LIKE '%.exe' AND EXISTS file:hashes.MD5] FOLLOWEDBY [process:extensions.'windows-service-ext'.service_name LIKE '%']) WITHIN 5 SECONDS`,
		`[user-account:account_login = 'nobody who is there'] OR ([process:pid < 0] AND [process:pid > 0])`,
		`([process:image_ref.name = 'mimikatz.exe'] FOLLOWEDBY [process:image_ref.name = 'mimikatz.exe'] FOLLOWEDBY [process:image_ref.name = 'mimikatz.exe']) WITHIN 1 SECONDS`,
	}
	var objects []string
	for i, pattern := range patterns {
		objects = append(objects, indicatorOf(t, i, "stix", pattern))
	}
	dir := files(t, map[string]string{"bundle.json": bundle(objects...)})
	got := run(t, Options{Indicators: []string{filepath.Join(dir, "bundle.json")}, Paths: []string{logs}})
	if got.err != nil || got.IndicatorsRejected > 0 {
		t.Fatalf("%v, %v", got.err, got.rejected)
	}
	fired := map[string]int{}
	for _, d := range got.detections {
		fired[d.RuleID]++
	}
	var all []stixpattern.Observed
	_, err := Events(t.Context(), []string{logs}, func(ev *event.Event) error {
		all = append(all, stixpattern.Observed{First: ev.Time, Last: ev.Time, Number: 1, Objects: observed.Objects(ev)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	matched := 0
	for i, text := range patterns {
		tree, err := stixpattern.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern, err := observed.Candidate(tree)
		if err != nil {
			t.Fatal(err)
		}
		found, err := pattern.Match(all)
		if err != nil {
			t.Fatal(err)
		}
		n := fired[fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", i)]
		t.Logf("%d detections, found %d: %s", n, found, text)
		if (n > 0) != (found != nil) {
			t.Errorf("%s: %d detections, all events together: %v", text, n, found)
		}
		if n > 0 {
			matched++
		}
	}
	if matched < 2 || matched == len(patterns) {
		t.Errorf("%d of %d patterns matched: that says little", matched, len(patterns))
	}
}
