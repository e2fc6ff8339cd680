// Package status is the vocabulary of what a node shows of itself: the command `status`, the control
// socket and the page all speak it. Its JSON form is an interface that scripts rely on.
package status

import "time"

// Node is one node's whole picture at a moment.
type Node struct {
	Version  string    `json:"version"`
	Member   string    `json:"member"`
	Started  time.Time `json:"started"`
	Now      time.Time `json:"now"`
	Page     string    `json:"page,omitempty"`  // base address of the page, without any secret
	Peer     string    `json:"peer,omitempty"`  // address on which peers are served
	TAXII    string    `json:"taxii,omitempty"` // where TAXII clients begin
	Warnings []string  `json:"warnings"`

	Alliance Alliance `json:"alliance"`
	Log      Log      `json:"log"`
	Protect  Protect  `json:"time_to_protect"`

	Objects int64 `json:"objects"` // copies held, whoever published them
	// Search says how far the index of search is.
	Search     Search `json:"search"`
	Rules      int    `json:"rules"`      // Sigma rules live in the matcher
	Indicators int    `json:"indicators"` // indicators live in the matcher
	Events     int64  `json:"events"`     // telemetry events seen since the start
	Detections int64  `json:"detections"` // detections since the start
	// Suppressed detections were counted, not written, because one rule fired too often on one host;
	// Loudest names the pairs of the last two minutes. Muted ones were kept back by Mutes.
	Suppressed int64  `json:"suppressed"`
	Loudest    []Loud `json:"loudest,omitempty"`
	Muted      int64  `json:"muted"`
	// NotLive counts the admitted objects that the matcher cannot use; Unusable names some, with the reason.
	NotLive  int        `json:"not_live"`
	Unusable []Unusable `json:"unusable,omitempty"`
	// Rejected counts objects that peers shared and this node refused, by reason.
	Rejected map[string]int64 `json:"rejected,omitempty"`
	// Engine is what the matcher is made of.
	Engine Engine `json:"engine"`
}

// Loud is a rule that fired too often on one host, and how many of its detections were not written.
type Loud struct {
	Publisher string `json:"publisher,omitempty"`
	RuleID    string `json:"rule_id"`
	Computer  string `json:"computer"`
	Count     int64  `json:"count"`
}

// Unusable is an object, or a local rule, that is not matched, and why.
type Unusable struct {
	Publisher string `json:"publisher,omitempty"`
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	Reason    string `json:"reason"`
}

// Mute is a member's decision not to be told of a rule's or an ally's detections, everywhere or on one host.
type Mute struct {
	ID string `json:"id"`
	// Rule is a Sigma rule's id, or an object's STIX id or value; Publisher an ally's name; Host a computer's
	// name, without case. What is empty is free, but not both of Rule and Publisher.
	Rule      string    `json:"rule,omitempty"`
	Publisher string    `json:"publisher,omitempty"`
	Host      string    `json:"host,omitempty"`
	Reason    string    `json:"reason"`
	Made      time.Time `json:"made"`
	Until     time.Time `json:"until"`
	Count     int64     `json:"count"` // detections kept back since the node's start
}

// Alliance is the roster in force and its members as seen from here.
type Alliance struct {
	Name      string    `json:"name"`
	ID        string    `json:"id"`
	Version   uint64    `json:"version"`
	Issued    time.Time `json:"issued"`
	Expires   time.Time `json:"expires"`
	Threshold int       `json:"threshold"`
	Officers  []string  `json:"officers"`
	Groups    []string  `json:"groups"`
	Members   []Member  `json:"members"`
	// Drafts of the next roster are waiting for officers' signatures.
	Drafts []Draft `json:"drafts,omitempty"`
	// OfficerKey is the public key of the officer key on this node, whether or not it is an officer's of this
	// alliance: what other officers need to make it one.
	OfficerKey string `json:"officer_key,omitempty"`
}

// Draft is a roster that officers are signing.
type Draft struct {
	ID      string   `json:"id"`
	Version uint64   `json:"version"`
	Changes []string `json:"changes"` // in words
	// Signed are the officers in force that signed and Needed how many must; SignedNew and NeededNew are the same
	// for the officers that the draft itself names.
	Signed    []string `json:"signed"`
	Needed    int      `json:"needed"`
	SignedNew []string `json:"signed_new"`
	NeededNew int      `json:"needed_new"`
}

