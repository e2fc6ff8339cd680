package archtest

// layer is a floor of the house. Imports go down, never up, and sideways only where the table says so.
type layer int

const (
	words layer = iota
	formats
	core
	engines
	flows
	edges
	assembly
	tests
	mains
)

// layers say what each floor is for; the text is printed when a package breaks the rule.
var layers = map[layer]struct{ name, why string }{
	words:    {"words", "words are pure vocabulary (no I/O, clock, log, context), so that every other part can speak them and every test can make them"},
	formats:  {"formats", "formats turn bytes into words and back, so that they can be fuzzed and checked by others without a node"},
	core:     {"core", "the core is a pure state machine (messages, time and randomness in, effects out), so that exchange and a simulator drive the same code"},
	engines:  {"engines", "engines and state know no use case; they reach the store through interfaces of their own that node fills in"},
	flows:    {"flows", "flows are use cases; they reach one another and the store through small interfaces of their own that node fills in"},
	edges:    {"edges", "edges speak one protocol each and never import one another; what two of them need lies below"},
	assembly: {"assembly", "assembly knows everybody, so nobody below may know it"},
	tests:    {"tests", "test helpers stay out of the product"},
	mains:    {"main", "a main is one call into the assembly"},
}

// pkg is one package's place.
type pkg struct {
	layer layer
	// beside lists the packages of its own or a higher layer that it may import all the same, with the
	// reason. Nothing else is allowed.
	beside map[string]string
}

// packages lists every package of the module. A new one gets its place here first.
var packages = map[string]pkg{
	"internal/canon":   {layer: words},
	"internal/event":   {layer: words},
	"internal/object":  {layer: words},
	"internal/status":  {layer: words},
	"internal/stix":    {layer: words},
	"internal/suggest": {layer: words},
	"internal/sigma":   {layer: words},
	"internal/roster": {layer: words, beside: map[string]string{
		"internal/canon":  "rosters and cards are canonical JSON",
		"internal/merkle": "rosters, cards and receipts are signed notes, and a card says its log's id; merkle stands on nothing of ours",
	}},
	"internal/query": {layer: words, beside: map[string]string{
		"internal/stix": "a query names markings",
	}},
	"internal/stixpattern": {layer: words},
	"internal/stixcheck": {layer: words, beside: map[string]string{
		"internal/stix":        "its tables say what objects must be",
		"internal/stixpattern": "the patterns of indicators are to be patterns",
	}},
	"internal/observed": {layer: words, beside: map[string]string{
		"internal/event":       "an event is seen as observables",
		"internal/sigma":       "what a pattern asks of an event's fields is said as a rule, so that one engine looks for both",
		"internal/stixpattern": "its patterns are what observables are for",
	}},
	"internal/indicator": {layer: words, beside: map[string]string{"internal/stixpattern": "an indicator's values are read out of its pattern"}},
	"internal/policy": {layer: words, beside: map[string]string{
		"internal/roster": "who may read is a question about members and groups",
		"internal/stix":   "who may read is a question about markings",
	}},

	"internal/merkle":            {layer: formats},
	"internal/entry":             {layer: formats},
	"internal/seal":              {layer: formats, beside: map[string]string{"internal/entry": "what is sealed is an entry; its header is authenticated"}},
	"internal/report":            {layer: formats},
	"internal/misp":              {layer: formats},
	"internal/misp/mapping":      {layer: formats, beside: map[string]string{"internal/misp": "events become STIX objects and the other way"}},
	"internal/decode/evtx":       {layer: formats},
	"internal/decode/jsonl":      {layer: formats},
	"internal/decode/container":  {layer: formats},
	"internal/decode/taxonomy":   {layer: formats},
	"internal/decode/eve":        {layer: formats, beside: taxonomyBeside},
	"internal/decode/cloudtrail": {layer: formats, beside: taxonomyBeside},
	"internal/decode/ecs": {layer: formats, beside: map[string]string{
		"internal/decode/taxonomy":   taxonomyWhy,
		"internal/decode/cloudtrail": "CloudTrail arrives in ECS too",
	}},
	"internal/decode/ocsf": {layer: formats, beside: map[string]string{
		"internal/decode/taxonomy":   taxonomyWhy,
		"internal/decode/cloudtrail": "CloudTrail arrives in OCSF too",
	}},
	"internal/decode/zeek": {layer: formats, beside: map[string]string{
		"internal/decode/taxonomy": taxonomyWhy,
		"internal/decode/jsonl":    "a line that is left out is reported as a value is, so that callers know one kind of fault",
	}},
	"internal/decode/telemetry": {layer: formats, beside: map[string]string{
		"internal/decode/jsonl":      "telemetry is read by it, then named",
		"internal/decode/taxonomy":   "by its marks formats are told apart",
		"internal/decode/eve":        telemetryWhy,
		"internal/decode/zeek":       telemetryWhy,
		"internal/decode/cloudtrail": telemetryWhy,
		"internal/decode/ocsf":       telemetryWhy,
		"internal/decode/ecs":        telemetryWhy,
		"internal/decode/eventxml":   "collectors put Sysmon for Linux's XML into a field",
	}},
	"internal/decode/lines":    {layer: formats},
	"internal/decode/eventxml": {layer: formats},
	"internal/decode/syslog": {layer: formats, beside: map[string]string{
		"internal/decode/lines":     "messages are lines",
		"internal/decode/auditd":    "messages carry audit records",
		"internal/decode/eventxml":  "Sysmon for Linux writes its events into syslog",
		"internal/decode/jsonl":     "programs log JSON objects",
		"internal/decode/telemetry": "some of those have formats of their own: Suricata's records",
		"internal/decode/taxonomy":  "services and their texts are those of collectors' rows, too",
	}},
	"internal/decode/auditd": {layer: formats, beside: map[string]string{"internal/decode/lines": "its log is lines"}},

	"internal/federation": {layer: core},

	"internal/match": {layer: engines, beside: map[string]string{
		"internal/match/program": "rules are compiled beside their upkeep",
		"internal/match/ioc":     "millions of indicators are looked up in its sets",
	}},
	"internal/match/compare":   {layer: formats},
	"internal/match/dfa":       {layer: formats},
	"internal/match/literal":   {layer: formats},
	"internal/match/naive":     {layer: formats, beside: map[string]string{"internal/match/compare": "both evaluators compare text in one way"}},
	"internal/match/program":   {layer: engines},
	"internal/sequence":        {layer: engines},
	"internal/match/ioc":       {layer: engines},
	"internal/correlate":       {layer: engines},
	"internal/memberlog":       {layer: engines, beside: map[string]string{"internal/memberlog/guard": "an append is acknowledged once its guard knows of it"}},
	"internal/memberlog/guard": {layer: engines},
	"internal/keys":            {layer: engines},
	"internal/store/sqlite":    {layer: engines},
	"internal/store/storetest": {layer: engines},

	"internal/admit":    {layer: flows},
	"internal/publish":  {layer: flows},
	"internal/exchange": {layer: flows},
	"internal/detect":   {layer: flows},
	"internal/scan":     {layer: flows},
	"internal/shelf":    {layer: flows},
	"internal/inbox":    {layer: flows},
	"internal/search":   {layer: flows},
	"internal/api":      {layer: edges},

	"internal/ingest/httpjsonl": {layer: edges},
	"internal/ingest/follow":    {layer: edges},
	"internal/peer":             {layer: edges},
	"internal/control":          {layer: edges},
	"internal/web":              {layer: edges},
	"internal/taxii":            {layer: edges},

	"internal/config": {layer: assembly},
	"internal/node":   {layer: assembly, beside: map[string]string{"internal/config": "node wires what the configuration says"}},
	"internal/drill": {layer: assembly, beside: map[string]string{
		"internal/config": "a drill configures its members",
		"internal/node":   "a drill's members are real nodes",
	}},
	"internal/cli": {layer: assembly, beside: map[string]string{
		"internal/config": "commands read the configuration",
		"internal/node":   "commands run or open the node",
		"internal/drill":  "a drill is a command",
	}},

	"internal/lanes": {layer: assembly},

	"internal/archtest": {layer: tests},

	"cmd/shieldwall": {layer: mains},
	"cmd/lanes":      {layer: mains},
}

