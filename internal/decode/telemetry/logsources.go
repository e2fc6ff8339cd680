package telemetry

import (
	"slices"

	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/sigma"
)

// made is what decoders can say of events of one product.
type made struct {
	services   []string
	anyService bool // a sensor's logs have names of their own
	categories []string
}

// endpoint are the categories that records of any computer's system can get, by OCSF or ECS.
var endpoint = []string{
	"process_creation", "process_termination", "process_access", "file_event", "file_delete", "file_rename", "image_load", "driver_load",
	"registry_add", "registry_set", "registry_delete", "registry_rename", "network_connection", "dns", "proxy", "webserver",
}

// products are those that decoders name; match knows Windows' own channels (match.WindowsLogsource).
var products = map[string]made{
	"linux": {services: append(taxonomy.LinuxServiceNames(), "auditd", "sysmon"), categories: append([]string{
		"sysmon_status", "sysmon_error", "raw_access_thread"}, endpoint...)},
	"macos":    {categories: endpoint},
	"windows":  {categories: endpoint},
	"suricata": {anyService: true, categories: []string{"dns", "proxy", "webserver", "network_connection", "firewall"}},
	"zeek":     {anyService: true, categories: []string{"dns", "proxy", "webserver", "network_connection", "firewall"}},
	"aws":      {services: []string{"cloudtrail"}},
	"":         {services: []string{"apache", "nginx", "syslog"}, categories: append([]string{"firewall"}, endpoint...)},
}

// Makes tells whether a decoder gives events a logsource that a rule asks for, Windows' channels aside. Of any other
// rule no event is, unless somebody says so of what is read (scan's --logsource, a configuration's product,
// category and service).
func Makes(ls sigma.Logsource) bool {
	if ls.Product != "" {
		m, known := products[ls.Product]
		return known && m.makes(ls)
	}
	for _, m := range products {
		if m.makes(ls) {
			return true
		}
	}
	return false
}

func (m made) makes(ls sigma.Logsource) bool {
	return (ls.Service == "" || m.anyService || slices.Contains(m.services, ls.Service)) &&
		(ls.Category == "" || slices.Contains(m.categories, ls.Category))
}
