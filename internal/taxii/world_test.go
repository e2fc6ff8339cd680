package taxii

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/admit"
	"shieldwall/internal/inbox"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/shelf"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

// world is a server over a real store, gate and shelves: member a, with allies b (of its group) and c (of another).
type world struct {
	t       testing.TB
	st      *sqlite.Store
	gate    *admit.Gate
	shelves *shelf.Shelves
	inbox   *inbox.Inbox
	h       *Handler
	log     bytes.Buffer

	mu      sync.Mutex // guards the fields below
	clock   time.Time
	holders map[[sha256.Size]byte]Holder
	broken  error // what the backend fails with
}

// The world's tokens.
var people = map[string]Holder{
	"soc":    {Name: "soc", Kind: policy.Staff, Read: true, Write: true},
	"siem":   {Name: "siem", Kind: policy.Machine, Read: true},
	"bank":   {Name: "bank", Kind: policy.Constituent, Read: true, Write: true},
	"shop":   {Name: "shop", Kind: policy.Constituent, Read: true},
	"sensor": {Name: "sensor", Kind: policy.Machine, Write: true},
	"beats":  {Name: "beats"},
}

type box struct{}

func (box) Seal(plain []byte, place string) []byte { return append([]byte(place+"\x00"), plain...) }
func (box) Open(sealed []byte, place string) ([]byte, error) {
	plain, ok := bytes.CutPrefix(sealed, []byte(place+"\x00"))
	if !ok {
		return nil, errors.New("sealed for another place")
	}
	return plain, nil
}

