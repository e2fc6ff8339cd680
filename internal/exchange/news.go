package exchange

import (
	"context"
	"maps"
	"time"

	"shieldwall/internal/roster"
)

// newsEvery is the least time between two looks at one peer's news, which it can send without end.
const newsEvery = 100 * time.Millisecond

// newsfeed learns what a peer's news promise, beside the stream that carries them: what one peer promises and
// does not have must not keep its log from being followed.
type newsfeed struct {
	f      *follower
	peer   Peer
	newest chan News // holds one: a newer one replaces it
	cards  map[string]uint64
}

func newNewsfeed(f *follower, peer Peer) *newsfeed {
	return &newsfeed{f: f, peer: peer, newest: make(chan News, 1), cards: map[string]uint64{}}
}

// maxCards bounds the sequences that a peer can tell of: those of a roster that changed often.
const maxCards = 4 * roster.MaxMembers

// tell hands over news, with the cards that the stream told of before. One goroutine calls it.
func (n *newsfeed) tell(news News) {
	for member, sequence := range news.Cards {
		if sequence == 0 {
			delete(n.cards, member)
		} else if _, known := n.cards[member]; known || len(n.cards) < maxCards {
			n.cards[member] = sequence
		}
	}
	news.Cards = maps.Clone(n.cards)
	select {
	case <-n.newest:
	default:
	}
	n.newest <- news
}

// run learns until ctx ends. What cannot be learned is tried again, or what came after it.
func (n *newsfeed) run(ctx context.Context) {
	var last News
	var again <-chan time.Time
	for fails := 0; ; {
		select {
		case <-ctx.Done():
			return
		case last = <-n.newest:
		case <-again:
		}
		again = nil
		if err := n.f.x.opt.Roll.Learn(ctx, n.peer, last); err == nil {
			fails = 0
		} else if ctx.Err() == nil {
			n.f.x.opt.Log.Warn("news not learned", "from", n.f.member, "error", err)
			again = time.After(n.f.x.backoff(fails))
			fails++
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(newsEvery):
		}
	}
}
