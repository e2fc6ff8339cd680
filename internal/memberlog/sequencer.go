package memberlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"shieldwall/internal/memberlog/guard"
	"shieldwall/internal/merkle"
)

// Build makes entries, inside the transaction that appends them: it may read and write through tx, learns
// the next index from b and hands entries to it. It runs at most once, on the sequencer's goroutine, and
// must not call Append. If it fails, its entries and its writes are undone, and those of others in the
// same group are not.
type Build[T any] func(tx T, b *Batch) error

// Batch is what a build appends to. It is valid while the build runs.
type Batch struct {
	log     string
	base    uint64 // index of entries[0]
	entries [][]byte
	bytes   int

	// The build that has it now: none once it returned.
	open         bool
	from         int // its first entry
	buildEntries int
	buildBytes   int
}

// Log is the log id.
func (b *Batch) Log() string { return b.log }

// Next is the index that the next entry appended gets.
func (b *Batch) Next() uint64 { return b.base + uint64(len(b.entries)) }

// Append adds an entry and returns its index. The batch keeps the slice: it must not be changed later.
func (b *Batch) Append(entry []byte) (uint64, error) {
	switch {
	case !b.open:
		return 0, errors.New("appending after the build returned")
	case len(entry) > merkle.MaxEntry:
		return 0, fmt.Errorf("entry of %d bytes, the limit is %d", len(entry), merkle.MaxEntry)
	case b.buildEntries == maxBuildEntries || b.buildBytes+len(entry) > maxBuildBytes:
		return 0, fmt.Errorf("more than %d entries or %d bytes in one append", maxBuildEntries, maxBuildBytes)
	}
	b.entries = append(b.entries, entry)
	b.bytes += len(entry)
	b.buildEntries++
	b.buildBytes += len(entry)
	return b.Next() - 1, nil
}

func (b *Batch) begin() {
	b.open, b.from, b.buildEntries, b.buildBytes = true, len(b.entries), 0, 0
}

// end closes the batch for the build and cuts its entries off again if it failed.
func (b *Batch) end(failed bool) (first uint64, count int) {
	b.open = false
	if failed {
		clear(b.entries[b.from:])
		b.entries = b.entries[:b.from]
		b.bytes -= b.buildBytes
	}
	return b.base + uint64(b.from), len(b.entries) - b.from
}

// pending is a call of Append.
type pending[T Tx] struct {
	build Build[T]
	state atomic.Int32 // waiting, then taken by the sequencer or given up by its caller
	done  chan struct{}

	// Set by the sequencer before done is closed.
	receipt Receipt
	err     error
}

const (
	waiting int32 = iota
	taken
	givenUp
)

// Append runs build in the append transaction and returns once its entries are durable, guarded and shown.
// Where ctx ends before build has begun, Append gives up; afterwards it waits for the outcome. It blocks
// while the queue is full and until Run runs.
func (l *Log[T]) Append(ctx context.Context, build Build[T]) (Receipt, error) {
	p := &pending[T]{build: build, done: make(chan struct{})}
	if ctx.Err() != nil {
		return Receipt{}, l.waited(ctx)
	}
	select {
	case l.queue <- p:
	case <-ctx.Done():
		return Receipt{}, l.waited(ctx)
	case <-l.stopped:
		return Receipt{}, l.stopError()
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if p.state.CompareAndSwap(waiting, givenUp) {
			return Receipt{}, l.waited(ctx)
		}
		<-p.done
	case <-l.stopped:
		if p.state.CompareAndSwap(waiting, givenUp) {
			return Receipt{}, l.stopError()
		}
		<-p.done
	}
	return p.receipt, p.err
}

func (l *Log[T]) waited(ctx context.Context) error {
	return fmt.Errorf("waiting to append to %s: %w", l.cfg.Log, context.Cause(ctx))
}

func (l *Log[T]) stopError() error {
	if l.failure != nil {
		return fmt.Errorf("%w: %w", ErrStopped, l.failure)
	}
	return ErrStopped
}

// Run is the sequencer. It returns nil once ctx has ended and the appends that were waiting then are done,
// or the reason why nothing may be signed any more. It runs once.
func (l *Log[T]) Run(ctx context.Context) error {
	err := errors.New("the log's sequencer ran before")
	l.running.Do(func() { err = l.run(ctx) })
	return err
}

