package match

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"shieldwall/internal/event"
)

// view shows an event under the field names and value forms of another logsource, beside its own
// fields. Rules written for Sysmon meet the builtin event that says the same (the pairs and the
// conversions are those of Hayabusa's converter for SigmaHQ rules).
type view struct {
	aliases []alias
	also    []string // fields that conversions look at beside their own
}

// alias makes one field out of others; it is absent where they are.
type alias struct {
	name string
	from string
	// convert appends the value as the view has it; nil keeps it. The event is there for values made of several
	// fields.
	convert func(out []byte, ev *event.Event, text string) []byte
}

// sources lists the fields that the view looks at.
func (v *view) sources() []string {
	var out []string
	for _, a := range v.aliases {
		out = append(out, a.from)
	}
	return append(out, v.also...)
}

// viewing is memory for the fields of one view, used again for the next.
type viewing struct {
	fields []event.Field
	text   []byte // what was converted
}

// maxViewingKept bounds the text that is kept for the next event, in bytes.
const maxViewingKept = 64 << 10

// of gives the fields of a view. They are valid until the next call.
func (m *viewing) of(v *view, ev *event.Event) []event.Field {
	if m.fields = m.fields[:0]; cap(m.text) > maxViewingKept {
		m.text = nil
	}
	m.text = m.text[:0]
	for i := range v.aliases {
		a := &v.aliases[i]
		value, ok := ev.Get(a.from)
		if !ok {
			continue
		}
		if a.convert != nil && value.Kind != event.Null && value.Kind != event.List {
			from := len(m.text)
			m.text = a.convert(m.text, ev, value.Text)
			value = event.Str(unsafe.String(unsafe.SliceData(m.text[from:]), len(m.text)-from))
		}
		m.fields = append(m.fields, event.Field{Name: a.name, Value: value})
	}
	return m.fields
}

// defenderView: tests/thor.yml, windows-defender-antivirus-mapping.
var defenderView = view{aliases: []alias{
	{name: "Signature", from: "ThreatName"},
	{name: "Filename", from: "Path"},
}}

// processView shows Security 4688 as Sysmon 1. What Sysmon alone knows (hashes, original file name,
// parent command line) is missing.
var processView = view{aliases: []alias{
	{name: "Image", from: "NewProcessName"},
	{name: "ParentImage", from: "ParentProcessName"},
	{name: "ProcessId", from: "NewProcessId", convert: decimal},
	{name: "ParentProcessId", from: "ProcessId", convert: decimal},
	{name: "User", from: "SubjectUserName", convert: withDomain},
	{name: "LogonId", from: "SubjectLogonId"},
	{name: "IntegrityLevel", from: "MandatoryLabel", convert: integrity},
}, also: []string{"SubjectDomainName"}}

// connectionView shows Security 5156 as Sysmon 3.
var connectionView = view{aliases: []alias{
	{name: "Image", from: "Application", convert: drivePath},
	{name: "ProcessId", from: "ProcessID", convert: decimal},
	{name: "SourceIp", from: "SourceAddress"},
	{name: "DestinationIp", from: "DestAddress"},
	{name: "DestinationPort", from: "DestPort"},
	{name: "Protocol", from: "Protocol", convert: protocol},
	{name: "Initiated", from: "Direction", convert: initiated},
}}

// Message ids of Security 4657's OperationType, and how tools that render messages (msobjs.dll, English) write them.
const (
	regCreated  = "%%1904"
	regModified = "%%1905"
	regDeleted  = "%%1906"

	regCreatedText  = "New registry value created"
	regModifiedText = "Existing registry value modified"
	regDeletedText  = "Registry value deleted"
)

// registryView shows Security 4657 as Sysmon 12 and 13.
var registryView = view{aliases: []alias{
	{name: "Image", from: "ProcessName"},
	{name: "ProcessId", from: "ProcessId", convert: decimal},
	{name: "User", from: "SubjectUserName", convert: withDomain},
	{name: "TargetObject", from: "ObjectName", convert: registryPath},
	{name: "Details", from: "NewValue", convert: registryData},
	{name: "EventType", from: "OperationType", convert: registryAct},
}, also: []string{"SubjectDomainName", "ObjectValueName", "NewValueType"}}

// decimal writes the hexadecimal ids of the Security log as Sysmon does.
func decimal(out []byte, _ *event.Event, text string) []byte {
	digits, hex := strings.CutPrefix(text, "0x")
	if !hex {
		return append(out, text...)
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return append(out, text...)
	}
	return strconv.AppendUint(out, n, 10)
}

