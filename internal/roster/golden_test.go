package roster

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shieldwall/internal/canon"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file that holds the format still: what was signed once must verify for ever.
func golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Fatalf("%s has changed:\n%s", name, got)
	}
	return want
}

// chain is two rosters of a small alliance, the second one signed by a leaving and a coming officer.
func chain(t testing.TB) (one, two []byte) {
	t.Helper()
	r1 := first(1, "x")
	one, err := r1.Sign("x", key("officer x"))
	if err != nil {
		t.Fatal(err)
	}
	r2 := r1.Clone()
	r2.Version, r2.Issued, r2.Expires = 2, canon.At(t0.Add(time.Minute)), canon.At(t0.Add(time.Hour))
	if r2.Previous, err = r1.Hash(); err != nil {
		t.Fatal(err)
	}
	r2.Officers = []Officer{{"y", public(key("officer y"))}}
	r2.Members[1].Suspended, r2.Members[1].Quota, r2.Members[1].Types = true, 1000, []string{"indicator", "sighting"}
	if two, err = r2.Sign("y", key("officer y")); err != nil {
		t.Fatal(err)
	}
	if two, err = Cosign(two, "x", key("officer x")); err != nil {
		t.Fatal(err)
	}
	return one, two
}

func TestGoldenRosters(t *testing.T) {
	one, two := chain(t)
	r1, id, err := VerifyFirst(golden(t, "roster1.note", one))
	if err != nil {
		t.Fatal(err)
	}
	r2, err := VerifyNext(r1, golden(t, "roster2.note", two))
	if err != nil {
		t.Fatal(err)
	}
	hash, err := r2.Hash()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "roster.hashes", []byte(id+"\n"+hash+"\n"))
}

func TestGoldenCard(t *testing.T) {
	msg, _ := newCard(t, nil)
	c, err := ParseCard(golden(t, "card.note", msg))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "delegation.note", []byte(c.Delegation))
	if err := c.Verify(msg, alliance, []Key{public(key("a"))}); err != nil {
		t.Fatal(err)
	}
	hash, err := c.Hash()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "card.hash", []byte(hash+"\n"+c.LogID()+"\n"))
}

func TestGoldenTokenAndProof(t *testing.T) {
	word, err := token().Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "token.txt", []byte(word+"\n"))
	h := token().SecretHash()
	golden(t, "proof.txt", []byte(hex.EncodeToString(h)+" "+hex.EncodeToString(Proof(h, []byte("exporter"), []byte("card")))+"\n"))
}

func TestGoldenReceipt(t *testing.T) {
	msg, err := SignApplied("a", logID, 17, key("witness"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "applied.note", msg)
}