func (l *Log[T]) run(ctx context.Context) error {
	defer close(l.stopped)
	retry := time.NewTicker(settleEvery)
	defer retry.Stop()
	for {
		select {
		case p := <-l.queue:
			l.failure = l.group(ctx, p)
		case <-retry.C:
			// Entries that the guard did not confirm are shown as soon as it does, though nobody appends. What
			// still fails is told to the next who does.
			_ = l.settle(nil)
		case <-ctx.Done():
			for p := l.poll(); p != nil && l.failure == nil; p = l.poll() {
				l.failure = l.group(ctx, p)
			}
			return l.failure
		}
		if l.failure != nil {
			return l.failure
		}
	}
}

func (l *Log[T]) poll() *pending[T] {
	select {
	case p := <-l.queue:
		return p
	default:
		return nil
	}
}

// group is the builds of one commit and what they become.
type group[T Tx] struct {
	builds []*pending[T]
	batch  *Batch

	// Set once the builds have run and entries were signed.
	tree *merkle.Frontier
	head Head
}

// take makes a waiting build part of the group unless its caller has given up.
func (g *group[T]) take(p *pending[T]) bool {
	if !p.state.CompareAndSwap(waiting, taken) {
		return false
	}
	g.builds = append(g.builds, p)
	return true
}

// fail gives an error to every build that has none of its own.
func (g *group[T]) fail(err error) {
	for _, p := range g.builds {
		if p.err == nil {
			p.err, p.receipt = err, Receipt{}
		}
	}
}

func (g *group[T]) acknowledge() {
	for _, p := range g.builds {
		close(p.done)
	}
}

// group commits first and what waits behind it. The error is one after which nothing may be signed.
func (l *Log[T]) group(ctx context.Context, first *pending[T]) error {
	g := &group[T]{batch: &Batch{log: l.cfg.Log, base: l.tree.Size()}}
	if !g.take(first) {
		return nil
	}
	defer g.acknowledge()
	// An earlier guard write failed: nothing more is committed before it succeeds.
	if err := l.settle(nil); err != nil {
		g.fail(fmt.Errorf("appending to %s: %w", l.cfg.Log, err))
		return nil
	}
	// What has begun is finished, whatever stops the node.
	err := l.cfg.Update(context.WithoutCancel(ctx), func(tx T) error { return l.fill(tx, g) })
	if err != nil {
		committed, fatal := l.outcome(ctx, g, err)
		if fatal != nil {
			g.fail(fatal)
			return fatal
		}
		if !committed {
			g.fail(fmt.Errorf("appending to %s: %w", l.cfg.Log, err))
			return nil
		}
	}
	head := l.stored
	if g.tree != nil {
		l.tree, l.stored, head = g.tree, g.head, g.head
		if err := l.settle(g.batch.entries); err != nil {
			g.fail(fmt.Errorf("appending to %s: %w: %w", l.cfg.Log, ErrUnconfirmed, err))
			return nil
		}
	}
	for _, p := range g.builds {
		if p.err == nil {
			p.receipt.Head = head
		}
	}
	return nil
}

// fill runs the group's first build and those that wait, and writes what they made: all inside the append
// transaction.
func (l *Log[T]) fill(tx T, g *group[T]) error {
	if err := l.unchanged(tx); err != nil {
		return err
	}
	began := l.cfg.Now()
	for next := 0; next < len(g.builds); next++ {
		if err := l.build(tx, g.batch, g.builds[next]); err != nil {
			return err
		}
		if !full(g, l.cfg.Now().Sub(began)) {
			l.takeNext(g)
		}
	}
	if len(g.batch.entries) == 0 {
		return nil
	}
	return l.write(tx, g)
}

// takeNext takes one more waiting build, if there is one.
func (l *Log[T]) takeNext(g *group[T]) {
	for p := l.poll(); p != nil; p = l.poll() {
		if g.take(p) {
			return
		}
	}
}

// unchanged raises a doubt where the stored head is not the one that this sequencer left: something else
// appends to this log.
func (l *Log[T]) unchanged(tx T) error {
	size, checkpoint, err := tx.LogHead(l.cfg.Log)
	if err != nil || size == l.stored.Size && bytes.Equal(checkpoint, l.stored.Checkpoint) {
		return err
	}
	return &Doubt{Log: l.cfg.Log, Reason: ReasonChanged, Detail: fmt.Sprintf("the store has %d entries, this process left it with %d", size, l.stored.Size), Held: extent(l.stored)}
}

