package stixcheck

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Forms of strings that the specification takes from others.

var (
	uri          = form("3.2", "is no URI of RFC 3986", isURI)
	domainName   = form("6.4.1", "is no domain name of RFC 1034 and RFC 5890", isDomainName)
	emailAddress = form("6.5.1", "is no addr-spec of RFC 5322", isEmailAddress)
	ipv4         = form("6.8.1", "is no IPv4 address or network", func(s string) bool { return isNetwork(s, netip.Addr.Is4) })
	ipv6         = form("6.9.1", "is no IPv6 address or network", func(s string) bool { return isNetwork(s, netip.Addr.Is6) })
	macAddress   = form("6.10.1", "is no MAC address of six octets in lower case, with colons", macForm.MatchString)
	characterSet = form("3.9.1", "is not in IANA's registry of character sets", characterSets.has)
	languageTag  = form("3.2", "is no language code of RFC 5646", isLanguageTag)
	cpeName      = form("6.14.1", "is no formatted string of CPE 2.3", cpeForm.MatchString)
	registryKey  = form("6.17.1", "must have its hive in full, HKEY_LOCAL_MACHINE for example", hiveExpanded)

	mediaType       = advised("", "should be a media type of IANA's registry, type/subtype", mediaForm.MatchString)
	protocol        = advised("6.12.1", "should be a name out of IANA's registry of services, in lower case", protocolForm.MatchString)
	countryCode     = advised("4.10.1", "should be a code of ISO 3166-1 alpha-2", countries.has)
	subdivisionCode = advised("4.10.1", "should be a code of ISO 3166-2", isSubdivision)
	priorityClass   = advised("6.13.2.1", "should end in _CLASS", func(s string) bool { return strings.HasSuffix(s, "_CLASS") })
)

var (
	macForm      = regexp.MustCompile(`^[0-9a-f]{2}(:[0-9a-f]{2}){5}$`)
	mediaForm    = regexp.MustCompile(`^(application|audio|font|haptics|image|message|model|multipart|text|video)/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$`)
	protocolForm = regexp.MustCompile(`^[a-z0-9-]{1,15}$`)
	cveForm      = regexp.MustCompile(`^CVE-\d{4}-(0\d{3}|[1-9]\d{3,})$`)
	capecForm    = regexp.MustCompile(`^CAPEC-\d+$`)

	// cpeForm is the grammar of the formatted string binding (NISTIR 7695, section 6.2).
	cpeForm = regexp.MustCompile(`^cpe:2\.3:[aho*-]` + strings.Repeat(cpeValue, 5) + `:([A-Za-z]{2,3}(-([A-Za-z]{2}|[0-9]{3}))?|[*-])` +
		strings.Repeat(cpeValue, 4) + `$`)

	hashForms = map[string]func(string) bool{
		"MD5": digits(32), "SHA-1": digits(40), "SHA-256": digits(64), "SHA-512": digits(128), "SHA3-256": digits(64), "SHA3-512": digits(128),
		"SSDEEP": regexp.MustCompile(`^[0-9]+:[A-Za-z0-9/+]{0,64}:[A-Za-z0-9/+]{0,64}$`).MatchString,
		"TLSH":   regexp.MustCompile(`^(T1)?[0-9A-Fa-f]{70}$`).MatchString, // newer tools put a version in front
	}
)

const cpeValue = `:((\?+|\*)?([A-Za-z0-9._-]|\\[\\*?!"#$%&'()+,/:;<=>@\[\]^` + "`" + `{|}~-])+(\?+|\*)?|[*-])`

func isCVE(s string) bool   { return cveForm.MatchString(s) }
func isCAPEC(s string) bool { return capecForm.MatchString(s) }

func digits(n int) func(string) bool {
	return func(s string) bool { return len(s) == n && isHex(s) }
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

func isHyphenated(s string) bool { return s == strings.ToLower(s) && !strings.ContainsAny(s, " _") }

func isNetwork(s string, family func(netip.Addr) bool) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Zone() == "" && family(a)
	}
	p, err := netip.ParsePrefix(s)
	return err == nil && family(p.Addr())
}

// isURI follows the grammar of RFC 3986, appendix A: a scheme is needed, all is ASCII.
func isURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || !isASCIILetter(scheme[0]) || strings.Trim(scheme, asciiLetters+"0123456789+-.") != "" {
		return false
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	if !areURICharacters(fragment, pathCharacters+"?") || !areURICharacters(query, pathCharacters+"?") {
		return false
	}
	path := rest
	if after, is := strings.CutPrefix(rest, "//"); is {
		end := strings.IndexByte(after, '/')
		if end < 0 {
			end = len(after)
		}
		if path = after[end:]; !isAuthority(after[:end]) {
			return false
		}
	}
	return areURICharacters(path, pathCharacters)
}

const (
	asciiLetters   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	nameCharacters = asciiLetters + "0123456789-._~" + "!$&'()*+,;="
	pathCharacters = nameCharacters + ":@/"
)

func isASCIILetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// areURICharacters takes the characters of a set and percent-encoded ones.
func areURICharacters(s, set string) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%':
			if i+2 >= len(s) || !isHex(s[i+1:i+3]) {
				return false
			}
			i += 2
		case strings.IndexByte(set, s[i]) < 0:
			return false
		}
	}
	return true
}

func isAuthority(s string) bool {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		if !areURICharacters(s[:i], nameCharacters+":") {
			return false
		}
		s = s[i+1:]
	}
	if inside, is := strings.CutPrefix(s, "["); is {
		host, port, closed := strings.Cut(inside, "]")
		return closed && isIPLiteral(host) && (port == "" || port[0] == ':' && strings.Trim(port[1:], "0123456789") == "")
	}
	host, port, _ := strings.Cut(s, ":")
	return areURICharacters(host, nameCharacters) && strings.Trim(port, "0123456789") == ""
}

