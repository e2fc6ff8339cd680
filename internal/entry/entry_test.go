package entry

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"shieldwall/internal/canon"
)

func TestHeaderVector(t *testing.T) {
	h := Header{Kind: KindSealed, Epoch: 0x0102030405060708, Dictionary: [8]byte{0xa0, 1, 2, 3, 4, 5, 6, 7}}
	body := bytes.Repeat([]byte("body"), 71)
	raw, err := Entry{h, body}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(raw[:22]), "01040102030405060708a001020304050607626f6479"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(AAD(h, "m/ff", 9)), "01040102030405060708a00102030405060700046d2f66660000000000000009"; got != want {
		t.Fatalf("aad %s, want %s", got, want)
	}
	back, err := Parse(raw)
	if err != nil || back.Header != h || !bytes.Equal(back.Body, body) {
		t.Fatalf("%+v, %v", back, err)
	}
}

func TestParseRefuses(t *testing.T) {
	entry := func(kind Kind, epoch uint64, dict byte) []byte {
		least, _ := bodySize(kind)
		return append(Header{Kind: kind, Epoch: epoch, Dictionary: [8]byte{dict}}.Append(nil), make([]byte, max(least, 4))...)
	}
	for kind := KindOpen; kind <= KindClear; kind++ {
		least, most := bodySize(kind)
		epoch := uint64(0)
		if kind == KindEpoch || kind == KindWrap || kind == KindSealed {
			epoch = 1
		}
		raw := entry(kind, epoch, 0)
		if _, err := Parse(raw[:HeaderSize+least]); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		if _, err := Parse(raw[:HeaderSize+least-1]); err == nil {
			t.Errorf("kind %d with a body of %d bytes was accepted", kind, least-1)
		}
		if _, err := (Entry{Header{Kind: kind, Epoch: epoch}, make([]byte, most+1)}).Bytes(); err == nil {
			t.Errorf("kind %d with a body of %d bytes was made", kind, most+1)
		}
	}
	cases := map[string][]byte{
		"empty": nil, "cut": entry(KindSealed, 1, 0)[:17],
		"another format":       append([]byte{2}, entry(KindSealed, 1, 0)[1:]...),
		"unknown kind":         entry(6, 0, 0),
		"kind zero":            entry(0, 0, 0),
		"sealed without epoch": entry(KindSealed, 0, 0),
		"clear with epoch":     entry(KindClear, 1, 0),
		"wrap with dictionary": entry(KindWrap, 1, 1),
		"too large":            make([]byte, Max+1),
	}
	for name, raw := range cases {
		if _, err := Parse(raw); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := (Entry{Header{Kind: KindClear}, make([]byte, Max)}).Bytes(); err == nil {
		t.Error("an entry over the limit was made")
	}
}

func TestEpoch(t *testing.T) {
	e := Epoch{Tag: [16]byte{1}, Roster: 7, Commitment: [32]byte{2}, Wraps: 3}
	back, err := ParseEpoch(e.Bytes())
	if err != nil || back != e {
		t.Fatalf("%+v, %v", back, err)
	}
	for _, bad := range [][]byte{nil, e.Bytes()[:57], append(e.Bytes(), 0), Epoch{Roster: 1}.Bytes(), Epoch{Wraps: maxWraps + 1}.Bytes()} {
		if _, err := ParseEpoch(bad); err == nil {
			t.Errorf("%x was accepted", bad)
		}
	}
}

func TestOpen(t *testing.T) {
	o := opening()
	raw, err := o.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	e, err := Parse(raw)
	if err != nil || e.Kind != KindOpen {
		t.Fatalf("%+v, %v", e, err)
	}
	if back, err := ParseOpen(e.Body); err != nil || !reflect.DeepEqual(back, o) {
		t.Fatalf("%+v, %v", back, err)
	}
	for name, edit := range map[string]func(*Open){
		"no alliance":            func(o *Open) { o.Alliance = "aa" },
		"alliance in upper case": func(o *Open) { o.Alliance = strings.ToUpper(o.Alliance) },
		"bad name":               func(o *Open) { o.Member = "M" },
		"no reason":              func(o *Open) { o.Reason = "" },
		"long reason":            func(o *Open) { o.Reason = strings.Repeat("r", maxReason+1) },
		"escape in the reason":   func(o *Open) { o.Reason = "\x1b[2J" },
		"no log":                 func(o *Open) { o.Predecessor.Log = "m" },
		"no root":                func(o *Open) { o.Predecessor.Root = "0f" },
	} {
		bad := opening()
		edit(&bad)
		if _, err := bad.Bytes(); err == nil && isHash(bad.Alliance) {
			t.Errorf("%s was made", name)
		}
		body, err := canon.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseOpen(body); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for _, bad := range []string{"", "{}", strings.Replace(string(e.Body), "0f0f", "0F0f", 1) + " ", strings.Replace(string(e.Body), "0f0f", "zz", 1)} {
		if _, err := ParseOpen([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func opening() Open {
	return Open{Alliance: strings.Repeat("a1", 32), Member: "m", Reason: "lost", Predecessor: &Predecessor{"m/" + strings.Repeat("0", 32), 5, strings.Repeat("0f", 32)}}
}

func payloads() []Payload {
	return []Payload{
		{Type: Objects, TLP: 1, Audience: "everyone", Objects: [][]byte{[]byte(`{"a":1}`), []byte("x")}},
		{Type: Objects, TLP: 3, Audience: "group:states", Objects: [][]byte{bytes.Repeat([]byte("y"), 300)}},
		{Type: Withdraw, TLP: 2, Audience: "alliance", Withdrawals: []Withdrawal{{0, "indicator--1"}, {1 << 40, "x"}}},
		{Type: Blob, TLP: 5, Audience: "member:a", Blob: BlobRef{Hash: [32]byte{1}, Key: [32]byte{2}, Size: 1 << 20}},
	}
}

func TestPayloadRoundTripAndEveryCut(t *testing.T) {
	for _, p := range payloads() {
		raw, err := p.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParsePayload(raw); err != nil || !reflect.DeepEqual(back, p) {
			t.Fatalf("%+v, %v", back, err)
		}
		for n := range raw {
			if _, err := ParsePayload(raw[:n]); err == nil {
				t.Errorf("type %d cut to %d of %d bytes was accepted", p.Type, n, len(raw))
			}
		}
		if _, err := ParsePayload(append(raw, 0)); err == nil {
			t.Errorf("type %d with a byte more was accepted", p.Type)
		}
	}
}

func TestPayloadRefuses(t *testing.T) {
	head := func(typ, tlp byte, audience string) []byte { return AppendStr16([]byte{typ, tlp}, audience) }
	cases := map[string][]byte{
		"no marking":      append(head(1, 0, "alliance"), 1, 1, 'x'),
		"marking 6":       append(head(1, 6, "alliance"), 1, 1, 'x'),
		"no audience":     append(head(1, 1, ""), 1, 1, 'x'),
		"unknown type":    append(head(4, 1, "alliance"), 1, 1, 'x'),
		"no objects":      append(head(1, 1, "alliance"), 0),
		"empty object":    append(head(1, 1, "alliance"), 1, 0),
		"too many":        append(head(1, 1, "alliance"), 0x81, 0x20), // 4,097
		"long varint":     append(head(1, 1, "alliance"), 0x81, 0x00, 1, 'x'),
		"huge length":     append(head(1, 1, "alliance"), 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
		"overlong varint": append(head(1, 1, "alliance"), bytes.Repeat([]byte{0xff}, 11)...),
		"long audience":   append(head(1, 1, strings.Repeat("a", MaxAudience+1)), 1, 1, 'x'),
		"empty blob":      append(head(3, 1, "alliance"), make([]byte, 65)...),
		"empty id":        append(head(2, 1, "alliance"), 1, 0, 0, 0),
	}
	for name, raw := range cases {
		if _, err := ParsePayload(raw); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for name, p := range map[string]Payload{
		"no marking": {Type: Objects, Audience: "alliance", Objects: [][]byte{{1}}},
		"no objects": {Type: Objects, TLP: 1, Audience: "alliance"},
		"too many":   {Type: Objects, TLP: 1, Audience: "alliance", Objects: make([][]byte, MaxObjects+1)},
		"empty one":  {Type: Objects, TLP: 1, Audience: "alliance", Objects: [][]byte{nil}},
		"empty blob": {Type: Blob, TLP: 1, Audience: "alliance"},
		"no type":    {TLP: 1, Audience: "alliance"},
		"audience":   {Type: Objects, TLP: 1, Audience: strings.Repeat("a", MaxAudience+1), Objects: [][]byte{{1}}},
		"long id":    {Type: Withdraw, TLP: 1, Audience: "alliance", Withdrawals: []Withdrawal{{0, strings.Repeat("i", MaxID+1)}}},
	} {
		if _, err := p.Bytes(); err == nil {
			t.Errorf("%s was encoded", name)
		}
	}
}

// TestPadme compares with the formula of the paper, computed in floating point elsewhere, for known lengths.
func TestPadme(t *testing.T) {
	for n, want := range map[int]int{0: 256, 1: 256, 256: 256, 257: 272, 1000: 1024, 1025: 1088, 10_000: 10_240, 60_000: 61_440, 65_536: 65_536, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 1<<15} {
		if got := Padme(n); got != want {
			t.Errorf("Padme(%d) = %d, want %d", n, got, want)
		}
	}
	for n := 1; n < 1<<17; n++ {
		p := Padme(n)
		if p < n || Padme(p) != p || float64(p) > float64(max(n, 256))*1.12 {
			t.Fatalf("Padme(%d) = %d", n, p)
		}
	}
}

// TestSeeds keeps the fuzz targets from running on nothing.
func TestSeeds(t *testing.T) {
	if len(payloads()) < 4 || len(entries(t)) < 7 {
		t.Fatal("too few seeds")
	}
}

// entries are one of each kind, and what is none.
func entries(t testing.TB) [][]byte {
	first := opening()
	first.Predecessor = nil
	var out [][]byte
	for _, o := range []Open{first, opening()} {
		raw, err := o.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, raw)
	}
	for _, e := range []Entry{
		{Header{Kind: KindEpoch, Epoch: 1}, Epoch{Wraps: 1}.Bytes()},
		{Header{Kind: KindWrap, Epoch: 1}, make([]byte, WrapSize)},
		{Header{Kind: KindSealed, Epoch: 1<<64 - 1, Dictionary: [8]byte{1}}, make([]byte, Overhead+minPadded)},
		{Header{Kind: KindClear}, make([]byte, 10)},
	} {
		raw, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, raw)
	}
	return append(out, nil, Header{Kind: KindClear}.Append(nil))
}

func FuzzPayload(f *testing.F) {
	for _, p := range payloads() {
		raw, err := p.Bytes()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePayload(data)
		if err != nil {
			return
		}
		if again, err := p.Bytes(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x became %x (%v)", data, again, err)
		}
	})
}

func FuzzEntry(f *testing.F) {
	for _, s := range entries(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Parse(data)
		if err != nil {
			return
		}
		if again, err := e.Bytes(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x became %x (%v)", data, again, err)
		}
		if o, err := ParseOpen(e.Body); err == nil {
			if again, err := o.Bytes(); err != nil || !bytes.Equal(again[HeaderSize:], e.Body) {
				t.Fatalf("open %q became %q (%v)", e.Body, again, err)
			}
		}
		if ep, err := ParseEpoch(e.Body); err == nil && !bytes.Equal(ep.Bytes(), e.Body) {
			t.Fatalf("epoch %x became %x", e.Body, ep.Bytes())
		}
	})
}