func full[T Tx](g *group[T], worked time.Duration) bool {
	return len(g.builds) >= groupBuilds || len(g.batch.entries) >= groupEntries || g.batch.bytes >= groupBytes || worked >= groupWork
}

// build runs one build under a savepoint. Its own error stays with it; the error returned is one that loses
// the transaction.
func (l *Log[T]) build(tx T, b *Batch, p *pending[T]) error {
	var own error
	err := tx.Savepoint(func() error {
		b.begin()
		own = p.build(tx, b)
		return own
	})
	first, count := b.end(own != nil)
	if own != nil {
		p.err = own
		return nil // if it could not be undone either, the transaction's next statement says so
	}
	p.receipt = Receipt{Log: l.cfg.Log, First: first, Count: count}
	return err
}

// write stores the group's entries, the tiles that they change and one signed checkpoint.
func (l *Log[T]) write(tx T, g *group[T]) error {
	leaves := make([]merkle.Hash, len(g.batch.entries))
	for i, e := range g.batch.entries {
		leaves[i] = merkle.LeafHash(e)
	}
	tree := l.tree.Clone()
	tiles := tree.Extend(leaves)
	head, err := l.sign(tree)
	if err != nil {
		return err
	}
	if err := put(tx, l.cfg.Log, g.batch.base, g.batch.entries, tiles); err != nil {
		return err
	}
	if err := tx.PutLogHead(l.cfg.Log, l.cfg.Member, head.Size, head.Checkpoint); err != nil {
		return fmt.Errorf("writing the head: %w", err)
	}
	g.tree, g.head = tree, head
	return nil
}

func put(tx Tx, log string, first uint64, entries [][]byte, tiles []merkle.TileData) error {
	if err := tx.PutEntries(log, first, entries); err != nil {
		return fmt.Errorf("writing entries: %w", err)
	}
	for _, t := range tiles {
		if err := tx.PutTile(log, t.Level, t.N, t.Hashes); err != nil {
			return fmt.Errorf("writing %s: %w", t.Path(), err)
		}
	}
	return nil
}

func (l *Log[T]) sign(tree *merkle.Frontier) (Head, error) {
	cp := merkle.Checkpoint{Origin: l.cfg.Log, Size: tree.Size(), Root: tree.Root()}
	msg, err := merkle.SignCheckpoint(cp, l.cfg.Signer)
	if err != nil {
		return Head{}, err
	}
	return Head{Size: cp.Size, Root: cp.Root, Checkpoint: msg}, nil
}

// outcome finds out what became of an append whose transaction failed with err. A store may report an error
// although the commit is on the disk; to sign that size again with other entries would be a second head.
// fatal says that the log has to stop and be opened again, which settles it.
func (l *Log[T]) outcome(ctx context.Context, g *group[T], err error) (committed bool, fatal error) {
	var doubt *Doubt
	if errors.As(err, &doubt) {
		return false, doubt
	}
	if g.tree == nil {
		return false, nil // nothing was signed
	}
	err = l.cfg.View(context.WithoutCancel(ctx), func(tx T) error {
		_, checkpoint, err := tx.LogHead(l.cfg.Log)
		if committed = bytes.Equal(checkpoint, g.head.Checkpoint); committed || err != nil {
			return err
		}
		return l.unchanged(tx)
	})
	if errors.As(err, &doubt) {
		return false, doubt
	}
	if err != nil {
		return false, fmt.Errorf("%s: whether the last append was committed cannot be read: %w", l.cfg.Log, err)
	}
	return committed, nil
}

// settle lets the guard cover what is stored and shows it. entries are the newest ones, or nil.
func (l *Log[T]) settle(entries [][]byte) error {
	if l.Head().Size == l.stored.Size {
		return nil
	}
	if err := l.cfg.Guard.Store(l.cfg.mark(l.stored.Size, l.stored.Root)); err != nil {
		return err
	}
	l.show(l.stored, entries)
	return nil
}

func (c *Config[T]) mark(size uint64, root merkle.Hash) guard.Mark {
	return guard.Mark{Log: c.Log, Size: size, Root: root, Machine: c.Machine}
}
