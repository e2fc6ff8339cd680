package publish

import (
	"fmt"
	"time"

	"shieldwall/internal/federation"
)

// quotaKey is where what is left of this member's own quota is kept.
const quotaKey = "publish/quota"

// spend takes entries from this member's own quota: allies would read them late anyway. Withdrawals are always
// possible (owed), and count.
func (s *sealing) spend(entries int, owed bool) error {
	perDay := s.members.Quota(s.p.opt.Self)
	if perDay == 0 || entries == 0 {
		return nil
	}
	kept, err := s.tx.Meta(quotaKey)
	if err != nil {
		return fmt.Errorf("this member's quota: %w", err)
	}
	q, err := federation.ParseQuota(kept)
	if err != nil {
		return fmt.Errorf("this member's quota: %w", err)
	}
	q = q.Refill(perDay, s.members.Listed(s.p.opt.Self), s.p.opt.Now())
	if wait := q.Wait(perDay); wait > 0 && !owed {
		return refusal(Problem{Msg: fmt.Sprintf("the roster allows this member %d entries a day, and they are used up; the next in %v (withdrawals are always possible)", perDay, wait.Round(time.Minute))})
	}
	return s.tx.PutMeta(quotaKey, q.Spend(entries).Bytes())
}
