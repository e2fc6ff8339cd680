// Package taxonomy gives the fields of other formats the names that Sigma rules ask for, beside their
// own: a rule written for Suricata's or Zeek's names and one written for the taxonomy's
// (sigma-appendix-taxonomy 2.1.0) both find what they look for, and a correlation can group events of
// different sensors by one name.
//
// The names that several formats share mean the same everywhere:
//
//	SourceIp SourcePort DestinationIp DestinationPort DestinationHostname Protocol Initiated   Sysmon 3
//	src_ip src_port dst_ip dst_port action blocked                                            firewall
//	query QueryName record_type answer                                                        dns
//	c-uri cs-uri c-uri-query cs-uri-query cs-uri-stem c-uri-stem c-uri-extension cs-host r-dns cs-method
//	c-useragent cs-user-agent cs-referrer cs-referer cs-version sc-status sc-bytes c-ip s-ip s-port    proxy, webserver
//	Image CommandLine ParentImage ParentCommandLine User Hashes TargetFilename ImageLoaded TargetObject ...  Sysmon
package taxonomy

import (
	"fmt"
	"strings"

	"shieldwall/internal/event"
)

// maxNames is how many different names one table may mention: places are kept on the stack.
const maxNames = 160

// Table is a list of further names. It is immutable.
type Table struct {
	slots map[string]uint8
	rules []rule
	// likely has a bit for the last byte of each name, by the name's length: most fields are in no table,
	// and this says so without hashing them.
	likely [64]uint64
}

type rule struct {
	from, to uint8
	name     string // to's
}

// New reads a table: each line has a field's name and, behind it, the names that it gets too. Where an
// event has a name already, or an earlier line gave it, that stays. Several texts are one table. A table
// that cannot be used is a fault of the program, and panics.
func New(texts ...string) *Table {
	t := &Table{slots: map[string]uint8{}}
	for line := range strings.Lines(strings.Join(texts, "\n")) {
		words := strings.Fields(line)
		for i, w := range words {
			if _, known := t.slots[w]; !known {
				if len(t.slots) == maxNames {
					panic(fmt.Sprintf("taxonomy: more than %d names", maxNames))
				}
				t.slots[w] = uint8(len(t.slots))
				t.likely[len(w)&63] |= 1 << (w[len(w)-1] & 63)
			}
			if i > 0 {
				t.rules = append(t.rules, rule{t.slots[words[0]], t.slots[w], w})
			}
		}
	}
	return t
}

// Add gives the event's fields their further names. A null gets none: it says that there is nothing to name.
func (t *Table) Add(ev *event.Event) {
	var at [maxNames]int32 // the place of a name in Fields, counted from 1
	for i := range ev.Fields {
		name := ev.Fields[i].Name
		if name == "" || t.likely[len(name)&63]&(1<<(name[len(name)-1]&63)) == 0 {
			continue
		}
		if slot, ok := t.slots[name]; ok {
			at[slot] = int32(i + 1)
		}
	}
	for _, r := range t.rules {
		if at[r.from] == 0 || at[r.to] != 0 {
			continue
		}
		if v := ev.Fields[at[r.from]-1].Value; v.Kind != event.Null {
			push(ev, r.name, v)
			at[r.to] = int32(len(ev.Fields))
		}
	}
}

// Put adds a field unless the event has that name.
func Put(ev *event.Event, name string, v event.Value) {
	if _, taken := ev.Get(name); !taken {
		push(ev, name, v)
	}
}

// Lift gives the fields below a prefix the names that they have without it: a record that another format
// wraps has its own names again. What is there already stays.
func Lift(ev *event.Event, prefix string) {
	var taken map[string]bool // made when needed: an event may have thousands of fields
	for i := range len(ev.Fields) {
		name, ok := strings.CutPrefix(ev.Fields[i].Name, prefix)
		if !ok || name == "" {
			continue
		}
		if taken == nil {
			taken = make(map[string]bool, len(ev.Fields))
			for j := range ev.Fields {
				taken[ev.Fields[j].Name] = true
			}
		}
		if !taken[name] {
			taken[name] = true
			push(ev, name, ev.Fields[i].Value)
		}
	}
}

func push(ev *event.Event, name string, v event.Value) {
	f := event.Field{Name: name, Value: v}
	if ev.Names != nil {
		f.Slot = ev.Names.Slot(name)
	}
	ev.Fields = append(ev.Fields, f)
}

// Text gives a field as text: of a list the first scalar, and nothing where there is none.
func Text(ev *event.Event, name string) string {
	v, _ := ev.Get(name)
	return First(v)
}

// First gives a value as text: of a list the first scalar.
func First(v event.Value) string {
	if v.Kind != event.List {
		return v.Text
	}
	if len(v.Items) > 0 {
		return v.Items[0].Text
	}
	return ""
}

// Computer says which computer an event is of, where it does not say so itself.
func Computer(ev *event.Event, name string) {
	if ev.Computer == "" && name != "" {
		ev.Computer = name
		Put(ev, "Computer", event.Str(name))
	}
}

// Whole makes all fields present in Fields, so that they can be looked at and named. Only events that are
// no Windows records pay for it.
func Whole(ev *event.Event) {
	if ev.Rest != nil {
		rest := ev.Rest
		ev.Rest = nil
		rest(ev)
		ev.Rest = nil
	}
}
