// Package detect is a running node's detection: it matches events against live intelligence, keeps and
// shows the detections, and tells the publishers of shared intelligence, by sightings, how often and when
// it was seen.
//
// What a caller may rely on: when Submit returns nil, the event has been matched and every detection is in
// the journal's file; when Sync then returns nil, the journal is on the disk and the counts for sightings
// are in the store. A source that acknowledges or moves its offset only after Sync loses nothing; after a
// crash it may see detections twice.
package detect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shieldwall/internal/correlate"
	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/object"
	"shieldwall/internal/sequence"
	"shieldwall/internal/sigma"
	"shieldwall/internal/status"
)

// Errors of Submit and Follow.
var (
	// ErrBusy says that too many callers wait already; try again later.
	ErrBusy = errors.New("too many events at once")
	// ErrStopped says that the detector takes nothing any more.
	ErrStopped = errors.New("detection has stopped")
)

const (
	// maxWaiting bounds the callers of Submit that wait for their turn.
	maxWaiting = 1024
	// syncEvery is how long a detection may stay off the disk, and a count out of the store, where nobody
	// calls Sync.
	syncEvery = time.Second
	// measureOneIn is how many events go by for each one of which Profile knows what its rules cost. Measuring all
	// would cost a tenth more (BenchmarkMeasure in package match).
	measureOneIn = 1024
	// stopTime is how long the last writes may take once Run is told to end.
	stopTime = 5 * time.Second
)

// Tx is what detect needs of a store transaction.
type Tx interface {
	AddTally(publisher, id string, n int64, first, last time.Time) error
	EachTally(fn func(publisher, id string, n int64, first, last time.Time) error) error
	DropTally(publisher, id string) error
	PublisherCopies(publisher, id string) ([]object.Copy, error)
	EachLive(typ string, fn func(object.Copy) error) error
	Meta(key string) ([]byte, error)
	PutMeta(key string, value []byte) error
}

// Options are what a Detector works with; all are required but those that say otherwise.
type Options struct {
	// Self is this node's member name.
	Self string
	// Dir is the folder of the journal.
	Dir       string
	Retention Retention
	Engine    *match.Engine
	// Update and View run a unit of work in the store; Update returns once it is committed.
	Update    func(ctx context.Context, fn func(Tx) error) error
	View      func(ctx context.Context, fn func(Tx) error) error
	Sightings Sightings
	Now       func() time.Time
	Log       *slog.Logger
	// Sigma is how Sigma rules are read; the zero value knows no placeholders.
	Sigma sigma.Options
	// Slots is how many events are matched at once; 0 means one a processor.
	Slots int
}

// Detector matches events and keeps what it finds. Its methods may be called concurrently.
type Detector struct {
	opt      Options
	journal  *journal
	feed     *feed
	throttle *throttle
	mutes    *mutes
	tally    *tally
	sender   *sender
	live     *live
	totals   *totals

	slots    chan struct{} // one element a Submit at work
	waiting  atomic.Int64
	stopping chan struct{} // closed when Run ends
	ending   sync.Once

	events, detections, sent atomic.Int64
	failing                  atomic.Bool // the last line could not be written

	unwritten unwritten

	mu       sync.Mutex        // guards problems
	problems map[string]string // what fails in the background now, by what it does
}

// New opens the journal in opt.Dir, repairs it, and makes a Detector; Run starts it.
func New(opt Options) (*Detector, error) {
	j, err := openJournal(opt.Dir, opt.Retention, opt.Now)
	if err != nil {
		return nil, err
	}
	newest, err := j.newest(ringSize)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the newest detections: %w", err), j.close())
	}
	if opt.Slots <= 0 {
		opt.Slots = runtime.GOMAXPROCS(0)
	}
	opt.Engine.Measure(measureOneIn)
	t := newTally(opt.Update)
	return &Detector{
		opt:      opt,
		journal:  j,
		feed:     newFeed(newest),
		throttle: newThrottle(),
		mutes:    newMutes(opt),
		tally:    t,
		sender:   &sender{Sightings: opt.Sightings, self: opt.Self, now: opt.Now, view: opt.View, tally: t},
		live:     newLive(opt.Engine, opt.Sigma, opt.Now),
		totals:   newTotals(opt.Self, opt.View),
		slots:    make(chan struct{}, opt.Slots),
		stopping: make(chan struct{}),
		problems: map[string]string{},
	}, nil
}

