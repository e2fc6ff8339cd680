package taxonomy

import (
	"strconv"
	"strings"

	"shieldwall/internal/event"
)

// System gives Sigma's product for the name of an operating system; it is empty for those it has none for.
func System(name string) string {
	switch name = strings.ToLower(name); name {
	case "windows", "linux":
		return name
	case "macos", "darwin":
		return "macos"
	case "centos", "rhel", "ubuntu", "debian", "fedora", "sles", "amzn", "redhat", "suse":
		return "linux"
	}
	return ""
}

// AppendHash adds a fingerprint to a list in Sysmon's spelling: MD5=...,SHA256=....
func AppendHash(b *strings.Builder, algorithm, digits string) {
	if algorithm == "" || digits == "" {
		return
	}
	if b.Len() > 0 {
		b.WriteByte(',')
	}
	b.WriteString(strings.ReplaceAll(strings.ToUpper(algorithm), "-", ""))
	b.WriteByte('=')
	b.WriteString(strings.ToUpper(digits))
}

// Bool makes a boolean value.
func Bool(b bool) event.Value {
	return event.Value{Kind: event.Bool, Text: strconv.FormatBool(b)}
}
