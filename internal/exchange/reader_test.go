package exchange

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/klauspost/compress/zstd"

	"shieldwall/internal/entry"
	"shieldwall/internal/merkle"
	"shieldwall/internal/seal"
	"shieldwall/internal/store/sqlite"
)

// script writes a log's entries one after the other, each knowing its index.
type script struct {
	w *author
	t testing.TB
}

func (s script) add(kind entry.Kind, epoch uint64, body []byte) {
	s.w.append(rawEntry(kind, epoch, body))
}

// rawEntry is an entry with any body, also one that Bytes would not make.
func rawEntry(kind entry.Kind, epoch uint64, body []byte) []byte {
	h := entry.Header{Kind: kind, Epoch: epoch}
	if kind == entry.KindSealed || kind == entry.KindClear {
		h.Dictionary = seal.Dictionary()
	}
	return append(h.Append(nil), body...)
}

func (s script) wrap(epoch uint64, opening []byte, key []byte, reader string) {
	s.add(entry.KindWrap, epoch, must(seal.Wrap(key, opening, seal.Member(reader), hpkePublic(reader).Key)))
}

// clearBody packs what seal.Clear would not.
func clearBody(p entry.Payload) []byte {
	enc := must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20)))
	frame := enc.EncodeAll(must(p.Bytes()), make([]byte, 4))
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

func payload(tlp uint8, audience string, raw ...string) entry.Payload {
	p := objects(raw...)
	p.TLP, p.Audience = tlp, audience
	return p
}

