package node

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/entry"
	"shieldwall/internal/event"
	"shieldwall/internal/status"
)

// TestLiveAtAllies: what a member shares protects its allies without a restart, and again after one; what it
// takes back does not match any more. Sharing it twice changes nothing.
func TestLiveAtAllies(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	files := []control.File{rule(1, "wipe-the-disk"), bundle(1, "evil.example", markGreen)}
	res := alpha.publish("green", nil, files...)
	if len(res.Unchanged) != 0 || len(res.Entries) == 0 || !slices.Equal(res.Entries[0].Readers, []string{"beta", "gamma"}) {
		t.Errorf("%+v", res)
	}
	alpha.caughtUp(beta, gamma)
	for _, m := range []*member{beta, gamma} {
		got := m.detects(command("cmd /c wipe-the-disk now"))
		if len(got) != 1 || got[0].RuleID != ruleID(1) || got[0].Author != "A. Author" || got[0].Publisher != "alpha" || got[0].Fields["CommandLine"] == "" {
			t.Errorf("%s detects %+v", m.name, got)
		}
		if !m.matches(query("evil.example"), "alpha") || m.matches(query("good.example"), "alpha") {
			t.Errorf("%s does not tell domains apart", m.name)
		}
	}
	size := alpha.status().Log.Size
	again := alpha.publish("green", nil, files...)
	if len(again.Entries) != 0 || len(again.Unchanged) != 2 || alpha.status().Log.Size != size {
		t.Errorf("the same files again: %+v", again)
	}
	beta.restart()
	if !beta.matches(command("wipe-the-disk"), "alpha") || !beta.matches(query("evil.example"), "alpha") {
		t.Error("after a restart nothing of it is live")
	}

	if _, err := beta.n.Withdraw(t.Context(), again.Unchanged[:1]); control.KindOf(err) != control.Refused {
		t.Errorf("somebody else takes it back: %v", err)
	}
	gone, err := alpha.n.Withdraw(t.Context(), again.Unchanged)
	if err != nil || len(gone.Withdrawn) != 2 {
		t.Fatalf("%+v, %v", gone, err)
	}
	alpha.caughtUp(beta, gamma)
	for round := range 2 {
		for _, m := range []*member{alpha, beta, gamma} {
			if got := append(m.detects(command("wipe-the-disk")), m.detects(query("evil.example"))...); len(got) != 0 {
				t.Errorf("round %d: withdrawn, and still detected at %s: %+v", round, m.name, got)
			}
			m.restart()
		}
	}
	for _, m := range []*member{beta, gamma} {
		until(t, "the mirror is whole", func() bool { return m.sees("alpha").Size == alpha.status().Log.Size })
		m.verifyMirror(alpha)
	}
}

// TestCorrelationAtAllies: a correlation that one member shares counts at the others, and its rule is silent there.
func TestCorrelationAtAllies(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	file := rule(1, "wipe-the-disk")
	file.Data = fmt.Appendf(file.Data, `---
title: Wiped again and again
id: %s
author: C. Author
correlation: {type: value_count, rules: [%s], timespan: 1h, condition: {field: Image, gte: 3}}
`, ruleID(2), ruleID(1))
	alpha.publish("green", nil, file)
	alpha.caughtUp(beta, gamma)
	for _, m := range []*member{beta, gamma} {
		for i := range 3 {
			ev := command("wipe-the-disk")
			ev.Fields[1].Value = event.Str(fmt.Sprintf(`C:\tool%d.exe`, i))
			got := m.detects(ev)
			if i < 2 && len(got) != 0 || i == 2 && (len(got) != 1 || got[0].RuleID != ruleID(2) || got[0].Author != "C. Author" || got[0].Publisher != "alpha" || got[0].Fields["Count"] != "3") {
				t.Errorf("%s, event %d: %+v", m.name, i, got)
			}
		}
	}
}

