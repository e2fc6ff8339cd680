// Package cloudtrail reads AWS CloudTrail's records ("CloudTrail record contents" of its user guide): one object a
// line or, as CloudTrail delivers them, all in one {"Records":[...]}, which is streamed (Unwrap).
//
// Logsource: product aws, service cloudtrail. Records keep their names, dotted where they are nested, which is how
// Sigma's rules write them; beside these:
//
//	sourceIPAddress                          src_ip, SourceIp
//	userIdentity.userName, else its arn      User
//	everything below detail (EventBridge)    the same without detail
//	everything below requestParameters, responseElements and additionalEventData
//	                                         a list of that name: some rules search the whole section
package cloudtrail

import (
	"strings"
	"time"

	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

// Logsource of the records.
const (
	Product = "aws"
	Service = "cloudtrail"
)

var table = taxonomy.New(`
sourceIPAddress       src_ip SourceIp
userIdentity.userName User
userIdentity.arn      User
`)

// sections are objects that rules search as a whole.
var sections = [...]string{"requestParameters", "responseElements", "additionalEventData"}

// Is tells from what an object has whether it is a CloudTrail record, or one that EventBridge carries in detail.
func Is(has taxonomy.Marks) bool {
	const both = taxonomy.EventSource | taxonomy.EventName
	return has&both == both && has&(taxonomy.AWSRegion|taxonomy.EventVersion) != 0
}

// Name gives a record its logsource and its further names. Its time is eventTime, which the JSON decoder knows.
func Name(ev *event.Event) {
	ev.Product, ev.Service = Product, Service
	taxonomy.Lift(ev, "detail.")
	if ev.Time.IsZero() {
		if t, err := time.Parse(time.RFC3339, taxonomy.Text(ev, "eventTime")); err == nil {
			ev.Time = t.UTC()
		}
	}
	var whole [len(sections)]event.Value
	for i := range ev.Fields {
		f := &ev.Fields[i]
		for s, section := range sections {
			if len(f.Name) > len(section) && f.Name[len(section)] == '.' && strings.HasPrefix(f.Name, section) {
				whole[s].Kind = event.List
				if f.Value.Kind == event.List {
					whole[s].Items = append(whole[s].Items, f.Value.Items...)
				} else if f.Value.Kind != event.Null {
					whole[s].Items = append(whole[s].Items, f.Value)
				}
			}
		}
	}
	table.Add(ev)
	for s, section := range sections {
		if whole[s].Kind == event.List {
			taxonomy.Put(ev, section, whole[s])
		}
	}
}
