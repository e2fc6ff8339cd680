package search

import (
	"context"
	"errors"
	"time"

	"shieldwall/internal/status"
)

// How the index follows admission.
const (
	// every is how often it is looked whether there is something new.
	every = 200 * time.Millisecond
	// A burst of more than so many copies in that time has the processor to itself, for so many looks at most.
	burst, maxHeld = 200, 25
	// A unit of work has from minUnit to maxUnit copies and should take aim; maxUnitBytes bounds its bodies.
	minUnit, maxUnit = 16, 1_024
	maxUnitBytes     = 4 << 20
	aim              = 8 * time.Millisecond
)

// errMoved says that the index was begun anew meanwhile.
var errMoved = errors.New("the index was begun anew")

// again is how long the index waits after a failure: a full disk, say. Nothing else waits for it.
const again = 5 * time.Second

// Run keeps the index until ctx ends. What goes wrong is tried again, and shown by Status meanwhile.
func (s *Searcher) Run(ctx context.Context) error {
	for {
		err := s.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		text := err.Error()
		if s.problem.Swap(&text) == nil && s.opt.Log != nil {
			s.opt.Log.Warn("the index of search does not go on", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(again):
		}
	}
}

// follow keeps the index until something goes wrong.
func (s *Searcher) follow(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var before int64
	held := 0
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		_, last, err := s.state(ctx)
		if err != nil {
			return err
		}
		if grown := last - before; before > 0 && grown > burst && held < maxHeld {
			before = last
			held++
			continue
		}
		before, held = last, 0
		if err := s.CatchUp(ctx); err != nil {
			return err
		}
		s.problem.Store(nil)
	}
}

func (s *Searcher) state(ctx context.Context) (indexed, last int64, err error) {
	err = s.opt.View(ctx, func(tx Tx) error {
		indexed, last, err = tx.IndexedTo()
		return err
	})
	return indexed, last, err
}

// Status says how far the index is.
func (s *Searcher) Status(ctx context.Context) (status.Search, error) {
	indexed, last, err := s.state(ctx)
	out := status.Search{Indexed: indexed, Waiting: last - indexed}
	if p := s.problem.Load(); p != nil {
		out.Problem = *p
	}
	return out, err
}

// CatchUp brings the index up to what is admitted by now.
func (s *Searcher) CatchUp(ctx context.Context) error {
	unit := minUnit * 4
	for {
		n, took, err := s.step(ctx, unit)
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		switch {
		case took < aim/2:
			unit = min(unit*2, maxUnit)
		case took > aim:
			unit = max(unit/2, minUnit)
		}
	}
}

// step adds the next copies: they are read and taken apart before the store's writer is asked for anything.
func (s *Searcher) step(ctx context.Context, unit int) (n int, took time.Duration, err error) {
	var from, to int64
	var seqs []int64
	var docs []document
	err = s.opt.View(ctx, func(tx Tx) error {
		var last int64
		if from, last, err = tx.IndexedTo(); err != nil || from == last {
			return err
		}
		copies, err := tx.CopiesAfter(from, unit, maxUnitBytes)
		for _, f := range copies {
			n, to = n+1, f.Seq
			if f.Standing == 0 {
				continue
			}
			if c, err := s.opt.Open(f.Copy); err == nil {
				f.Copy = c
			} else if s.opt.Log != nil {
				s.opt.Log.Warn("an object cannot be read and is found by its id alone", "id", f.ID, "error", err)
			}
			seqs, docs = append(seqs, f.Seq), append(docs, s.spelling.document(f))
		}
		return err
	})
	if err != nil || n == 0 {
		return 0, 0, err
	}
	err = s.opt.Update(ctx, func(tx Tx) error {
		began := time.Now()
		defer func() { took = time.Since(began) }()
		at, _, err := tx.IndexedTo()
		if err == nil && at != from {
			err = errMoved
		}
		for i := range docs {
			if err != nil {
				return err
			}
			d := &docs[i]
			err = tx.Index(seqs[i], d.name, d.text, d.pattern, d.keys)
		}
		if err != nil {
			return err
		}
		return tx.PutIndexedTo(to)
	})
	return n, took, err
}
