package jsonl

import "strings"

// Shapes of objects, told by their keys. Event has the routing facts in all of them but the last, where
// it has those that happen to be there under their Sigma names.
//
//   - nested: Event.System and Event.EventData or UserData, with "#attributes" and "#text", as
//     evtx_dump and others write. System's elements keep their names, attributes are
//     Element_Attribute (TimeCreated's is TimeCreated); the payload goes by the names of its leaves.
//   - Winlogbeat 7: winlog.channel, winlog.event_id ..., winlog.event_data.X; @timestamp is the event's.
//   - Winlogbeat 6: log_name, event_id ... and event_data.X at the top.
//   - flat: Channel or EventID at the top (NXLog, Get-WinEvent, Log Analytics). Names are kept;
//     Provider_Name, Provider_Guid, Computer, EventRecordID and Execution_ProcessID are added where
//     they are called SourceName (or Source), ProviderGuid, Hostname, RecordNumber, ExecutionProcessID.
//   - other: every leaf under its keys joined by dots.
//
// Some more are rewritten into these (rewrite.go). What Elasticsearch exports ({"_index":...,"_source":{...}}) has the shape of the document inside.
//
// Names of a payload lose their spaces (Defender's "Threat Name" is ThreatName). A name occurs once:
// System wins over the payload, except for Channel (event 104 names the cleared log there, and rules
// ask for that one; Event.Channel is the record's), else the first wins.
type shape uint8

const (
	nested shape = iota
	beat7
	beat6
	flat
	other
	shapes
)

// hint is what a path says about the shape of its object.
type hint uint16

const (
	hintNested hint = 1 << iota
	hintBeat7
	hintLogName
	hintBeat6
	hintFlat
	// Those of odd shapes; see rewrite.go.
	hintNamed
	hintBare
	hintECmd
	hintECmdPayload
	hintWazuh
	hintSplunk
)

func hintOf(full string) hint {
	return usualHintOf(full) | oddHintOf(full)
}

func usualHintOf(full string) hint {
	switch {
	case strings.HasPrefix(full, "Event.System."):
		return hintNested
	case strings.HasPrefix(full, "winlog."):
		return hintBeat7
	case full == "log_name":
		return hintLogName
	case full == "event_id" || strings.HasPrefix(full, "event_data."):
		return hintBeat6
	case full == "Channel" || full == "EventID":
		return hintFlat
	}
	return 0
}

func shapeOf(h hint) shape {
	switch {
	case h&hintNested != 0:
		return nested
	case h&hintBeat7 != 0:
		return beat7
	case h&hintLogName != 0 && h&hintBeat6 != 0:
		return beat6
	case h&hintFlat != 0:
		return flat
	}
	return other
}

// rank orders fields of one name; the lowest stays.
type rank uint8

const (
	first rank = iota
	system
	payload
)

// called is what a leaf is called in a shape; no name means that it is no field.
type called struct {
	name string
	rank rank
	role role
	// group: only text counts, for this is the place of a whole section.
	group bool
}

// call names a leaf.
func call(s shape, p *path) called {
	switch s {
	case nested:
		if rest, ok := strings.CutPrefix(p.full, "Event."); ok {
			return callNested(rest, p)
		}
	case beat7:
		if rest, ok := strings.CutPrefix(p.full, "winlog."); ok {
			if c, ok := callBeat(rest, p); ok {
				return c
			}
			if name, ok := beat7Names[rest]; ok {
				return inSystem(name)
			}
		}
		return callBeatTop(p)
	case beat6:
		if c, ok := callBeat(p.full, p); ok {
			return c
		}
		if name, ok := beat6Names[p.full]; ok {
			return inSystem(name)
		}
		return callBeatTop(p)
	case flat:
		if p.full == p.key {
			return called{name: unspaced(p.key), rank: payload, role: flatRole(p.key)}
		}
	}
	return called{name: p.full, rank: payload, role: otherRole(p.full)}
}

