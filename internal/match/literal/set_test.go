package literal

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"shieldwall/internal/match/compare"
)

func holds(n Needle, text string) bool {
	switch n.Kind {
	case Contains:
		return strings.Contains(text, n.Text)
	case Prefix:
		return strings.HasPrefix(text, n.Text)
	case Suffix:
		return strings.HasSuffix(text, n.Text)
	}
	return text == n.Text
}

// check compares a set with the standard library on one text.
func check(t *testing.T, list []Needle, text string, found *Found) {
	t.Helper()
	model := new(Model)
	model.Add([]byte(text))
	for _, s := range []*Set{New(list, model), NewIndex(list, model), build(list, model, 0), build(list, model, 0).index(), build(list, model, 1000)} {
		checkSet(t, s, list, text, found)
	}
	checkTeddy(t, NewIndex(list, model), text)
	for i, n := range list { // each alone, so that none hides behind another
		if got := New(list[i:i+1], model).Any([]byte(text)); got != holds(n, text) {
			t.Fatalf("%q in %q: %t", n, text, got)
		}
	}
}

// checkTeddy holds the assembly to the plain code.
func checkTeddy(t *testing.T, s *Set, text string) {
	t.Helper()
	if s.few == nil {
		return
	}
	long := []byte(strings.Repeat(text+"\xff ", 1+120/(len(text)+1)))
	for rest := long; len(rest) > 0; rest = rest[1+len(rest)/8:] {
		at, places, high := teddyFind(rest, &s.few.masks)
		wantAt, wantPlaces, wantHigh := teddyPlain(rest, &s.few.masks)
		if at != wantAt || places != wantPlaces || high&0x80 != wantHigh&0x80 {
			t.Fatalf("%q: %d %b %x, want %d %b %x", rest, at, places, high, wantAt, wantPlaces, wantHigh)
		}
	}
}

func checkSet(t *testing.T, s *Set, list []Needle, text string, found *Found) {
	t.Helper()
	var want []uint32
	for i, n := range list {
		if holds(n, text) {
			want = append(want, uint32(i))
		}
	}
	found.Reset(s.Len())
	s.Find([]byte(text), found)
	got := slices.Sorted(slices.Values(found.Numbers))
	if !slices.Equal(got, want) {
		t.Fatalf("%q in %q: found %d, want %d", list, text, got, want)
	}
	if any := s.Any([]byte(text)); any != (len(want) > 0) {
		t.Fatalf("%q in %q: any is %t", list, text, any)
	}
	raw := strings.NewReplacer("k", "\u212a", "i", "\u0130").Replace(strings.ToUpper(text))
	if compare.Fold(raw) == text && len(want) > 0 && (!s.MayHold(raw) || !s.MayHold(strings.ToUpper(text))) {
		t.Fatalf("%q in %q: not held in capitals", list, text)
	}
}

// needles reads a list out of fuzzed bytes: lines, the first byte of each its kind.
func needles(spec string) []Needle {
	var list []Needle
	for line := range strings.SplitSeq(spec, "\n") {
		if line != "" && len(list) < 64 {
			list = append(list, Needle{Kind(line[0]) % 4, line[1:]})
		}
	}
	return list
}

var seeds = [][2]string{
	{"", ""}, {"0abc\n1abc\n2abc\n3abc", "abc"}, {"0\n1\n2\n3", ""}, {"0\n1\n2\n3", "x"}, {"0a\n0ab\n0abc\n0abcd\n0abcde\n0abcdef\n0abcdefg\n0abcdefgh", "xabcdefghx"},
	{"2\\powershell.exe\n2ell.exe\n2.exe\n2e", "c:\\windows\\powershell.exe"}, {"1c:\\windows\\system32\\\n1c\n1c:", "c:\\windows\\system32\\x"},
	{"0aaaa\n0aaaaaaaa\n0aaaaaaaaaaaa", "aaaaaaaaaaa"}, {"3a long text that is equal\n3a longer text that is equal", "a long text that is equal"},
	{"0\xff\xfe\x00a\n2\x00", "\xff\xfe\x00a\x00"}, {"0\u202e\n0\u00e9", "x\u202ey\u00e9"},
}

func TestSeeds(t *testing.T) {
	if len(seeds) < 11 {
		t.Errorf("%d seeds", len(seeds))
	}
}

func FuzzSet(f *testing.F) {
	for _, s := range seeds {
		f.Add(s[0], s[1])
	}
	found := new(Found)
	f.Fuzz(func(t *testing.T, spec, text string) { check(t, needles(spec), text, found) })
}

// TestRandom takes needles of every length and kind out of the text itself, where they collide most.
func TestRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	found := new(Found)
	for range 3000 {
		text := make([]byte, rnd.IntN(60))
		for i := range text {
			text[i] = "abcd"[rnd.IntN(1+rnd.IntN(4))]
		}
		var list []Needle
		for range rnd.IntN(40) {
			from := rnd.IntN(len(text) + 1)
			to := from + rnd.IntN(len(text)-from+1)
			piece := bytes.Clone(text[from:to])
			if len(piece) > 0 && rnd.IntN(2) == 0 {
				piece[rnd.IntN(len(piece))] ^= 1
			}
			list = append(list, Needle{Kind(rnd.IntN(4)), string(piece)})
		}
		check(t, list, string(text), found)
	}
}

// TestFoldsIntoASCII checks what mayHold takes for granted.
func TestFoldsIntoASCII(t *testing.T) {
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if unicode.ToLower(r) < 0x80 && string(r) != foldsToK && string(r) != foldsToI {
			t.Errorf("%U folds into ASCII", r)
		}
	}
}