// TestAudiences: each marking reaches those whom it names and nobody else, who mirrors it all the same.
func TestAudiences(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	amber := alpha.publish("amber", []string{"states"}, rule(1, "amber-needle-in-a-haystack"))
	red := alpha.publish("red", []string{"member:gamma"}, rule(2, "red-needle-in-a-haystack"))
	clear := alpha.publish("clear", []string{"everyone"}, rule(3, "clear-needle-in-a-haystack"))
	_, err := alpha.n.Publish(t.Context(), control.PublishRequest{TLP: "amber", Files: []control.File{rule(4, "to whom?")}})
	wantErr(t, err, control.Refused, "--to")
	_, err = alpha.n.Publish(t.Context(), control.PublishRequest{TLP: "red", To: []string{"alliance"}, Files: []control.File{rule(4, "to whom?")}})
	wantErr(t, err, control.Refused)
	_, err = alpha.n.Publish(t.Context(), control.PublishRequest{Files: []control.File{rule(4, "unmarked")}})
	wantErr(t, err, control.Refused, "marking")
	alpha.caughtUp(beta, gamma)

	for _, c := range []struct {
		what    string
		needle  string
		at      control.PublishedEntry
		readers map[*member]bool
	}{
		{"AMBER to a group", "amber-needle-in-a-haystack", amber.Entries[0], map[*member]bool{beta: true}},
		{"RED to a member", "red-needle-in-a-haystack", red.Entries[0], map[*member]bool{gamma: true}},
		{"CLEAR to everyone", "clear-needle-in-a-haystack", clear.Entries[0], map[*member]bool{beta: true, gamma: true}},
	} {
		own, err := alpha.n.RawEntry(t.Context(), c.at.Log, c.at.Index)
		if err != nil {
			t.Fatal(err)
		}
		e, err := entry.Parse(own)
		if sealed := c.at.TLP != "CLEAR"; err != nil || (e.Kind == entry.KindSealed) != sealed || bytes.Contains(own, []byte(c.needle)) && sealed {
			t.Errorf("%s: entry of kind %d: %v", c.what, e.Kind, err)
		}
		for _, m := range []*member{beta, gamma} {
			mirrored, err := m.n.RawEntry(t.Context(), c.at.Log, c.at.Index)
			if err != nil || !bytes.Equal(own, mirrored) {
				t.Errorf("%s: %s does not mirror it: %v", c.what, m.name, err)
			}
			held, err := m.n.Holds(t.Context(), c.at.Objects[0].ID)
			if err != nil || held != c.readers[m] {
				t.Errorf("%s: %s holds it: %v, %v", c.what, m.name, held, err)
			}
			if m.matches(command(c.needle), "alpha") != c.readers[m] {
				t.Errorf("%s: %s matches it: %v", c.what, m.name, !c.readers[m])
			}
			if slices.Contains(c.at.Readers, m.name) != c.readers[m] {
				t.Errorf("%s: readers %q", c.what, c.at.Readers)
			}
			if e.Kind == entry.KindSealed {
				if can, err := m.n.Opens(t.Context(), c.at.Log, c.at.Index); err != nil || can != c.readers[m] {
					t.Errorf("%s: %s opens it: %v, %v", c.what, m.name, can, err)
				}
			}
			if !c.readers[m] && folderHas(t, m.opt.Config.Data, c.at.Objects[0].ID) {
				t.Errorf("%s: %s has its name on its disk", c.what, m.name)
			}
		}
	}
	// What is marked strictly lies sealed even at those who may read it.
	gamma.halt()
	if folderHas(t, gamma.opt.Config.Data, "title: Rule 2") {
		t.Error("the body of a RED object lies in the store in clear")
	}
	gamma.restart()
	if !gamma.matches(command("red-needle-in-a-haystack"), "alpha") {
		t.Error("a RED rule is not live after a restart")
	}
}