// callNested names a leaf below Event.
func callNested(rest string, p *path) called {
	section, rest, inside := strings.Cut(rest, ".")
	switch {
	case !inside:
		return called{name: section, rank: payload, group: true}
	case section == "#attributes":
		return attribute("Event", rest, payload)
	case section == "System":
		element, attr, ok := strings.Cut(rest, ".")
		attr = strings.TrimPrefix(strings.TrimPrefix(attr, "#attributes."), "@")
		if !ok || attr == "#text" || attr == "Value" && element == "EventID" {
			return inSystem(element)
		}
		return attribute(element, attr, system)
	}
	return inPayload(section, rest, p)
}

// inPayload names a leaf of EventData, UserData and the like: rest are its keys there.
func inPayload(section, rest string, p *path) called {
	if rest == "#text" {
		return called{name: section, rank: payload}
	}
	if p.key == "#text" && p.parent.parent != nil {
		p = p.parent
		rest = strings.TrimSuffix(rest, ".#text")
	}
	if element := p.parent; element.key == "#attributes" {
		owner := section
		if rest != "#attributes."+p.key {
			owner = element.parent.key
		}
		return attribute(unspaced(owner), p.key, payload)
	}
	name := p.key
	if len(name) > len(rest) {
		name = rest // the whole path is written in one key
	}
	c := called{name: unspaced(name), rank: payload}
	if c.name == "Channel" {
		c.rank = first
	}
	return c
}

// attribute names an attribute; a namespace declaration is no field.
func attribute(element, attr string, r rank) called {
	switch {
	case attr == "xmlns" || strings.HasPrefix(attr, "xmlns:"):
		return called{}
	case r == system && element == "TimeCreated" && attr == "SystemTime":
		return inSystem(element)
	}
	name := element + "_" + attr
	if r == system {
		return inSystem(name)
	}
	return called{name: name, rank: r}
}

func inSystem(name string) called {
	return called{name: name, rank: system, role: otherRole(name)}
}

// callBeat names a leaf of Winlogbeat's event_data or user_data.
func callBeat(rest string, p *path) (called, bool) {
	for _, section := range [...]string{"event_data", "user_data"} {
		if name, ok := strings.CutPrefix(rest, section+"."); ok {
			return inPayload(section, name, p), true
		}
	}
	return called{}, false
}

// callBeatTop names what Winlogbeat has beside the record itself.
func callBeatTop(p *path) called {
	if p.full == "message" {
		return called{name: "Message", rank: payload}
	}
	return called{name: p.full, rank: payload, role: beatRole(p.full)}
}

var beat7Names = map[string]string{
	"channel": "Channel", "event_id": "EventID", "provider_name": "Provider_Name", "provider_guid": "Provider_Guid",
	"computer_name": "Computer", "record_id": "EventRecordID", "version": "Version", "level": "Level",
	"task": "Task", "opcode": "Opcode", "keywords": "Keywords", "time_created": "TimeCreated",
	"process.pid": "Execution_ProcessID", "process.thread.id": "Execution_ThreadID",
	"user.identifier": "Security_UserID", "activity_id": "Correlation_ActivityID",
	"related_activity_id": "Correlation_RelatedActivityID",
}

var beat6Names = map[string]string{
	"log_name": "Channel", "event_id": "EventID", "source_name": "Provider_Name", "provider_guid": "Provider_Guid",
	"computer_name": "Computer", "record_number": "EventRecordID", "version": "Version", "level": "Level",
	"task": "Task", "opcode": "Opcode", "keywords": "Keywords",
	"process_id": "Execution_ProcessID", "thread_id": "Execution_ThreadID",
	"user.identifier": "Security_UserID", "activity_id": "Correlation_ActivityID",
	"related_activity_id": "Correlation_RelatedActivityID",
}

func unspaced(name string) string { return strings.ReplaceAll(name, " ", "") }
