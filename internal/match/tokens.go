package match

import (
	"strings"

	"shieldwall/internal/indicator"
)

// Limits on what is cut out of text fields; what they leave out is counted in Stats.
const (
	// minWord is the shortest token, such as "a.b" or "::1", in bytes.
	minWord = 3
	// maxTextScanned bounds the bytes of one field that are looked through.
	maxTextScanned = 64 << 10
	// maxTokens bounds the tokens of one event that are looked up; a long one counts as one for each
	// tokenBytes begun, so that URLs inside one another cost no more.
	maxTokens  = 4096
	tokenBytes = 64
)

// tokenKind is what a token looks like.
type tokenKind uint8

const (
	tokenURL tokenKind = iota + 1
	tokenEmail
	tokenAddress
	tokenHost // has a dot: a domain or a file's name
	tokenHash
)

// The classes of a word's bytes.
const (
	inWord   = 1 << iota
	isDot    // .
	isColon  // :
	isAt     // @
	notHex   // neither a hexadecimal digit, a dot nor a colon
	notDigit // neither a digit nor a dot
)

// classes says which bytes words are made of. Bytes above ASCII are, for names may be spelled with them.
var classes = func() (out [256]uint8) {
	for c := range 256 {
		b := byte(c)
		switch {
		case b == '.':
			out[c] = inWord | isDot
		case b == ':':
			out[c] = inWord | isColon | notDigit
		case b == '@':
			out[c] = inWord | isAt | notHex | notDigit
		case b >= '0' && b <= '9':
			out[c] = inWord
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			out[c] = inWord | notDigit
		case b|0x20 >= 'g' && b|0x20 <= 'z', b == '-', b == '_', b == '+', b >= 0x80:
			out[c] = inWord | notHex | notDigit
		}
	}
	return out
}()

// cutPlain cuts out of a text, in one pass, what looks like an indicator. yield says whether to go on.
func cutPlain(text string, yield func(tokenKind, string) bool) {
	for i := 0; i < len(text); {
		if classes[text[i]] == 0 {
			i++
			continue
		}
		start, seen := i, uint8(0)
		for i < len(text) && classes[text[i]] != 0 {
			seen |= classes[text[i]]
			i++
		}
		if !cutFound(text, start, i, seen, yield) {
			return
		}
	}
}

// cutFound takes a word of a text, and the classes of its bytes.
func cutFound(text string, start, end int, seen uint8, yield func(tokenKind, string) bool) bool {
	if seen&isColon != 0 && text[end-1] == ':' && strings.HasPrefix(text[end:], "//") {
		// The host behind it is cut as a word of its own.
		url := urlAt(text, start, end)
		return url == "" || yield(tokenURL, url)
	}
	const dull = inWord | notHex | notDigit
	if seen&^dull == 0 && (seen&notHex != 0 && !isAround(text[start]) && !isAround(text[end-1]) || end-start < 32) {
		return true // a word of a language: nothing to look up
	}
	if seen&(isDot|isAt) == 0 && end-start <= 32 && text[end-1] == ':' && strings.IndexByte(text[start:end-1], ':') < 0 {
		return true // a label, as rendered messages have them: "Image:"
	}
	return cutWord(text[start:end], seen, yield)
}

// endsURL are the bytes that stand in no URL as people and programs write it down.
var endsURL = func() (out [256]bool) {
	for c := range byte(' ' + 1) {
		out[c] = true
	}
	for _, c := range []byte("\x7f\"'<>`|^{}\\()") {
		out[c] = true
	}
	return out
}()

// urlAt returns the URL whose scheme ends the word between start and colon, with the "//" behind it.
func urlAt(text string, start, colon int) string {
	scheme := colon - 1
	for scheme > start && schemeByte(text[scheme-1]) {
		scheme--
	}
	end := colon + len("//")
	most := min(len(text), scheme+indicator.MaxValue+1) // one more than any indicator has
	for end < most && !endsURL[text[end]] {
		end++
	}
	for end > colon && strings.IndexByte(".,;:!", text[end-1]) >= 0 {
		end-- // the sentence's, not the URL's
	}
	if scheme == colon-1 || end <= colon+len("//") {
		return ""
	}
	return text[scheme:end]
}

func schemeByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+'
}

// isAround tells the bytes that no token begins or ends with.
func isAround(c byte) bool { return c == '.' || c == '-' || c == ':' || c == '@' || c == '+' }

func trimEnd(s string) string {
	for len(s) > 0 && isAround(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func trimAround(s string) string {
	for len(s) > 0 && isAround(s[0]) {
		s = s[1:]
	}
	return trimEnd(s)
}

// cutWord says what a word looks like; one with single colons, such as host:port, is taken apart.
func cutWord(word string, seen uint8, yield func(tokenKind, string) bool) bool {
	if len(word) < minWord {
		return true
	}
	if seen&(isDot|isColon|isAt|notHex) == 0 {
		return !hashLength(len(word)) || yield(tokenHash, word)
	}
	if seen&isColon != 0 {
		if seen&notHex == 0 && strings.Count(word, ":") > 1 {
			return yield(tokenAddress, strings.TrimRight(word, "."))
		}
		for part := range strings.SplitSeq(word, ":") {
			if part != "" && !cutWord(part, classesOf(part), yield) {
				return false
			}
		}
		return true
	}
	if seen&isAt != 0 {
		word = trimAround(word)
		at := strings.LastIndexByte(word, '@')
		if at > 0 && !yield(tokenEmail, word) {
			return false
		}
		word = word[at+1:]
	}
	whole := word
	if word = trimAround(word); len(word) != len(whole) || seen&isAt != 0 {
		seen = classesOf(word)
	}
	switch {
	case seen&isDot == 0:
		return seen&notHex != 0 || !hashLength(len(word)) || yield(tokenHash, word)
	case seen&notDigit == 0:
		return yield(tokenAddress, word)
	}
	// A file's name may begin with what no domain does.
	if front := trimEnd(whole); len(front) != len(word) && !yield(tokenHost, front) {
		return false
	}
	return yield(tokenHost, word)
}

func classesOf(text string) (seen uint8) {
	for i := range len(text) {
		seen |= classes[text[i]]
	}
	return seen
}

// hashLength tells the lengths of MD5, SHA-1, SHA-256 and SHA-512 in hexadecimal.
func hashLength(n int) bool { return n == 32 || n == 40 || n == 64 || n == 128 }