// folderHas looks for text in every byte of a folder.
func folderHas(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestLargestRule: what does not fit an entry travels as a blob and matches.
func TestLargestRule(t *testing.T) {
	t.Parallel()
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	data, err := os.ReadFile(filepath.Join(corpus, "sigma/rules/windows/driver_load/driver_load_win_vuln_drivers.yml"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(data, []byte("MD5="))
	hash, _, _ := bytes.Cut(rest, []byte("'"))
	loaded := func() *event.Event {
		return &event.Event{
			Source: "test", Record: "1", Computer: host(), Product: "windows", Category: "driver_load",
			Fields: []event.Field{{Name: "Hashes", Value: event.Str("MD5=" + string(hash))}, {Name: "ImageLoaded", Value: event.Str(`C:\x.sys`)}},
		}
	}
	alpha, beta, gamma := newAlliance(t)
	gamma.halt() // it fetches the blob when it is back
	res := alpha.publish("green", nil, control.File{Name: "drivers.yml", Data: data})
	if len(res.Entries) != 1 || !res.Entries[0].Blob {
		t.Fatalf("%+v", res)
	}
	alpha.caughtUp(beta)
	gamma.restart()
	alpha.caughtUp(gamma)
	for _, m := range []*member{beta, gamma} {
		if !m.matches(loaded(), "alpha") {
			t.Errorf("%s does not match it", m.name)
		}
		m.restart()
		if !m.matches(loaded(), "alpha") {
			t.Errorf("%s does not match it after a restart", m.name)
		}
	}
}

// TestAway: a member that missed hundreds of entries catches up by tiles, and is live then.
func TestAway(t *testing.T) {
	t.Parallel()
	const missed = 600 // beyond what a stream is asked for
	alpha, beta, gamma := newAlliance(t)
	beta.halt()
	var wg sync.WaitGroup
	var next sync.Mutex
	left := missed
	for range 8 {
		wg.Go(func() {
			for {
				next.Lock()
				left--
				i := left
				next.Unlock()
				if i < 0 {
					return
				}
				if _, err := alpha.n.Publish(context.Background(), control.PublishRequest{TLP: "green", Files: []control.File{rule(i, fmt.Sprintf("missed-%d-it", i))}}); err != nil {
					t.Errorf("publishing: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	alpha.caughtUp(gamma)
	if seen := alpha.sees("beta"); seen.State == "live" || seen.TheirApplied+missed > alpha.status().Log.Size {
		t.Fatalf("it was not away: %+v", seen)
	}
	beta.restart()
	alpha.caughtUp(beta)
	until(t, "it follows live", func() bool { return beta.sees("alpha").State == "live" })
	for _, i := range []int{0, missed / 2, missed - 1} {
		if !beta.matches(command(fmt.Sprintf("missed-%d-it", i)), "alpha") {
			t.Errorf("rule %d does not match", i)
		}
	}
	if got := beta.status(); got.Rules != missed || got.Objects != missed {
		t.Errorf("%d rules live, %d objects", got.Rules, got.Objects)
	}
	beta.verifyMirror(alpha)
	alpha.verify()
}

// TestHold: AMBER and above wait for a new member, unless it is named; GREEN does not. In time it reads on.
func TestHold(t *testing.T) {
	t.Parallel()
	var c clock
	alpha := founder(t, "alpha", c.on, func(o *Options) { o.Config.Hold = config.Duration(24 * time.Hour) })
	beta := alpha.join("beta", states)
	allLive(t, alpha, beta)
	amber := alpha.publish("amber", []string{"states"}, rule(1, "too-early"))
	if len(amber.Entries[0].Readers) != 0 || !strings.Contains(strings.Join(amber.Warnings, "\n"), "beta cannot open TLP:AMBER") || !strings.Contains(strings.Join(amber.Warnings, "\n"), "it is new") {
		t.Errorf("%+v", amber)
	}
	alpha.publish("green", nil, rule(2, "green-at-once"))
	named := alpha.publish("amber", []string{"member:beta"}, rule(3, "named-at-once"))
	if !slices.Equal(named.Entries[0].Readers, []string{"beta"}) {
		t.Errorf("%+v", named)
	}
	alpha.caughtUp(beta)
	if beta.matches(command("too-early"), "alpha") || !beta.matches(command("green-at-once"), "alpha") || !beta.matches(command("named-at-once"), "alpha") {
		t.Error("the hold holds back the wrong things")
	}
	alpha.restart() // the hold survives
	if late := alpha.publish("amber", []string{"states"}, rule(4, "still-early")); len(late.Entries[0].Readers) != 0 {
		t.Errorf("%+v", late)
	}
	c.set(25 * time.Hour)
	alpha.publish("amber", []string{"states"}, rule(5, "in-time"))
	alpha.caughtUp(beta)
	if !beta.matches(command("in-time"), "alpha") || beta.matches(command("too-early"), "alpha") || beta.matches(command("still-early"), "alpha") {
		t.Error("after the hold")
	}
	if p := alpha.status().Protect; p.Waiting != 0 || p.Pairs != 3 {
		t.Errorf("times to protect of %d pairs, %d waited for", p.Pairs, p.Waiting)
	}
}

// TestDeny: a member that one's own configuration denies is cut off both ways, and with nobody else.
func TestDeny(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	alpha.restart(func(o *Options) { o.Config.Deny = []string{"beta"} })
	until(t, "the denied member is told why", func() bool {
		seen := beta.sees("alpha")
		return seen.State == "refused" && containsAll(seen.Problem, "it refuses us", "beta is denied by this node's own configuration")
	})
	if seen := alpha.sees("beta"); seen.State != "refused" || seen.Problem == "" {
		t.Errorf("it is seen as %+v", seen)
	}
	allLive(t, alpha, gamma)
	allLive(t, beta, gamma)
	if !alpha.said.has("peer refused", "denied") {
		t.Error("nothing is said of it")
	}
	res := alpha.publish("green", nil, rule(1, "not-for-beta"))
	if got := res.Entries[0].Readers; !slices.Equal(got, []string{"gamma"}) {
		t.Errorf("readers %q", got)
	}
	if !strings.Contains(strings.Join(res.Warnings, "\n"), "beta cannot open") {
		t.Errorf("warnings %q", res.Warnings)
	}
	theirs := beta.publish("green", nil, rule(2, "not-from-beta"))
	alpha.caughtUp(gamma)
	beta.caughtUp(gamma)
	if !gamma.matches(command("not-for-beta"), "alpha") || !gamma.matches(command("not-from-beta"), "beta") {
		t.Error("gamma pays for it")
	}
	if _, err := alpha.n.RawEntry(t.Context(), theirs.Entries[0].Log, theirs.Entries[0].Index); err == nil || len(alpha.detects(command("not-from-beta"))) > 0 {
		t.Error("it takes something of the denied member")
	}
	if _, err := beta.n.RawEntry(t.Context(), res.Entries[0].Log, res.Entries[0].Index); err == nil {
		t.Error("the denied member gets something")
	}
	alpha.restart(func(o *Options) { o.Config.Deny = nil })
	allLive(t, alpha, beta, gamma)
	beta.caughtUp(alpha)
	if !alpha.matches(command("not-from-beta"), "beta") {
		t.Error("reconciled, and still cut off")
	}
	if opens(t, beta, alpha, res.Entries[0].Log, res.Entries[0].Index) {
		t.Error("what was not for it opens later")
	}
}

// TestSightings: detections of shared intelligence come back to its publisher as counts, and to nobody else.
func TestSightings(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha", quickSightings)
	beta := alpha.join("beta", states, quickSightings)
	gamma := alpha.join("gamma", partners, quickSightings)
	allLive(t, alpha, beta, gamma)
	id := alpha.publish("green", nil, rule(1, "seen-again")).Entries[0].Objects[0].ID
	alpha.caughtUp(beta, gamma)
	for range 5 {
		beta.detects(command("seen-again --password raw-secret"))
	}
	for range 3 {
		gamma.detects(command("seen-again"))
	}
	alpha.detects(command("seen-again"))
	beta.detects(command("seen by nobody"))
	var got []status.Sightings
	until(t, "the publisher knows of all nine", func() bool {
		var err error
		if got, err = alpha.n.Sightings(context.Background(), math.MaxInt); err != nil {
			t.Fatal(err)
		}
		return len(got) == 1 && got[0].Count == 9
	})
	if s := got[0]; s.Object != id || s.Members != 3 || s.Name != "Rule 1" || s.FirstSeen.After(s.LastSeen) || s.LastSeen.IsZero() {
		t.Errorf("%+v", s)
	}
	for _, m := range []*member{beta, gamma} {
		if other, err := m.n.Sightings(t.Context(), math.MaxInt); err != nil || len(other) != 0 {
			t.Errorf("%s knows of %+v, %v", m.name, other, err)
		}
	}
	// A restart neither loses nor doubles them.
	for _, m := range []*member{beta, alpha} {
		m.restart()
	}
	allLive(t, alpha, beta, gamma)
	beta.caughtUp(alpha)
	again, err := alpha.n.Sightings(t.Context(), math.MaxInt)
	if err != nil || len(again) != 1 || again[0].Count != 9 || again[0].Members != 3 {
		t.Errorf("after a restart: %+v, %v", again, err)
	}
	if folderHas(t, alpha.opt.Config.Data, "raw-secret") || !folderHas(t, beta.opt.Config.Data, "raw-secret") {
		t.Error("raw telemetry left its node")
	}
}

// TestTimeToProtect: the figures are of those for whom something was meant, with sane values, and a restart
// does not change them.
func TestTimeToProtect(t *testing.T) {
	t.Parallel()
	began := time.Now()
	alpha, beta, gamma := newAlliance(t)
	for i := range 3 {
		alpha.publish("green", nil, rule(i, fmt.Sprintf("n%d", i)))
	}
	alpha.caughtUp(beta, gamma)
	gamma.halt()
	alpha.publish("green", nil, rule(3, "gamma is away"))
	alpha.publish("amber", []string{"states"}, rule(4, "not for gamma"))
	alpha.caughtUp(beta)
	check := func(when string, pairs, waiting int64) {
		t.Helper()
		p := alpha.status().Protect
		most := float64(time.Since(began)) / float64(time.Millisecond)
		if p.Pairs != pairs || p.Waiting != waiting || p.P50 <= 0 || p.P50 > p.P95 || p.P95 > p.P99 || p.P99 > p.Max || p.Max > most {
			t.Errorf("%s: %+v, want %d pairs, %d waited for, at most %.0f ms", when, p, pairs, waiting, most)
		}
	}
	check("while gamma is away", 8, 1)
	seen := alpha.sees("gamma")
	if size := alpha.status().Log.Size; seen.TheirApplied >= size || seen.TheirApplied == 0 || alpha.sees("beta").TheirApplied != size || alpha.sees("alpha").Head != size {
		t.Errorf("gamma is at %d, beta at %d of %d", seen.TheirApplied, alpha.sees("beta").TheirApplied, size)
	}
	alpha.restart()
	check("after a restart", 8, 1)
	// Who joins later was not meant, though the log reaches it.
	delta := alpha.join("delta", states)
	alpha.caughtUp(delta)
	check("with a new member", 8, 1)
	alpha.restart()
	alpha.caughtUp(delta)
	check("with a new member, after a restart", 8, 1)
	gamma.restart()
	alpha.caughtUp(gamma)
	check("with gamma back", 9, 0)

	// The store learns of a receipt a moment after the memory that caughtUp looks at.
	var list []status.Publication
	until(t, "the last receipt is kept", func() bool {
		var err error
		list, err = alpha.n.Publications(t.Context(), 10)
		return err == nil && len(list) == 5 && list[1].Applied == 2
	})
	for i, p := range list { // newest first
		want := 2
		if i == 0 {
			want = 1
		}
		if p.Readers != want || p.Applied != want || p.P50 <= 0 || p.P95 < p.P50 || p.At.Before(began.Add(-time.Second)) || p.What == "" {
			t.Errorf("publication %d: %+v", i, p)
		}
	}
	if beta.status().Protect.Pairs != 0 {
		t.Errorf("beta published nothing and has %+v", beta.status().Protect)
	}
	allLive(t, alpha, beta, gamma, delta)
	for _, m := range []*member{beta, gamma, delta} {
		s := m.sees("alpha")
		if s.State != "live" || s.Size != alpha.status().Log.Size || s.Head != s.Size || s.Applied != s.Size || s.BytesIn == 0 || time.Since(s.LastSeen) > time.Since(began) {
			t.Errorf("%s sees alpha as %+v", m.name, s)
		}
	}
}

// TestLateJoiner: what was shared before a member joined was not for it.
func TestLateJoiner(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	alpha.publish("green", nil, rule(1, "before-it-came"))
	alpha.publish("clear", []string{"everyone"}, rule(2, "clear-all-along"))
	beta := alpha.join("beta", states)
	alpha.publish("green", nil, rule(3, "after-it-came"))
	alpha.caughtUp(beta)
	if beta.matches(command("before-it-came"), "alpha") || !beta.matches(command("clear-all-along"), "alpha") || !beta.matches(command("after-it-came"), "alpha") {
		t.Error("the wrong things reach it")
	}
	beta.verifyMirror(alpha)
}

// TestMute: what a member mutes is not told of there, also after a restart, and goes on elsewhere.
func TestMute(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	alpha.publish("green", nil, rule(1, "their-own-test"))
	alpha.caughtUp(beta, gamma)
	m, err := beta.n.Mute(t.Context(), control.MuteRequest{Publisher: "alpha", Reason: "they exercise", For: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if beta.matches(command("their-own-test"), "alpha") || !gamma.matches(command("their-own-test"), "alpha") {
		t.Error("a mute is for the member that made it, and for it alone")
	}
	beta.restart()
	if beta.matches(command("their-own-test"), "alpha") || beta.status().Muted != 1 || beta.status().Detections != 0 {
		t.Errorf("after a restart: %+v", beta.status())
	}
	if _, err := beta.n.Unmute(t.Context(), m.ID); err != nil || !beta.matches(command("their-own-test"), "alpha") {
		t.Errorf("taken back: %v", err)
	}
	_, err = beta.n.Mute(t.Context(), control.MuteRequest{Reason: "x", For: time.Hour})
	wantErr(t, err, control.Usage, "neither a rule nor an ally")
	_, err = beta.n.Unmute(t.Context(), "77")
	wantErr(t, err, control.NotFound, "no such mute")
}

// TestDryRun: a preview shows what would leave, and leaves everything as it is.
func TestDryRun(t *testing.T) {
	t.Parallel()
	alpha, beta, _ := newAlliance(t)
	size := alpha.status().Log.Size
	res, err := alpha.n.Publish(t.Context(), control.PublishRequest{TLP: "amber", To: []string{"states"}, DryRun: true, Files: []control.File{rule(1, "only-shown")}})
	if err != nil || len(res.Entries) != 1 || !bytes.Contains(res.Entries[0].Payload, []byte("only-shown")) || !slices.Equal(res.Entries[0].Readers, []string{"beta"}) {
		t.Fatalf("%+v, %v", res, err)
	}
	if alpha.status().Log.Size != size || alpha.status().Objects != 0 || beta.status().Objects != 0 {
		t.Error("a dry run shared something")
	}
}
