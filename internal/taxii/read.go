package taxii

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/shelf"
)

// discovery answers what API roots there are (section 4.1). Its addresses are absolute, because clients take them
// as they are.
func (r *request) discovery() error {
	title, description := r.h.opt.Backend.About()
	here := r.base() + root
	return r.answer(http.StatusOK, struct {
		Title       string   `json:"title"`
		Description string   `json:"description,omitempty"`
		Default     string   `json:"default"`
		Roots       []string `json:"api_roots"`
	}{title, description, here, []string{here}})
}

// base is the server's address as the client knows it.
func (r *request) base() string {
	switch {
	case r.h.opt.URL != "":
		return strings.TrimSuffix(r.h.opt.URL, "/")
	case strings.ContainsAny(r.Host, "/\\?#@ \"<>") || r.Host == "":
		return "" // no host that could be one: a relative address
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// apiRoot answers what the API root is (section 4.2).
func (r *request) apiRoot() error {
	title, description := r.h.opt.Backend.About()
	return r.answer(http.StatusOK, struct {
		Title       string   `json:"title"`
		Description string   `json:"description,omitempty"`
		Versions    []string `json:"versions"`
		MaxContent  int      `json:"max_content_length"`
	}{title, description, []string{mediaType}, MaxBody})
}

// collection is a collection as one client sees it (section 5.2.1).
type collection struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Alias       string   `json:"alias"`
	CanRead     bool     `json:"can_read"`
	CanWrite    bool     `json:"can_write"`
	MediaTypes  []string `json:"media_types"`

	audience string
}

// inboxAlias is the inbox's; every other alias is an audience's text, and no audience is called so.
const inboxAlias = "inbox"

// CollectionID is the id of an audience's collection, the same on every node and for ever. TAXII wants a random UUID
// (section 2); this one is drawn by a hash of the audience's text.
func CollectionID(audience string) string {
	u := sha256.Sum256([]byte("shieldwall/collection/v1\x00" + audience))
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// describe makes an audience's collection.
func (r *request) describe(audience string) collection {
	c := collection{ID: CollectionID(audience), Alias: audience, CanRead: r.holder.Read, MediaTypes: []string{stixType}, audience: audience}
	switch audience {
	case r.h.opt.Backend.Inbox():
		c.Title, c.Description, c.Alias = "Inbox", "Postings: they stay with this member until it publishes them.", inboxAlias
		c.CanWrite = r.holder.Write
		c.CanRead = c.CanRead && r.h.opt.Backend.MayRead(r.holder, audience)
	case "everyone":
		c.Title, c.Description = "Everyone", "What anybody may read."
	case "alliance":
		c.Title, c.Description = "Alliance", "What every member of the alliance may read."
	default:
		c.Title, c.Description = audience, "What these groups and members may read: "+audience
	}
	return c
}

// audiences lists what the client sees, the inbox first.
func (r *request) audiences() ([]string, error) {
	b := r.h.opt.Backend
	out := []string{}
	if r.holder.Write || r.holder.Read && b.MayRead(r.holder, b.Inbox()) {
		out = append(out, b.Inbox())
	}
	if !r.holder.Read {
		return out, nil
	}
	for _, audience := range always {
		if b.MayRead(r.holder, audience) {
			out = append(out, audience)
		}
	}
	filed, err := b.Audiences(r.Context(), r.holder)
	for _, audience := range filed {
		if !slices.Contains(out, audience) {
			out = append(out, audience)
		}
	}
	return out, err
}

// collections answers what there is for this client (section 5.1).
func (r *request) collections() error {
	audiences, err := r.audiences()
	if err != nil {
		return err
	}
	list := make([]collection, len(audiences))
	for i, audience := range audiences {
		list[i] = r.describe(audience)
	}
	return r.answer(http.StatusOK, struct {
		Collections []collection `json:"collections,omitempty"`
	}{list})
}

// collection finds a collection by its id or alias. One that the client may not see is not found.
func (r *request) collection(name string) (collection, error) {
	if audience, known := r.h.names.audience(name); known {
		// It may have been the inbox of a name that this member has no more.
		if c := r.describe(audience); c.isNamed(name) {
			return r.ifVisible(c)
		}
	}
	audiences, err := r.audiences()
	if err != nil {
		return collection{}, err
	}
	for _, audience := range audiences {
		c := r.describe(audience)
		r.h.names.learn(c)
		if c.isNamed(name) {
			return r.ifVisible(c)
		}
	}
	return collection{}, notFound()
}

func (c *collection) isNamed(name string) bool { return name == c.ID || name == c.Alias }

// ifVisible gives a collection that audiences lists for this client.
func (r *request) ifVisible(c collection) (collection, error) {
	b := r.h.opt.Backend
	visible, err := c.CanWrite, error(nil)
	switch {
	case visible || !c.CanRead:
	case c.audience == b.Inbox() || slices.Contains(always, c.audience):
		visible = b.MayRead(r.holder, c.audience)
	default:
		visible, err = b.Sees(r.Context(), r.holder, c.audience)
	}
	if err == nil && !visible {
		err = notFound()
	}
	return c, err
}

// always are the collections that are there even while nothing is in them, so that a client can be set up before the
// first object.
var always = []string{"alliance", "everyone"}

// names knows audiences by their collections' ids and aliases. That one is known says nothing about who may see it.
type names struct {
	mu sync.RWMutex // guards by
	by map[string]string
}

// maxNames bounds what is remembered; what is forgotten is learned again.
const maxNames = 20_000

func (n *names) audience(name string) (string, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	audience, known := n.by[name]
	return audience, known
}

func (n *names) learn(c collection) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by == nil || len(n.by) >= maxNames {
		n.by = map[string]string{}
	}
	n.by[c.ID], n.by[c.Alias] = c.audience, c.audience
}

// view is what an endpoint shows of a collection.
type view struct {
	object string // one object alone
	fields fields // the match fields that it knows
	all    bool   // all versions, unless the client asks for others
}

// page reads the objects that a filter asks for.
func (r *request) page(c collection, v view) (shelf.Page, filter, error) {
	if !c.CanRead {
		return shelf.Page{}, filter{}, forbidden("this collection cannot be read by this client")
	}
	f, err := parseFilter(r.URL.RawQuery, c.audience, v.object, v.fields)
	if err != nil {
		return shelf.Page{}, f, err
	}
	f.Versions.All = f.Versions.All || v.all
	p, err := r.h.opt.Backend.Page(r.Context(), r.holder, f.Query)
	switch {
	case errors.Is(err, shelf.ErrNoAudience):
		err = notFound()
	case err == nil && v.object != "" && !p.Known:
		err = notFound()
	case f.nothing:
		p = shelf.Page{}
	}
	return p, f, err
}

// dates says when a page's first and last object were admitted: every page has to (section 3.2). One without objects
// says how far the client has come, from where it can go on: what it asked for, or what was looked at in vain.
func (r *request) dates(p shelf.Page, f filter) {
	first, last := f.After, f.After
	switch n := len(p.Copies); {
	case n > 0:
		first, last = p.Copies[0].Admitted, p.Copies[n-1].Admitted
	case p.More:
		first, last = p.Last, p.Last
	case f.After.IsZero():
		first, last = time.Unix(0, 0), time.Unix(0, 0)
	}
	r.w.Header().Set("X-TAXII-Date-Added-First", dateAdded(first))
	r.w.Header().Set("X-TAXII-Date-Added-Last", dateAdded(last))
}

func dateAdded(t time.Time) string { return t.UTC().Format(object.AdmittedLayout) }

// objects answers with objects (section 5.4).
func (r *request) objects(c collection) error { return r.envelope(c, view{fields: anyField}) }

// object answers with one object (section 5.6).
func (r *request) object(c collection, id string) error {
	return r.envelope(c, view{object: id, fields: objectFields})
}

// envelope answers with objects, each with the bytes that its creator gave it.
func (r *request) envelope(c collection, v view) error {
	p, f, err := r.page(c, v)
	if err != nil {
		return err
	}
	head, tail := "{", "}"
	if p.More {
		head += `"more":true,"next":"` + f.cursor(p.Last) + `"`
	}
	parts := [][]byte{nil}
	for i, o := range p.Copies {
		if i > 0 {
			parts = append(parts, comma)
		}
		parts = append(parts, o.Raw)
	}
	if len(p.Copies) > 0 {
		if p.More {
			head += ","
		}
		head, tail = head+`"objects":[`, "]}"
	}
	parts[0] = []byte(head)
	r.dates(p, f)
	r.write(http.StatusOK, append(parts, []byte(tail))...)
	return nil
}

var comma = []byte{','}

// record is an object's line in a manifest (section 5.3.1).
type record struct {
	ID        string `json:"id"`
	DateAdded string `json:"date_added"`
	Version   string `json:"version"`
	MediaType string `json:"media_type"`
}

// manifest answers what a collection holds (section 5.3). It has no cursor: clients go on by date_added, and no two
// objects have the same.
func (r *request) manifest(c collection) error {
	p, f, err := r.page(c, view{fields: anyField})
	if err != nil {
		return err
	}
	list := make([]record, len(p.Copies))
	for i, o := range p.Copies {
		v, err := shelf.Version(o)
		if err != nil {
			return err
		}
		list[i] = record{o.ID, dateAdded(o.Admitted), v, stixType}
	}
	r.dates(p, f)
	return r.answer(http.StatusOK, struct {
		More    bool     `json:"more,omitempty"`
		Objects []record `json:"objects,omitempty"`
	}{p.More, list})
}

// versions answers which versions of an object there are (section 5.8).
func (r *request) versions(c collection, id string) error {
	p, f, err := r.page(c, view{object: id, fields: versionField, all: true})
	if err != nil {
		return err
	}
	list := make([]string, len(p.Copies))
	for i, o := range p.Copies {
		if list[i], err = shelf.Version(o); err != nil {
			return err
		}
	}
	r.dates(p, f)
	return r.answer(http.StatusOK, struct {
		More     bool     `json:"more,omitempty"`
		Versions []string `json:"versions,omitempty"`
	}{p.More, list})
}

// answer writes a resource.
func (r *request) answer(code int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	r.write(code, body)
	return nil
}

// write sends an answer; whoever is too slow to take it loses it.
func (r *request) write(code int, parts ...[]byte) {
	c := http.NewResponseController(r.w)
	if c.SetWriteDeadline(time.Now().Add(writeTimeout)) == nil {
		defer func() {
			_ = c.Flush() // while the deadline still holds; a client that is gone needs no answer
			_ = c.SetWriteDeadline(time.Time{})
		}()
	}
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	r.w.Header().Set("Content-Length", strconv.Itoa(size))
	r.w.WriteHeader(code)
	out := bufio.NewWriterSize(r.w, min(size, writeBuffer))
	for _, p := range parts {
		if _, err := out.Write(p); err != nil {
			return
		}
	}
	_ = out.Flush()
}

// writeBuffer is how much of an answer is handed to the connection at a time.
const writeBuffer = 64 << 10
