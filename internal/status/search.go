package status

import (
	"encoding/json"
	"time"
)

// Hit is an object as a search shows it: the newest version that the reader may see.
type Hit struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	// Name is what a list calls it: its name, what a relationship says, or an observable's value.
	Name   string `json:"name"`
	Member string `json:"member"` // who shared it
	TLP    string `json:"tlp"`
	// Audience is whom it was shared with.
	Audience string `json:"audience"`
	// Created and Modified are as the object says them; empty where it has none.
	Created  string    `json:"created"`
	Modified string    `json:"modified"`
	Admitted time.Time `json:"admitted"`
	Revoked  bool      `json:"revoked"`
	// Relations are there where they were asked for.
	Relations *Relations `json:"relations,omitempty"`
	// Object is the object itself, where it was asked for.
	Object json.RawMessage `json:"object,omitempty"`
}

// Relations are what an object is tied to, one hop out.
type Relations struct {
	Items []Relation `json:"items"`
	// More says that there are others than Items.
	More bool `json:"more"`
}

// Relation is one tie of an object.
type Relation struct {
	// Kind is a relationship's type, or the property that refers.
	Kind string `json:"kind"`
	// Out says that the object refers to the other one; else it is referred to.
	Out bool `json:"out"`
	// Via is the relationship object; empty where one of the two refers to the other itself.
	Via string `json:"via,omitempty"`
	// ID is the other object; Type and Name are empty where the reader sees no such object.
	ID   string `json:"id"`
	Type string `json:"type"`
	Name string `json:"name"`
}

// SearchPage is a part of a search's answer, what was admitted last first.
type SearchPage struct {
	Hits []Hit `json:"hits"`
	// Next goes on behind this page; empty at the end.
	Next string `json:"next"`
	// Partial says that the search stopped before the page was full: Next goes on.
	Partial bool `json:"partial"`
}

// ObjectView is an object with all that the reader may see of it.
type ObjectView struct {
	Hit
	// Versions are those that the reader may see, the newest first.
	Versions []Version `json:"versions"`
}

// Version is one version of an object.
type Version struct {
	Modified string    `json:"modified"` // empty where the object has no versions
	Member   string    `json:"member"`
	TLP      string    `json:"tlp"`
	Admitted time.Time `json:"admitted"`
	Revoked  bool      `json:"revoked"`
}

// Search says how far the index of search is behind admission.
type Search struct {
	Indexed int64 `json:"indexed"`
	Waiting int64 `json:"waiting"`
	// Problem says why it does not go on; it is tried again.
	Problem string `json:"problem,omitempty"`
}
