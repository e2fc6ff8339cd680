package exchange

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"shieldwall/internal/roster"
)

// peer is a member's node in memory (Peer). Its fields are set before it is used or under mu.
type peer struct {
	member string

	mu      sync.Mutex
	log     *author
	a       *alliance
	blobs   map[string][]byte
	down    error        // every call fails
	hang    bool         // no call answers
	max     int          // bytes of a batch; 0 = 1 MiB
	silent  bool         // streams carry no news
	edit    func(*Batch) // changes what a stream sends
	tamper  func(path string, data []byte) []byte
	head    func() []byte // in place of the log's own checkpoint
	told    News          // in place of the true news
	deaf    int           // so many receipts fail
	calls   map[string]int
	got     []uint64 // receipts, in order
	at      []time.Time
	changed chan struct{} // closed at news
	kick    chan struct{} // closed to end open streams
}

func newPeer(a *alliance, w *author) *peer {
	return &peer{member: w.member, log: w, a: a, blobs: map[string][]byte{}, calls: map[string]int{}, changed: make(chan struct{}), kick: make(chan struct{})}
}

// with changes a peer while it is in use.
func (p *peer) with(edit func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	edit()
}

// drop ends all open streams.
func (p *peer) drop() {
	p.with(func() {
		close(p.kick)
		p.kick = make(chan struct{})
	})
}

func (p *peer) count(call string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[call]
}

func (p *peer) receipts() []uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// enter is what every call does first.
func (p *peer) enter(ctx context.Context, call string) error {
	p.mu.Lock()
	if p.calls == nil {
		p.calls = map[string]int{}
	}
	p.calls[call]++
	down, hang := p.down, p.hang
	p.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return errors.Join(down, ctx.Err())
}

func (p *peer) Checkpoint(ctx context.Context, log string) ([]byte, error) {
	if err := p.enter(ctx, "checkpoint"); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.head != nil {
		return p.head(), nil
	}
	if log != p.log.id {
		return nil, fmt.Errorf("no log %s", log)
	}
	return p.log.checkpoint(), nil
}

func (p *peer) Resource(ctx context.Context, _, path string, max int64) ([]byte, error) {
	if err := p.enter(ctx, "resource"); err != nil {
		return nil, err
	}
	data, err := p.log.resource(path)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.tamper != nil {
		data = p.tamper(path, bytes.Clone(data))
	}
	if int64(len(data)) > max {
		err = errors.New("too large")
	}
	return data, err
}

func (p *peer) Stream(ctx context.Context, _ string, from uint64, batch func(Batch) error, news func(News) error) error {
	if err := p.enter(ctx, "stream"); err != nil {
		return err
	}
	for {
		p.mu.Lock()
		w, max, silent, told, changed, kick := p.log, p.max, p.silent, p.told, p.changed, p.kick
		p.mu.Unlock()
		if !silent {
			if err := news(told); err != nil {
				return err
			}
		}
		for same := true; same; {
			b, grown := w.batch(from, cmp.Or(max, 1<<20))
			p.mu.Lock()
			edit := p.edit
			p.mu.Unlock()
			if edit != nil {
				edit(&b)
			}
			if len(b.Entries) > 0 {
				if err := batch(b); err != nil {
					return err
				}
				from = b.First + uint64(len(b.Entries))
				continue
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-kick:
				return errGone
			case <-changed:
				same = false
			case <-grown:
			}
		}
	}
}

func (p *peer) Blob(ctx context.Context, hash []byte) ([]byte, error) {
	if err := p.enter(ctx, "blob"); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if data := p.blobs[string(hash)]; data != nil {
		return data, nil
	}
	return nil, fmt.Errorf("blob %x: %w", hash[:4], fs.ErrNotExist)
}

func (p *peer) Roster(ctx context.Context, version uint64) ([]byte, error) {
	if err := p.enter(ctx, "roster"); err != nil {
		return nil, err
	}
	return p.a.note(version, "")
}

func (p *peer) Draft(context.Context, string) ([]byte, error) { return nil, errors.New("no draft") }

func (p *peer) Card(ctx context.Context, member string) ([]byte, error) {
	if err := p.enter(ctx, "card"); err != nil {
		return nil, err
	}
	return p.a.note(0, member)
}

func (p *peer) Applied(ctx context.Context, note []byte) error {
	if err := p.enter(ctx, "applied"); err != nil {
		return err
	}
	log, size, err := roster.VerifyApplied(note, "me", public(seeded("witness me")))
	if err != nil || log != p.log.id {
		return fmt.Errorf("a receipt for %s: %v", log, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaf > 0 {
		p.deaf--
		return errGone
	}
	p.got, p.at = append(p.got, size), append(p.at, time.Now())
	return nil
}

type refusalError string

func (r refusalError) Error() string { return string(r) }

func (p *peer) Refusal(err error) (string, bool) {
	var r refusalError
	return string(r), errors.As(err, &r)
}

func (p *peer) Traffic() (in, out int64) { return 0, 0 }
func (p *peer) Close()                   {}