func withDomain(out []byte, ev *event.Event, user string) []byte {
	if domain, ok := ev.Get("SubjectDomainName"); ok && domain.Text != "" && domain.Text != "-" {
		out = append(append(out, domain.Text...), '\\')
	}
	return append(out, user...)
}

// integrity names mandatory labels ([MS-DTYP] 2.4.2.4, well-known SIDs S-1-16-*).
func integrity(out []byte, _ *event.Event, sid string) []byte {
	switch sid {
	case "S-1-16-4096", `Mandatory Label\Low Mandatory Level`:
		sid = "Low"
	case "S-1-16-8192", "S-1-16-8448", `Mandatory Label\Medium Mandatory Level`, `Mandatory Label\Medium Plus Mandatory Level`:
		sid = "Medium"
	case "S-1-16-12288", `Mandatory Label\High Mandatory Level`:
		sid = "High"
	case "S-1-16-16384", `Mandatory Label\System Mandatory Level`:
		sid = "System"
	}
	return append(out, sid...)
}

// drivePath turns a device path into a drive path. The record does not say which drive letter the
// volume has; nearly all rules mean the system drive.
func drivePath(out []byte, _ *event.Event, text string) []byte {
	const device = `\device\harddiskvolume`
	if len(text) >= len(device) && strings.EqualFold(text[:len(device)], device) {
		if rest := strings.TrimLeft(text[len(device):], "0123456789"); strings.HasPrefix(rest, `\`) {
			return append(append(out, "C:"...), rest...)
		}
	}
	return append(out, text...)
}

// protocol names IANA protocol numbers as Sysmon does.
func protocol(out []byte, _ *event.Event, number string) []byte {
	switch number {
	case "6":
		number = "tcp"
	case "17":
		number = "udp"
	}
	return append(out, number...)
}

func initiated(out []byte, _ *event.Event, direction string) []byte {
	switch direction {
	case "%%14593", "Outbound":
		direction = "true"
	case "%%14592", "Inbound":
		direction = "false"
	}
	return append(out, direction...)
}

// registryPath joins key and value and writes the hive as Sysmon does.
func registryPath(out []byte, ev *event.Event, key string) []byte {
	hive := ""
	for _, h := range [...][2]string{{`\REGISTRY\MACHINE`, "HKLM"}, {`\REGISTRY\USER`, "HKU"}} {
		if n := len(h[0]); len(key) >= n && strings.EqualFold(key[:n], h[0]) {
			hive, key = h[1], key[n:]
			break
		}
	}
	from := len(out)
	out = append(append(out, hive...), key...)
	// The kernel names the control set in use, Sysmon and the rules its alias.
	const set, alias = `HKLM\SYSTEM\ControlSet001\`, `HKLM\SYSTEM\CurrentControlSet\`
	if path := string(out[from:min(len(out), from+len(set))]); strings.EqualFold(path, set) {
		out = append(out[:from], alias...)
		out = append(out, key[len(set)-len(hive):]...)
	}
	if value, ok := ev.Get("ObjectValueName"); ok && value.Text != "" {
		out = append(append(out, '\\'), value.Text...)
	}
	return out
}

// registryData writes numbers as Sysmon does, by NewValueType's message id.
func registryData(out []byte, ev *event.Event, text string) []byte {
	kind, _ := ev.Get("NewValueType")
	n, err := strconv.ParseUint(text, 0, 64)
	switch {
	case kind.Text == "%%1875" || kind.Text == "REG_BINARY":
		return append(out, "Binary Data"...)
	case err != nil:
	case kind.Text == "%%1876" || kind.Text == "REG_DWORD":
		return fmt.Appendf(out, "DWORD (0x%08x)", n)
	case kind.Text == "%%1883" || kind.Text == "REG_QWORD":
		return fmt.Appendf(out, "QWORD (0x%08x-0x%08x)", n>>32, n&0xffffffff)
	}
	return append(out, text...)
}

func registryAct(out []byte, _ *event.Event, operation string) []byte {
	switch {
	case operation == regCreated, operation == regModified, strings.EqualFold(operation, regCreatedText), strings.EqualFold(operation, regModifiedText):
		operation = "SetValue"
	case operation == regDeleted, strings.EqualFold(operation, regDeletedText):
		operation = "DeleteValue"
	}
	return append(out, operation...)
}
