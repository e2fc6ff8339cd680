package taxonomy

import "shieldwall/internal/event"

// Marks are fields by which formats are told apart; they are looked for in one pass over an event.
type Marks uint32

const (
	EventType     Marks = 1 << iota // Suricata's event_type
	Timestamp                       // timestamp
	SrcIP                           // src_ip
	FlowID                          // flow_id
	SuricataStats                   // stats.uptime
	EventSource                     // CloudTrail's eventSource
	EventName                       // eventName
	EventVersion                    // eventVersion
	AWSRegion                       // awsRegion
	ClassUID                        // OCSF's class_uid
	SchemaVersion                   // metadata.version
	ECSVersion                      // ecs.version
	AtTimestamp                     // @timestamp
	EventFacts                      // ECS's event.category, event.dataset, event.kind, event.module
	ZeekPath                        // _path
	ZeekTime                        // ts
	ZeekUID                         // uid
	ZeekOrig                        // id.orig_h
	ZeekFile                        // fuid
	ZeekCert                        // certificate.serial
)

// MarksOf looks for the marks in an event.
func MarksOf(ev *event.Event) (has Marks) {
	for i := range ev.Fields {
		has |= mark(ev.Fields[i].Name)
	}
	return has
}

func mark(name string) Marks {
	switch name {
	case "event_type":
		return EventType
	case "timestamp":
		return Timestamp
	case "src_ip":
		return SrcIP
	case "flow_id":
		return FlowID
	case "stats.uptime":
		return SuricataStats
	case "eventSource", "detail.eventSource":
		return EventSource
	case "eventName", "detail.eventName":
		return EventName
	case "eventVersion", "detail.eventVersion":
		return EventVersion
	case "awsRegion", "detail.awsRegion":
		return AWSRegion
	case "class_uid":
		return ClassUID
	case "metadata.version":
		return SchemaVersion
	case "ecs.version":
		return ECSVersion
	case "@timestamp":
		return AtTimestamp
	case "event.category", "event.dataset", "event.kind", "event.module":
		return EventFacts
	case "_path":
		return ZeekPath
	case "ts":
		return ZeekTime
	case "uid":
		return ZeekUID
	case "id.orig_h":
		return ZeekOrig
	case "fuid":
		return ZeekFile
	case "certificate.serial":
		return ZeekCert
	}
	return 0
}
