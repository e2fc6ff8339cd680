package node

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/canon"
	"shieldwall/internal/control"
	"shieldwall/internal/detect"
	"shieldwall/internal/keys"
	"shieldwall/internal/object"
	"shieldwall/internal/roster"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

var _ control.Backend = (*Node)(nil)

func refusedf(format string, args ...any) error {
	return control.Errorf(control.Refused, format, args...)
}

// maxUnusable bounds the objects that a status names because the matcher cannot use them.
const maxUnusable = 20

// Status is the whole picture.
func (n *Node) Status(ctx context.Context) (status.Node, error) {
	s := n.current.Load()
	head := s.log.Head()
	out := status.Node{
		Version: n.version, Member: s.me.member, Started: n.started, Now: n.now(), Page: n.pageURL, Peer: n.peerAddr(), TAXII: n.taxiiURL,
		Warnings: n.allWarnings(s), Alliance: s.alliance(),
		Log:     status.Log{ID: s.log.ID(), Size: head.Size, Root: base64.StdEncoding.EncodeToString(head.Root[:])},
		Protect: s.protect.status(), Rejected: s.exchange.Rejected(),
	}
	d := s.detector.Stats()
	out.Rules, out.Indicators, out.Events, out.Detections = d.Rules, d.Indicators, d.Events, d.Detections
	out.Engine = s.engine.Size()
	out.Suppressed, out.Muted, out.NotLive = d.Suppressed, d.Muted, d.Rejected
	for _, l := range d.Loudest {
		out.Loudest = append(out.Loudest, status.Loud(l))
	}
	for _, r := range d.Rejections[:min(len(d.Rejections), maxUnusable)] {
		out.Unusable = append(out.Unusable, status.Unusable{Publisher: r.Publisher, ID: r.ID, Name: r.Name, Reason: r.Reason})
	}
	err := n.store.View(ctx, func(tx *sqlite.Tx) (err error) {
		out.Objects, _, err = tx.CountCopies()
		return err
	})
	if err == nil {
		out.Search, err = s.search.Status(ctx)
	}
	return out, err
}

// Profile says what matching has cost since the start.
func (n *Node) Profile(_ context.Context, most int) (status.Profile, error) {
	return n.current.Load().detector.Profile(most), nil
}

// PageLink is a new one-time link to the page.
func (n *Node) PageLink(context.Context) (string, error) {
	if n.page == nil {
		return "", control.Errorf(control.Unavailable, "no page is served; shieldwall up serves one")
	}
	return n.page.NewLink(), nil
}

// alliance is the roster in force, with what is known of each member.
func (s *session) alliance() status.Alliance {
	m := s.roll.Now()
	r := m.Roster
	out := status.Alliance{
		Name: r.Name, ID: m.Alliance, Version: r.Version, Issued: r.Issued.Time, Expires: r.Expires.Time,
		Threshold: r.Threshold, Groups: r.Groups, Officers: []string{}, Members: []status.Member{},
	}
	for _, o := range r.Officers {
		out.Officers = append(out.Officers, o.Name)
	}
	out.Drafts = s.draftsShown()
	if key, err := keys.Officer(s.node.cfg.OfficerKey); err == nil {
		out.OfficerKey = keys.Public(key).Text()
	}
	for _, member := range r.Members {
		v := status.Member{ID: member.ID, Groups: member.Groups, Suspended: member.Suspended, State: "connecting"}
		if member.ID == s.me.member {
			size := s.log.Head().Size
			v.Self, v.State, v.Log, v.Size, v.Head, v.Applied = true, "self", s.log.ID(), size, size, size
			v.TheirApplied = size
		} else {
			s.exchange.Fill(&v)
			v.TheirApplied = s.protect.watermark(member.ID)
			if !m.Deals(member.ID) {
				v.State, v.Problem = "refused", "this node does not deal with it"
			}
		}
		out.Members = append(out.Members, v)
	}
	return out
}

// allWarnings are the standing remarks that operators should act on.
func (n *Node) allWarnings(s *session) []string {
	out := s.roll.Now().Warnings(n.now())
	for _, d := range s.roll.Drafts() {
		out = append(out, fmt.Sprintf("officers are to sign a draft of roster %d: shieldwall alliance show says what it changes, alliance sign %s signs it", d.Roster.Version, d.ID()))
	}
	if keys.KitHere(n.cfg.Data) {
		out = append(out, "the recovery kit is still in the data folder: carry recovery.kit away, a wipe would take it along")
	}
	out = append(out, guardWarnings(n.cfg)...)
	if d := s.detector.Stats(); d.Problem != "" {
		out = append(out, d.Problem)
	}
	if f := s.follow.Stats(); f.Problem != "" {
		out = append(out, f.Problem)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(s.warnings)) {
		out = append(out, s.warnings[k])
	}
	return out
}