func newWorld(t testing.TB) *world {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	members := policy.MembersOf(&roster.Roster{Version: 1, Groups: []string{"states", "rail"}, Members: []roster.Member{
		{ID: "a", Groups: []string{"states"}, Identities: []string{identityOf(1)}}, {ID: "b", Groups: []string{"states"}, Identities: []string{identityOf(2)}},
		{ID: "c", Groups: []string{"rail"}, Identities: []string{identityOf(3)}},
	}})
	w := &world{t: t, st: st, clock: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), holders: map[[sha256.Size]byte]Holder{}}
	all := func() *policy.Members { return members }
	w.gate = admit.New(admit.Options{Self: "a", Members: all, Box: box{}, Now: w.now})
	w.shelves = shelf.New(shelf.Options{Members: all, Open: w.gate.Open, View: func(ctx context.Context, fn func(shelf.Tx) error) error {
		return st.View(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
	}})
	w.inbox = inbox.New(inbox.Options{
		Gate: inboxGate{w.gate}, Live: func([]object.Change) {}, Now: w.now,
		Update: func(ctx context.Context, fn func(inbox.Tx) error) error {
			return st.Update(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
		},
		Durable: func(ctx context.Context, fn func(inbox.Tx) error) error {
			return st.UpdateDurable(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
		},
		View: func(ctx context.Context, fn func(inbox.Tx) error) error {
			return st.View(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
		},
	})
	for token, holder := range people {
		w.holders[TokenHash(token+"-token")] = holder
	}
	w.h = New(Options{Backend: w, Tokens: w, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Now: w.now})
	return w
}

func identityOf(i int) string { return fmt.Sprintf("identity--%08d-1111-4111-8111-111111111111", i) }

// inboxGate is what node fills in.
type inboxGate struct{ gate *admit.Gate }

func (g inboxGate) Admit(tx inbox.Tx, who inbox.Holder, o *stix.Object) ([]object.Change, string, error) {
	changes, err := g.gate.AdmitObject(tx.(admit.Tx), admit.Provenance{Publisher: object.Posted(who.Name), TLP: stix.AmberStrict, Audience: "member:a", Stranger: !who.Own}, o)
	var refused *admit.Refused
	if errors.As(err, &refused) {
		return nil, refused.Error(), nil
	}
	return changes, "", err
}

func (g inboxGate) Remove(tx inbox.Tx, publisher, id string, seqs []int64) ([]object.Change, error) {
	return g.gate.Remove(tx.(admit.Tx), publisher, id, seqs)
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) failing() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = err
}

func (w *world) Holder(_ context.Context, hash [sha256.Size]byte) (Holder, bool, error) {
	h, ok := w.holders[hash]
	return h, ok, w.failing()
}

func readerOf(h Holder) policy.Reader { return policy.Reader{Kind: h.Kind, Member: "a"} }

func (w *world) About() (string, string) { return "Shieldwall: a", "A test." }
func (w *world) Audiences(ctx context.Context, h Holder) ([]string, error) {
	return w.shelves.Audiences(ctx, readerOf(h))
}
func (w *world) Sees(ctx context.Context, h Holder, audience string) (bool, error) {
	return w.shelves.Sees(ctx, readerOf(h), audience)
}
func (w *world) MayRead(h Holder, audience string) bool {
	return w.shelves.MayRead(readerOf(h), audience)
}
func (w *world) Page(ctx context.Context, h Holder, q shelf.Query) (shelf.Page, error) {
	return w.shelves.Page(ctx, readerOf(h), q)
}
func (w *world) Inbox() string { return "member:a" }

func posterOf(h Holder) inbox.Holder {
	return inbox.Holder{Name: h.Name, Own: h.Kind != policy.Constituent}
}
func (w *world) Post(ctx context.Context, h Holder, objects [][]byte) ([]inbox.Result, error) {
	return w.inbox.Post(ctx, posterOf(h), objects)
}
func (w *world) Remove(ctx context.Context, h Holder, id string, v shelf.Versions) error {
	seqs, err := w.shelves.Copies(ctx, readerOf(h), "member:a", id, v)
	if errors.Is(err, shelf.ErrNoAudience) || err == nil && len(seqs) == 0 {
		return inbox.ErrUnknown
	}
	if err != nil {
		return err
	}
	return w.inbox.Remove(ctx, posterOf(h), id, seqs)
}
func (w *world) Note(ctx context.Context, h Holder, id string, body []byte) error {
	return w.inbox.Note(ctx, id, h.Name, body)
}
func (w *world) Noted(ctx context.Context, h Holder, id string) ([]byte, error) {
	body, err := w.inbox.Noted(ctx, id, h.Name)
	if errors.Is(err, fs.ErrNotExist) {
		err = inbox.ErrUnknown
	}
	return body, err
}

// ask is one request; its zero value is a GET of the discovery by soc.
type ask struct {
	method, path, who string
	accept, content   string // "" = TAXII's, "-" = none
	body              string
	header            http.Header // added as it is
}

// got is an answer.
type got struct {
	code   int
	header http.Header
	body   []byte
}

// do sends a request and checks what holds for every answer: its type, and that a no is TAXII's error.
func (w *world) do(a ask) got {
	w.t.Helper()
	if a.method == "" {
		a.method = http.MethodGet
	}
	if a.path == "" {
		a.path = Path
	}
	if a.who == "" {
		a.who = "soc"
	}
	r := httptest.NewRequest(a.method, a.path, strings.NewReader(a.body))
	r.Header.Set("Authorization", "Bearer "+a.who+"-token")
	for name, value := range map[string]string{"Accept": a.accept, "Content-Type": a.content} {
		switch {
		case value == "":
			r.Header.Set(name, mediaType)
		case value != "-":
			r.Header.Set(name, value)
		}
	}
	for name, values := range a.header {
		r.Header[name] = values
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	g := got{rec.Code, rec.Header(), rec.Body.Bytes()}
	if g.header.Get("Content-Type") != mediaType || g.header.Get("Content-Length") != strconv.Itoa(len(g.body)) {
		w.t.Errorf("%s %s: headers %v of %d bytes", a.method, a.path, g.header, len(g.body))
	}
	if g.code >= 400 {
		var e struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			ID          string `json:"error_id"`
			Status      string `json:"http_status"`
		}
		dec := json.NewDecoder(bytes.NewReader(g.body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil || e.Title == "" || e.Description == "" || e.Status != strconv.Itoa(g.code) || (g.code == 500) != (e.ID != "") {
			w.t.Errorf("%s %s: %d %s: no TAXII error, %v", a.method, a.path, g.code, g.body, err)
		}
	}
	return g
}

// want is do for an answer of one code.
func (w *world) want(code int, a ask) got {
	w.t.Helper()
	g := w.do(a)
	if g.code != code {
		w.t.Errorf("%s %s by %q: %d %s, want %d", a.method, a.path, a.who, g.code, g.body, code)
	}
	return g
}

// decode reads an answer's JSON.
func decode[T any](t testing.TB, g got) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(g.body, &v); err != nil {
		t.Fatalf("%s: %v", g.body, err)
	}
	return v
}

// share admits an object as an ally's publication.
func (w *world) share(publisher string, tlp stix.TLP, audience, raw string) {
	w.t.Helper()
	err := w.st.Update(w.t.Context(), func(tx *sqlite.Tx) error {
		_, err := w.gate.Admit(tx, admit.Provenance{Publisher: publisher, Place: object.Place{Log: publisher + "/1"}, TLP: tlp, Audience: audience, Via: "peer"}, []byte(raw))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// indicator is an object of this number and version; spaces show that bytes stay as they are.
func indicator(n, version int) string {
	return fmt.Sprintf(`{ "type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-%02dT00:00:00.000000Z",`+
		`"pattern":"[ipv4-addr:value = '198.51.100.%d']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","x_note":"\u00e9" }`, indicatorID(n), version, n%256)
}

func indicatorID(n int) string { return fmt.Sprintf("indicator--%08d-2222-4222-8222-222222222222", n) }

// col is the path of a collection.
func col(audience, rest string) string {
	return root + "collections/" + CollectionID(audience) + "/" + rest
}

// ids are the objects' of an envelope or a manifest.
func ids(t testing.TB, g got) string {
	t.Helper()
	var out []string
	for _, o := range decode[struct {
		Objects []struct{ ID string } `json:"objects"`
	}](t, g).Objects {
		_, id, _ := strings.Cut(o.ID, "--")
		out = append(out, strings.TrimLeft(id[:8], "0"))
	}
	return strings.Join(out, " ")
}
