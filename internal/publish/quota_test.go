package publish

import (
	"context"
	"fmt"
	"testing"
	"time"

	"shieldwall/internal/roster"
	"shieldwall/internal/stix"
)

// TestOwnQuota: a member is told that its quota is used up, instead of publishing what its allies read late.
// Withdrawals are possible all the same.
func TestOwnQuota(t *testing.T) {
	f := newFixture(t)
	f.change(func(r *roster.Roster) { r.Members[3].Quota = 2 })
	f.now = f.roster.Members[3].Listed.Add(time.Hour)
	share := func(i int) Request {
		uuid := fmt.Sprintf("%08d-1111-4111-8111-111111111111", i)
		return Request{TLP: stix.Green, Items: []Item{stixFile("x.json", indicator(uuid, 1, ""))}}
	}
	n := 0
	for ; n < 10; n++ {
		if _, err := f.pub.Publish(context.Background(), share(n)); err != nil {
			break
		}
	}
	if n < 2 || n > 3 { // two a day, and an hour
		t.Fatalf("%d were published", n)
	}
	f.refuses("allows this member 2 entries a day", share(n))
	if _, err := f.pub.Publish(context.Background(), share(0)); err != nil {
		t.Errorf("what is shared just so already: %v", err)
	}
	if _, err := f.pub.Withdraw(context.Background(), []string{"indicator--00000000-1111-4111-8111-111111111111"}); err != nil {
		t.Errorf("a withdrawal: %v", err)
	}
	f.now = f.now.Add(25 * time.Hour) // the withdrawal counts, too
	f.publish(share(n))
	f.change(func(r *roster.Roster) { r.Members[3].Quota = 0 })
	for i := range 10 {
		f.publish(share(100 + i))
	}
}
