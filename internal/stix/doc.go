// Package stix is the thin STIX 2.1 layer: it splits bundles into objects without touching a byte, gives a
// typed view over an object's exact bytes, and builds the few objects that this node creates itself. What the
// specification demands of an object stands in package stixcheck. Objects are stored and relayed as received (DESIGN.md, decision 8),
// so nothing here ever writes an object again that somebody else made.
//
// Section numbers are those of STIX Version 2.1, OASIS Standard, 10 June 2021, with Errata 01.
package stix

// Limits bounds what a hostile document may cost. The zero value of a field means its default.
type Limits struct {
	Bundle int64 // bytes of a whole document
	Object int   // bytes of one object
	Depth  int   // nesting of one object, itself included
	Count  int   // objects in one document
}

// Default limits: an object must fit a blob of an alliance (16 MiB), a document a node's memory for bookkeeping.
const (
	MaxBundle = 256 << 20
	MaxObject = 16 << 20
	MaxDepth  = 64
	MaxCount  = 1 << 20
)

// maxProblems is how many problems one document or object may report: enough to repair it, bounded for hostile
// input.
const maxProblems = 100

func (l Limits) filled() Limits {
	if l.Bundle <= 0 {
		l.Bundle = MaxBundle
	}
	if l.Object <= 0 {
		l.Object = MaxObject
	}
	if l.Depth <= 0 {
		l.Depth = MaxDepth
	}
	if l.Count <= 0 {
		l.Count = MaxCount
	}
	return l
}
