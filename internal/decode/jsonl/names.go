package jsonl

import (
	"time"

	"shieldwall/internal/event"
)

// role is what a leaf tells about its event as a whole.
type role uint8

const (
	noRole role = iota
	roleChannel
	roleEventID
	roleProvider
	roleComputer
	// Names of the flat shape that stand in for Sigma's.
	roleSourceName
	roleSource
	roleHostname
	roleProviderGUID
	roleRecordNumber
	roleProcessID
	// Times; see when.
	roleTimeCreated
	roleBeatTimestamp
	roleUtcTime
	roleTimestamp
	roleEventTime
	roleOtherTime
	roles
)

// otherRole is the role of a leaf under its Sigma name, which every shape has.
func otherRole(name string) role {
	switch name {
	case "Channel":
		return roleChannel
	case "EventID":
		return roleEventID
	case "Provider_Name":
		return roleProvider
	case "Computer":
		return roleComputer
	case "TimeCreated", "SystemTime":
		return roleTimeCreated
	case "UtcTime":
		return roleUtcTime
	case "@timestamp":
		return roleTimestamp
	case "EventTime":
		return roleEventTime
	case "TimeGenerated", "eventTime", "timestamp", "time":
		return roleOtherTime
	}
	return noRole
}

func beatRole(full string) role {
	if full == "@timestamp" {
		return roleBeatTimestamp
	}
	return noRole
}

func flatRole(key string) role {
	switch key {
	case "SourceName", "ProviderName":
		return roleSourceName
	case "Source":
		return roleSource
	case "Hostname":
		return roleHostname
	case "ProviderGuid":
		return roleProviderGUID
	case "RecordNumber":
		return roleRecordNumber
	case "ExecutionProcessID":
		return roleProcessID
	}
	return otherRole(key)
}

// naming is what a path is called in one shape, worked out when first needed.
type naming struct {
	known bool
	field *field // nil: not a field
	rank  rank
	role  role
	group bool
}

// wanted tells whether, in any shape, a path is asked for by its name or says something about the event.
func wanted(p *path, want *event.Names) bool {
	for s := range shapes {
		c := call(s, p)
		if c.name != "" && want.Slot(c.name) != 0 || c.role.always() {
			return true
		}
		if s != flat {
			continue
		}
		for _, a := range aliases {
			if c.role == a.role && want.Slot(a.alias) != 0 {
				return true
			}
		}
	}
	return false
}

// always tells whether a role is looked at whoever asks for fields.
func (r role) always() bool {
	switch r {
	case noRole, roleProviderGUID, roleRecordNumber, roleProcessID:
		return false
	}
	return true
}

// field is a name, whatever paths lead to it.
type field struct {
	name  string
	epoch uint64 // the last event that had it
	at    int    // its place there
	rank  rank
	slot  event.Slot // as of the namer's asked
}

// namer turns the leaves of an object into the fields of an event.
type namer struct {
	// want numbers the names, nil where nobody does; sparse leaves out those without a number.
	want   *event.Names
	sparse bool
	asked  int // want's length when slots were looked up

	fields     map[string]*field
	generation int // of the paths that the fields belong to
	epoch      uint64
	// The leaves with a role; a value's Kind is Null where there is none.
	facts [roles]event.Value
}

func (n *namer) name(ev *event.Event, s *scanner) {
	if n.generation != s.paths.generation {
		n.generation, n.fields = s.paths.generation, map[string]*field{}
		for _, a := range aliases {
			n.field(a.alias)
		}
	}
	n.number()
	n.facts = [roles]event.Value{}
	shape := shapeOf(s.hints)
	for i := range s.leaves {
		l := &s.leaves[i]
		nm := &l.at.names[shape]
		if !nm.known {
			n.learn(nm, shape, l.at)
		}
		if nm.role != noRole && nm.field != nil && n.facts[nm.role].Kind == event.Null {
			if s.text(l); !nm.group || l.value.Kind != event.Null {
				n.facts[nm.role] = l.value
			}
		}
	}
	n.route(ev, shape)
	if s.lazy {
		n.put(ev, s, shape, n.want.Always())
		ev.Choice = n.want.Choose(ev)
		ev.Fields = ev.Fields[:0]
	}
	n.put(ev, s, shape, ev.Choice)
}

