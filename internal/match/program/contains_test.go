package program

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestContains(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	held := 0
	for range 200_000 {
		text := make([]byte, rng.IntN(80))
		for i := range text {
			text[i] = "ab"[rng.IntN(1+rng.IntN(2))]
		}
		part := make([]byte, 1+rng.IntN(6))
		for i := range part {
			part[i] = "ab"[rng.IntN(2)]
		}
		want := bytes.Contains(text, part)
		if got := contains(text, part, rng.IntN(len(part))); got != want {
			t.Fatalf("%q in %q: %t", part, text, got)
		}
		if want {
			held++
		}
	}
	if held < 10_000 {
		t.Errorf("only %d texts hold their part", held)
	}
}
