package jsonl

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// plainQuoted is what quoted does, byte by byte.
func plainQuoted(text []byte) (end int, escapes, high bool) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i, escapes, high
		case c < 0x20:
			return -1, false, false
		case c == '\\':
			escapes = true
			if i++; i == len(text) || !simpleEscape[text[i]] {
				return -1, false, false
			}
		case c >= 0x80:
			high = true
		}
	}
	return -1, false, false
}

// checkQuoted allows quoted to give up near the end of what is at hand, and nowhere else.
func checkQuoted(t *testing.T, text []byte) (found bool) {
	t.Helper()
	wantEnd, wantEscapes, wantHigh := plainQuoted(text)
	end, escapes, high := quoted(text)
	if end < 0 && (wantEnd < 0 || wantEnd/32 == len(text)/32 || !assembled()) {
		return false
	}
	if end != wantEnd || escapes != wantEscapes || high != wantHigh {
		t.Fatalf("%q: %d %t %t, want %d %t %t", text, end, escapes, high, wantEnd, wantEscapes, wantHigh)
	}
	return true
}

// assembled tells whether this machine has quoted at all.
func assembled() bool {
	end, _, _ := quoted([]byte(strings.Repeat("\"", 64)))
	return end == 0
}

func TestQuoted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	alphabets := []string{`a\"`, `ab\\\\\\"`, "abcdefghijklmnopqrstuvwxyz0123456789 :,{}\\nrt\\/bf", "abcdefghijklmnopqrstuvwxyz\u00e4\\\"", "abcdefghijkl\\u\"\n\x1f\x20\x00\x7f\x80\xff"}
	found := 0
	for range 200_000 {
		alphabet := alphabets[rng.IntN(len(alphabets))]
		text := make([]byte, rng.IntN(200))
		for i := range text {
			text[i] = alphabet[rng.IntN(len(alphabet))]
		}
		if checkQuoted(t, text) {
			found++
		}
	}
	if assembled() && found < 50_000 {
		t.Errorf("only %d strings were found", found)
	}
}

func FuzzQuoted(f *testing.F) {
	seeds := []string{`"`, `abc"`, strings.Repeat(`\\`, 40) + `"`, strings.Repeat(`a\n`, 40) + `"` + strings.Repeat("x", 40), strings.Repeat("x", 31) + `\"x"` + strings.Repeat("y", 64), "\xff\x80" + strings.Repeat(" ", 40) + `"`, strings.Repeat("\x1f", 33)}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	if len(seeds) != 7 {
		f.Fatal("seeds are missing")
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkQuoted(t, text) })
}
