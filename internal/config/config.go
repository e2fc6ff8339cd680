// Package config is the node's configuration: one documented structure, strictly decoded from YAML, with
// defaults that are safe and local, and refusals for states that would be dangerous (DESIGN.md, decision 13).
package config

import (
	_ "embed"
	"time"

	"shieldwall/internal/sigma"
)

// Example is a documented configuration that says exactly the defaults; a test holds it to them.
//
//go:embed example.yaml
var Example []byte

// FileName is the configuration's name in a data folder, read where no other file is given.
const FileName = "config.yaml"

// Config is everything that an operator may decide. Empty paths and an empty member are derived by Load.
type Config struct {
	// Data is the folder that one process owns: keys, store, socket and detections.
	Data string `yaml:"data" json:"data"`
	// Member is this member's name in the one-member alliance that a first start makes.
	Member string `yaml:"member" json:"member"`
	// Guard is the file outside Data that makes a revert of Data visible (DESIGN.md, "Formats", Guard).
	Guard string `yaml:"guard" json:"guard"`
	// OfficerKey is the founder's officer key file.
	OfficerKey string `yaml:"officer_key" json:"officer_key"`

	Page Page `yaml:"page" json:"page"`
	Peer Peer `yaml:"peer" json:"peer"`

	// Hold is how long AMBER and above wait before they reach a newly listed member.
	Hold Duration `yaml:"hold" json:"hold"`
	// Deny names members that get nothing from this node and of which it takes nothing, whatever the roster says.
	Deny []string `yaml:"deny" json:"deny"`
	// Rules are folders of local Sigma rules that the running node loads beside the shared ones.
	Rules []string `yaml:"rules" json:"rules"`
	// Placeholders give the values of %name% in rules that say expand; they never leave this node.
	Placeholders sigma.Placeholders `yaml:"placeholders" json:"placeholders"`

	Detections Detections `yaml:"detections" json:"detections"`
	Sightings  Sightings  `yaml:"sightings" json:"sightings"`
	Ingest     Ingest     `yaml:"ingest" json:"ingest"`
	TAXII      TAXII      `yaml:"taxii" json:"taxii"`
	Inbox      Inbox      `yaml:"inbox" json:"inbox"`
	Log        Log        `yaml:"log" json:"log"`

	// file is where it was read; empty where there was none.
	file string
}

// File is the file that the configuration was read from; empty where there was none.
func (c *Config) File() string { return c.file }

// Page is the node's own page and its local HTTP interface.
type Page struct {
	// Listen is an address "host:port"; loopback unless Hosts says otherwise.
	Listen string `yaml:"listen" json:"listen"`
	// Hosts are names that a request's Host header may carry beside the loopback names.
	Hosts []string `yaml:"hosts" json:"hosts"`
}

// Peer is where allies reach this node.
type Peer struct {
	Listen string `yaml:"listen" json:"listen"`
	// Advertise are https addresses for this member's card; empty means the address listened on.
	Advertise []string `yaml:"advertise" json:"advertise"`
}

// Detections bounds what is kept of a running node's detections.
type Detections struct {
	MaxAge  Duration `yaml:"max_age" json:"max_age"`
	MaxSize Size     `yaml:"max_size" json:"max_size"`
}

// Ways for a sighting to say who saw it.
const (
	AsIdentity = "identity"
	AsSector   = "sector"
)

// Sightings says how detections of shared intelligence are told to its publisher.
type Sightings struct {
	// Tick is how often they leave, batched.
	Tick Duration `yaml:"tick" json:"tick"`
	// As is AsIdentity or AsSector; Sector is named for the latter.
	As     string `yaml:"as" json:"as"`
	Sector string `yaml:"sector" json:"sector"`
	// To are readers beside the publisher: "alliance", groups and members; empty = the publisher alone.
	To []string `yaml:"to" json:"to"`
}

// Ingest is how telemetry reaches a running node.
type Ingest struct {
	JSONL JSONL `yaml:"jsonl" json:"jsonl"`
	// Follow are files and folders of telemetry read as they grow.
	Follow []Follow `yaml:"follow" json:"follow"`
}

// JSONL is POST /ingest/jsonl on the page's listener; it wants a token.
type JSONL struct {
	Enabled bool `yaml:"enabled" json:"enabled"`
}

// Follow is a file or a folder, the format of what is in it where that cannot be told by content, and the Sigma
// logsource of records that do not say theirs.
type Follow struct {
	Path     string `yaml:"path" json:"path"`
	Format   string `yaml:"format" json:"format"`
	Product  string `yaml:"product" json:"product"`
	Category string `yaml:"category" json:"category"`
	Service  string `yaml:"service" json:"service"`
}

// TAXII is the server for TAXII 2.1 clients; it wants tokens.
type TAXII struct {
	Enabled bool `yaml:"enabled" json:"enabled"`
	// Listen is an address of its own; empty means the page's listener.
	Listen string `yaml:"listen" json:"listen"`
	// Certificate and Key are PEM files for TLS; an address that is not loopback wants them.
	Certificate string `yaml:"certificate" json:"certificate"`
	Key         string `yaml:"key" json:"key"`
	// URL is the address that clients know the server by; empty means the one they came to.
	URL string `yaml:"url" json:"url"`
}

// Inbox is the rule by which postings are published by themselves; with neither TLP nor To there is none.
type Inbox struct {
	// TLP marks the entries; empty leaves it to the objects.
	TLP string `yaml:"tlp" json:"tlp"`
	// To are the readers; empty leaves it to the marking.
	To []string `yaml:"to" json:"to"`
}

// Publishes says whether postings are published by themselves.
func (i Inbox) Publishes() bool { return i.TLP != "" || len(i.To) > 0 }

// Log is the node's talk on stderr.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level" json:"level"`
}

// Default is the configuration of a node that nobody configured; what depends on the machine is empty.
func Default() Config {
	return Config{
		Page:         Page{Listen: "127.0.0.1:8470", Hosts: []string{}},
		Peer:         Peer{Listen: "127.0.0.1:8471", Advertise: []string{}},
		Hold:         Duration(24 * time.Hour),
		Deny:         []string{},
		Rules:        []string{},
		Placeholders: sigma.Placeholders{},
		Detections:   Detections{MaxAge: Duration(30 * 24 * time.Hour), MaxSize: 256 << 20},
		Sightings:    Sightings{Tick: Duration(time.Minute), As: AsIdentity, To: []string{}},
		Ingest:       Ingest{JSONL: JSONL{Enabled: true}, Follow: []Follow{}},
		TAXII:        TAXII{Enabled: true},
		Inbox:        Inbox{To: []string{}},
		Log:          Log{Level: "info"},
	}
}
