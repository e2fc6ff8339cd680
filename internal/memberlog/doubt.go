package memberlog

import (
	"fmt"

	"shieldwall/internal/merkle"
)

// Reason says what raised a doubt. It becomes part of the next incarnation's first entry.
type Reason string

// The reasons for doubt.
const (
	ReasonGuardMissing Reason = "guard missing"
	ReasonGuardDamaged Reason = "guard damaged"
	ReasonGuardAhead   Reason = "guard ahead of the store"    // the store went back: a restored backup
	ReasonOtherLog     Reason = "guard of another log"        // a store from elsewhere, or an older incarnation
	ReasonOtherMachine Reason = "machine changed"             // a copied disk
	ReasonOtherTree    Reason = "guard and store contradict"  // two lives of one log
	ReasonInconsistent Reason = "stored log is inconsistent"  // damage
	ReasonChanged      Reason = "store changed while running" // another process wrote to it
	ReasonStoreMissing Reason = "store lost the log"          // the guard knows it, the store does not
)

// Extent is how far a log is known to reach.
type Extent struct {
	Size uint64
	Root merkle.Hash
}

func extent(h Head) Extent { return Extent{h.Size, h.Root} }

// Doubt refuses to sign: this log's key may have signed what the store does not know. The way on is a new
// incarnation, with another key, whose first entry names this one.
type Doubt struct {
	Log    string
	Reason Reason
	Detail string
	// Held is what the store holds, as far as it verifies; Guarded is what the guard remembers of this log.
	// Either is zero where it is unknown.
	Held, Guarded Extent
}

func (d *Doubt) Error() string {
	return fmt.Sprintf("log %s must not be continued: %s: %s", d.Log, d.Reason, d.Detail)
}

// Last is the farthest extent known: what a new incarnation names as its predecessor's.
func (d *Doubt) Last() Extent {
	if d.Guarded.Size > d.Held.Size {
		return d.Guarded
	}
	return d.Held
}
