package literal

import (
	"strings"
	"testing"
)

// BenchmarkScan walks over a kilobyte that holds nothing of what is looked for.
func BenchmarkScan(b *testing.B) {
	text := strings.Repeat(`"C:\Windows\System32\svchost.exe" -k netsvcs -p ProcessGuid: {5aa1d3b5} `, 14)
	folded := []byte(strings.ToLower(text))
	var small, large []Needle
	for i := range 20 {
		small = append(small, Needle{Contains, "sekurlsa::" + string(rune('a'+i))})
	}
	for i := range 2000 {
		large = append(large, Needle{Contains, strings.Repeat(string(rune('a'+i%26)), 2) + "q" + string(rune('a'+i/26%26)) + string(rune('a'+i/676))})
	}
	model := new(Model)
	b.Run("raw", func(b *testing.B) {
		s := NewIndex(small, model)
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if s.MayHold(text) {
				b.Fatal("held")
			}
		}
	})
	b.Run("small", func(b *testing.B) { benchmarkAny(b, NewIndex(small, model), folded) })
	b.Run("large", func(b *testing.B) { benchmarkAny(b, NewIndex(large, model), folded) })
}

func benchmarkAny(b *testing.B, s *Set, text []byte) {
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if s.Any(text) {
			b.Fatal("held")
		}
	}
}
