// Package object names what the flows hand to one another about a shared STIX object: which copy it is,
// where it came from and who may read it. The bytes are the creator's own and are never changed
// (DESIGN.md, decision 8).
package object

import (
	"strings"
	"time"
)

// Local is the publisher of objects that were never shared: they live on this node alone.
const Local = "local"

// postedPrefix is what the publishers of postings begin with; no member's name has a colon.
const postedPrefix = Local + ":"

// Posted is the publisher of what the holder of a token posted. Each holder has its own, so that nobody can
// replace or revoke what another one posted, or what is this node's own.
func Posted(holder string) string { return postedPrefix + holder }

// Poster is the holder that posted what a publisher stands for.
func Poster(publisher string) (holder string, posted bool) {
	return strings.CutPrefix(publisher, postedPrefix)
}

// IsLocal says whether a publisher's objects were never shared.
func IsLocal(publisher string) bool {
	return publisher == Local || strings.HasPrefix(publisher, postedPrefix)
}

// Key identifies one publishing member's copies of an object. Nobody can replace, revoke or re-mark
// another member's copies (DESIGN.md, "Who may read").
type Key struct {
	Publisher string
	ID        string // STIX id
}

// Place is where in which log a copy was published; the zero Place is "never shared".
type Place struct {
	Log   string // log id
	Index uint64 // entry index
}

// Copy is one version of an object as one member published it.
type Copy struct {
	Key
	// Seq is the order of admission at this node, from 1; zero before it is stored.
	Seq int64
	// Type is the STIX type.
	Type string
	// Modified is the sortable spelling of the version's time; empty for objects without versions.
	Modified string
	// TLP is the effective marking, 1 CLEAR .. 5 RED: the stricter of the entry's and the object's own.
	TLP uint8
	// Audience is the audience's text form.
	Audience string
	Place
	// Revoked says that the object itself carries revoked: true.
	Revoked bool
	// Withdrawn says that the publisher took this object back; its copies match and block nothing.
	Withdrawn bool
	// Own says that its publisher is its creator, by the identities of the roster at admission.
	Own bool
	// Admitted is when this node admitted it, UTC, to the microsecond. The store makes it unique: it rises with Seq.
	Admitted time.Time
	// Raw is the object's exact bytes.
	Raw []byte
}

// AdmittedLayout spells times of admission as timestamps: with all their microseconds, so that texts sort as times do.
const AdmittedLayout = "2006-01-02T15:04:05.000000Z"

// Change tells those who act on intelligence (matcher, lists, page) what an admission did to a key:
// the copy that now counts, or that none counts any more.
type Change struct {
	Key
	// Live is nil where the key's copies are withdrawn, revoked or gone.
	Live *Copy
}

// Standing is a copy's place on its shelf, the copies of one marking and audience.
type Standing uint8

// The standings.
const (
	// Gone is a withdrawn copy.
	Gone Standing = iota
	// Alone is the only copy of its id here that is not gone.
	Alone
	// Newest is the newest version of its publisher on its shelf; there are other copies of its id, here or elsewhere.
	Newest
	// Older is any other version.
	Older
)

// Filed is a copy as it stands on its shelf. Its Place is not read.
type Filed struct {
	Copy
	Shelf    int64
	Standing Standing
}
