package match

import (
	"bytes"
	"strings"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
)

// fieldURL looks a field's URL up, and its host. A bare path belongs to the event's host.
func (s *search) fieldURL(text string) {
	if strings.HasPrefix(text, "/") {
		host, _ := s.event.Get("cs-host")
		if host.Kind == event.List && len(host.Items) > 0 {
			host = host.Items[0]
		}
		if host.Text == "" {
			return
		}
		text = host.Text + text
	}
	if len(text) > indicator.MaxValue {
		text = text[:indicator.MaxValue] // too long for any indicator, but it has a host
	}
	rest := s.wholeURL(text)
	host, _, _ := strings.Cut(rest, "/")
	if port := strings.LastIndexByte(host, ':'); port >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:port]
	}
	s.host(host)
}

// wholeURL looks a URL up, with and without its scheme; it returns what stands behind the scheme, and
// nothing if it is no URL.
func (s *search) wholeURL(text string) (rest string) {
	var simple bool
	s.url, simple = indicator.AppendSimpleURL(s.url[:0], text)
	if !simple {
		full, err := indicator.NormalURL(text)
		if err != nil {
			return ""
		}
		s.url = append(s.url[:0], full...)
		text = full
	}
	rest = text[schemeLen(s.url):]
	if s.has(indicator.URL) {
		s.spellings()
	}
	return rest
}

// spellings looks up the URL in s.url in every way in which an indicator may spell it.
func (s *search) spellings() {
	s.exact(indicator.URL, s.url)
	n := schemeLen(s.url)
	if n == 0 {
		s.buf = append(append(s.buf[:0], "http://"...), s.url...)
		s.exact(indicator.URL, s.buf)
		s.buf = append(append(s.buf[:0], "https://"...), s.url...)
		s.exact(indicator.URL, s.buf)
		return
	}
	if bytes.HasPrefix(s.url, []byte("http://")) || bytes.HasPrefix(s.url, []byte("https://")) {
		s.exact(indicator.URL, s.url[n:]) // indicators without a scheme
	}
}

// schemeLen is the length of a URL's scheme with its "://", 0 if it has none.
func schemeLen(url []byte) int {
	for i, c := range url {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.' {
			continue
		}
		if i > 0 && bytes.HasPrefix(url[i:], []byte("://")) {
			return i + len("://")
		}
		return 0
	}
	return 0
}

// hashes splits "ALG=digits,ALG=digits".
func (s *search) hashes(text string) {
	for part := range strings.SplitSeq(text, ",") {
		name, digits, named := strings.Cut(strings.TrimSpace(part), "=")
		if !named {
			digits = name
		}
		if !s.hasHash(len(digits)) {
			continue
		}
		t, known := indicator.HashNamed(name)
		if !known {
			if named {
				continue
			}
			t = bareHash(s.field.Name, digits)
		}
		s.lookup(t, digits)
	}
}

// hasHash tells whether anybody looks for hashes of so many digits.
func (s *search) hasHash(digits int) bool {
	switch digits {
	case 32:
		return s.has(indicator.MD5) || s.has(indicator.Imphash)
	case 40:
		return s.has(indicator.SHA1)
	case 64:
		return s.has(indicator.SHA256)
	case 128:
		return s.has(indicator.SHA512)
	}
	return false
}

// registry looks a key up. Sysmon's TargetObject is a key, or a key and the name of a value in it.
func (s *search) registry(text string) {
	if !s.has(indicator.RegistryKey) || len(text) > indicator.MaxValue {
		return
	}
	s.url = indicator.AppendRegistryKey(s.url[:0], text)
	s.exact(indicator.RegistryKey, s.url)
	if last := bytes.LastIndexByte(s.url, '\\'); last > 0 {
		s.exact(indicator.RegistryKey, s.url[:last])
	}
}

// mutex looks a mutex up by its name, which the Security log writes as an object of the kernel's:
// "\\Sessions\\1\\BaseNamedObjects\\name".
func (s *search) mutex(text string) {
	if _, name, ok := strings.Cut(text, `\BaseNamedObjects\`); ok {
		text = name
	}
	s.lookup(indicator.Mutex, text)
}

// words looks up what a text holds.
func (s *search) words(text string) {
	if len(text) > maxTextScanned {
		text, s.cut = text[:maxTextScanned], true
	}
	cutTokens(text, func(kind tokenKind, token string) bool {
		if s.tokens += 1 + len(token)/tokenBytes; s.tokens > maxTokens {
			s.cut = true
			return false
		}
		s.token(kind, token)
		return true
	})
}

func (s *search) token(kind tokenKind, token string) {
	switch kind {
	case tokenURL:
		if s.has(indicator.URL) && len(token) <= indicator.MaxValue {
			s.wholeURL(token)
		}
	case tokenEmail:
		s.lookup(indicator.Email, token)
	case tokenAddress:
		s.address(token)
	case tokenHost:
		s.domain(token)
		s.lookup(indicator.FileName, token)
	case tokenHash:
		s.lookup(bareHash("", token), token)
	}
}
