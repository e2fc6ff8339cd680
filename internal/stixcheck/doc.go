// Package stixcheck says what STIX 2.1 demands of an object: one table for each type, to be read beside the
// specification, and the rules that a table cannot say. Every finding names object, property and section.
//
// Section numbers are those of STIX Version 2.1 with Errata 01 (2 April 2025). Where the tables of Errata 01 and of
// the OASIS Standard of 2021 differ on whether a property is required, the standard counts: the errata say of
// themselves that they change no conformance requirement.
//
// What is not checked, because one object or document cannot tell: whether an identifier's UUID was made as it
// should be where it is not an observable's, whether a CPE name is in NVD's dictionary, whether samples are the
// same bytes, whether a translation fits its original, and names out of registries that grow weekly (media types,
// services, IPFIX elements, header fields), of which only the form is checked.
package stixcheck

import (
	"sync"

	"shieldwall/internal/stix"
)

// maxProblems is how many findings one object may have: enough to repair it, bounded for hostile input.
const maxProblems = 100

// Usable checks the MUSTs that this node relies on: what a gate asks. It returns stix.Problems, or nil.
func Usable(o *stix.Object) error { return Object(o, stix.Unusable).Err() }

// Validate checks every MUST. It returns stix.Problems, or nil.
func Validate(o *stix.Object) error { return Object(o, stix.Tolerated).Err() }

// Object checks an object and gives what is wrong with it, up to the given level: stix.Advice is everything.
func Object(o *stix.Object, level stix.Level) stix.Problems {
	c := checkers.Get().(*checker)
	defer checkers.Put(c)
	return c.check(o, level)
}

var checkers = sync.Pool{New: func() any { return &checker{objects: objects} }}