// Publications are the newest entries of the own log that protect others.
func (n *Node) Publications(ctx context.Context, limit int) ([]status.Publication, error) {
	s := n.current.Load()
	out := []status.Publication{}
	err := n.store.View(ctx, func(tx *sqlite.Tx) error {
		return tx.EachPublication(s.log.ID(), math.MaxInt64, limit, func(index uint64, at time.Time, readers int, audience, what string, took map[string]time.Duration) error {
			ms := make([]float64, 0, len(took))
			for _, d := range took {
				ms = append(ms, float64(d)/float64(time.Millisecond))
			}
			slices.Sort(ms)
			out = append(out, status.Publication{
				Index: index, At: at, What: what, Audience: audience, Readers: readers, Applied: len(took),
				P50: percentile(ms, 50), P95: percentile(ms, 95),
			})
			return nil
		})
	})
	return out, err
}

// Alliance is the roster in force.
func (n *Node) Alliance(context.Context) (status.Alliance, error) {
	return n.current.Load().alliance(), nil
}

// AllianceNew names the alliance of a member that is alone in it.
func (n *Node) AllianceNew(ctx context.Context, req control.AllianceRequest) (status.Alliance, error) {
	s := n.current.Load()
	if len(s.roll.Now().Roster.Members) > 1 {
		return status.Alliance{}, refusedf("the alliance %q has other members already", s.roll.Now().Roster.Name)
	}
	own := req.In
	_, err := s.propose(ctx, func(r *roster.Roster) error {
		r.Name = req.Name
		r.Groups = slices.Clone(req.Groups)
		slices.Sort(r.Groups)
		for _, g := range own {
			if !slices.Contains(r.Groups, g) {
				return control.Errorf(control.Usage, "the group %q is none of the alliance's groups", g)
			}
		}
		r.Members[0].Groups = slices.Clone(own)
		if r.Members[0].Groups == nil {
			r.Members[0].Groups = []string{}
		}
		return nil
	})
	if err != nil {
		return status.Alliance{}, err
	}
	return s.alliance(), nil
}

// defaultInvite and maxInvite are how long an invitation is good for.
const (
	defaultInvite = 24 * time.Hour
	maxInvite     = 30 * 24 * time.Hour
)

// Invite makes a token for one joiner.
func (n *Node) Invite(ctx context.Context, req control.InviteRequest) (control.Invitation, error) {
	s := n.current.Load()
	m := s.roll.Now()
	if err := s.checkInvitation(&req); err != nil {
		return control.Invitation{}, err
	}
	secret := make([]byte, roster.SecretSize)
	if _, err := random.Read(secret); err != nil {
		return control.Invitation{}, err
	}
	expires := canon.At(n.now().Add(req.Expires))
	token := roster.Token{
		Alliance: m.Alliance, Version: m.Roster.Version, Hash: m.Hash, Endpoints: s.endpoints(),
		Pins: m.Pins(s.me.member), Name: req.Name, Groups: req.Groups, Expires: expires, Secret: secret,
	}
	word, err := token.Encode()
	if err != nil {
		return control.Invitation{}, err
	}
	err = n.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error {
		return tx.PutInvite(token.SecretHash(), req.Name, req.Groups, expires.Time)
	})
	if err != nil {
		return control.Invitation{}, fmt.Errorf("keeping the invitation: %w", err)
	}
	return control.Invitation{Token: word, Name: req.Name, Groups: req.Groups, Expires: expires.Time}, nil
}

func (s *session) checkInvitation(req *control.InviteRequest) error {
	r := s.roll.Now().Roster
	if _, _, err := s.officer(nil); control.KindOf(err) == control.Refused {
		return refusedf("this node holds no officer key of the alliance %q: only an officer can invite", r.Name)
	} else if err != nil {
		return err
	}
	if err := roster.CheckName(req.Name); err != nil {
		return control.Errorf(control.Usage, "%w", err)
	}
	if _, listed := r.Member(req.Name); listed {
		return refusedf("%s is a member already", req.Name)
	}
	if r.HasGroup(req.Name) {
		return refusedf("%s is a group of the alliance; members and groups share their names", req.Name)
	}
	for _, g := range req.Groups {
		if !r.HasGroup(g) {
			return refusedf("the alliance has no group %q; it has: %s", g, cmp.Or(strings.Join(r.Groups, ", "), "none"))
		}
	}
	if req.Groups == nil {
		req.Groups = []string{}
	}
	if req.Expires == 0 {
		req.Expires = defaultInvite
	}
	if req.Expires < time.Second || req.Expires > maxInvite {
		return control.Errorf(control.Usage, "an invitation is good for a second to %d days", maxInvite/(24*time.Hour))
	}
	return nil
}