// put makes the fields of a choice, of all where there is none.
func (n *namer) put(ev *event.Event, s *scanner, shape shape, choice *event.Choice) {
	n.epoch++
	for i := range s.leaves {
		l := &s.leaves[i]
		nm := &l.at.names[shape]
		if f := nm.field; f != nil && n.takes(f, choice) && (!nm.group || l.value.Kind != event.Null) {
			s.text(l)
			n.add(ev, f, nm.rank, l.value)
		}
	}
	if shape != flat {
		return
	}
	for _, a := range aliases {
		if v := n.facts[a.role]; v.Kind != event.Null && n.takes(n.fields[a.alias], choice) {
			n.add(ev, n.fields[a.alias], payload+a.order, v)
		}
	}
}

// takes tells whether a field is made.
func (n *namer) takes(f *field, choice *event.Choice) bool {
	return !n.sparse || f.slot != 0 && (choice == nil || choice.Has(f.slot))
}

// number looks the slots up again where names were added to the register.
func (n *namer) number() {
	if n.want == nil || n.asked == n.want.Len() {
		return
	}
	n.asked = n.want.Len()
	for name, f := range n.fields {
		f.slot = n.want.Slot(name)
	}
}

func (n *namer) learn(nm *naming, s shape, p *path) {
	c := call(s, p)
	*nm = naming{known: true, rank: c.rank, role: c.role, group: c.group}
	if c.name != "" {
		nm.field = n.field(c.name)
	}
}

func (n *namer) field(name string) *field {
	f := n.fields[name]
	if f == nil {
		f = &field{name: name}
		if n.want != nil {
			f.slot = n.want.Slot(name)
		}
		n.fields[name] = f
	}
	return f
}

// add adds a field, or replaces one of the same name and a higher rank.
func (n *namer) add(ev *event.Event, f *field, r rank, v event.Value) {
	if f.epoch == n.epoch {
		if r < f.rank {
			f.rank = r
			ev.Fields[f.at].Value = v
		}
		return
	}
	f.epoch, f.at, f.rank = n.epoch, len(ev.Fields), r
	ev.Fields = append(ev.Fields, event.Field{Name: f.name, Value: v, Slot: f.slot})
}

// aliases are fields that the flat shape gets beside its own names; earlier ones win.
var aliases = [...]struct {
	alias string
	role  role
	order rank
}{
	{"Provider_Name", roleSourceName, 1},
	{"Provider_Name", roleSource, 2},
	{"Provider_Guid", roleProviderGUID, 1},
	{"Computer", roleHostname, 1},
	{"EventRecordID", roleRecordNumber, 1},
	{"Execution_ProcessID", roleProcessID, 1},
}

// route fills the facts of the event.
func (n *namer) route(ev *event.Event, s shape) {
	ev.Channel = n.facts[roleChannel].Text
	ev.EventID = n.facts[roleEventID].Text
	ev.Provider = n.facts[roleProvider].Text
	ev.Computer = n.facts[roleComputer].Text
	if s == flat {
		ev.Provider = firstOf(ev.Provider, n.facts[roleSourceName].Text, n.facts[roleSource].Text)
		ev.Computer = firstOf(ev.Computer, n.facts[roleHostname].Text)
	}
	ev.Time = n.when()
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// when picks the moment of the event, the most trustworthy first:
//
//  1. TimeCreated (SystemTime) with a zone, and Winlogbeat's @timestamp: what the log itself says;
//  2. UtcTime, Sysmon's own, which is UTC without saying so;
//  3. @timestamp: UTC, but of some shippers the time of arrival;
//  4. TimeCreated without a zone, taken as UTC;
//  5. EventTime: of some shippers local time without a zone, taken as UTC;
//  6. TimeGenerated, eventTime, timestamp, time;
//  7. any of these as a time since 1970.
func (n *namer) when() time.Time {
	created, zoned, ok := parseTime(n.facts[roleTimeCreated].Text)
	if ok && zoned {
		return created
	}
	for _, r := range [...]role{roleBeatTimestamp, roleUtcTime, roleTimestamp} {
		if t, _, ok := parseTime(n.facts[r].Text); ok {
			return t
		}
	}
	if ok {
		return created
	}
	for _, r := range [...]role{roleEventTime, roleOtherTime} {
		if t, _, ok := parseTime(n.facts[r].Text); ok {
			return t
		}
	}
	for _, r := range [...]role{roleTimeCreated, roleBeatTimestamp, roleTimestamp, roleEventTime, roleOtherTime} {
		if t, ok := epoch(n.facts[r].Text); ok {
			return t
		}
	}
	return time.Time{}
}