// Submit matches one event, on the caller's goroutine, once it is its turn; see the package comment for
// what its return means. The event is only read and not kept. The error is ErrBusy, ErrStopped, ctx's, or
// says why a detection could not be written; the event then has to come again.
func (d *Detector) Submit(ctx context.Context, ev *event.Event) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer func() { <-d.slots }()
	d.events.Add(1)
	var err error
	var counted []correlate.Hit
	at := seenAt(ev, d.opt.Now().UTC())
	glance := d.live.patterns.Look(ev, at)
	d.opt.Engine.Match(ev, func(h match.Hit) {
		if err != nil || h.Candidate && !confirmed(&glance, &h) {
			return
		}
		hit, counts, silent := d.live.counts(&h)
		if counts {
			counted = append(counted, hit)
		}
		if !silent {
			err = d.hit(ctx, ev, h)
		}
	})
	if err == nil && len(counted) > 0 {
		err = d.tell(ctx, d.live.correlations.Add(ev, at, counted...))
	}
	return err
}

// confirmed asks the pattern behind a hit. A detection by a pattern of several observations shows the others.
func confirmed(glance *sequence.Glance, h *match.Hit) bool {
	others, ok := glance.Confirm(h.Key)
	if len(others) > 0 {
		h.Fields = append(h.Fields, sequence.Others(others))
	}
	return ok
}

func (d *Detector) enter(ctx context.Context) error {
	select {
	case <-d.stopping:
		return ErrStopped
	default:
	}
	select {
	case d.slots <- struct{}{}:
		return nil
	default:
	}
	if d.waiting.Add(1) > maxWaiting {
		d.waiting.Add(-1)
		return ErrBusy
	}
	defer d.waiting.Add(-1)
	select {
	case d.slots <- struct{}{}:
		return nil
	case <-d.stopping:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hit keeps one detection. The journal comes first: if it fails, the event comes again and would be
// counted twice.
func (d *Detector) hit(ctx context.Context, ev *event.Event, h match.Hit) error {
	now := d.opt.Now().UTC()
	det := newDetection(ev, h, now)
	if d.mutes.holds(h.Key, &det, now) {
		return nil
	}
	d.detections.Add(1)
	if d.throttle.allow(now, pair{det.Publisher, det.RuleID, det.Computer}) {
		line, err := encodeLine(&det)
		if err != nil {
			return err
		}
		err = d.journal.append(line)
		if err != nil || d.failing.Load() {
			d.failing.Store(err != nil)
			d.note("writing detections", err)
		}
		if err != nil {
			return err
		}
		d.feed.publish(det)
	}
	if det.Publisher != "" && d.tally.add(h.Key, seenAt(ev, now)) {
		return d.tally.flush(ctx)
	}
	return nil
}

// Sync returns once everything that Submit has taken is durable.
func (d *Detector) Sync(ctx context.Context) error {
	return errors.Join(d.journal.sync(), d.tally.flush(ctx))
}

// Run keeps the journal within its limits and sends sightings, until ctx ends; then it waits for the
// events at work, writes everything down and closes the journal.
func (d *Detector) Run(ctx context.Context) error {
	tend, tick := time.NewTicker(syncEvery), time.NewTicker(d.opt.Sightings.Tick)
	defer tend.Stop()
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return d.stop(ctx)
		case <-tend.C:
			d.live.dropStopped()
			d.note("keeping detections", errors.Join(d.advance(ctx), d.Sync(ctx), d.journal.tend()))
		case <-tick.C:
			sent, err := d.sender.send(ctx)
			d.sent.Add(sent)
			d.note("sending sightings", err)
		}
	}
}

func (d *Detector) stop(ctx context.Context) (err error) {
	d.ending.Do(func() { err = d.end(ctx) })
	return err
}

// Close ends a Detector that does not run: one command's, or one whose start failed. After Run it does nothing.
func (d *Detector) Close() error { return d.stop(context.Background()) }

func (d *Detector) end(ctx context.Context) error {
	close(d.stopping)
	for range cap(d.slots) {
		d.slots <- struct{}{}
	}
	d.feed.close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	return errors.Join(d.tell(ctx, d.unwritten.take()), d.tally.flush(ctx), d.journal.close())
}

