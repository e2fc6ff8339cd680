package container

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// SniffSize is how much of a file's start is looked at, in bytes: up to the signature of an event log's first chunk.
const SniffSize = chunkAt + len(chunkMagic)

// An event log whose header is overwritten still has its chunks, each with a signature of its own.
const (
	chunkAt    = 4096
	chunkMagic = "ElfChnk\x00"
)

// form is how content is packed.
type form uint8

const (
	plain form = iota
	zipForm
	tarForm
	gzipForm
	zstdForm
)

func (f form) String() string {
	return [...]string{"plain", "zip", "tar", "gzip", "zstd"}[f]
}

// foreign are archives that cannot be opened here: what is in them must not be passed over without a word.
var foreign = []struct{ name, magic string }{
	{"bzip2", "BZh"}, // its next byte is a digit, and then pi
	{"xz", "\xfd7zXZ\x00"},
	{"7z", "7z\xbc\xaf\x27\x1c"},
	{"RAR", "Rar!\x1a\x07"},
	{"LZ4", "\x04\x22\x4d\x18"},
}

// foreignForm names the kind of archive that a file is and that is not opened; empty: none.
func foreignForm(head []byte) string {
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) && (f.name != "bzip2" || len(head) > 4 && head[4] == '1') {
			return f.name
		}
	}
	return ""
}

func formOf(head []byte) form {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return zipForm
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		return gzipForm
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstdForm
	case isTar(head):
		return tarForm
	}
	return plain
}

// isTar checks the checksum of a tar header (POSIX.1-1988 ustar, "chksum"), which archives have that
// are older than the magic number too.
func isTar(head []byte) bool {
	const size, at, width = 512, 148, 8
	if len(head) < size || head[0] == 0 {
		return false
	}
	stored, err := strconv.ParseInt(strings.Trim(string(head[at:at+width]), " \x00"), 8, 64)
	if err != nil {
		return false
	}
	sum := int64(width * ' ')
	for i, c := range head[:size] {
		if i < at || i >= at+width {
			sum += int64(c)
		}
	}
	return sum == stored
}

// Packed tells by a file's start whether it is an archive or compressed.
func Packed(head []byte) bool { return formOf(head) != plain }

// KindOf tells by a file's start, of which it wants SniffSize bytes, what a file that is not packed is.
func KindOf(head []byte) Kind {
	switch {
	case bytes.HasPrefix(head, []byte("ElfFile\x00")), bytes.HasPrefix(head, []byte(chunkMagic)), len(head) >= SniffSize && string(head[chunkAt:SniffSize]) == chunkMagic:
		return EVTX
	case isJSON(head):
		return JSON
	case bytes.HasPrefix(head, []byte("#separator ")):
		return Zeek
	}
	return textKind(head)
}

var (
	auditLine = regexp.MustCompile(`^(node=\S{1,255} )?type=(UNKNOWN\[\d{1,4}\]|[A-Z0-9_]{1,64}) msg=audit\([0-9/: .]{1,48}:\d{1,20}\) ?:`)
	// A header as RFC 5424 (6.2) has it; as RFC 3164 (4.1.2); and with RFC 3339's time for that, as rsyslog and
	// journalctl write it. Without a priority, a tag and its colon are asked for too.
	syslogLine = regexp.MustCompile(`^(<\d{1,3}>1 (-|\d{4}-\d\d-\d\dT\S{8,24}) \S{1,255} \S{1,48} \S{1,128} \S` +
		`|<\d{1,3}>((Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,24}) \S` +
		`|((Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,16}) \S{1,255} [^\s:]{1,128}:)`)
	xmlStart = regexp.MustCompile(`^(<\?xml[^>]{0,256}\?>)?\s*(<!--[^>]{0,512}-->\s*)?<(Events|Event)[\s>]`)
)

// textKind tells line formats by their first or, where that was cut, second line, and XML by its root.
func textKind(head []byte) Kind {
	text := gap(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	if xmlStart.Match(text) {
		return XML
	}
	first, second, _ := bytes.Cut(text, []byte("\n"))
	for _, line := range [2][]byte{first, second} {
		switch {
		case auditLine.Match(line):
			return Audit
		case syslogLine.Match(line):
			return Syslog
		}
	}
	return Unknown
}

// isJSON tells whether text starts like a stream of objects: an object, or an array of them. Where the
// first line does not (a log that was cut at its start), the second may.
func isJSON(head []byte) bool {
	if bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) {
		// UTF-16: without its zero bytes it is ASCII, if it is JSON so far.
		head = bytes.ReplaceAll(head[2:], []byte{0}, nil)
	}
	text := gap(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	if inside, ok := bytes.CutPrefix(text, []byte("[")); ok {
		inside = gap(inside)
		return startsObject(inside) || bytes.HasPrefix(inside, []byte("]"))
	}
	if startsObject(text) {
		return true
	}
	_, second, _ := bytes.Cut(text, []byte("\n"))
	return startsObject(second)
}

func startsObject(text []byte) bool {
	inside, ok := bytes.CutPrefix(text, []byte("{"))
	if !ok {
		return false
	}
	inside = gap(inside)
	return len(inside) > 0 && (inside[0] == '"' || inside[0] == '}')
}

func gap(b []byte) []byte { return bytes.TrimLeft(b, " \t\r\n\x00") }

// litterFolder is what macOS adds to archives: resource forks, a file for each real one.
const litterFolder = "__MACOSX"

// isLitter tells whether a file is such a fork (AppleDouble, RFC 1740), by its magic and its name.
func isLitter(source string, head []byte) bool {
	base := source[strings.LastIndexAny(source, `/\!`)+1:]
	return strings.HasPrefix(base, "._") && bytes.HasPrefix(head, []byte{0, 5, 0x16, 7})
}

// inLitter tells whether a member's path leads through the folder of forks.
func inLitter(member string) bool {
	for part := range strings.SplitSeq(member, "/") {
		if part == litterFolder {
			return true
		}
	}
	return false
}
