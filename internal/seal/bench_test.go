package seal

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"strings"
	"testing"

	"shieldwall/internal/entry"
)

// sizes are a rule of 2 KB and a bulk entry of 60 KB packed, both as text that packs like rules do.
func sizes() map[string]entry.Payload {
	var bulk [][]byte
	for i := range 80 {
		rule := strings.Repeat("selection:\n    Image|endswith: '\\powershell.exe'\n", 10) + strings.Repeat(string(rune('a'+i%26)), i)
		bulk = append(bulk, []byte(rule), dictionary[100*i:100*i+1000])
	}
	return map[string]entry.Payload{
		"rule": payload(string(dictionary[len(dictionary)-2000:])),
		"bulk": {Type: entry.Objects, TLP: 2, Audience: "alliance", Objects: bulk},
	}
}

func length(p entry.Payload) (n int64) {
	for _, o := range p.Objects {
		n += int64(len(o))
	}
	return n
}

func BenchmarkEntry(b *testing.B) {
	key := newKey(b)
	for name, p := range sizes() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(length(p))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Entry(key, log, 1, 1, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenEntry(b *testing.B) {
	key := newKey(b)
	for name, p := range sizes() {
		raw, err := Entry(key, log, 1, 1, p)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(length(p))
			b.ReportAllocs()
			for b.Loop() {
				e, err := entry.Parse(raw)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := OpenEntry(key, e, log, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCorpus seals the corpus's rules, one an entry.
func BenchmarkCorpus(b *testing.B) {
	rules, key := corpusRules(b), newKey(b)
	var payloads []entry.Payload
	var size int64
	for _, r := range rules {
		p := payload(indicator(b, r))
		payloads = append(payloads, p)
		size += length(p)
	}
	b.SetBytes(size / int64(len(rules)))
	for i := 0; b.Loop(); i++ {
		if _, err := Entry(key, log, 1, uint64(i), payloads[i%len(payloads)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBlob(b *testing.B) {
	p := payload(strings.Repeat(string(dictionary), 20))
	b.SetBytes(length(p))
	for b.Loop() {
		data, ref, err := Blob(rand.Reader, p)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := OpenBlob(ref, data); err != nil {
			b.Fatal(err)
		}
	}
}

func wrapped(b *testing.B) (hpke.PrivateKey, []byte, []byte) {
	b.Helper()
	priv, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		b.Fatal(err)
	}
	opening := bytes.Repeat([]byte{1}, 76)
	w, err := Wrap(newKey(b), opening, Member("a"), priv.PublicKey().Bytes())
	if err != nil {
		b.Fatal(err)
	}
	return priv, opening, w
}

func BenchmarkWrap(b *testing.B) {
	priv, opening, _ := wrapped(b)
	key, pub := newKey(b), priv.PublicKey().Bytes()
	for b.Loop() {
		if _, err := Wrap(key, opening, Member("a"), pub); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrap(b *testing.B) {
	priv, opening, w := wrapped(b)
	for b.Loop() {
		if _, err := Unwrap(w, opening, Member("a"), priv); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnwrapAnothers is what each wrap costs that is not ours: an epoch has one for every reader.
func BenchmarkUnwrapAnothers(b *testing.B) {
	priv, opening, w := wrapped(b)
	for b.Loop() {
		if _, err := Unwrap(w, opening, Member("b"), priv); err == nil {
			b.Fatal("opened")
		}
	}
}