// note keeps what fails for Stats until it works again, and logs it when it changes: what fails every second
// is not news.
func (d *Detector) note(doing string, err error) {
	text := ""
	if err != nil && !errors.Is(err, context.Canceled) {
		text = fmt.Sprintf("%s: %v", doing, err)
	}
	d.mu.Lock()
	before := d.problems[doing]
	d.problems[doing] = text
	d.mu.Unlock()
	switch {
	case text == before:
	case text == "":
		d.opt.Log.Info("detection works again", "doing", doing)
	default:
		d.opt.Log.Error("detection", "doing", doing, "err", err)
	}
}

// Apply makes changes of intelligence live: new and changed indicators match when it returns, withdrawn and
// revoked ones no longer do. Changes of one key have to come in the order of their admission.
func (d *Detector) Apply(changes []object.Change) {
	d.live.apply(changes)
	for _, c := range changes {
		d.totals.apply(c)
	}
}

// LoadAll makes everything live that the store holds; each calls its argument with every live copy.
func (d *Detector) LoadAll(each func(fn func(object.Copy) error) error) error {
	batch := make([]object.Change, 0, loadBatch)
	err := each(func(c object.Copy) error {
		if c.Type != "indicator" && c.Type != "sighting" {
			return nil
		}
		batch = append(batch, object.Change{Key: c.Key, Live: &c})
		if len(batch) == loadBatch {
			d.Apply(batch)
			batch = batch[:0]
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("loading the live intelligence: %w", err)
	}
	d.Apply(batch)
	return nil
}

// SetLocalRules replaces the rules that this node loads from folders of its own, and the correlations over them.
func (d *Detector) SetLocalRules(rules []LocalRule, correlations ...LocalCorrelation) {
	d.live.setLocal(rules, correlations)
}

// Recent gives up to limit of the newest detections, the newest first.
func (d *Detector) Recent(limit int) []status.Detection { return d.feed.recent(limit) }

// Follow gives the detections from now on until ctx ends; then the channel is closed. The error is ErrBusy
// where there are too many followers, or ErrStopped.
func (d *Detector) Follow(ctx context.Context) (*Follower, error) { return d.feed.follow(ctx) }

// Since yields what the journal keeps, oldest first, of detections seen at or after a time.
func (d *Detector) Since(ctx context.Context, since time.Time, yield func(status.Detection) error) error {
	return ReadJournal(ctx, d.opt.Dir, since, yield)
}

// Totals adds up what members, this one included, have seen of this node's own objects; the last seen comes
// first.
func (d *Detector) Totals(ctx context.Context, limit int) ([]status.Sightings, error) {
	return d.totals.list(ctx, limit)
}

// Stats is what the detector did since its start and what it keeps.
type Stats struct {
	Events     int64
	Detections int64 // those not written because of the throttle included
	// Suppressed were not written, because one rule fired too often on one host; Loudest names the pairs of
	// the last two minutes.
	Suppressed int64
	Loudest    []Suppressed
	// Muted were kept back by the mutes in force; they count as no detections.
	Muted int64
	// Rules and Indicators are live. Rejected is how many objects could not be made live; Rejections names
	// some of them, with the reason.
	Rules, Indicators int
	Rejected          int
	Rejections        []Rejection
	// Patterns counts what STIX patterns of several observations forgot and gave up.
	Patterns sequence.Stats
	// Correlations is what the rules that count other rules' hits did, and what they hold.
	Correlations  correlate.Stats
	SightingsSent int64
	Journal       JournalStats
	// Problem is what fails in the background now; empty where all works.
	Problem string
}

// Stats gives a consistent enough picture for a page.
func (d *Detector) Stats() Stats {
	st := Stats{
		Events: d.events.Load(), Detections: d.detections.Load(), SightingsSent: d.sent.Load(),
		Journal: d.journal.statistics(),
	}
	st.Suppressed, st.Loudest = d.throttle.suppressed()
	st.Muted = d.mutes.total()
	st.Rules, st.Indicators = d.opt.Engine.Len()
	st.Rejected, st.Rejections = d.live.rejections()
	st.Patterns = d.live.patterns.Stats()
	st.Correlations = d.live.correlations.Stats()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, doing := range slices.Sorted(maps.Keys(d.problems)) {
		if text := d.problems[doing]; text != "" {
			st.Problem = strings.TrimPrefix(st.Problem+"; "+text, "; ")
		}
	}
	return st
}