func isIPLiteral(s string) bool {
	if future, is := strings.CutPrefix(strings.ToLower(s), "v"); is {
		version, rest, ok := strings.Cut(future, ".")
		return ok && version != "" && isHex(version) && rest != "" && strings.Trim(rest, nameCharacters+":") == ""
	}
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == ""
}

// Limits of names (RFC 1034, section 3.1).
const (
	maxDomain = 253
	maxLabel  = 63
)

// isDomainName takes labels of letters, digits and hyphens, and internationalised ones in either form. Of U-labels
// the letters are checked, not every rule of RFC 5892 on their neighbours.
func isDomainName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > maxDomain && !hasWide(s) {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || !isLabel(label) {
			return false
		}
	}
	return true
}

func hasWide(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0
}

func isLabel(label string) bool {
	if !hasWide(label) {
		// RFC 5890, section 2.3.1: hyphens in the third and fourth place are for A-labels.
		if len(label) > 4 && label[2:4] == "--" && !strings.EqualFold(label[:2], "xn") {
			return false
		}
		return len(label) <= maxLabel && strings.Trim(label, asciiLetters+"0123456789-") == ""
	}
	if !norm.NFC.IsNormalString(label) || utf8.RuneCountInString(label) > maxLabel {
		return false
	}
	for i, r := range label {
		if unicode.IsUpper(r) || unicode.IsMark(r) && i == 0 {
			return false
		}
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.Is(unicode.Nd, r) && r != '-' && !isJoiner(r) {
			return false
		}
	}
	return true
}

// isJoiner are the characters that RFC 5892 lets in by context: joiners, middle dots, quotes of Greek and Hebrew.
func isJoiner(r rune) bool {
	return strings.ContainsRune("\u200c\u200d\u00b7\u0375\u05f3\u05f4\u30fb", r)
}

// isEmailAddress takes local@domain, the local part quoted or not, the domain a name or a literal.
func isEmailAddress(s string) bool {
	i := strings.LastIndexByte(s, '@')
	if i <= 0 {
		return false
	}
	local, domain := s[:i], s[i+1:]
	if strings.HasPrefix(domain, "[") {
		return strings.HasSuffix(domain, "]") && isLocalPart(local) && !strings.ContainsAny(domain[1:len(domain)-1], "[]\\ \t\r\n")
	}
	return isLocalPart(local) && isDotAtom(domain)
}

func isLocalPart(s string) bool {
	inside, quoted := strings.CutPrefix(s, `"`)
	if !quoted {
		return isDotAtom(s)
	}
	if inside, quoted = strings.CutSuffix(inside, `"`); !quoted {
		return false
	}
	for i := 0; i < len(inside); i++ {
		switch c := inside[i]; {
		case c == '\\':
			if i++; i == len(inside) {
				return false
			}
		case c == '"' || c < ' ' && c != '\t' || c == 0x7f:
			return false
		}
	}
	return true
}

// isDotAtom is RFC 5322, section 3.2.3, with the letters of RFC 6532.
func isDotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for _, r := range atom {
			if r < utf8.RuneSelf && !strings.ContainsRune(asciiLetters+"0123456789!#$%&'*+-/=?^_`{|}~", r) {
				return false
			}
		}
	}
	return true
}

// hiveExpanded refuses the short forms of hives (section 6.17.1).
func hiveExpanded(key string) bool {
	hive, _, _ := strings.Cut(key, `\`)
	switch strings.ToUpper(hive) {
	case "HKLM", "HKCC", "HKCR", "HKCU", "HKU":
		return false
	}
	return true
}

func isSubdivision(s string) bool {
	country, part, ok := strings.Cut(s, "-")
	return ok && countries.has(country) && len(part) >= 1 && len(part) <= 3 && strings.Trim(part, asciiLetters+"0123456789") == ""
}

// Grammar of language tags (RFC 5646, section 2.1). A language of four letters is reserved and none of more is
// registered, so that words such as english are caught.
var (
	languageForm = regexp.MustCompile(`^(?i:([a-z]{2,3})(-[a-z]{3}){0,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?` +
		`(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(-[a-wyz0-9](-[a-z0-9]{2,8})+)*(-x(-[a-z0-9]{1,8})+)?)$`)
	privateLanguage = regexp.MustCompile(`^(?i:x(-[a-z0-9]{1,8})+)$`)
	oldLanguages    = setOf(`en-GB-oed i-ami i-bnn i-default i-enochian i-hak i-klingon i-lux i-mingo i-navajo i-pwn i-tao i-tay i-tsu
		sgn-BE-FR sgn-BE-NL sgn-CH-DE art-lojban cel-gaulish no-bok no-nyn zh-guoyu zh-hakka zh-min zh-min-nan zh-xiang`)
)

func isLanguageTag(s string) bool {
	if oldLanguages.has(s) || privateLanguage.MatchString(s) {
		return true
	}
	m := languageForm.FindStringSubmatch(s)
	if m == nil || len(m[1]) == 2 && !languages.has(m[1]) {
		return false
	}
	return !repeats(strings.Split(strings.ToLower(s), "-")[1:])
}

// repeats says whether a variant or a singleton stands twice among the subtags (RFC 5646, section 2.2.9).
func repeats(subtags []string) bool {
	seen, extended := set{}, false
	for _, part := range subtags {
		if part == "x" {
			return false
		}
		extended = extended || len(part) == 1
		variant := !extended && (len(part) >= 5 || len(part) == 4 && part[0] <= '9')
		if len(part) != 1 && !variant {
			continue
		}
		if seen.has(part) {
			return true
		}
		seen[part] = struct{}{}
	}
	return false
}
