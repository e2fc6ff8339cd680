package exchange

import (
	"context"
	"fmt"
	"time"

	"shieldwall/internal/entry"
	"shieldwall/internal/federation"
)

// overQuota ends a session with a member that publishes more than the roster allows: what it published waits in
// its own log, in order, and is read when its time has come. It harms nobody but itself.
type overQuota struct {
	perDay uint64
	wait   time.Duration
}

func (o *overQuota) Error() string {
	return fmt.Sprintf("over its quota of %d entries a day: the next is read in %v", o.perDay, o.wait.Round(time.Second))
}

func quotaKey(member string) string { return "quota/" + member }

// spend takes a unit's entries from the member's quota; the unit keeps what is left of it. Openings and keys do
// not count: they only make entries readable.
func (s *session) spend(ctx context.Context, u *unit, entries [][]byte) error {
	member, listed := s.x.opt.Roll.Now().Roster.Member(s.member)
	if !listed || member.Quota == 0 {
		return nil
	}
	n := 0
	for _, raw := range entries {
		if e, err := entry.Parse(raw); err != nil || e.Kind == entry.KindSealed || e.Kind == entry.KindClear {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	var kept []byte
	err := s.x.opt.View(ctx, func(tx Tx) (err error) {
		kept, err = tx.Meta(quotaKey(s.member))
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the quota of %s: %w", s.member, err)
	}
	q, err := federation.ParseQuota(kept)
	if err != nil {
		return fmt.Errorf("the quota of %s as kept here: %w", s.member, err)
	}
	q = q.Refill(member.Quota, member.Listed.Time, s.x.opt.Now())
	if wait := q.Wait(member.Quota); wait > 0 {
		return &overQuota{member.Quota, wait}
	}
	left := q.Spend(n).Bytes()
	u.do(func(tx Tx) error { return tx.PutMeta(quotaKey(s.member), left) })
	return nil
}

// waitQuota waits until a member may be read again, or the roster has changed since the session began, which may have
// raised its quota.
func waitQuota(ctx context.Context, changed <-chan struct{}, wait time.Duration) {
	select {
	case <-ctx.Done():
	case <-changed:
	case <-time.After(min(wait, time.Hour)):
	}
}
