package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync"

	"shieldwall/internal/admit"
	"shieldwall/internal/api"
	"shieldwall/internal/control"
	"shieldwall/internal/inbox"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/publish"
	"shieldwall/internal/shelf"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
	"shieldwall/internal/taxii"
)

var (
	_ shelf.Tx = (*sqlite.Tx)(nil)
	_ inbox.Tx = (*sqlite.Tx)(nil)
)

func (s *session) newShelves() *shelf.Shelves {
	return shelf.New(shelf.Options{View: work[shelf.Tx](s.node.store.View), Members: s.roll.Members, Open: s.gate.Open})
}

func (s *session) newInbox() *inbox.Inbox {
	opt := inbox.Options{
		Update: work[inbox.Tx](s.node.store.Update), Durable: work[inbox.Tx](s.node.store.UpdateDurable), View: work[inbox.Tx](s.node.store.View),
		Gate: inboxGate{s.gate, s.inboxAudience()}, Live: func(c []object.Change) { s.detector.Apply(c) }, Now: s.node.now,
	}
	if rule := s.node.cfg.Inbox; rule.Publishes() {
		tlp := stix.None
		if rule.TLP != "" {
			tlp, _ = stix.ParseTLP(rule.TLP) // the configuration was checked
		}
		opt.Publish = func(ctx context.Context, objects []*stix.Object) (map[string]string, error) {
			return s.publishPosting(ctx, objects, publish.Request{TLP: tlp, To: rule.To})
		}
	}
	return inbox.New(opt)
}

// inboxAudience is whom postings are for: this member alone.
func (s *session) inboxAudience() string {
	a, err := policy.Named(nil, []string{s.me.member})
	if err != nil {
		return "" // cannot happen: a member's name is well formed
	}
	return a.String()
}

// inboxGate admits postings (inbox.Gate). What was never shared is for this member's own staff and machines, whatever
// its own marking: publishing it is this member's decision.
type inboxGate struct {
	gate     *admit.Gate
	audience string
}

func (g inboxGate) Admit(tx inbox.Tx, who inbox.Holder, o *stix.Object) ([]object.Change, string, error) {
	return split(g.gate.AdmitObject(any(tx).(admit.Tx), admit.Provenance{
		Publisher: object.Posted(who.Name), TLP: stix.AmberStrict, Audience: g.audience, Via: "taxii", Stranger: !who.Own,
	}, o))
}

func (g inboxGate) Remove(tx inbox.Tx, publisher, id string, seqs []int64) ([]object.Change, error) {
	return g.gate.Remove(any(tx).(admit.Tx), publisher, id, seqs)
}

// postedObject is the newest of what was posted here under an id and never shared. Where holders posted different
// objects of one version, somebody has to choose.
func (s *session) postedObject(ctx context.Context, id string) (raw []byte, err error) {
	var newest object.Copy
	err = s.node.store.View(ctx, func(tx *sqlite.Tx) error {
		copies, err := tx.Copies(id)
		for _, c := range copies {
			if !object.IsLocal(c.Publisher) || c.Withdrawn || c.Modified < newest.Modified {
				continue
			}
			if c, err = s.gate.Open(c); err != nil {
				return err
			}
			if newest.ID != "" && c.Modified == newest.Modified && c.Publisher != newest.Publisher && !bytes.Equal(c.Raw, newest.Raw) {
				return refusedf("%s: %s and %s posted different objects of this version; publish a file of the right one", id, newest.Publisher, c.Publisher)
			}
			newest = c
		}
		return err
	})
	if err == nil && newest.ID == "" {
		err = control.Errorf(control.NotFound, "%s: nothing of this id was posted here", id)
	}
	return newest.Raw, err
}

// publishTries bounds how often a posting is published again without what was refused of it: an object may be refused
// because it refers to another one that was.
const publishTries = 4

// publishPosting publishes as much of a posting as may be, and says what was refused.
func (s *session) publishPosting(ctx context.Context, objects []*stix.Object, req publish.Request) (map[string]string, error) {
	refusals := map[string]string{}
	for range publishTries {
		req.Items = nil
		for _, o := range objects {
			if refusals[o.ID] == "" {
				req.Items = append(req.Items, publish.Item{Name: o.ID + ".json", Data: o.Raw})
			}
		}
		if len(req.Items) == 0 {
			return refusals, nil
		}
		_, err := s.publisher.Publish(ctx, req)
		var refused *publish.Refused
		if !errors.As(err, &refused) {
			return refusals, err
		}
		before := len(refusals)
		for _, p := range refused.Problems {
			if id := p.Object; id != "" && refusals[id] == "" {
				p.File, p.Object = "", ""
				refusals[id] = p.String()
			}
		}
		if len(refusals) == before {
			break // the request as a whole
		}
	}
	for _, o := range objects {
		if refusals[o.ID] == "" {
			refusals[o.ID] = "others of this posting cannot be published"
		}
	}
	return refusals, nil
}

