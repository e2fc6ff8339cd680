package detect

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

// memory is a store in memory: units run one at a time and are undone if they fail.
type memory struct {
	mu      sync.Mutex
	tallies map[object.Key]count
	copies  []object.Copy
	fail    error  // of the next units
	sealed  string // the id of an object that cannot be read
	units   int
	meta    map[string][]byte
}

func newMemory() *memory { return &memory{tallies: map[object.Key]count{}, meta: map[string][]byte{}} }

func (m *memory) Update(ctx context.Context, fn func(Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(ctx.Err(), m.fail); err != nil {
		return err
	}
	before := maps.Clone(m.tallies)
	if err := fn(memoryTx{m}); err != nil {
		m.tallies = before
		return err
	}
	m.units++
	return nil
}

func (m *memory) View(ctx context.Context, fn func(Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fn(memoryTx{m})
}

func (m *memory) put(c object.Copy) object.Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.Seq = int64(len(m.copies) + 1)
	m.copies = append(m.copies, c)
	return object.Change{Key: c.Key, Live: &c}
}

func (m *memory) tally(k object.Key) count {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tallies[k]
}

type memoryTx struct{ m *memory }

func (t memoryTx) AddTally(publisher, id string, n int64, first, last time.Time) error {
	k := object.Key{Publisher: publisher, ID: id}
	t.m.tallies[k] = t.m.tallies[k].plus(count{n, first, last})
	return nil
}

func (t memoryTx) EachTally(fn func(publisher, id string, n int64, first, last time.Time) error) error {
	for _, k := range slices.SortedFunc(maps.Keys(t.m.tallies), compareKeys) {
		c := t.m.tallies[k]
		if err := fn(k.Publisher, k.ID, c.n, c.first, c.last); err != nil {
			return err
		}
	}
	return nil
}

func (t memoryTx) DropTally(publisher, id string) error {
	delete(t.m.tallies, object.Key{Publisher: publisher, ID: id})
	return nil
}

func (t memoryTx) PublisherCopies(publisher, id string) (out []object.Copy, err error) {
	if id == t.m.sealed {
		return nil, errors.New("cannot be unsealed")
	}
	for _, c := range t.m.copies {
		if c.Publisher == publisher && c.ID == id {
			out = append(out, c)
		}
	}
	return out, nil
}

func (t memoryTx) Meta(key string) ([]byte, error) { return t.m.meta[key], nil }

func (t memoryTx) PutMeta(key string, value []byte) error {
	t.m.meta[key] = bytes.Clone(value)
	return nil
}

func (t memoryTx) EachLive(typ string, fn func(object.Copy) error) error {
	for _, c := range t.m.copies {
		if !c.Withdrawn && (typ == "" || c.Type == typ) {
			if err := fn(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// outgoing is what was published at once.
type outgoing struct {
	Objects  [][]byte
	TLP      stix.TLP
	Audience string
}

// outbox publishes into memory.
type outbox struct {
	store *memory
	mu    sync.Mutex
	sent  []outgoing
	fail  func(outgoing) error
}

func (o *outbox) PublishSightings(ctx context.Context, objects [][]byte, tlp stix.TLP, audience policy.Audience, done func(Tx) error) error {
	out := outgoing{objects, tlp, audience.String()}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		if err := o.fail(out); err != nil {
			return err
		}
	}
	if err := o.store.Update(ctx, done); err != nil {
		return err
	}
	o.sent = append(o.sent, out)
	return nil
}

func (o *outbox) all() []outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.sent)
}

const memberIdentity = "identity--11111111-1111-4111-8111-111111111111"

var start = time.Date(2026, 3, 2, 3, 11, 7, 0, time.UTC)

// bench is a detector with everything around it in memory, on a clock that the test moves.
type bench struct {
	*Detector
	store  *memory
	outbox *outbox
	engine *match.Engine
	dir    string
	mu     sync.Mutex
	at     time.Time
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

func (b *bench) forward(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = b.at.Add(d)
}

func newBench(t testing.TB, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{store: newMemory(), dir: t.TempDir(), at: start}
	b.outbox = &outbox{store: b.store}
	b.engine = match.New(b.now)
	opt := Options{
		Self: "alpha", Dir: b.dir, Retention: Retention{MaxAge: 24 * time.Hour, MaxSize: 1 << 20},
		Engine: b.engine, Update: b.store.Update, View: b.store.View, Now: b.now,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sightings: Sightings{
			Tick: time.Minute, CreatedBy: memberIdentity, Outbox: b.outbox,
			Rand: rand.NewChaCha8([32]byte{1}),
		},
	}
	for _, c := range change {
		c(&opt)
	}
	var err error
	if b.Detector, err = New(opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.journal.close(); err != nil && !errors.Is(err, errClosedFile) {
			t.Error(err)
		}
	})
	return b
}

const vssRule = `title: Shadow Copies Deleted
id: c947b146-0abc-4c87-9c64-b17e9d7274a2
status: test
author: A. Writer
level: high
tags: [attack.impact]
logsource: {product: windows, category: process_creation}
detection:
    selection:
        CommandLine|contains: 'delete shadows'
    condition: selection
`

// indicatorCopy makes an admitted indicator.
func indicatorCopy(t testing.TB, publisher, id, patternType, pattern string, change ...func(*stix.Indicator)) object.Copy {
	t.Helper()
	ind := stix.Indicator{
		Common: stix.Common{ID: "indicator--" + id, Created: start.Add(-time.Hour), Markings: []string{stix.Green.MarkingID()}},
		Name:   "one of " + publisher, Pattern: pattern, PatternType: patternType, Types: []string{"malicious-activity"},
	}
	for _, c := range change {
		c(&ind)
	}
	raw, err := ind.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return object.Copy{
		Key: object.Key{Publisher: publisher, ID: ind.ID}, Type: "indicator", TLP: uint8(stix.Green), Audience: "alliance", Raw: raw,
	}
}

func uuidNumber(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// processEvent is a process creation.
func processEvent(host, commandLine string) *event.Event {
	const channel = "Microsoft-Windows-Sysmon/Operational"
	return &event.Event{
		Time: start.Add(-10 * time.Second), Source: "ingest:test", Record: "7", Channel: channel, EventID: "1", Computer: host,
		Fields: []event.Field{
			{Name: "Channel", Value: event.Str(channel)}, {Name: "EventID", Value: event.Num("1")},
			{Name: "Computer", Value: event.Str(host)}, {Name: "CommandLine", Value: event.Str(commandLine)},
		},
	}
}

func submit(t testing.TB, b *bench, ev *event.Event) {
	t.Helper()
	if err := b.Submit(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
}
