package evtx

import "strings"

// Field names, as reference rules expect them:
//
//   - System elements keep their name (EventID, Channel, Level), their attributes are
//     Element_Attribute (Provider_Name, Execution_ProcessID, Security_UserID); the one attribute of
//     TimeCreated is TimeCreated itself.
//   - EventData's <Data Name="Threat Name"> becomes ThreatName; unnamed Data are collected under Data,
//     a list from two on. Elements of UserData and others go by the name of the leaf.
//   - Namespace declarations are no fields.
//
// A name occurs once: the first wins, so System wins over what a provider calls Level or Task.
// Channel is the exception: event 104 ("log cleared") names the cleared log in a Channel of its own,
// and that is the one rules ask for; the record's own stays in Event.Channel.

// section says where in an event an element stands.
type section uint8

const (
	inDocument section = iota // nothing open yet: Event comes
	inEvent                   // a child of Event: System, EventData, UserData, RenderingInfo ...
	inSystem
	inPayload
)

// below is the section of the children of an element.
func (s section) below(name string) section {
	switch s {
	case inDocument:
		if name == "Event" {
			return inEvent
		}
		return inEvent.below(name)
	case inEvent:
		if name == "System" {
			return inSystem
		}
		return inPayload
	}
	return s
}

// structural elements only group others.
func (s section) structural() bool { return s == inDocument || s == inEvent }

// fact is a routing fact of the record that a System field fills.
type fact uint8

const (
	noFact fact = iota
	factProvider
	factEventID
	factChannel
	factComputer
	factTime
)

func factOf(s section, field string) fact {
	if s != inSystem {
		return noFact
	}
	switch field {
	case "Provider_Name":
		return factProvider
	case "EventID":
		return factEventID
	case "Channel":
		return factChannel
	case "Computer":
		return factComputer
	case "TimeCreated":
		return factTime
	}
	return noFact
}

// attributeField is the field of an attribute, or "" for a namespace declaration.
func attributeField(element, attr string) string {
	if attr == "xmlns" || strings.HasPrefix(attr, "xmlns:") {
		return ""
	}
	if element == "TimeCreated" && attr == "SystemTime" {
		return element
	}
	return element + "_" + attr
}

func dataField(name string) string { return strings.ReplaceAll(name, " ", "") }

// systemName tells whether System may hold a field of this name, so that a payload's must be
// checked against it when the event is built.
func systemName(name string) bool {
	switch name {
	case "EventID", "Version", "Level", "Task", "Opcode", "Keywords", "TimeCreated", "EventRecordID",
		"Correlation", "Channel", "Computer", "Security", "Provider", "Execution":
		return true
	}
	for _, p := range [...]string{"Provider_", "EventID_", "Execution_", "Security_", "Correlation_", "TimeCreated_"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
