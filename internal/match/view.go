package match

import (
	"fmt"
	"strconv"
	"strings"

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
	// convert changes the value; nil keeps it. The event is there for values made of several fields.
	convert func(ev *event.Event, text string) string
}

// sources lists the fields that the view looks at.
func (v *view) sources() []string {
	var out []string
	for _, a := range v.aliases {
		out = append(out, a.from)
	}
	return append(out, v.also...)
}

func (v *view) fields(ev *event.Event) []event.Field {
	out := make([]event.Field, 0, len(v.aliases))
	for _, a := range v.aliases {
		value, ok := ev.Get(a.from)
		if !ok {
			continue
		}
		if a.convert != nil && value.Kind != event.Null && value.Kind != event.List {
			value = event.Str(a.convert(ev, value.Text))
		}
		out = append(out, event.Field{Name: a.name, Value: value})
	}
	return out
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

// Message ids of Security 4657's OperationType.
const (
	regCreated  = "%%1904"
	regModified = "%%1905"
	regDeleted  = "%%1906"
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
func decimal(_ *event.Event, text string) string {
	digits, hex := strings.CutPrefix(text, "0x")
	if !hex {
		return text
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return text
	}
	return strconv.FormatUint(n, 10)
}

func withDomain(ev *event.Event, user string) string {
	if domain, ok := ev.Get("SubjectDomainName"); ok && domain.Text != "" && domain.Text != "-" {
		return domain.Text + `\` + user
	}
	return user
}

// integrity names mandatory labels ([MS-DTYP] 2.4.2.4, well-known SIDs S-1-16-*).
func integrity(_ *event.Event, sid string) string {
	switch sid {
	case "S-1-16-4096":
		return "Low"
	case "S-1-16-8192", "S-1-16-8448":
		return "Medium"
	case "S-1-16-12288":
		return "High"
	case "S-1-16-16384":
		return "System"
	}
	return sid
}

// drivePath turns a device path into a drive path. The record does not say which drive letter the
// volume has; nearly all rules mean the system drive.
func drivePath(_ *event.Event, text string) string {
	const device = `\device\harddiskvolume`
	if len(text) < len(device) || !strings.EqualFold(text[:len(device)], device) {
		return text
	}
	rest := strings.TrimLeft(text[len(device):], "0123456789")
	if !strings.HasPrefix(rest, `\`) {
		return text
	}
	return "C:" + rest
}

// protocol names IANA protocol numbers as Sysmon does.
func protocol(_ *event.Event, number string) string {
	switch number {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	}
	return number
}

func initiated(_ *event.Event, direction string) string {
	switch direction {
	case "%%14593", "Outbound":
		return "true"
	case "%%14592", "Inbound":
		return "false"
	}
	return direction
}

// registryPath joins key and value and writes the hive as Sysmon does.
func registryPath(ev *event.Event, key string) string {
	hives := [][2]string{{`\REGISTRY\MACHINE`, "HKLM"}, {`\REGISTRY\USER`, "HKU"}}
	for _, hive := range hives {
		if n := len(hive[0]); len(key) >= n && strings.EqualFold(key[:n], hive[0]) {
			key = hive[1] + key[n:]
			break
		}
	}
	// The kernel names the control set in use, Sysmon and the rules its alias.
	const set, alias = `HKLM\SYSTEM\ControlSet001\`, `HKLM\SYSTEM\CurrentControlSet\`
	if n := len(set); len(key) >= n && strings.EqualFold(key[:n], set) {
		key = alias + key[n:]
	}
	if value, ok := ev.Get("ObjectValueName"); ok && value.Text != "" {
		key += `\` + value.Text
	}
	return key
}

// registryData writes numbers as Sysmon does, by NewValueType's message id.
func registryData(ev *event.Event, text string) string {
	kind, _ := ev.Get("NewValueType")
	n, err := strconv.ParseUint(text, 0, 64)
	switch {
	case kind.Text == "%%1875": // REG_BINARY
		return "Binary Data"
	case err != nil:
		return text
	case kind.Text == "%%1876": // REG_DWORD
		return fmt.Sprintf("DWORD (0x%08x)", n)
	case kind.Text == "%%1883": // REG_QWORD
		return fmt.Sprintf("QWORD (0x%08x-0x%08x)", n>>32, n&0xffffffff)
	}
	return text
}

func registryAct(_ *event.Event, operation string) string {
	switch operation {
	case regCreated, regModified:
		return "SetValue"
	case regDeleted:
		return "DeleteValue"
	}
	return operation
}
