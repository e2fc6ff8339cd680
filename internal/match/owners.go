package match

// ownersPage is how many owners share a page; adding one copies a page and the list of pages.
const ownersPage = 256

// owners numbers the units that hold indicators. It is immutable, but for the list of free numbers,
// which belongs to whoever makes the next one.
type owners struct {
	pages []*[ownersPage]*unit
	next  uint32   // the first number that was never given
	free  []uint32 // numbers to give again
	live  int
}

func (o *owners) get(owner uint32) *unit {
	if page := int(owner / ownersPage); page < len(o.pages) {
		return o.pages[page][owner%ownersPage]
	}
	return nil
}

// ownersEdit is owners being made from others.
type ownersEdit struct {
	owners
	mine map[uint32]bool // pages that no reader has
}

func (o owners) edit() *ownersEdit {
	e := &ownersEdit{owners: o, mine: map[uint32]bool{}}
	e.pages = append(make([]*[ownersPage]*unit, 0, len(o.pages)+1), o.pages...)
	return e
}

func (e *ownersEdit) page(owner uint32) *[ownersPage]*unit {
	i := owner / ownersPage
	switch {
	case int(i) == len(e.pages):
		e.pages = append(e.pages, new([ownersPage]*unit))
	case !e.mine[i]:
		page := *e.pages[i]
		e.pages[i] = &page
	}
	e.mine[i] = true
	return e.pages[i]
}

func (e *ownersEdit) add(u *unit) uint32 {
	owner := e.next
	if n := len(e.free); n > 0 {
		owner, e.free = e.free[n-1], e.free[:n-1]
	} else {
		e.next++
	}
	e.page(owner)[owner%ownersPage] = u
	e.live++
	return owner
}

func (e *ownersEdit) drop(owner uint32) {
	e.page(owner)[owner%ownersPage] = nil
	e.free = append(e.free, owner)
	e.live--
}
