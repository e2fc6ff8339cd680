package publish

import (
	"bytes"
	"context"
	"crypto/hpke"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/admit"
	"shieldwall/internal/canon"
	"shieldwall/internal/entry"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/seal"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

const (
	uuid1      = "11111111-1111-4111-8111-111111111111"
	uuid2      = "22222222-2222-4222-8222-222222222222"
	identityMe = "identity--eeeeeeee-1111-4111-8111-111111111111"
	identityA  = "identity--aaaaaaaa-1111-4111-8111-111111111111"
	ownLog     = "me/00000000000000000000000000000000"
)

// fixture is one member's node as publish sees it: a real store and gate, a log without signatures, and the other
// members' keys to read it with.
type fixture struct {
	t       testing.TB
	store   *sqlite.Store
	gate    *admit.Gate
	roster  *roster.Roster
	members *policy.Members
	keys    map[string]hpke.PrivateKey // by wrap name
	now     time.Time
	log     string
	held    map[string]string // member -> reason, from AMBER on
	live    []object.Change
	pub     *Publisher
	failing error // of the next append
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	f := &fixture{t: t, store: store, keys: map[string]hpke.PrivateKey{}, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), log: ownLog,
		held: map[string]string{}}
	f.setRoster(&roster.Roster{Name: "x", Version: 1, Groups: []string{"states", "partners", "rail"}, Members: []roster.Member{
		{ID: "a", Groups: []string{"states"}, Identities: []string{identityA}}, {ID: "b", Groups: []string{"states"}},
		{ID: "c", Groups: []string{"partners"}}, {ID: "me", Groups: []string{"states"}, Identities: []string{identityMe}},
	}})
	for _, name := range []string{"member:a", "member:b", "member:c", "recovery:me"} {
		if f.keys[name], err = hpke.MLKEM768X25519().GenerateKey(); err != nil {
			t.Fatal(err)
		}
	}
	f.gate = admit.New(admit.Options{Self: "me", Members: func() *policy.Members { return f.members }, Box: hexBox{}, Now: func() time.Time { return f.now }})
	f.pub = New(Options{
		Self: "me", Identity: identityMe, Members: func() *policy.Members { return f.members },
		HPKE: func(id string) ([]byte, bool) {
			key, ok := f.keys["member:"+id]
			if !ok {
				return nil, false
			}
			return key.PublicKey().Bytes(), true
		},
		Recovery: func() ([]byte, error) { return f.keys["recovery:me"].PublicKey().Bytes(), nil },
		Withhold: func(id string, tlp stix.TLP, _ bool) string {
			if tlp < stix.Amber {
				return ""
			}
			return f.held[id]
		},
		Log: f, View: func(ctx context.Context, fn func(Tx) error) error {
			return store.View(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
		},
		Gate: ownGate{f.gate}, Box: hexBox{}, Live: func(c []object.Change) { f.live = append(f.live, c...) },
		Now: func() time.Time { return f.now }, Rand: rand.Reader,
	})
	f.openLog()
	return f
}

// ownGate is the gate for this member's own copies.
type ownGate struct{ *admit.Gate }

func (g ownGate) Admit(tx Tx, from Provenance, o *stix.Object) ([]object.Change, error) {
	return g.AdmitObject(tx.(admit.Tx), admit.Provenance{Publisher: "me", Place: from.Place, TLP: from.TLP, Audience: from.Audience, Via: "own"}, o)
}

func (g ownGate) Withdraw(tx Tx, of object.Place, id string) ([]object.Change, error) {
	return g.Gate.Withdraw(tx.(admit.Tx), "me", of, id)
}

func (g ownGate) Definition(tx Tx, id string) (stix.TLP, bool, error) {
	return g.Gate.Definition(tx.(admit.Tx), "me", id)
}

type hexBox struct{}

func (hexBox) Seal(plain []byte, place string) []byte { return fmt.Appendf(nil, "%s|%x", place, plain) }

func (hexBox) Open(sealed []byte, place string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(place+"|"))
	if !ok {
		return nil, errors.New("wrong place")
	}
	return hex.DecodeString(string(rest))
}

func (f *fixture) update(fn func(tx *sqlite.Tx) error) {
	f.t.Helper()
	if err := f.store.Update(context.Background(), fn); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) view(fn func(tx *sqlite.Tx) error) {
	f.t.Helper()
	if err := f.store.View(context.Background(), fn); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) setRoster(r *roster.Roster) {
	f.t.Helper()
	f.roster, f.members = r, policy.MembersOf(r)
	f.update(func(tx *sqlite.Tx) error { return tx.PutRosterNote(r.Version, fmt.Sprint(r.Version), []byte("note")) })
}

// change makes the next roster version.
func (f *fixture) change(edit func(r *roster.Roster)) {
	f.t.Helper()
	next := f.roster.Clone()
	next.Version++
	edit(next)
	f.setRoster(next)
}

func (f *fixture) openLog() {
	f.t.Helper()
	raw, err := entry.Open{Alliance: "x", Member: "me", Reason: "new"}.Bytes()
	if err != nil {
		f.t.Fatal(err)
	}
	f.update(func(tx *sqlite.Tx) error {
		return errors.Join(tx.PutEntries(f.log, 0, [][]byte{raw}), tx.PutLogHead(f.log, "me", 1, []byte("head")))
	})
}