// TestReader has one hostile thing each in a log that goes on properly: the thing is counted and passed over,
// and what is proper is read.
func TestReader(t *testing.T) {
	cases := map[string]struct {
		write func(s script) // epoch 1 is open for a and me
		why   string         // reason by which it is counted; empty: nothing is refused
		count int64
		live  bool // indicator 1 acts
	}{
		"nothing hostile":           {func(s script) { s.w.share(1, objects(s.one())) }, "", 0, true},
		"epoch opened twice":        {func(s script) { s.w.append(s.w.opening(1, 1)[0]) }, badEpoch, 1, false},
		"epoch opened twice, wraps": {func(s script) { s.w.append(s.w.opening(1, 1, "a", "me")...); s.w.share(1, objects(s.one())) }, badEpoch, 1, false},
		"epoch that sinks": {func(s script) {
			s.w.open(9, "a", "me")
			s.w.append(s.w.opening(8, 1, "a", "me")...)
			s.w.share(9, objects(s.one()))
		}, badEpoch, 1, true},
		"epochs that rise": {func(s script) { s.w.open(5, "a", "me"); s.w.open(6, "a"); s.w.share(5, objects(s.one())) }, "", 0, true},
		"sealed in a sunken epoch": {func(s script) {
			s.w.open(9, "a")
			s.w.append(s.w.opening(8, 1, "me")...)
			s.w.share(8, objects(s.one()))
		}, badEpoch, 1, false},
		"last epoch": {func(s script) {
			s.w.append(s.w.opening(math.MaxUint64, 1, "me")...)
			s.w.share(math.MaxUint64, objects(s.one()))
		}, badEpoch, 1, false},
		"epoch beyond the store's":  {func(s script) { s.w.append(s.w.opening(1<<63, 1, "me")...) }, badEpoch, 1, false},
		"opening too short":         {func(s script) { s.add(entry.KindEpoch, 2, make([]byte, 57)) }, badEntry, 1, false},
		"opening without wraps":     {func(s script) { s.add(entry.KindEpoch, 2, entry.Epoch{}.Bytes()) }, badEpoch, 1, false},
		"opening with 65,535 wraps": {func(s script) { s.add(entry.KindEpoch, 2, entry.Epoch{Wraps: math.MaxUint16}.Bytes()) }, badEpoch, 1, false},
		"wrap of no epoch":          {func(s script) { s.wrap(7, []byte("x"), make([]byte, 32), "me") }, badWrap, 1, false},
		"wrap of epoch 2^63":        {func(s script) { s.wrap(1<<63, []byte("x"), make([]byte, 32), "me") }, badWrap, 1, false},
		"wrap too late": {func(s script) {
			o := s.w.opening(2, 1, "a")
			s.w.append(o...)
			s.wrap(2, o[0], s.w.epochs[2], "me")
			s.w.share(2, objects(s.one()))
		}, badWrap, 1, false},
		"wrap before its opening": {func(s script) {
			o := s.w.opening(2, 1, "a")
			s.wrap(2, o[0], s.w.epochs[2], "me")
			s.w.append(o...)
		}, badWrap, 1, false},
		"wrap that is cut": {func(s script) { s.w.append(s.w.opening(2, 1)[0]); s.add(entry.KindWrap, 2, make([]byte, 9)) }, badEntry, 1, false},
		"wrap of zeros": {func(s script) {
			s.w.append(s.w.opening(2, 1)[0])
			s.add(entry.KindWrap, 2, make([]byte, entry.WrapSize))
		}, "", 0, false},
		"another key than committed to": {func(s script) {
			key := must(seal.NewKey(rand.Reader))
			s.w.epochs[2] = key
			s.w.append(s.w.openingOf(2, 1, key, [32]byte{1}, "a", "me")...)
			s.w.share(2, objects(s.one()))
		}, badCommitment, 1, false},
		"commitment of another epoch": {func(s script) {
			key := must(seal.NewKey(rand.Reader))
			s.w.epochs[2] = key
			s.w.append(s.w.openingOf(2, 1, key, must(seal.Commitment(key, s.w.id, 3)), "me")...)
			s.w.share(2, objects(s.one()))
		}, badCommitment, 1, false},
		"second wrap with another key": {func(s script) {
			o := s.w.opening(2, 1, "me", "a")
			other := must(seal.NewKey(rand.Reader))
			s.w.append(o[:2]...)
			s.wrap(2, o[0], other, "me")
			s.w.share(2, objects(s.one()))
		}, "", 0, true},
		"sealed without an epoch": {func(s script) { s.add(entry.KindSealed, 77, make([]byte, 300)) }, "", 0, false},
		"sealed in epoch 2^63":    {func(s script) { s.add(entry.KindSealed, 1<<63, make([]byte, 300)) }, "", 0, false},
		"sealed for another place": {func(s script) {
			raw := s.w.sealed(1, s.w.size()+1, objects(s.one()))
			s.w.append(raw)
		}, badSealed, 1, false},
		"sealed under another key": {func(s script) {
			s.w.epochs[1] = make([]byte, 32)
			s.w.share(1, objects(s.one()))
		}, badSealed, 1, false},
		"audience without us":       {func(s script) { s.w.share(1, payload(3, "member:b", s.one())) }, badAudience, 1, false},
		"group without us":          {func(s script) { s.w.share(1, payload(3, "group:partners", s.one())) }, badAudience, 1, false},
		"group with us":             {func(s script) { s.w.share(1, payload(3, "group:states", s.one())) }, "", 0, true},
		"audience that is none":     {func(s script) { s.w.share(1, payload(2, "group:", s.one())) }, badAudience, 1, false},
		"red to a group":            {func(s script) { s.w.share(1, payload(5, "group:states", s.one())) }, badAudience, 1, false},
		"clear to everyone":         {func(s script) { s.w.append(must(seal.Clear(payload(1, "everyone", s.one())))) }, "", 0, true},
		"green in clear":            {func(s script) { s.add(entry.KindClear, 0, clearBody(payload(2, "everyone", s.one()))) }, badClear, 1, false},
		"clear to the alliance":     {func(s script) { s.add(entry.KindClear, 0, clearBody(payload(1, "alliance", s.one()))) }, badClear, 1, false},
		"clear that is damaged":     {func(s script) { s.add(entry.KindClear, 0, []byte("????????")) }, badClear, 1, false},
		"second opening of the log": {func(s script) { s.w.append(s.w.entries[0]) }, badOpen, 1, false},
		"withdrawal of the future":  {func(s script) { s.w.share(1, objects(s.one()), s.withdrawal(1<<63, 1)) }, badWithdrawal, 1, true},
		"withdrawal of itself":      {func(s script) { s.w.share(1, objects(s.one()), s.withdrawal(6, 1)) }, badWithdrawal, 1, true},
		"withdrawal":                {func(s script) { s.w.share(1, objects(s.one()), s.withdrawal(5, 1)) }, "", 0, false},
		"withdrawal before it":      {func(s script) { s.w.share(1, s.withdrawal(0, 1), objects(s.one())) }, "", 0, true},
		"withdrawal without an id": {func(s script) {
			s.w.share(1, objects(s.one()), entry.Payload{Type: entry.Withdraw, TLP: 2, Audience: "alliance", Withdrawals: []entry.Withdrawal{{Index: 1, ID: "x"}}})
		}, "object refused: withdrawal", 1, true},
		"blob that is huge": {func(s script) {
			s.w.share(1, entry.Payload{Type: entry.Blob, TLP: 2, Audience: "alliance", Blob: entry.BlobRef{Size: seal.MaxBlob + 1}})
		}, badBlob, 1, false},
		"object that is none": {func(s script) { s.w.share(1, objects("[", s.one())) }, "object refused: invalid", 1, true},
		"objects in conflict": {func(s script) {
			s.w.share(1, objects(s.one(), s.one()[:len(s.one())-1]+`,"name":"another"}`))
		}, "object refused: conflict", 1, true},
	}
	bubble(t, func(t *testing.T) {
		n, logs, _ := crowd(t, slices.Sorted(maps.Keys(cases)))
		for name, c := range cases {
			w := logs[name]
			w.open(1, "a", "me")
			c.write(script{w, t})
			// What comes after it is read, whatever it was.
			w.open(1<<40, "a", "me")
			w.share(1<<40, objects(indicator(w.member, 99)))
		}
		n.start()
		synctest.Wait()
		refused := n.x.Rejected()
		for name, c := range cases {
			w := logs[name]
			if got := refused[w.member+": "+c.why]; got != c.count {
				t.Errorf("%s: %d refused as %q, want %d", name, got, c.why, c.count)
			}
			for key := range refused {
				if c.why == "" && strings.HasPrefix(key, w.member+": ") {
					t.Errorf("%s: refused: %s", name, key)
				}
			}
			if got := n.isLive(w.member, 1); got != c.live {
				t.Errorf("%s: live %v", name, got)
			}
			if m := n.status(w.member); !n.isLive(w.member, 99) || m.State != "live" || m.Applied != w.size() {
				t.Errorf("%s: it did not go on: %+v", name, m)
			}
			n.check(w, w.size())
		}
	})
}

