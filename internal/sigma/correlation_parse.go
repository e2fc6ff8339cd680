package sigma

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The long units of a timespan have no fixed length; these are the mean ones of the Gregorian calendar, as
// other readers of Sigma have them.
const (
	day   = 24 * time.Hour
	month = 2_629_746 * time.Second
	year  = 31_556_952 * time.Second
)

// correlationParser reads one correlation section (Sigma Correlation Rules Specification, "Correlation
// section").
type correlationParser struct {
	out   *Correlation
	line  int
	parts map[string]pair
	// median is value_median, whose percentile the type says.
	median bool
}

// correlationKeys are those of the section. Another one would be a misspelling, and a grouping or a time that
// does not count would change what the rule means.
var correlationKeys = []string{"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"}

func parseCorrelation(doc *document) (*Correlation, error) {
	if err := doc.titled(); err != nil {
		return nil, err
	}
	if p, ok := doc.parts["detection"]; ok {
		return nil, errorAt(p.line, p.key, ReasonCorrelation, "one document is a rule or a correlation, not both")
	}
	if p, ok := doc.parts["filter"]; ok {
		return nil, errorAt(p.line, p.key, ReasonCorrelation, "one document is a filter or a correlation, not both")
	}
	section := doc.parts["correlation"]
	pairs, err := mapping(section.value, section.key)
	if err != nil {
		return nil, err
	}
	c := &correlationParser{
		out:  &Correlation{Attributes: doc.about, Line: doc.about.Line},
		line: section.line, parts: map[string]pair{},
	}
	for _, p := range pairs {
		if !slices.Contains(correlationKeys, p.key) {
			return nil, errorAt(p.line, correlationPath(p.key), ReasonCorrelation,
				"unknown key, want one of %s", strings.Join(correlationKeys, ", "))
		}
		c.parts[p.key] = p
	}
	for _, read := range []func() error{c.kind, c.rules, c.groupBy, c.timespan, c.aliases, c.condition} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return c.out, c.generate(doc)
}

func correlationPath(key string) string { return "correlation." + quotedKey(key) }

// fail is about a part of the section; one that is missing is about the section's line.
func (c *correlationParser) fail(key, format string, args ...any) *Error {
	line := c.line
	if p, ok := c.parts[key]; ok {
		line = p.line
	}
	return errorAt(line, correlationPath(key), ReasonCorrelation, format, args...)
}

func (c *correlationParser) need(key string) (pair, error) {
	p, ok := c.parts[key]
	if !ok {
		return p, c.fail(key, "missing")
	}
	return p, nil
}

// kind reads the type. A median is a percentile by another name (pySigma has it, the specification has not).
func (c *correlationParser) kind() error {
	const key = "type"
	p, err := c.need(key)
	if err != nil {
		return err
	}
	name, err := text(p.value, correlationPath(key))
	if err != nil {
		return err
	}
	switch typ := CorrelationType(name); typ {
	case EventCount, ValueCount, ValueSum, ValueAvg, ValuePercentile, Temporal, TemporalOrdered:
		c.out.Type = typ
		return nil
	case "value_median":
		c.out.Type, c.out.Percentile, c.median = ValuePercentile, 50, true
		return nil
	}
	return c.fail(key, "unknown type %s, want event_count, value_count, value_sum, value_avg, value_percentile, "+
		"value_median, temporal or temporal_ordered", quote(name))
}

func (c *correlationParser) isTemporal() bool {
	return c.out.Type == Temporal || c.out.Type == TemporalOrdered
}

// rules reads the references. They may be left out where an extended condition names them.
func (c *correlationParser) rules() error {
	const key = "rules"
	p, ok := c.parts[key]
	if !ok && c.isTemporal() && c.isExtended() {
		return nil
	}
	if !ok {
		return c.fail(key, "missing")
	}
	var err error
	c.out.Rules, err = names(p, correlationPath(key), MaxRefs, ReasonCorrelation)
	return err
}

// names reads a list of distinct names; one name counts as a list of one.
func names(p pair, path string, most int, reason Reason) ([]string, error) {
	list, err := texts(p.value, path)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errorAt(p.line, path, reason, "empty")
	}
	if len(list) > most {
		return nil, errorAt(p.line, path, ReasonLimit, "%d names, at most %d are read", len(list), most)
	}
	seen := make(map[string]bool, len(list))
	for _, name := range list {
		switch {
		case name == "":
			return nil, errorAt(p.line, path, reason, "empty name")
		case len(name) > MaxName:
			return nil, errorAt(p.line, path, ReasonLimit, "name of more than %d bytes", MaxName)
		case seen[name]:
			return nil, errorAt(p.line, path, reason, "%s is named twice", quote(name))
		}
		seen[name] = true
	}
	return list, nil
}