// Append is a log without signatures.
func (f *fixture) Append(ctx context.Context, build func(tx Tx, log string, next uint64) ([][]byte, error)) error {
	return f.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error {
		size, _, err := tx.LogHead(f.log)
		if err != nil {
			return err
		}
		entries, err := build(tx, f.log, size)
		if err != nil {
			return err
		}
		if err := f.failing; err != nil {
			return err
		}
		if len(entries) == 0 {
			return nil
		}
		return errors.Join(tx.PutEntries(f.log, size, entries), tx.PutLogHead(f.log, "me", size+uint64(len(entries)), []byte("head")))
	})
}

// admitFrom puts a copy of another publisher into the store.
func (f *fixture) admitFrom(publisher string, tlp stix.TLP, audience, raw string) {
	f.t.Helper()
	from := admit.Provenance{Publisher: publisher, TLP: tlp, Audience: audience}
	if publisher != object.Local {
		from.Place = object.Place{Log: publisher + "/log", Index: 7}
	}
	f.update(func(tx *sqlite.Tx) error {
		_, err := f.gate.Admit(tx, from, []byte(raw))
		return err
	})
}

// readAs opens everything that one reader can open, as objects' bytes and "-id" for withdrawals, and checks the
// form of the log on the way.
func (f *fixture) readAs(reader string) []string {
	f.t.Helper()
	var entries [][]byte
	f.view(func(tx *sqlite.Tx) error {
		size, _, err := tx.LogHead(f.log)
		if err != nil {
			return err
		}
		for i := range size {
			raw, err := tx.Entry(f.log, i)
			if err != nil {
				return err
			}
			entries = append(entries, raw)
		}
		return nil
	})
	r := &logReader{f: f, reader: reader, keys: map[uint64][]byte{}}
	for i, raw := range entries {
		r.entry(uint64(i), raw)
	}
	if r.wraps != 0 {
		f.t.Errorf("%d wraps are missing", r.wraps)
	}
	return r.out
}

type logReader struct {
	f         *fixture
	reader    string
	opening   []byte
	epoch     entry.Epoch
	number    uint64
	wraps     int // still expected
	keys      map[uint64][]byte
	out       []string
	epochSeen uint64
}

func (r *logReader) entry(index uint64, raw []byte) {
	t := r.f.t
	e, err := entry.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if (e.Kind == entry.KindWrap) != (r.wraps > 0) {
		t.Fatalf("entry %d of kind %d where %d wraps are expected", index, e.Kind, r.wraps)
	}
	switch e.Kind {
	case entry.KindEpoch:
		if e.Epoch <= r.epochSeen {
			t.Fatalf("epoch %d after %d", e.Epoch, r.epochSeen)
		}
		if r.epoch, err = entry.ParseEpoch(e.Body); err != nil {
			t.Fatal(err)
		}
		r.opening, r.number, r.wraps, r.epochSeen = raw, e.Epoch, int(r.epoch.Wraps), e.Epoch
	case entry.KindWrap:
		r.wraps--
		if key, err := seal.Unwrap(e.Body, r.opening, r.reader, r.f.keys[r.reader]); err == nil {
			if !seal.Committed(key, r.f.log, r.number, r.epoch.Commitment) {
				t.Fatal("a key that is not committed to")
			}
			r.keys[r.number] = key
		}
	case entry.KindSealed:
		if key := r.keys[e.Epoch]; key != nil {
			p, err := seal.OpenEntry(key, e, r.f.log, index)
			if err != nil {
				t.Fatalf("entry %d: %v", index, err)
			}
			r.payload(p)
		}
	case entry.KindClear:
		p, err := seal.OpenClear(e)
		if err != nil || p.TLP != 1 || p.Audience != "everyone" {
			t.Fatalf("clear entry %d: %+v %v", index, p, err)
		}
		r.payload(p)
	}
}

func (r *logReader) payload(p entry.Payload) {
	if p.Type == entry.Blob {
		r.f.view(func(tx *sqlite.Tx) error {
			data, err := tx.Blob(p.Blob.Hash[:])
			if err != nil {
				return err
			}
			p, err = seal.OpenBlob(p.Blob, data)
			return err
		})
	}
	for _, raw := range p.Objects {
		r.out = append(r.out, string(raw))
	}
	for _, w := range p.Withdrawals {
		r.out = append(r.out, "-"+w.ID)
	}
}

func (f *fixture) publish(req Request) Result {
	f.t.Helper()
	result, err := f.pub.Publish(context.Background(), req)
	if err != nil {
		f.t.Fatal(err)
	}
	return result
}

// refuses wants a request refused with a text, and nothing written.
func (f *fixture) refuses(want string, req Request) {
	f.t.Helper()
	before := len(f.readAs("recovery:me"))
	_, err := f.pub.Publish(context.Background(), req)
	var refused *Refused
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
		f.t.Errorf("got %v, want a refusal with %q", err, want)
	}
	if after := len(f.readAs("recovery:me")); after != before {
		f.t.Errorf("%d objects were written", after-before)
	}
}

func stixFile(name string, objects ...string) Item {
	return Item{name, []byte(`{"type":"bundle","id":"bundle--` + uuid1 + `","objects":[` + strings.Join(objects, ",") + `]}`)}
}

// indicator is an indicator of a day's version, with further members.
func indicator(uuid string, day int, more string) string {
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"indicator--%s","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-%02dT00:00:00.000Z",`+
		`"name":"n","pattern":"[url:value = 'p']","pattern_type":"stix","valid_from":"2024-01-01T00:00:00Z"%s}`, uuid, day, more)
}

func listed(seconds int64) canon.Time { return canon.At(time.Unix(seconds, 0)) }
