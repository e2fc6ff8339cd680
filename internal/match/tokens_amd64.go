package match

import (
	"math/bits"
	"unsafe"

	"golang.org/x/sys/cpu"
)

var hasAVX2 = cpu.X86.HasAVX2

// classifyAVX2 says of blocks of 64 bytes which of them are of words, and which are dots, colons and at signs: a bit
// a byte, the first in the lowest.
//
//go:noescape
func classifyAVX2(text *byte, blocks int, words, marks *uint64)

const (
	blockBytes = 64
	// blocksAtOnce are classified together, and one more to look ahead into.
	blocksAtOnce = 8
	// worthBlocks is the length of a text from which on it is cut by blocks.
	worthBlocks = 24
)

// cutTokens is cutPlain: it finds the words that may be something by blocks, and looks at their bytes alone. Most
// words are of a language: short, without a dot, a colon or an at sign.
func cutTokens(text string, yield func(tokenKind, string) bool) {
	if !hasAVX2 || len(text) < worthBlocks {
		cutPlain(text, yield)
		return
	}
	c := blockCutter{text: text}
	for from := 0; from < len(text); from += blocksAtOnce * blockBytes {
		c.from, c.n = from, classify(text[from:], &c.words, &c.marks)
		for k := range min(c.n, blocksAtOnce) {
			if !c.block(k, yield) {
				return
			}
		}
	}
}

// blockCutter cuts the words of a text block by block.
type blockCutter struct {
	text  string
	from  int // where the blocks begin that are classified
	n     int // how many they are
	done  int // what is before was looked at
	words [blocksAtOnce + 1]uint64
	marks [blocksAtOnce + 1]uint64
}

// block cuts the words that begin in a block and may be something.
func (c *blockCutter) block(k int, yield func(tokenKind, string) bool) bool {
	base := c.from + k*blockBytes
	may := c.marks[k]
	if k+1 < c.n {
		may |= long(c.words[k], c.words[k+1])
	} else {
		may |= long(c.words[k], 0)
	}
	for {
		if c.done > base {
			if c.done >= base+blockBytes {
				return true
			}
			may &= ^uint64(0) << (c.done - base)
		}
		if may == 0 {
			return true
		}
		bit := bits.TrailingZeros64(may)
		start := c.start(k, base, bit)
		end, marked := c.end(k, bit)
		c.done = end
		inside := ^uint64(0) << max(start-base, 0)
		if end < base+blockBytes {
			inside &= 1<<(end-base) - 1
		}
		marks := c.marks[k] & inside
		switch {
		case start < base || marked: // it may have marks elsewhere
		case marks == 0 && hasNotHex(c.text[start:end]) && !isAround(c.text[start]) && !isAround(c.text[end-1]):
			continue // a long word of a language, or base64
		case marks == 1<<(end-1-base) && end-start <= 32 && c.text[end-1] == ':' && !(end < len(c.text) && c.text[end] == '/'):
			continue // a label, or a drive
		}
		if !cutFound(c.text, start, end, classesOf(c.text[start:end]), yield) {
			return false
		}
	}
}

// start is where the word begins in which a bit of a block stands: behind the nearest byte of no word, in this block or
// before.
func (c *blockCutter) start(k, base, bit int) int {
	if gap := ^c.words[k] & (1<<bit - 1); gap != 0 {
		return max(c.done, base+64-bits.LeadingZeros64(gap))
	}
	start := base
	for start > c.done && classes[c.text[start-1]] != 0 {
		start--
	}
	return start
}

// end is where the word ends in which a bit of a block stands; marked tells whether it has marks in the blocks behind
// that one.
func (c *blockCutter) end(k, bit int) (end int, marked bool) {
	if gap := ^c.words[k] & (^uint64(0) << bit); gap != 0 {
		return c.from + k*blockBytes + bits.TrailingZeros64(gap), false
	}
	from, n, words, marks := c.from, c.n, &c.words, &c.marks
	var ahead [2][blocksAtOnce + 1]uint64 // a long word: blobs in base64 go on for kilobytes
	for k++; ; k++ {
		if k == n {
			if from += n * blockBytes; from >= len(c.text) {
				return len(c.text), marked
			}
			words, marks, k = &ahead[0], &ahead[1], 0
			n = classify(c.text[from:], words, marks)
		}
		if gap := ^words[k]; gap != 0 {
			at := bits.TrailingZeros64(gap)
			return min(from+k*blockBytes+at, len(c.text)), marked || marks[k]&(1<<at-1) != 0
		}
		marked = marked || marks[k] != 0
	}
}

// hasNotHex tells whether a word has a byte that no hash and no address has.
func hasNotHex(word string) bool {
	for i := range len(word) {
		if classes[word[i]]&notHex != 0 {
			return true
		}
	}
	return false
}

// classify classifies the start of a text, and says how many blocks it did. Behind the text's end there is no word.
func classify(text string, words, marks *[blocksAtOnce + 1]uint64) int {
	whole := min(len(text)/blockBytes, len(words))
	if whole > 0 {
		classifyAVX2(unsafe.StringData(text), whole, &words[0], &marks[0])
	}
	if whole == len(words) || whole*blockBytes == len(text) {
		return whole
	}
	var last [blockBytes]byte // zeros are of no word
	copy(last[:], text[whole*blockBytes:])
	classifyAVX2(&last[0], 1, &words[whole], &marks[whole])
	return whole + 1
}

// long has the places in lo where 32 ones or more begin, that reach into hi perhaps: a hash in hexadecimal has no fewer
// digits.
func long(lo, hi uint64) uint64 {
	for n := 1; n < 32; n *= 2 {
		lo, hi = lo&(lo>>n|hi<<(64-n)), hi&(hi>>n)
	}
	return lo
}
