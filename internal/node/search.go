package node

import (
	"context"
	"errors"
	"time"

	"shieldwall/internal/control"
	"shieldwall/internal/policy"
	"shieldwall/internal/search"
	"shieldwall/internal/status"
	"shieldwall/internal/store/sqlite"
)

var _ search.Tx = (*sqlite.Tx)(nil)

// metaSearchSecret keeps, sealed, what hides words in the index of search; it is the place that it is sealed for too.
const metaSearchSecret = "search secret"

// newSearch opens the index of search. Its secret is this node's own: where there is none, or it was another node's,
// the index begins anew.
func (s *session) newSearch(ctx context.Context) (*search.Searcher, error) {
	var secret []byte
	err := s.node.store.View(ctx, func(tx *sqlite.Tx) error {
		sealed, err := tx.Meta(metaSearchSecret)
		if err == nil && sealed != nil {
			if secret, err = s.node.keys.Open(sealed, metaSearchSecret); err != nil {
				s.node.log.Warn("the index of search is made anew", "reason", err)
				secret, err = nil, nil
			}
		}
		return err
	})
	if err == nil && secret == nil {
		secret = make([]byte, 32)
		if _, err = random.Read(secret); err == nil {
			sealed := s.node.keys.Seal(secret, metaSearchSecret)
			err = s.node.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error {
				return errors.Join(tx.ForgetIndex(), tx.PutMeta(metaSearchSecret, sealed))
			})
		}
	}
	return search.New(search.Options{
		View: work[search.Tx](s.node.store.View), Update: work[search.Tx](s.node.store.Update), Members: s.roll.Members,
		Open: s.gate.Open, Now: s.node.now, Secret: secret, Log: s.node.log,
	}), err
}

// operator is who asks at the node's own terminal and page: the named user, until there are accounts.
func (s *session) operator() policy.Reader {
	return policy.Reader{Kind: policy.NamedUser, Member: s.me.member}
}

// indexPatience is how long a command that opened the node for itself waits for the index.
const indexPatience = 10 * time.Second

// indexed brings the index up to date where nobody else does.
func (n *Node) indexed(ctx context.Context, s *session) error {
	n.mu.Lock()
	running := n.running
	n.mu.Unlock()
	if running != nil {
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, indexPatience)
	defer cancel()
	if err := s.search.CatchUp(patience); err != nil && patience.Err() == nil {
		return err
	}
	return ctx.Err()
}

// Search finds objects for this node's operator.
func (n *Node) Search(ctx context.Context, req control.SearchRequest) (status.SearchPage, error) {
	s := n.current.Load()
	if err := n.indexed(ctx, s); err != nil {
		return status.SearchPage{}, err
	}
	page, err := s.search.Search(ctx, s.operator(), search.Request{Query: req.Query, Cursor: req.Cursor, Limit: req.Limit, Relations: req.Relations, Objects: req.Objects})
	if search.Wrong(err) {
		err = control.Errorf(control.Usage, "%w", err)
	}
	return page, err
}

// Search finds objects for the page (web.Source), whose reader is the operator.
func (s source) Search(ctx context.Context, req search.Request) (status.SearchPage, error) {
	cur := s.current.Load()
	return cur.search.Search(ctx, cur.operator(), req)
}

// Object shows one object.
func (s source) Object(ctx context.Context, id string) (status.ObjectView, error) {
	cur := s.current.Load()
	return cur.search.Object(ctx, cur.operator(), id)
}

// Raw is an object's exact bytes.
func (s source) Raw(ctx context.Context, id, version string) ([]byte, error) {
	cur := s.current.Load()
	return cur.search.Raw(ctx, cur.operator(), id, version)
}
