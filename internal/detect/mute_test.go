package detect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/status"
)

const vssID = "c947b146-0abc-4c87-9c64-b17e9d7274a2"

// mutedBench is a bench with one shared rule.
func mutedBench(t *testing.T) (*bench, object.Copy) {
	t.Helper()
	b := newBench(t)
	shared := indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)
	b.Apply([]object.Change{b.store.put(shared)})
	return b, shared
}

func (b *bench) mute(t *testing.T, m status.Mute) status.Mute {
	t.Helper()
	if m.Reason == "" {
		m.Reason = "a test of theirs"
	}
	if m.Until.IsZero() {
		m.Until = b.now().Add(time.Hour)
	}
	out, err := b.Mute(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMuteScopes: a mute keeps back what it names, nothing else, and neither tells nor writes it.
func TestMuteScopes(t *testing.T) {
	for name, c := range map[string]struct {
		mute status.Mute
		want []string // hosts that are still told
	}{
		"the rule by its id":        {status.Mute{Rule: vssID}, nil},
		"the object by its id":      {status.Mute{Rule: "indicator--" + uuidNumber(1)}, nil},
		"the ally":                  {status.Mute{Publisher: "bravo"}, nil},
		"the rule on a host":        {status.Mute{Rule: vssID, Host: "ws01"}, []string{"WS02"}},
		"the ally on a host":        {status.Mute{Publisher: "bravo", Host: "ws02"}, []string{"WS01"}},
		"another rule":              {status.Mute{Rule: "another"}, []string{"WS02", "WS01"}},
		"another ally":              {status.Mute{Publisher: "charlie"}, []string{"WS02", "WS01"}},
		"the rule of another ally":  {status.Mute{Rule: vssID, Publisher: "charlie"}, []string{"WS02", "WS01"}},
		"the rule of the right one": {status.Mute{Rule: vssID, Publisher: "bravo"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, shared := mutedBench(t)
			b.mute(t, c.mute)
			for _, host := range []string{"WS01", "WS02"} {
				submit(t, b, processEvent(host, "vssadmin delete shadows"))
			}
			var told []string
			for _, d := range b.Recent(10) {
				told = append(told, d.Computer)
			}
			if fmt.Sprint(told) != fmt.Sprint(c.want) {
				t.Errorf("told of %v, want %v", told, c.want)
			}
			if err := b.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			kept := int64(2 - len(c.want))
			if st := b.Stats(); st.Muted != kept || st.Detections != 2-kept || b.Mutes()[0].Count != kept {
				t.Errorf("stats %+v, mutes %+v", st, b.Mutes())
			}
			if n := b.store.tally(shared.Key).n; n != 2-kept {
				t.Errorf("%d counted for sightings, want %d", n, 2-kept)
			}
		})
	}
}

// TestMuteEnds: a mute ends by the clock and by being taken back, and outlives a restart.
func TestMuteEnds(t *testing.T) {
	b, _ := mutedBench(t)
	hour := b.mute(t, status.Mute{Rule: vssID})
	b.mute(t, status.Mute{Publisher: "bravo", Host: "ws01", Until: b.now().Add(48 * time.Hour)})
	submit(t, b, processEvent("ws02", "vssadmin delete shadows"))
	if len(b.Recent(10)) != 0 {
		t.Fatal("it is not in force")
	}

	again := newBench(t, func(o *Options) { o.Update, o.View = b.store.Update, b.store.View })
	if err := again.LoadMutes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := again.Mutes(); len(list) != 2 || list[0].ID != hour.ID || list[0].Count != 0 {
		t.Errorf("after a restart: %+v", list)
	}

	b.forward(time.Hour)
	submit(t, b, processEvent("ws02", "vssadmin delete shadows"))
	if len(b.Recent(10)) != 1 || len(b.Mutes()) != 1 {
		t.Errorf("it does not end: %+v", b.Mutes())
	}
	if err := b.Unmute(t.Context(), b.Mutes()[0].ID); err != nil {
		t.Fatal(err)
	}
	submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
	if len(b.Recent(10)) != 2 || len(b.Mutes()) != 0 {
		t.Errorf("it is not taken back: %+v", b.Mutes())
	}
}

// TestMuteRefused: what is refused, or could not be kept, is not in force.
func TestMuteRefused(t *testing.T) {
	b, _ := mutedBench(t)
	soon := b.now().Add(time.Hour)
	for name, m := range map[string]status.Mute{
		"about nothing":       {Host: "ws01", Reason: "x", Until: soon},
		"without a reason":    {Rule: "r", Reason: "  ", Until: soon},
		"over before it was":  {Rule: "r", Reason: "x", Until: b.now()},
		"for ever":            {Rule: "r", Reason: "x", Until: b.now().Add(maxMuteTime + time.Hour)},
		"with a long reason":  {Rule: "r", Reason: strings.Repeat("x", maxMuteText+1), Until: soon},
		"with a long host":    {Rule: "r", Host: strings.Repeat("x", maxMuteText+1), Reason: "x", Until: soon},
		"without an end time": {Rule: "r", Reason: "x"},
	} {
		if _, err := b.Mute(t.Context(), m); !errors.Is(err, ErrMute) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.Unmute(t.Context(), "1"); !errors.Is(err, ErrNoMute) {
		t.Errorf("taking back nothing: %v", err)
	}
	b.store.fail = errors.New("the disk is full")
	if _, err := b.Mute(t.Context(), status.Mute{Rule: vssID, Reason: "x", Until: soon}); !errors.Is(err, b.store.fail) {
		t.Errorf("a full disk: %v", err)
	}
	b.store.fail = nil
	submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
	if len(b.Mutes()) != 0 || len(b.Recent(10)) != 1 {
		t.Errorf("in force: %+v", b.Mutes())
	}
}

// TestMuteBounds: there is an end to mutes, and one about the same thing replaces the older.
func TestMuteBounds(t *testing.T) {
	b, _ := mutedBench(t)
	for i := range maxMutes {
		b.mute(t, status.Mute{Rule: fmt.Sprint("rule ", i)})
	}
	if _, err := b.Mute(t.Context(), status.Mute{Rule: "more", Reason: "x", Until: b.now().Add(time.Hour)}); !errors.Is(err, ErrMuteFull) {
		t.Fatalf("one more: %v", err)
	}
	b.mute(t, status.Mute{Rule: "rule 7", Reason: "a better one"})
	list := b.Mutes()
	ids := map[string]bool{}
	for _, m := range list {
		ids[m.ID] = true
	}
	if len(list) != maxMutes || len(ids) != maxMutes {
		t.Fatalf("%d mutes, %d ids", len(list), len(ids))
	}
	if err := newMutes(Options{Now: b.now, View: func(context.Context, func(Tx) error) error { return errors.New("unreadable") }}).load(t.Context()); err == nil {
		t.Error("mutes that cannot be read are taken for none")
	}
}