func (s script) one() string { return indicator(s.w.member, 1) }

func (s script) withdrawal(index uint64, i int) entry.Payload {
	p := withdrawal(index, i)
	p.Withdrawals[0].ID = indicatorID(s.w.member, i)
	return p
}

func withdrawal(index uint64, i int) entry.Payload {
	return entry.Payload{Type: entry.Withdraw, TLP: 2, Audience: "alliance", Withdrawals: []entry.Withdrawal{{Index: index, ID: indicatorID("a", i)}}}
}

func TestOpening(t *testing.T) {
	cases := map[string]struct {
		edit func(o *entry.Open)
		raw  []byte // in place of the opening
		why  string
	}{
		"ours":             {edit: func(*entry.Open) {}},
		"another alliance": {edit: func(o *entry.Open) { o.Alliance = strings.Repeat("0", 64) }, why: badOpen},
		"another member":   {edit: func(o *entry.Open) { o.Member = "b" }, why: badOpen},
		"no statement":     {raw: rawEntry(entry.KindOpen, 0, []byte("{}")), why: badOpen},
		"no opening":       {raw: rawEntry(entry.KindClear, 0, make([]byte, 300)), why: badOpen},
		"garbage":          {raw: []byte("x"), why: badEntry},
	}
	bubble(t, func(t *testing.T) {
		n, logs, _ := crowd(t, slices.Sorted(maps.Keys(cases)))
		for name, c := range cases {
			w := logs[name]
			if c.edit != nil {
				o := entry.Open{Alliance: n.roll.Now().Alliance, Member: w.member, Reason: "first"}
				c.edit(&o)
				c.raw = must(o.Bytes())
			}
			w.entries, w.tree = nil, &merkle.Frontier{}
			w.append(c.raw)
			w.open(1, "a", "me")
			w.share(1, objects(indicator(w.member, 1)))
		}
		n.start()
		synctest.Wait()
		refused := n.x.Rejected()
		for name, c := range cases {
			w, want := logs[name], map[bool]int64{true: 0, false: 1}[c.why == ""]
			if !n.isLive(w.member, 1) || refused[w.member+": "+c.why] != want {
				t.Errorf("%s: live %v, refused %v", name, n.isLive(w.member, 1), refused)
			}
		}
	})
}

// TestRefusalsAreBounded shows that a peer cannot grow what is counted, nor hide another's refusals.
func TestRefusalsAreBounded(t *testing.T) {
	al := newAlliance("me", "a")
	n := newNode(t, al)
	x := New(n.options())
	for i := range 2 * maxReasons {
		x.reject("a", refusal{uint64(i), fmt.Sprint("reason ", i), "detail"})
	}
	got := x.Rejected()
	if len(got) != maxReasons+1 || got["other"] != maxReasons {
		t.Fatalf("%d reasons, %d others", len(got), got["other"])
	}
}

