package follow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/telemetry"
)

// Format is what a source's files are taken for, whatever they look like.
type Format string

// Formats.
const (
	ByContent Format = ""
	JSON      Format = "json"
	Zeek      Format = "zeek"
	Auditd    Format = "auditd"
	Syslog    Format = "syslog"
	XML       Format = "xml"
)

var formats = []Format{JSON, Zeek, Auditd, Syslog, XML}

// ParseFormat reads a format's name; the empty one is ByContent.
func ParseFormat(name string) (Format, error) {
	f := Format(name)
	if f == ByContent || slices.Contains(formats, f) {
		return f, nil
	}
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return "", fmt.Errorf("%.40q is no format: want %s, or nothing to tell it by content", name, strings.Join(names, ", "))
}

// kind is what a file turned out to be.
type kind string

const (
	kindUnknown kind = ""        // too short to tell
	kindLines   kind = "lines"   // JSON lines, or Zeek's TSV
	kindEVTX    kind = "evtx"    // a Windows event log
	kindAudit   kind = "auditd"  // the audit daemon's log
	kindSyslog  kind = "syslog"  // syslog messages
	kindXML     kind = "xml"     // events as XML
	kindIgnored kind = "ignored" // no telemetry
)

// followed says whether a file of the kind is read.
func (k kind) followed() bool { return k == kindEVTX || k.text() }

// text says whether a file of the kind only grows at its end.
func (k kind) text() bool { return k == kindLines || k == kindXML || k.joined() }

// joined says whether lines of the kind may have to wait for others.
func (k kind) joined() bool { return k == kindAudit || k == kindSyslog }

// sniff reads what a file is told by.
func sniff(file *os.File) ([]byte, error) {
	buf := make([]byte, container.SniffSize)
	n, err := file.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf[:n], nil
}

// tell says what a file is by its start.
func (s Source) tell(head []byte) kind {
	if s.Format == ByContent {
		return kindOf(head)
	}
	switch {
	case len(head) == 0:
		return kindUnknown
	case container.Packed(head) || container.KindOf(head) == container.EVTX:
		return kindIgnored // what was rotated and compressed stands beside what is written
	}
	switch s.Format {
	case Auditd:
		return kindAudit
	case Syslog:
		return kindSyslog
	case XML:
		return kindXML
	}
	return kindLines
}

const (
	evtxMagic = "ElfFile\x00"
	zeekMagic = "#separator "
	bom       = "\xef\xbb\xbf"
)

func kindOf(head []byte) kind {
	text := string(head)
	if text != evtxMagic && strings.HasPrefix(evtxMagic, text) || text != zeekMagic && strings.HasPrefix(zeekMagic, text) || strings.HasPrefix(bom, text) {
		return kindUnknown // too short to tell
	}
	text = strings.TrimLeft(strings.TrimPrefix(text, bom), " \t\r\n")
	switch {
	case text == "":
		return kindUnknown
	case text[0] == '{':
		return kindLines
	case text[0] == '[' || text[0] >= 0xfe || container.Packed(head):
		return kindIgnored // an array is a document and grows at no end; UTF-16 has other lines
	}
	switch container.KindOf(head) {
	case container.EVTX:
		return kindEVTX
	case container.JSON, container.Zeek:
		return kindLines
	case container.Audit:
		return kindAudit
	case container.Syslog:
		return kindSyslog
	case container.XML:
		return kindXML
	}
	return kindIgnored
}

// continues says whether a file that starts like this, and is nothing by itself, goes on under the header of the
// one before it: a log of Zeek's that was truncated while it was written.
func continues(header string, head []byte) bool {
	line, _, whole := bytes.Cut(head, []byte("\n"))
	return header != "" && whole && telemetry.Fits([]byte(header), string(line))
}
