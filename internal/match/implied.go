package match

// impliedBy gives the further categories of an event whose decoder gave it one. Sensors on the wire see what
// several logs would say: Sigma's own configuration for Zeek sends the rules for proxies and web servers to its
// http log, and those for firewalls to its conn log.
func impliedBy(product, category string) []string {
	switch category {
	case "registry_add", "registry_set", "registry_delete", "registry_rename":
		return registryEvent
	case "proxy":
		if product == "zeek" || product == "suricata" {
			return webserver
		}
	case "network_connection":
		if product == "zeek" || product == "suricata" {
			return firewall
		}
	}
	return nil
}

var (
	registryEvent = []string{"registry_event"}
	webserver     = []string{"webserver"}
	firewall      = []string{"firewall"}
)