// Join leaves the alliance of one and becomes a member of the token's. Everything of the old session ends
// and begins anew under the new name.
func (n *Node) Join(ctx context.Context, token string) (control.JoinResult, error) {
	res, err := n.current.Load().joinAlliance(ctx, token)
	if err != nil || res.Pending != "" {
		return res, err
	}
	n.mu.Lock()
	running := n.running
	n.mu.Unlock()
	if running == nil {
		return res, n.reopen(ctx, nil)
	}
	outcome := make(chan error, 1)
	select {
	case n.restart <- outcome:
		return res, <-outcome
	case <-running: // the next start begins in the new alliance
		return res, nil
	}
}

// Mute keeps detections from being told, for this node alone.
func (n *Node) Mute(ctx context.Context, req control.MuteRequest) (status.Mute, error) {
	m, err := n.current.Load().detector.Mute(ctx, status.Mute{
		Rule: req.Rule, Publisher: req.Publisher, Host: req.Host, Reason: req.Reason, Until: n.now().Add(req.For),
	})
	if errors.Is(err, detect.ErrMute) {
		err = control.Errorf(control.Usage, "%w", err)
	}
	return m, err
}

// Unmute takes a mute back by its id.
func (n *Node) Unmute(ctx context.Context, id string) (status.Mute, error) {
	d := n.current.Load().detector
	var found status.Mute
	for _, m := range d.Mutes() {
		if m.ID == id {
			found = m
		}
	}
	err := d.Unmute(ctx, id)
	if errors.Is(err, detect.ErrNoMute) {
		err = control.Errorf(control.NotFound, "%w", err)
	}
	return found, err
}

// Mutes are those in force.
func (n *Node) Mutes(context.Context) ([]status.Mute, error) {
	return n.current.Load().detector.Mutes(), nil
}

// DetectionsSince yields the kept detections seen at or after since, oldest first.
func (n *Node) DetectionsSince(ctx context.Context, since time.Time, yield func(status.Detection) error) error {
	return n.current.Load().detector.Since(ctx, since, yield)
}

// Follow yields detections as they happen.
func (n *Node) Follow(ctx context.Context) <-chan status.Detection {
	out := make(chan status.Detection)
	go func() {
		defer close(out)
		for again := true; again; {
			again = n.followSession(ctx, out)
		}
	}()
	return out
}

// followSession hands over one session's detections; another begins where a join ended it.
func (n *Node) followSession(ctx context.Context, out chan<- status.Detection) (again bool) {
	s := n.current.Load()
	f, err := s.detector.Follow(ctx)
	if err != nil && !errors.Is(err, detect.ErrStopped) {
		return false
	}
	for err == nil {
		d, ok := <-f.C
		if !ok {
			break
		}
		select {
		case out <- d:
		case <-ctx.Done():
			return false
		}
	}
	for n.current.Load() == s {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
	return true
}

// source is the node as the page sees it (web.Source).
type source struct{ *Node }

// Detections are the newest ones.
func (s source) Detections(_ context.Context, limit int) ([]status.Detection, error) {
	return s.current.Load().detector.Recent(limit), nil
}

// nameOf is what a list calls a copy: its name, or for a sighting what was seen. An object that cannot be
// read keeps its id alone.
func (s *session) nameOf(tx *sqlite.Tx, c object.Copy) string {
	clear, err := s.gate.Open(c)
	if err != nil {
		return ""
	}
	o, err := stix.Parse(clear.Raw, stix.Limits{})
	switch {
	case err != nil:
		return ""
	case o.Type != "sighting":
		return o.Name
	}
	copies, err := tx.Copies(o.Text("sighting_of_ref"))
	if err != nil || len(copies) == 0 || copies[0].Type == "sighting" {
		return ""
	}
	return "seen: " + s.nameOf(tx, copies[len(copies)-1])
}

// Objects are the newest shared objects. The page is for this node's own staff.
func (s source) Objects(ctx context.Context, limit int) ([]status.Object, error) {
	cur := s.current.Load()
	out := []status.Object{}
	err := s.store.View(ctx, func(tx *sqlite.Tx) error {
		copies, err := tx.ListCopies("", "", 0, limit)
		if err != nil {
			return err
		}
		for _, c := range copies {
			if !cur.operatorMayRead(c.TLP, c.Audience, c.Publisher) {
				continue
			}
			v := status.Object{Seq: c.Seq, ID: c.ID, Type: c.Type, Publisher: c.Publisher, TLP: stix.TLP(c.TLP).String(), Audience: c.Audience, Admitted: c.Admitted, Withdrawn: c.Withdrawn || c.Revoked}
			v.Name = cur.nameOf(tx, c)
			out = append(out, v)
		}
		return nil
	})
	return out, err
}