// Member is one member as this node sees it.
type Member struct {
	ID        string   `json:"id"`
	Self      bool     `json:"self,omitempty"`
	Groups    []string `json:"groups"`
	Suspended bool     `json:"suspended,omitempty"`
	// State is "self", "live", "catching up", "connecting", "unreachable", "refused" or "over quota".
	State string `json:"state"`
	// Problem says why a member is not live; empty otherwise.
	Problem  string    `json:"problem,omitempty"`
	LastSeen time.Time `json:"last_seen,omitzero"`
	// Log is the log id; Size its newest verified size; Head the newest size it is known to have.
	Log  string `json:"log,omitempty"`
	Size uint64 `json:"size"`
	Head uint64 `json:"head"`
	// Applied is the size of their log up to which we act; TheirApplied the size of our log up to which they do.
	Applied      uint64 `json:"applied"`
	TheirApplied uint64 `json:"their_applied"`
	BytesIn      int64  `json:"bytes_in"`
	BytesOut     int64  `json:"bytes_out"`
}

// Log is this node's own member log.
type Log struct {
	ID   string `json:"id"`
	Size uint64 `json:"size"`
	Root string `json:"root"` // base64
}

// Protect sums up times to protect in milliseconds over (publication, entitled member) pairs.
type Protect struct {
	Pairs   int64   `json:"pairs"`   // pairs confirmed by an applied receipt
	Waiting int64   `json:"waiting"` // pairs still unconfirmed
	P50     float64 `json:"p50_ms"`
	P95     float64 `json:"p95_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
}

// Publication is one entry of this node's log that protects others.
type Publication struct {
	Index    uint64    `json:"index"`
	At       time.Time `json:"at"`
	What     string    `json:"what"`
	Audience string    `json:"audience"`
	Readers  int       `json:"readers"` // entitled members besides the publisher
	Applied  int       `json:"applied"` // of them, how many confirmed
	P50      float64   `json:"p50_ms"`
	P95      float64   `json:"p95_ms"`
}

// Object is a shared object as a list shows it.
type Object struct {
	Seq       int64     `json:"seq"`
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Name      string    `json:"name"`
	Publisher string    `json:"publisher"`
	TLP       string    `json:"tlp"`
	Audience  string    `json:"audience"`
	Admitted  time.Time `json:"admitted"`
	Withdrawn bool      `json:"withdrawn,omitempty"`
}

// Sightings are the totals that members returned for one of this node's objects.
type Sightings struct {
	Object    string    `json:"object"`
	Name      string    `json:"name"`
	Count     int64     `json:"count"`
	Members   int       `json:"members"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
}

// Detection is a rule or indicator that matched an event. `scan` and `detections` print exactly these
// fields, one JSON object a line (DESIGN.md, "The command line").
type Detection struct {
	Time      time.Time         `json:"time,omitzero"` // the event's own time
	RuleID    string            `json:"rule_id"`       // Sigma rule id, or the indicator's STIX id or value
	Title     string            `json:"title"`
	Level     string            `json:"level"`
	Author    string            `json:"author"`
	Tags      []string          `json:"tags"`
	Source    string            `json:"source"` // path as given, archive!member
	Record    string            `json:"record"` // record id or line
	Computer  string            `json:"computer"`
	Channel   string            `json:"channel"`
	EventID   string            `json:"event_id"`
	Fields    map[string]string `json:"fields"`              // the fields that the rule names
	Publisher string            `json:"publisher,omitempty"` // the member whose intelligence matched; empty for local rules
	License   string            `json:"license,omitempty"`
	// DuplicateOf is the source and record under which a scan told of the same before.
	DuplicateOf string    `json:"duplicate_of,omitempty"`
	Seen        time.Time `json:"seen,omitzero"` // when this node matched it; a running node only
	// Indicator is the value that was met, as "type value" and the line of its list; empty for rules.
	// Confidence (1 to 100) and ValidUntil are its publisher's, where it gives them.
	Indicator  string    `json:"indicator,omitempty"`
	Confidence int       `json:"confidence,omitempty"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
}