// taxiiBackend is the node as TAXII clients see it (taxii.Backend): whichever session is current.
type taxiiBackend struct{ node *Node }

var _ taxii.Backend = taxiiBackend{}

func (b taxiiBackend) session() *session { return b.node.current.Load() }

// holder is a token's holder as policy knows it.
func (s *session) holder(h taxii.Holder) policy.Reader {
	return policy.Reader{Kind: h.Kind, Member: s.me.member}
}

func (b taxiiBackend) About() (title, description string) {
	s := b.session()
	return fmt.Sprintf("Shieldwall: %s", s.me.member), fmt.Sprintf("What %s shares and gets in the alliance %s.", s.me.member, s.roll.Now().Roster.Name)
}

func (b taxiiBackend) Audiences(ctx context.Context, h taxii.Holder) ([]string, error) {
	s := b.session()
	return s.shelves.Audiences(ctx, s.holder(h))
}

func (b taxiiBackend) Sees(ctx context.Context, h taxii.Holder, audience string) (bool, error) {
	s := b.session()
	return s.shelves.Sees(ctx, s.holder(h), audience)
}

func (b taxiiBackend) MayRead(h taxii.Holder, audience string) bool {
	s := b.session()
	return s.shelves.MayRead(s.holder(h), audience)
}

func (b taxiiBackend) Page(ctx context.Context, h taxii.Holder, q shelf.Query) (shelf.Page, error) {
	s := b.session()
	return s.shelves.Page(ctx, s.holder(h), q)
}

func (b taxiiBackend) Inbox() string { return b.session().inboxAudience() }

func (b taxiiBackend) Post(ctx context.Context, h taxii.Holder, objects [][]byte) ([]inbox.Result, error) {
	return b.session().inbox.Post(ctx, poster(h), objects)
}

func poster(h taxii.Holder) inbox.Holder {
	return inbox.Holder{Name: h.Name, Own: h.Kind == policy.Staff || h.Kind == policy.Machine}
}

// Remove takes back all that the holder sees of the wanted versions: what it does not see, it has not posted.
func (b taxiiBackend) Remove(ctx context.Context, h taxii.Holder, id string, v shelf.Versions) error {
	s := b.session()
	seqs, err := s.shelves.Copies(ctx, s.holder(h), s.inboxAudience(), id, v)
	if errors.Is(err, shelf.ErrNoAudience) || err == nil && len(seqs) == 0 {
		return inbox.ErrUnknown
	}
	if err != nil {
		return err
	}
	return s.inbox.Remove(ctx, poster(h), id, seqs)
}

func (b taxiiBackend) Note(ctx context.Context, h taxii.Holder, id string, body []byte) error {
	return b.session().inbox.Note(ctx, id, h.Name, body)
}

func (b taxiiBackend) Noted(ctx context.Context, h taxii.Holder, id string) ([]byte, error) {
	body, err := b.session().inbox.Noted(ctx, id, h.Name)
	if errors.Is(err, fs.ErrNotExist) {
		err = inbox.ErrUnknown
	}
	return body, err
}

func (n *Node) taxiiHandler() http.Handler {
	return taxii.New(taxii.Options{Backend: taxiiBackend{n}, Tokens: tokens{n}, Log: n.log, Now: n.now, URL: n.cfg.TAXII.URL})
}

// serveTAXII serves TAXII on an address of its own, where the configuration names one.
func (n *Node) serveTAXII(ctx context.Context, wg *sync.WaitGroup, fail context.CancelCauseFunc) error {
	cfg := n.cfg.TAXII
	if !cfg.Enabled || cfg.Listen == "" {
		return nil
	}
	secure, err := taxiiTLS(cfg.Certificate, cfg.Key)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listening for TAXII clients: %w", err)
	}
	n.taxiiURL = "http://" + l.Addr().String() + taxii.Path
	if secure != nil {
		n.taxiiURL = "https" + n.taxiiURL[len("http"):]
		l = tls.NewListener(l, secure)
	}
	handler := http.NewServeMux()
	handler.Handle("/", n.taxiiHandler())
	handler.Handle(api.Path, n.apiHandler())
	wg.Go(func() {
		if err := serveHTTP(ctx, l, handler, n.log); err != nil {
			fail(fmt.Errorf("serving TAXII on %s: %w", l.Addr(), err))
		}
	})
	return nil
}

// taxiiTLS is nil where no certificate is configured. A client may present a certificate; its key, not who signed it,
// says who it is. There is no early data: Go's server has none.
func taxiiTLS(certificate, key string) (*tls.Config, error) {
	if certificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("loading the certificate for TAXII: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, NextProtos: []string{"h2", "http/1.1"}}, nil
}