const (
	taxonomyWhy  = "formats share the names that rules ask for"
	telemetryWhy = "telemetry is the one place that tells formats apart"
)

var taxonomyBeside = map[string]string{"internal/decode/taxonomy": taxonomyWhy}

// ban keeps an import to the packages that have a reason for it.
type ban struct {
	what string // an import path, or a prefix that ends in /
	only []string
	why  string
}

var bans = []ban{
	{"database/sql", []string{"internal/store/sqlite", "internal/store/storetest"}, "SQL stands in one place, so that a second database needs one more package and no search"},
	{"database/sql/driver", []string{"internal/store/sqlite"}, "as database/sql"},
	{"modernc.org/", []string{"internal/store/sqlite"}, "as database/sql"},
	{"crypto/sha1", []string{"internal/stix"}, "SHA-1 is for UUIDv5 alone; under fips140=only it panics, so it stays where it can be seen"},
	{"crypto/md5", nil, "nothing of ours needs MD5"},
	{"math/rand", nil, "randomness is injected or crypto/rand; math/rand/v2 may be seeded in simulations"},
	{"unsafe", []string{"internal/decode/evtx", "internal/decode/jsonl", "internal/match", "internal/match/literal"},
		"hostile bytes are read here; decoders and matchers may view a byte slice as a string and a string as bytes, nothing else"},
	{"C", nil, "one static binary, CGO_ENABLED=0"},
	{"github.com/spf13/pflag", []string{"internal/cli"}, "flags are the command line's"},
	{"net/http/pprof", nil, "it serves from an init() on the default mux"},
	{"expvar", nil, "it serves from an init() on the default mux"},
}

// impure are imports that words, formats and the core may not have: they would make them depend on a
// machine. Formats may take an io.Reader, which is none of these, and ask what the processor can do: the answer
// decides how fast a result comes, never which.
var impure = []string{"os", "os/", "net", "net/http", "net/http/", "log", "log/", "context", "database/", "testing", "syscall", "golang.org/x/sys/unix", "golang.org/x/sys/windows", "golang.org/x/term"}
