package shelf

import (
	"context"
	"time"

	"shieldwall/internal/object"
)

// Rows of one query of a lane: few at first, for most lanes give a page nothing.
const (
	minChunk = 32
	maxChunk = 512
)

// lane is the copies of one standing, shelf and type, in order of admission.
type lane struct {
	shelf    int64
	standing object.Standing
	typ      string

	after time.Time
	held  []object.Filed
	chunk int
	ended bool
}

// head is the lane's next copy; nil at its end.
func (l *lane) head(tx Tx) (*object.Filed, error) {
	if len(l.held) == 0 && !l.ended {
		held, err := tx.ShelfCopies(l.shelf, l.standing, l.typ, l.after, l.chunk, maxBytes)
		if err != nil {
			return nil, err
		}
		l.held, l.ended = held, len(held) == 0
		if len(held) > 0 {
			l.after = held[len(held)-1].Admitted
		}
		l.chunk = min(2*l.chunk, maxChunk)
	}
	if len(l.held) == 0 {
		return nil, nil
	}
	return &l.held[0], nil
}

// lanes are those in which wanted copies can be. An older version is looked at only where one can be wanted.
func (r *reading) lanes() []*lane {
	standings := []object.Standing{object.Alone, object.Newest}
	if !r.q.Versions.newestOnly() {
		standings = append(standings, object.Older)
	}
	types := r.q.Types
	if len(types) == 0 {
		types = []string{""}
	}
	chunk := min(max(minChunk, r.q.Limit+1), maxChunk)
	var out []*lane
	for _, shelf := range r.open {
		for _, standing := range standings {
			for _, typ := range types {
				l := &lane{shelf: shelf, standing: standing, typ: typ, after: r.q.After, chunk: minChunk}
				if standing == object.Alone {
					l.chunk = chunk
				}
				out = append(out, l)
			}
		}
	}
	return out
}

// walk merges the lanes by time of admission until the page is full.
func (r *reading) walk(ctx context.Context) error {
	lanes := r.lanes()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var first *lane
		var next *object.Filed
		for i := 0; i < len(lanes); i++ {
			head, err := lanes[i].head(r.tx)
			if err != nil {
				return err
			}
			if head == nil {
				lanes = append(lanes[:i], lanes[i+1:]...)
				i--
				continue
			}
			if next == nil || head.Admitted.Before(next.Admitted) {
				first, next = lanes[i], head
			}
		}
		if next == nil {
			return nil
		}
		done, err := r.step(next)
		if done || err != nil {
			return err
		}
		first.held = first.held[1:]
	}
}

// step looks at one copy.
func (r *reading) step(f *object.Filed) (done bool, err error) {
	if r.looked >= r.s.looks {
		r.page.More = true
		return true, nil
	}
	shown, err := r.shown(f)
	if err != nil {
		return false, err
	}
	if shown {
		return r.take(f.Copy)
	}
	r.looked++
	r.page.Last = f.Admitted
	return false, nil
}

// shown says whether a copy is the one to show of a version that is wanted.
func (r *reading) shown(f *object.Filed) (bool, error) {
	if f.Standing == object.Alone {
		if len(r.q.Versions.Exact) == 0 || r.q.Versions.All || r.q.Versions.First || r.q.Versions.Last {
			return true, nil
		}
		return r.exact(f.Copy)
	}
	set, known := r.chosen[f.ID]
	if !known {
		copies, err := r.visible(f.ID)
		if err != nil {
			return false, err
		}
		r.looked += len(copies)
		if set, err = r.choose(copies); err != nil {
			return false, err
		}
		r.chosen[f.ID] = set
	}
	return set[f.Seq], nil
}
