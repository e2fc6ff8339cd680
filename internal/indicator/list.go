package indicator

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a plain list.
const (
	// MaxLine bounds one line, in bytes.
	MaxLine = 2 * MaxValue
	// MaxLineErrors bounds the lines that a list's report names.
	MaxLineErrors = 100
)

// LineError is a line of a list that is no indicator.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// List is what a plain list holds.
type List struct {
	Indicators []Indicator
	// Lines gives the line of each indicator, from 1.
	Lines []int
	// Bad counts the lines that are no indicator; Errors names the first MaxLineErrors of them.
	Bad    int
	Errors []*LineError
}

// ParseList reads a plain list, one value a line. A bad line costs that line.
func ParseList(data []byte) List {
	var out List
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for n := 1; lines.Scan(); n++ {
		ind, ok, err := ParseLine(lines.Text())
		switch {
		case err != nil:
			out.Bad++
			if len(out.Errors) < MaxLineErrors {
				out.Errors = append(out.Errors, &LineError{Line: n, Err: err})
			}
		case ok:
			ind.Line = n
			out.Indicators = append(out.Indicators, ind)
			out.Lines = append(out.Lines, n)
		}
	}
	return out
}

// ParseLine reads one line of a plain list and recognises the value's type by its shape: an address
// or network, a hash (by its length, or with its algorithm as in "IMPHASH=..."), a URL, an e-mail
// address, a key of the Windows registry (HKLM\... or HKEY_LOCAL_MACHINE\...), the name of a file by the endings of
// Windows programs (evil.exe), a domain. What has no shape says what it is: "FILE=readme", "MUTEX=Global\x" (what is behind
// it stands as it is, with spaces, and "#" behind a space still starts a comment). Values may be defanged (hxxp://evil[.]example). Blank lines and comments (# at
// the start or behind a space) give ok = false.
func ParseLine(line string) (ind Indicator, ok bool, err error) {
	if len(line) > MaxLine {
		return ind, false, fmt.Errorf("line of %d bytes, at most %d are read", len(line), MaxLine)
	}
	if !utf8.ValidString(line) {
		return ind, false, errors.New("line is not UTF-8")
	}
	value := strings.TrimSpace(stripComment(line))
	if value == "" {
		return ind, false, nil
	}
	if t, value, told := ofWindows(value); told {
		if ind, err = New(t, value); err != nil {
			err = fmt.Errorf("%s: %w", show(value), err)
		}
		return ind, err == nil, err
	}
	value = refang(value)
	if strings.ContainsAny(value, " \t") {
		return ind, false, fmt.Errorf("%s: want one value a line", show(value))
	}
	if ind, err = recognise(value); err == nil {
		err = ind.Check() // such as "../a", whose host is none once its dot is taken away
	}
	return ind, err == nil, err
}

// prefixes tell the types of values that have no shape of their own.
var prefixes = map[string]Type{"file": FileName, "mutex": Mutex, "registry": RegistryKey}

// programs are endings of files that are no top-level domains (IANA's root zone database has none of them). A name
// that ends in com, sh, py or zip may be either, and is a domain unless it says FILE=.
var programs = []string{"exe", "dll", "sys", "scr", "bat", "ps1", "psm1", "vbs", "vbe", "jse", "wsf", "hta", "lnk", "msi", "ocx", "cpl", "drv", "xll", "jar", "elf"}

// ofWindows tells values that are neither defanged nor without spaces.
func ofWindows(value string) (t Type, rest string, told bool) {
	if name, rest, ok := strings.Cut(value, "="); ok {
		if t, known := prefixes[strings.ToLower(name)]; known {
			return t, rest, true
		}
	}
	if root, _, ok := strings.Cut(value, `\`); ok {
		return RegistryKey, value, slices.ContainsFunc(hives, func(h hive) bool {
			return strings.EqualFold(root, h.long) || strings.EqualFold(root, h.short)
		})
	}
	if strings.ContainsAny(value, " \t/:@[](){}=") {
		return 0, value, false
	}
	dot := strings.LastIndexByte(value, '.')
	return FileName, value, dot > 0 && slices.Contains(programs, strings.ToLower(value[dot+1:]))
}

func stripComment(line string) string {
	for i := 0; i < len(line); i++ {
		// A "#" inside a value is a URL's fragment.
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}

// refang undoes the spellings by which analysts keep indicators from being clicked.
func refang(s string) string {
	if len(s) >= 4 {
		switch strings.ToLower(s[:4]) {
		case "hxxp", "h**p", "hxtp", "htxp":
			s = "http" + s[4:]
		case "fxp:":
			s = "ftp:" + s[4:]
		}
	}
	return strings.NewReplacer(
		"[://]", "://", "[:]//", "://", "[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "{dot}", ".",
		"[@]", "@", "(@)", "@", "[at]", "@", "(at)", "@", "[:]", ":", "[/]", "/", `\.`, ".",
	).Replace(s)
}

// errNothing is a line that has no known shape.
var errNothing = errors.New("neither an address, network, hash, URL, e-mail address, registry key, program nor domain (or FILE=..., MUTEX=...)")

func recognise(value string) (Indicator, error) {
	ind, err := New(Network, value)
	_, notAddress := netip.ParseAddr(value)
	if err == nil || notAddress == nil || strings.Count(value, "/") == 1 && looksLikeAddress(value) {
		return ind, err
	}
	if name, digits, ok := strings.Cut(value, "="); ok && !strings.ContainsAny(name, "/.@") {
		t, known := HashNamed(name)
		if !known {
			return Indicator{}, fmt.Errorf("unknown hash %s", show(name))
		}
		return New(t, digits)
	}
	if strings.Trim(value, "0123456789abcdefABCDEF") == "" {
		for _, t := range []Type{MD5, SHA1, SHA256, SHA512} {
			if len(value) == hashLength(t) {
				return New(t, value)
			}
		}
	}
	switch {
	case hasScheme(value):
		return New(URL, value)
	case strings.Contains(value, "/"):
		host, _, _ := strings.Cut(value, "/")
		if _, err := domain(host); err != nil && !looksLikeAddress(host) {
			return Indicator{}, fmt.Errorf("%s: %w", show(value), errNothing)
		}
		return New(URL, value)
	case strings.Contains(value, "@"):
		return New(Email, value)
	case strings.Contains(value, ":"):
		return Indicator{}, fmt.Errorf("%s: a value with a port is not supported", show(value))
	}
	ind, err = New(Domain, strings.TrimPrefix(strings.TrimPrefix(value, "*"), "."))
	if err != nil {
		return ind, fmt.Errorf("%s: %w", show(value), errNothing)
	}
	ind.Subdomains = true
	return ind, nil
}

// looksLikeAddress tells a mistyped address from a name.
func looksLikeAddress(s string) bool {
	return s != "" && (strings.Trim(s, "0123456789./") == "" || strings.Trim(s, "0123456789abcdefABCDEF:./") == "" && strings.Count(s, ":") > 1)
}

// HashNamed reads the name of a hash's name in the spellings of Sysmon, STIX and feeds.
func HashNamed(name string) (Type, bool) {
	var b [len("IMPHASH")]byte
	n := 0
	for i := range len(name) {
		if name[i] == '-' || name[i] == '_' {
			continue
		}
		if n == len(b) {
			return 0, false
		}
		b[n] = lower(name[i])
		n++
	}
	switch string(b[:n]) {
	case "md5":
		return MD5, true
	case "sha1":
		return SHA1, true
	case "sha256":
		return SHA256, true
	case "sha512":
		return SHA512, true
	case "imphash":
		return Imphash, true
	}
	return 0, false
}
