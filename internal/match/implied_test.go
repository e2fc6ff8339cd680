package match

import (
	"testing"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// TestImplied: what a sensor saw on the wire meets the rules of every log that would say the same, and no others.
func TestImplied(t *testing.T) {
	r := newRouter()
	for _, c := range []struct {
		ev       event.Event
		category string
		want     bool
	}{
		{event.Event{Product: "zeek", Service: "http", Category: "proxy"}, "proxy", true},
		{event.Event{Product: "zeek", Service: "http", Category: "proxy"}, "webserver", true},
		{event.Event{Product: "Suricata", Service: "http", Category: "proxy"}, "webserver", true},
		{event.Event{Category: "proxy"}, "webserver", false}, // a proxy's own log
		{event.Event{Product: "zeek", Service: "conn", Category: "network_connection"}, "firewall", true},
		{event.Event{Product: "linux", Category: "network_connection"}, "firewall", false},
		{event.Event{Product: "windows", Category: "registry_set"}, "registry_event", true},
		{event.Event{Product: "windows", Category: "registry_set"}, "registry_delete", false},
		{event.Event{Product: "zeek", Service: "dns", Category: "dns"}, "firewall", false},
	} {
		got := false
		for _, s := range r.sources(&c.ev, nil) {
			got = got || s.Logsource == (sigma.Logsource{Category: c.category})
		}
		if got != c.want {
			t.Errorf("%s/%s/%s meets the rules for %s: %t", c.ev.Product, c.ev.Category, c.ev.Service, c.category, got)
		}
	}
}
