package stixpattern

import (
	"fmt"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	const text = `([process:command_line LIKE '%delete shadows%' AND process:image_ref.name = 'vssadmin.exe'] FOLLOWEDBY [file:name MATCHES '\\.locked$'] REPEATS 10 TIMES) WITHIN 60 SECONDS`
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLook(b *testing.B) {
	observed, err := Decode([]byte(observedData))
	if err != nil {
		b.Fatal(err)
	}
	p := compiled(b, `[file:name LIKE '%.dll' AND file:parent_directory_ref.path = 'C:\\Windows'] OR [file:contains_refs[*].size = 2]`)
	for b.Loop() {
		p.Look(observed[0].Objects)
	}
}

// BenchmarkBind is a search among points in time, of which a tenth belong to each test and none match.
func BenchmarkBind(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := compiled(b, "([a:b = 1] FOLLOWEDBY [a:b = 2] AND [a:b = 3]) WITHIN 1 SECONDS")
			tests := make([]int, n)
			for i := range tests { // two seconds lie between those that a match would need
				tests[i] = []int{0, -1, 1, -1, 2, -1, -1, -1, -1, -1}[i%10]
			}
			seen := seenAll(p, tests...)
			for b.Loop() {
				if _, err := p.Bind(seen, steps(MaxSteps)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
