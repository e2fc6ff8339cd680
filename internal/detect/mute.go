package detect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/status"
)

const (
	// maxMutes bounds the mutes in force.
	maxMutes = 1000
	// maxMuteText bounds each text of a mute, in bytes.
	maxMuteText = 500
	// maxMuteTime is the longest time until a mute ends: whoever silences something looks at it again.
	maxMuteTime = 366 * 24 * time.Hour
	// metaMutes is where the store keeps them.
	metaMutes = "mutes"
)

// Errors of Mute and Unmute that the caller can do something about.
var (
	ErrMute     = errors.New("this mute cannot be")
	ErrNoMute   = errors.New("there is no such mute")
	ErrMuteFull = fmt.Errorf("%w: %d are in force; take some back", ErrMute, maxMutes)
)

// silence is what a mute is about. Empty parts are free; the host is in lower case.
type silence struct{ publisher, rule, host string }

// muted is one mute in force and how much it has kept back since the node's start.
type muted struct {
	status.Mute
	count atomic.Int64
}

// mutes are this member's own decisions not to be told of something: neither written nor counted for
// sightings, but counted and shown. What is looked up is immutable; changes replace it.
type mutes struct {
	now    func() time.Time
	update func(context.Context, func(Tx) error) error
	view   func(context.Context, func(Tx) error) error

	table atomic.Pointer[map[silence]*muted]
	mu    sync.Mutex // serialises changes
}

func newMutes(opt Options) *mutes {
	m := &mutes{now: opt.Now, update: opt.Update, view: opt.View}
	m.table.Store(&map[silence]*muted{})
	return m
}

// load reads the mutes that the store keeps; those that have ended are left out.
func (m *mutes) load(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var kept []status.Mute
	err := m.view(ctx, func(tx Tx) error {
		data, err := tx.Meta(metaMutes)
		if err != nil || len(data) == 0 {
			return err
		}
		return json.Unmarshal(data, &kept)
	})
	if err != nil {
		return fmt.Errorf("reading the mutes: %w", err)
	}
	m.put(kept)
	return nil
}

// put makes a list the one in force; counts of those that stay go on. Caller holds mu.
func (m *mutes) put(list []status.Mute) {
	old, next, now := *m.table.Load(), map[silence]*muted{}, m.now()
	for _, one := range list {
		if !now.Before(one.Until) {
			continue
		}
		key := silenceOf(one)
		entry := old[key]
		if entry == nil || entry.ID != one.ID {
			entry = &muted{Mute: one}
		}
		next[key] = entry
	}
	m.table.Store(&next)
}

func silenceOf(m status.Mute) silence {
	return silence{m.Publisher, m.Rule, strings.ToLower(m.Host)}
}

// holds says whether a detection is muted, and counts it.
func (m *mutes) holds(key object.Key, d *status.Detection, now time.Time) bool {
	table := *m.table.Load()
	if len(table) == 0 {
		return false
	}
	host := strings.ToLower(d.Computer)
	for _, publisher := range [...]string{"", d.Publisher} {
		for _, rule := range [...]string{"", d.RuleID, key.ID} {
			for _, h := range [...]string{"", host} {
				if one := table[silence{publisher, rule, h}]; one != nil && now.Before(one.Until) {
					one.count.Add(1)
					return true
				}
			}
		}
	}
	return false
}

// list gives the mutes in force, the oldest first.
func (m *mutes) list() []status.Mute {
	out := []status.Mute{}
	now := m.now()
	for _, one := range *m.table.Load() {
		if now.Before(one.Until) {
			shown := one.Mute
			shown.Count = one.count.Load()
			out = append(out, shown)
		}
	}
	slices.SortFunc(out, func(a, b status.Mute) int { return cmp.Or(a.Made.Compare(b.Made), cmp.Compare(a.ID, b.ID)) })
	return out
}

// check says what is wrong with a new mute.
func (m *mutes) check(one status.Mute, now time.Time) error {
	switch {
	case one.Rule == "" && one.Publisher == "":
		return fmt.Errorf("%w: it names neither a rule nor an ally", ErrMute)
	case strings.TrimSpace(one.Reason) == "":
		return fmt.Errorf("%w: it has no reason", ErrMute)
	case !one.Until.After(now):
		return fmt.Errorf("%w: it would have ended already", ErrMute)
	case one.Until.Sub(now) > maxMuteTime:
		return fmt.Errorf("%w: it may last %d days at most", ErrMute, maxMuteTime/(24*time.Hour))
	}
	for _, text := range []string{one.Rule, one.Publisher, one.Host, one.Reason} {
		if len(text) > maxMuteText {
			return fmt.Errorf("%w: a text of %d bytes, at most %d are kept", ErrMute, len(text), maxMuteText)
		}
	}
	return nil
}

// add keeps a mute durably and puts it in force; one about the same thing is replaced.
func (m *mutes) add(ctx context.Context, one status.Mute) (status.Mute, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().UTC().Truncate(time.Second)
	one.Made, one.Count, one.Until = now, 0, one.Until.UTC().Truncate(time.Second)
	if err := m.check(one, now); err != nil {
		return one, err
	}
	list := slices.DeleteFunc(m.list(), func(old status.Mute) bool { return silenceOf(old) == silenceOf(one) })
	if len(list) >= maxMutes {
		return one, ErrMuteFull
	}
	one.ID = freeID(list)
	return one, m.save(ctx, append(list, one))
}

// freeID is the number after the highest in use: a number is not given again while older ones are in force.
func freeID(list []status.Mute) string {
	highest := 0
	for _, one := range list {
		if n, err := strconv.Atoi(one.ID); err == nil {
			highest = max(highest, n)
		}
	}
	return strconv.Itoa(highest + 1)
}

// remove takes a mute back.
func (m *mutes) remove(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.list()
	rest := slices.DeleteFunc(slices.Clone(list), func(one status.Mute) bool { return one.ID == id })
	if len(rest) == len(list) {
		return fmt.Errorf("%w: %q", ErrNoMute, id)
	}
	return m.save(ctx, rest)
}

// save writes a list and puts it in force. Caller holds mu.
func (m *mutes) save(ctx context.Context, list []status.Mute) error {
	kept := slices.Clone(list)
	for i := range kept {
		kept[i].Count = 0 // counts begin with the node
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("keeping the mutes: %w", err)
	}
	if err := m.update(ctx, func(tx Tx) error { return tx.PutMeta(metaMutes, data) }); err != nil {
		return fmt.Errorf("keeping the mutes: %w", err)
	}
	m.put(list)
	return nil
}

// total is how many detections were kept back since the node's start by the mutes in force.
func (m *mutes) total() (n int64) {
	for _, one := range *m.table.Load() {
		n += one.count.Load()
	}
	return n
}

// LoadMutes puts the mutes in force that the store keeps.
func (d *Detector) LoadMutes(ctx context.Context) error { return d.mutes.load(ctx) }

// Mute silences a rule, an ally, or either on one host, for this node alone, until a time; it gives the
// mute as it is kept. The error wraps ErrMute where the mute itself is wrong.
func (d *Detector) Mute(ctx context.Context, m status.Mute) (status.Mute, error) {
	return d.mutes.add(ctx, m)
}

// Unmute takes a mute back by its id. The error wraps ErrNoMute where there is none.
func (d *Detector) Unmute(ctx context.Context, id string) error { return d.mutes.remove(ctx, id) }

// Mutes are those in force, the oldest first, with what each kept back since the start.
func (d *Detector) Mutes() []status.Mute { return d.mutes.list() }
