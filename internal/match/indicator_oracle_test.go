package match

import (
	"net/netip"
	"regexp"
	"strings"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
)

// The oracle: indicators in Go maps, looked up in the plainest way.

type plainEntry struct {
	unit *unit
	ind  *indicator.Indicator
}

type plainFound struct {
	*plainEntry
	fields []event.Field
}

type value struct {
	kind indicator.Type
	text string
}

type plainSets struct {
	fields   map[string]use
	values   map[value][]*plainEntry
	networks map[netip.Prefix][]*plainEntry
}

func newPlainSets(units []*unit) *plainSets {
	s := &plainSets{indicatorFields(), map[value][]*plainEntry{}, map[netip.Prefix][]*plainEntry{}}
	for _, u := range units {
		for i := range u.indicators {
			one := &plainEntry{u, &u.indicators[i]}
			if one.ind.Type == indicator.Network {
				s.networks[one.ind.Prefix] = append(s.networks[one.ind.Prefix], one)
				continue
			}
			v := value{one.ind.Type, one.ind.Value}
			s.values[v] = append(s.values[v], one)
		}
	}
	return s
}

func plainKey(text string) string {
	text = strings.TrimRight(fold(text), `\`)
	for _, root := range [][2]string{
		{`hkey_local_machine`, "hklm"}, {`\registry\machine`, "hklm"}, {`hkey_users`, "hku"}, {`\registry\user`, "hku"},
		{`hkey_current_user`, "hkcu"}, {`hkey_classes_root`, "hkcr"}, {`hkey_current_config`, "hkcc"},
	} {
		if rest, ok := strings.CutPrefix(text, root[0]); ok && (rest == "" || rest[0] == '\\') {
			return root[1] + rest
		}
	}
	return text
}

type plainTok struct {
	kind tokenKind
	text string
}

var (
	plainURL    = regexp.MustCompile(`[A-Za-z0-9+]+://[^\x00-\x20\x7f"'<>` + "`" + `|^{}\\()]+`)
	plainScheme = regexp.MustCompile(`^[a-z0-9+.\-]+$`)
	plainWord   = regexp.MustCompile(`(?s:[A-Za-z0-9.:@_+\-]|[^\x00-\x7f])+`)
	plainV6     = regexp.MustCompile(`^[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*$`)
	plainV4     = regexp.MustCompile(`^[0-9.]*$`)
	plainHash   = regexp.MustCompile(`^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{128})$`)
)

// plainTokens is cutTokens by regular expressions; it wants valid UTF-8.
func plainTokens(text string) (out []plainTok) {
	for _, url := range plainURL.FindAllString(text, -1) {
		for url != "" {
			scheme, rest, _ := strings.Cut(url, "://")
			if trimmed := strings.TrimRight(url[:min(len(url), indicator.MaxValue+1)], ".,;:!"); len(trimmed) > len(scheme)+3 {
				out = append(out, plainTok{tokenURL, trimmed})
			}
			if url = plainURL.FindString(rest); url == "" {
				break
			}
		}
	}
	for _, at := range plainWord.FindAllStringIndex(text, -1) {
		word := text[at[0]:at[1]]
		if strings.HasSuffix(word, ":") && strings.HasPrefix(text[at[1]:], "//") {
			continue
		}
		if len(word) < 3 {
			continue
		}
		if plainV6.MatchString(word) {
			out = append(out, plainTok{tokenAddress, strings.TrimRight(word, ".")})
			continue
		}
		for part := range strings.SplitSeq(word, ":") {
			out = append(out, plainPart(part)...)
		}
	}
	return out
}

const plainAround = ".-:@+"

func plainPart(part string) (out []plainTok) {
	if len(part) < 3 {
		return nil
	}
	if strings.Contains(part, "@") {
		part = strings.Trim(part, plainAround)
		at := strings.LastIndexByte(part, '@')
		if at > 0 {
			out = append(out, plainTok{tokenEmail, part})
		}
		part = part[at+1:]
	}
	word := strings.Trim(part, plainAround)
	switch {
	case plainHash.MatchString(word):
		out = append(out, plainTok{tokenHash, word})
	case !strings.Contains(word, "."):
	case plainV4.MatchString(word):
		out = append(out, plainTok{tokenAddress, word})
	default:
		if front := strings.TrimRight(part, plainAround); front != word {
			out = append(out, plainTok{tokenHost, front})
		}
		out = append(out, plainTok{tokenHost, word})
	}
	return out
}

func (s *plainSearch) plainToken(t plainTok) {
	switch t.kind {
	case tokenURL:
		s.urlAlone(t.text)
	case tokenEmail:
		s.lookup(indicator.Email, fold(t.text))
	case tokenAddress:
		s.address(t.text)
	case tokenHost:
		s.name(t.text)
		s.lookup(indicator.FileName, fold(t.text))
	case tokenHash:
		s.lookup(bareHash("", t.text), fold(t.text))
	}
}

// plainSearch is one event being looked through.
type plainSearch struct {
	sets  *plainSets
	event *event.Event
	now   time.Time
	field *event.Field
	found []plainFound
	seen  map[*plainEntry]int // -> index in found
}

// match appends every indicator that the event holds, each once, with all fields it was met in.
func (s *plainSets) match(ev *event.Event, now time.Time, out []plainFound) []plainFound {
	look := plainSearch{sets: s, event: ev, now: now, found: out}
	for i := range ev.Fields {
		look.field = &ev.Fields[i]
		uses := s.fields[look.field.Name]
		if uses == 0 {
			continue
		}
		for _, text := range plainTexts(look.field.Value) {
			look.text(uses, strings.TrimSpace(text))
		}
	}
	return look.found
}

// plainTexts are a field's values that are not null.
func plainTexts(v event.Value) (out []string) {
	switch v.Kind {
	case event.Null:
		return nil
	case event.List:
		for _, item := range v.Items {
			out = append(out, plainTexts(item)...)
		}
		return out
	}
	return []string{v.Text}
}

func (s *plainSearch) text(uses use, text string) {
	if text == "" || text == "-" { // "-" is how Windows and W3C logs write nothing
		return
	}
	if uses&asHost != 0 {
		s.host(text)
	}
	if uses&asAddress != 0 {
		s.address(text)
	}
	if uses&asAddresses != 0 {
		for part := range strings.SplitSeq(text, ";") {
			s.host(part[strings.LastIndexByte(part, ' ')+1:])
		}
	}
	if uses&asURL != 0 {
		s.url(text)
	}
	if uses&asHashes != 0 {
		s.hashes(text)
	}
	if uses&asPath != 0 {
		s.lookup(indicator.FileName, fold(text[strings.LastIndexAny(text, `\/`)+1:]))
	}
	if uses&asEmail != 0 {
		s.lookup(indicator.Email, fold(strings.Trim(text, "<>")))
	}
	if uses&asRegistry != 0 {
		key := plainKey(text)
		s.lookup(indicator.RegistryKey, key)
		if last := strings.LastIndexByte(key, '\\'); last > 0 {
			s.lookup(indicator.RegistryKey, key[:last])
		}
	}
	if uses&asMutex != 0 {
		if _, name, ok := strings.Cut(text, `\BaseNamedObjects\`); ok {
			text = name
		}
		s.lookup(indicator.Mutex, fold(text))
	}
	if uses&asText != 0 {
		for _, tok := range plainTokens(text) {
			s.plainToken(tok)
		}
	}
}

// met notes an indicator; one that is not valid now was not met.
func (s *plainSearch) met(list []*plainEntry) {
	for _, one := range list {
		if !one.unit.valid(s.now) {
			continue
		}
		i, known := s.seen[one]
		if !known {
			if s.seen == nil {
				s.seen = map[*plainEntry]int{}
			}
			i = len(s.found)
			s.seen[one] = i
			s.found = append(s.found, plainFound{plainEntry: one})
		}
		f := &s.found[i]
		if n := len(f.fields); n == 0 || f.fields[n-1].Name != s.field.Name {
			f.fields = append(f.fields, *s.field)
		}
	}
}

func (s *plainSearch) lookup(t indicator.Type, text string) {
	s.met(s.sets.values[value{t, text}])
}

// host looks a name up with every domain above it: a STIX domain matches itself, a listed one also
// what is below it.
func (s *plainSearch) host(text string) {
	if text == "" || len(text) > maxHost {
		return
	}
	if s.address(text) {
		return
	}
	s.name(text)
}

func (s *plainSearch) name(text string) {
	if len(text) > maxHost {
		return
	}
	name := strings.TrimSuffix(fold(text), ".")
	s.lookup(indicator.Domain, name)
	for above := name; ; {
		dot := strings.IndexByte(above, '.')
		if dot < 0 {
			return
		}
		above = above[dot+1:]
		for _, one := range s.sets.values[value{indicator.Domain, above}] {
			if one.ind.Subdomains {
				s.met([]*plainEntry{one})
			}
		}
	}
}

// address looks an address up in the networks; it tells whether the text is one.
func (s *plainSearch) address(text string) bool {
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return false
	}
	addr = addr.WithZone("").Unmap()
	for bits := range [129]int{} {
		if prefix, err := addr.Prefix(bits); err == nil {
			s.met(s.sets.networks[prefix])
		}
	}
	return true
}

// url looks a URL up, and its host. A bare path belongs to the event's host.
func (s *plainSearch) url(text string) {
	if strings.HasPrefix(text, "/") {
		host, _ := s.event.Get("cs-host")
		texts := plainTexts(host)
		if len(texts) == 0 {
			return
		}
		text = texts[0] + text
	}
	if len(text) > indicator.MaxValue {
		text = text[:indicator.MaxValue] // too long for any indicator, but it has a host
	}
	s.host(s.urlAlone(text))
}

func (s *plainSearch) urlAlone(text string) string {
	full, err := indicator.NormalURL(text)
	if err != nil {
		return ""
	}
	s.lookup(indicator.URL, full)
	scheme, rest, ok := strings.Cut(full, "://")
	ok = ok && plainScheme.MatchString(scheme) // "://" may stand in a query too
	if ok && (scheme == "http" || scheme == "https") {
		s.lookup(indicator.URL, rest) // indicators without a scheme
	}
	if !ok {
		rest = full
		s.lookup(indicator.URL, "http://"+rest)
		s.lookup(indicator.URL, "https://"+rest)
	}
	host, _, _ := strings.Cut(rest, "/")
	if port := strings.LastIndexByte(host, ':'); port >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:port]
	}
	return host
}

// hashes splits "ALG=digits,ALG=digits".
func (s *plainSearch) hashes(text string) {
	for part := range strings.SplitSeq(text, ",") {
		name, digits, named := strings.Cut(strings.TrimSpace(part), "=")
		if !named {
			digits = name
		}
		t, known := indicator.HashNamed(name)
		if !known {
			if named {
				continue
			}
			t = bareHash(s.field.Name, digits)
		}
		s.lookup(t, fold(digits))
	}
}
