package status

// Engine is what the matcher is made of, and what it takes.
type Engine struct {
	Rules int `json:"rules"` // Sigma rules, and those that find candidates for STIX patterns
	// Buckets are the groups of rules that an event meets together, by log source and event id; Segments are what
	// they are compiled to: one each after a merge. A rule stands in the bucket of each of its event ids.
	Buckets  int `json:"buckets"`
	Segments int `json:"segments"`
	// Delta counts the rules that are live and not merged yet, Removed those that a merge will drop.
	Delta   int `json:"delta"`
	Removed int `json:"removed"`
	Merges  int `json:"merges"` // since the start
	// Questions about fields are shared by rules; Witnesses are the texts that are looked for. A rule is looked at
	// where one of its witnesses is found, but ByField wherever a field is there, and Always for every event of
	// their bucket.
	Questions int `json:"questions"`
	Witnesses int `json:"witnesses"`
	ByField   int `json:"by_field"`
	Always    int `json:"always"`
	Fields    int `json:"fields"` // names that rules and indicators ask for
	// ProgramBytes are those of compiled rules, RuleBytes those of the rules as they were read, both roughly.
	ProgramBytes int `json:"program_bytes"`
	RuleBytes    int `json:"rule_bytes"`
	// Indicators are values; Lists are the objects and lists that hold them.
	Indicators     int `json:"indicators"`
	Lists          int `json:"lists"`
	IndicatorBytes int `json:"indicator_bytes"`
	// Cut counts the events that were too long to be looked through for indicators to their end, or met too many.
	Cut uint64 `json:"cut"`
}

// Profile says what matching costs, by the events that were measured, one in OneIn.
type Profile struct {
	OneIn    int   `json:"one_in"`
	Events   int64 `json:"events"` // that were matched
	Measured int64 `json:"measured"`
	// Nanoseconds are those of the measured events.
	Nanoseconds Spent `json:"nanoseconds"`
	// Looked counts the rules that were looked at; Rules are the costliest of them.
	Looked int        `json:"looked"`
	Rules  []RuleCost `json:"rules"`
	// Patterns are the costliest STIX patterns that need a second look, Correlations the rules that count hits of
	// others.
	Patterns     []PatternCost     `json:"patterns"`
	Correlations []CorrelationCost `json:"correlations"`
	Engine       Engine            `json:"engine"`
}

// Spent is where the time went. What is neither of rules nor of indicators found out which rules to look at.
type Spent struct {
	Total      int64 `json:"total"`
	Rules      int64 `json:"rules"`
	Indicators int64 `json:"indicators"`
}

// When a rule is looked at (RuleCost.Filed).
const (
	FiledByText  = "text"   // where a text of it is found
	FiledByField = "field"  // wherever a field is there
	FiledAlways  = "always" // for every event of its log source and event id
)

// RuleCost is what one rule cost.
type RuleCost struct {
	RuleID    string `json:"rule_id"`
	Title     string `json:"title"`
	File      string `json:"file,omitempty"`      // of a local rule, with the line
	Publisher string `json:"publisher,omitempty"` // of a shared one
	Object    string `json:"object,omitempty"`
	// Looked counts the events that were checked against it, Held those that it held for.
	Looked      int64 `json:"looked"`
	Held        int64 `json:"held"`
	Nanoseconds int64 `json:"nanoseconds"`
	// Share is that of the time of all rules.
	Share float64 `json:"share"`
	Filed string  `json:"filed"`
	// Why says which texts it is found by, or what about it is the reason that there are none; each goes on from "it".
	Why []string `json:"why,omitempty"`
}

// PatternCost is what one STIX pattern cost beside the rule that finds candidates for it.
type PatternCost struct {
	ID          string `json:"id"`
	Publisher   string `json:"publisher,omitempty"`
	File        string `json:"file,omitempty"`
	Asked       int64  `json:"asked"` // events that its rule found likely
	Held        int64  `json:"held"`
	Nanoseconds int64  `json:"nanoseconds"`
	// Kept observations wait for others, of at most Room.
	Kept    int    `json:"kept"`
	Room    int    `json:"room"`
	Stopped string `json:"stopped,omitempty"` // why it is not matched any more
}

// CorrelationCost is what one correlation rule did and holds.
type CorrelationCost struct {
	RuleID      string `json:"rule_id"`
	Title       string `json:"title"`
	File        string `json:"file,omitempty"`
	Taken       int64  `json:"taken"` // events that were handed to it
	Told        int64  `json:"told"`
	Nanoseconds int64  `json:"nanoseconds"`
	// Groups, Events and Bytes are held now, PeakBytes were at one time.
	Groups        int   `json:"groups"`
	Events        int   `json:"events"`
	Bytes         int   `json:"bytes"`
	PeakBytes     int   `json:"peak_bytes"`
	EvictedGroups int64 `json:"evicted_groups"`
	EvictedEvents int64 `json:"evicted_events"`
}
