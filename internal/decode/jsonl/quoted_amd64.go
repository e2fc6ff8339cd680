package jsonl

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

// quotedAVX2 finds the quote that ends a string of which text is the first byte and n bytes are at hand. It
// gives up, with an end of -1, where the string has anything but printable characters and simple escapes, and
// where it ends within the last 31 bytes.
//
//go:noescape
func quotedAVX2(text *byte, n int) (end int, escapes, high bool)

// quoted finds the end of the string that text starts with, behind its quote: see quotedAVX2.
func quoted(text []byte) (end int, escapes, high bool) {
	if !hasAVX2 || len(text) == 0 {
		return -1, false, false
	}
	return quotedAVX2(&text[0], len(text))
}
