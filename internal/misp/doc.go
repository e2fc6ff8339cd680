// Package misp reads and writes events in MISP's core format, the JSON that MISP instances, feeds and PyMISP
// exchange. It reads strictly what JSON is (UTF-8, no repeated names, no lone surrogates) and tolerantly what
// instances differ in: numbers and booleans as strings, null for what is not there, lists for empty
// objects, events alone, in "Event", in "response" and in lists. What it leaves out is a Loss of the event, never
// silent. Package mapping turns events into STIX and back.
package misp

// Limits of what a hostile document may cost. An event beyond one of them is refused, for half an event is
// another one; text that only accompanies values (see MaxData) is left out and listed.
const (
	MaxDocument   = 1 << 30   // bytes of a document of many events
	MaxEvent      = 256 << 20 // bytes of one event
	MaxEvents     = 100_000   // events in a document
	MaxDepth      = 32        // nesting
	MaxAttributes = 250_000   // of one event, those of its objects included
	MaxObjects    = 50_000    // of one event
	MaxReferences = 1_000     // of one object
	MaxReports    = 1_000     // of one event
	MaxSightings  = 250_000   // of one event
	MaxTags       = 1_000     // of an event, an attribute or a cluster
	MaxGalaxies   = 1_000     // of an event or an attribute, and clusters in a galaxy
	MaxMeta       = 10_000    // values in a cluster's meta
	MaxOrgs       = 10_000    // organisations in a sharing group
	MaxText       = 4 << 20   // bytes of one text
	MaxData       = 8 << 20   // bytes of an attachment, in base64; longer ones are left out
	MaxLosses     = 1_000     // losses listed one by one; the rest are counted
)

// Limits bounds a document and its events. The zero value of a field means its default.
type Limits struct {
	Document int64
	Event    int64
	Events   int
}

func (l Limits) filled() Limits {
	if l.Document <= 0 {
		l.Document = MaxDocument
	}
	if l.Event <= 0 {
		l.Event = MaxEvent
	}
	if l.Events <= 0 {
		l.Events = MaxEvents
	}
	return l
}
