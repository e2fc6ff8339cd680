package sigma

import "time"

// CorrelationType says what a correlation counts or compares (Sigma Correlation Rules Specification 2.1.0,
// "Correlation Types").
type CorrelationType string

// The types. The extended forms of the temporal ones are told by Correlation.Sequence.
const (
	EventCount      CorrelationType = "event_count"
	ValueCount      CorrelationType = "value_count"
	ValueSum        CorrelationType = "value_sum"
	ValueAvg        CorrelationType = "value_avg"
	ValuePercentile CorrelationType = "value_percentile"
	Temporal        CorrelationType = "temporal"
	TemporalOrdered CorrelationType = "temporal_ordered"
)

// Correlation is one correlation rule: what must come together within a time for it to hold.
type Correlation struct {
	// Attributes are what the rule says about itself; Logsource and Detection of it are empty.
	Attributes *Rule
	Type       CorrelationType
	// Rules are the rules that it counts, by id or name, in the order of the file and once each.
	Rules []string
	// GroupBy are fields, or aliases of fields, whose values must be the same; none is one group.
	GroupBy []string
	// Aliases give, for an alias used in GroupBy or Fields, the field's name in each rule of Rules.
	Aliases map[string]map[string]string
	// Timespan is the length of the sliding window.
	Timespan time.Duration
	// Bounds must all hold ("gte: 10" with "lt: 50" is a range). Empty for temporal types without a count.
	Bounds []Bound
	// Fields are those of value_count (the values of several are counted as tuples), value_sum, value_avg and
	// value_percentile.
	Fields []string
	// Percentile is that of value_percentile, from 0 to 100.
	Percentile float64
	// Sequence is the extended condition of a temporal type, over the indexes of Rules; nil without one: then
	// all rules must hold.
	Sequence Expr
	// Generate keeps the rules it refers to telling what they find; without it they are silent.
	Generate bool
	// Line is the rule's first line in its file, from 1.
	Line int
}

// Bound compares what a correlation counted with a number.
type Bound struct {
	Op    BoundOp
	Value float64
}

// BoundOp is a comparison of a correlation's condition.
type BoundOp string

// The comparisons.
const (
	BoundEq  BoundOp = "eq"
	BoundNeq BoundOp = "neq"
	BoundGt  BoundOp = "gt"
	BoundGte BoundOp = "gte"
	BoundLt  BoundOp = "lt"
	BoundLte BoundOp = "lte"
)