func (c *correlationParser) groupBy() (err error) {
	if p, ok := c.parts["group-by"]; ok {
		c.out.GroupBy, err = names(p, correlationPath(p.key), MaxGroupBy, ReasonCorrelation)
	}
	return err
}

func (c *correlationParser) timespan() error {
	const key = "timespan"
	p, err := c.need(key)
	if err != nil {
		return err
	}
	s, err := text(p.value, correlationPath(key))
	if err != nil {
		return err
	}
	units := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': day, 'w': 7 * day, 'M': month, 'y': year,
	}
	digits := strings.TrimLeft(s, "0123456789")
	if len(digits) != 1 || len(s) == 1 || units[digits[0]] == 0 {
		return c.fail(key, "want a number and one of s, m, h, d, w, M, y, found %s", quote(s))
	}
	unit := units[digits[0]]
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 64)
	switch {
	case err != nil || n > int64(MaxTimespan/unit):
		return errorAt(p.line, correlationPath(key), ReasonLimit, "%s is longer than ten years", quote(s))
	case n == 0:
		return c.fail(key, "must be longer than nothing")
	}
	c.out.Timespan = time.Duration(n) * unit
	return nil
}

// aliases reads alias -> {rule: field}. Which rules are meant is seen when the references are resolved.
func (c *correlationParser) aliases() error {
	const key = "aliases"
	p, ok := c.parts[key]
	if !ok {
		return nil
	}
	pairs, err := mapping(p.value, correlationPath(key))
	if err != nil {
		return err
	}
	if len(pairs) > MaxAliases {
		return errorAt(p.line, correlationPath(key), ReasonLimit, "more than %d aliases", MaxAliases)
	}
	c.out.Aliases = make(map[string]map[string]string, len(pairs))
	for _, alias := range pairs {
		fields, err := aliasFields(alias, correlationPath(key)+"."+quotedKey(alias.key))
		if err != nil {
			return err
		}
		c.out.Aliases[alias.key] = fields
	}
	return nil
}

func aliasFields(alias pair, path string) (map[string]string, error) {
	pairs, err := mapping(alias.value, path)
	if err != nil {
		return nil, err
	}
	switch {
	case alias.key == "" || len(pairs) == 0:
		return nil, errorAt(alias.line, path, ReasonCorrelation, "empty alias")
	case len(alias.key) > MaxName:
		return nil, errorAt(alias.line, "correlation.aliases", ReasonLimit, "name of more than %d bytes", MaxName)
	case len(pairs) > MaxRefs:
		return nil, errorAt(alias.line, path, ReasonLimit, "more than %d rules", MaxRefs)
	}
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		field, err := text(p.value, path+"."+quotedKey(p.key))
		if err != nil {
			return nil, err
		}
		switch {
		case field == "" || p.key == "":
			return nil, errorAt(p.line, path, ReasonCorrelation, "needs the name of a rule and of a field")
		case len(field) > MaxName || len(p.key) > MaxName:
			return nil, errorAt(p.line, path, ReasonLimit, "name of more than %d bytes", MaxName)
		}
		out[p.key] = field
	}
	return out, nil
}

// generate reads the flag where the specification's schema has it, beside the section, and where its tools
// have it, inside.
func (c *correlationParser) generate(doc *document) error {
	inside, isInside := c.parts["generate"]
	beside, isBeside := doc.parts["generate"]
	if isInside && isBeside {
		return errorAt(beside.line, "generate", ReasonCorrelation, "is given twice, beside correlation and inside it")
	}
	p, path := inside, correlationPath("generate")
	if isBeside {
		p, path = beside, "generate"
	}
	if p.value == nil {
		return nil
	}
	s, err := readScalar(p.value, path)
	if err != nil {
		return err
	}
	if s.kind != scalarBool {
		return errorAt(p.line, path, ReasonCorrelation, "want true or false, found %s", kindName(p.value))
	}
	c.out.Generate = s.yes
	return nil
}

// isExtended tells the condition that is a text from the one that is a map.
func (c *correlationParser) isExtended() bool {
	p, ok := c.parts["condition"]
	return ok && p.value.Kind == yaml.ScalarNode && p.value.ShortTag() != "!!null"
}