// TestBackoff shows that waits grow, are spread and stay bounded.
func TestBackoff(t *testing.T) {
	n := newNode(t, newAlliance("me"))
	x := New(n.options())
	for i := range 100 {
		most := min(retryMost, retryFirst<<min(i, 20))
		for range 20 {
			if d := x.backoff(i); d < most/2 || d > most*3/2 {
				t.Fatalf("try %d waits %s", i, d)
			}
		}
	}
}

var errUndo = errors.New("undo")

const readSeeds = 20

// seedEntries gives entries of every kind, good and bad, for the log that openWorld makes.
func seedEntries(w *author, add func(index uint64, raw []byte)) int {
	n := 0
	seed := func(index uint64, raw []byte) { n++; add(index, raw) }
	for _, raw := range w.opening(7, 1, "me", "a") {
		seed(5, raw)
		seed(6, raw)
	}
	h := rawEntry
	for _, e := range []uint64{1, 2, 1 << 62, 1 << 63, math.MaxUint64} {
		seed(9, h(entry.KindEpoch, e, entry.Epoch{Wraps: 3}.Bytes()))
		seed(9, h(entry.KindSealed, e, make([]byte, 300)))
		seed(9, h(entry.KindWrap, e, make([]byte, entry.WrapSize)))
	}
	for _, p := range []entry.Payload{
		objects(indicator("a", 1)), objects("{}"), payload(5, "member:me", indicator("a", 2)), withdrawal(3, 1), withdrawal(1<<63, 1),
		{Type: entry.Blob, TLP: 2, Audience: "alliance", Blob: entry.BlobRef{Size: 99}},
	} {
		seed(9, w.sealed(1, 9, p))
		seed(9, h(entry.KindClear, 0, clearBody(p)))
	}
	seed(0, w.entries[0])
	seed(0, nil)
	seed(9, w.entries[0])
	return n
}

// openWorld is a node that holds the first entries of a log, epoch 1 among them.
func openWorld(tb testing.TB) (*node, *author, *follower) {
	al := newAlliance("me", "a", "b")
	w := newAuthor(al, "a", "log 1")
	w.open(1, "a", "me")
	n := newNode(tb, al)
	f := &follower{x: New(n.options()), member: "a", log: w.id, missing: none}
	r := newReader(f, 0)
	u, err := r.readUnit(tb.Context(), 0, w.entries)
	fatalIf(tb, err)
	fatalIf(tb, n.store.Update(tb.Context(), func(tx *sqlite.Tx) error { return u.run(tx, u.steps) }))
	if len(u.refused) != 0 || r.last != 1 {
		tb.Fatalf("%+v", u.refused)
	}
	return n, w, f
}

func TestReadSeeds(t *testing.T) {
	w := newAuthor(newAlliance("a"), "a", "log 1")
	w.open(1, "a", "me")
	if n := seedEntries(w, func(uint64, []byte) {}); n < readSeeds {
		t.Fatalf("%d seeds", n)
	}
}

// FuzzRead reads arbitrary entries at arbitrary places, and the same body sealed under the epoch's true key:
// whatever a peer publishes, reading it neither panics nor fails.
func FuzzRead(f *testing.F) {
	n, w, follower := openWorld(f)
	seedEntries(w, func(index uint64, raw []byte) { f.Add(index, raw, uint8(2), "alliance") })
	f.Fuzz(func(t *testing.T, index uint64, raw []byte, tlp uint8, audience string) {
		index %= 1 << 40
		read := func(raw []byte) {
			for _, last := range []uint64{1, maxEpoch} {
				r := newReader(follower, last)
				u := &unit{pending: none}
				if err := r.read(t.Context(), u, index, raw); err != nil {
					t.Fatalf("reading: %v", err)
				}
				err := n.store.Update(t.Context(), func(tx *sqlite.Tx) error { return errors.Join(u.run(tx, u.steps), errUndo) })
				if !errors.Is(err, errUndo) || err.Error() != errUndo.Error() {
					t.Fatalf("keeping: %v", err)
				}
			}
		}
		read(raw)
		p := entry.Payload{Type: entry.Objects, TLP: tlp, Audience: audience, Objects: [][]byte{raw}}
		if sealed, err := seal.Entry(w.epochs[1], w.id, 1, index, p); err == nil {
			read(sealed)
		}
		p.Type, p.Withdrawals = entry.Withdraw, []entry.Withdrawal{{Index: index / 2, ID: string(raw)}}
		if sealed, err := seal.Entry(w.epochs[1], w.id, 1, index, p); err == nil {
			read(sealed)
		}
	})
}
