package sigma_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/sigma"
)

// correlated are the options of a reader that takes every kind of document.
var correlated = sigma.Options{Correlations: true, Filters: true}

// correlation wraps a section into a correlation rule; its first line is line 3.
func correlation(section string) string {
	indented := strings.ReplaceAll(strings.TrimSpace(section), "\n", "\n  ")
	return "title: t\ncorrelation:\n  " + indented + "\n"
}

func parseCorrelation(t *testing.T, data string) *sigma.Correlation {
	t.Helper()
	got, err := sigma.Parse([]byte(data), correlated)
	if err != nil || len(got.Correlations) != 1 || len(got.Rules)+len(got.Rejected) != 0 {
		t.Fatalf("%v: %+v", err, got)
	}
	return got.Correlations[0]
}

// TestCorrelationExamples reads the correlations that the specification explains its types with.
func TestCorrelationExamples(t *testing.T) {
	gte := func(n float64) []sigma.Bound { return []sigma.Bound{{Op: sigma.BoundGte, Value: n}} }
	tests := []struct {
		name, section string
		want          sigma.Correlation
	}{
		{"event count", "type: event_count\nrules:\n  - 5638f7c0-ac70-491d-8465-2a65075e0d86\ngroup-by:\n  - ComputerName\ntimespan: 1h\ncondition:\n  gte: 100",
			sigma.Correlation{Type: sigma.EventCount, Rules: []string{"5638f7c0-ac70-491d-8465-2a65075e0d86"}, GroupBy: []string{"ComputerName"},
				Timespan: time.Hour, Bounds: gte(100)}},
		{"value count", "type: value_count\nrules: [r]\ngroup-by: [ComputerName, WorkstationName]\ntimespan: 1d\ncondition: {field: User, gte: 100}",
			sigma.Correlation{Type: sigma.ValueCount, Rules: []string{"r"}, GroupBy: []string{"ComputerName", "WorkstationName"},
				Timespan: 24 * time.Hour, Fields: []string{"User"}, Bounds: gte(100)}},
		{"value count of tuples", "type: value_count\nrules: r\ntimespan: 2w\ncondition: {field: [User, Domain], gt: 1}",
			sigma.Correlation{Type: sigma.ValueCount, Rules: []string{"r"}, Timespan: 14 * 24 * time.Hour, Fields: []string{"User", "Domain"},
				Bounds: []sigma.Bound{{Op: sigma.BoundGt, Value: 1}}}},
		{"range", "type: event_count\nrules: r\ntimespan: 90m\ncondition: {gt: 100, lte: 200}",
			sigma.Correlation{Type: sigma.EventCount, Rules: []string{"r"}, Timespan: 90 * time.Minute,
				Bounds: []sigma.Bound{{Op: sigma.BoundGt, Value: 100}, {Op: sigma.BoundLte, Value: 200}}}},
		{"temporal", "type: temporal\nrules: [recon_cmd_a, recon_cmd_b, recon_cmd_c]\ngroup-by: [ComputerName, User]\ntimespan: 5m",
			sigma.Correlation{Type: sigma.Temporal, Rules: []string{"recon_cmd_a", "recon_cmd_b", "recon_cmd_c"},
				GroupBy: []string{"ComputerName", "User"}, Timespan: 5 * time.Minute}},
		{"temporal with a count", "type: temporal\nrules: [a, b, c]\ntimespan: 30s\ncondition: {gte: 2, neq: 3}",
			sigma.Correlation{Type: sigma.Temporal, Rules: []string{"a", "b", "c"}, Timespan: 30 * time.Second,
				Bounds: []sigma.Bound{{Op: sigma.BoundGte, Value: 2}, {Op: sigma.BoundNeq, Value: 3}}}},
		{"temporal with a condition", "type: temporal\nrules: [a, b, c]\ntimespan: 1M\ncondition: a AND b AND c",
			sigma.Correlation{Type: sigma.Temporal, Rules: []string{"a", "b", "c"}, Timespan: 2_629_746 * time.Second,
				Sequence: sigma.And{Xs: []sigma.Expr{sigma.Ref{Name: "a"}, sigma.Ref{Name: "b", Index: 1}, sigma.Ref{Name: "c", Index: 2}}}}},
		{"rules out of the condition", "type: temporal_ordered\ntimespan: 1y\ncondition: (x-1 or b) and not c and b",
			sigma.Correlation{Type: sigma.TemporalOrdered, Rules: []string{"x-1", "b", "c"}, Timespan: 31_556_952 * time.Second,
				Sequence: sigma.And{Xs: []sigma.Expr{
					sigma.Or{Xs: []sigma.Expr{sigma.Ref{Name: "x-1"}, sigma.Ref{Name: "b", Index: 1}}},
					sigma.Not{X: sigma.Ref{Name: "c", Index: 2}}, sigma.Ref{Name: "b", Index: 1}}}}},
		{"pattern of rules", "type: temporal\nrules: [s1, s2, t]\ntimespan: 1m\ncondition: 1 of s* and t",
			sigma.Correlation{Type: sigma.Temporal, Rules: []string{"s1", "s2", "t"}, Timespan: time.Minute,
				Sequence: sigma.And{Xs: []sigma.Expr{sigma.Of{Pattern: "s*", Indexes: []int{0, 1}}, sigma.Ref{Name: "t", Index: 2}}}}},
		{"ordered", "type: temporal_ordered\nrules: [many_failed_logins, successful_login]\ngroup-by: User\ntimespan: 1h\ngenerate: true",
			sigma.Correlation{Type: sigma.TemporalOrdered, Rules: []string{"many_failed_logins", "successful_login"}, GroupBy: []string{"User"},
				Timespan: time.Hour, Generate: true}},
		{"sum", "type: value_sum\nrules: website_access\ngroup-by: [SourceIP, User]\ntimespan: 1h\ncondition: {field: bytes_sent, gt: 1000000}",
			sigma.Correlation{Type: sigma.ValueSum, Rules: []string{"website_access"}, GroupBy: []string{"SourceIP", "User"}, Timespan: time.Hour,
				Fields: []string{"bytes_sent"}, Bounds: []sigma.Bound{{Op: sigma.BoundGt, Value: 1e6}}}},
		{"average", "type: value_avg\nrules: a\ntimespan: 24h\ncondition: {field: BytesOut, lt: -0.5}",
			sigma.Correlation{Type: sigma.ValueAvg, Rules: []string{"a"}, Timespan: 24 * time.Hour,
				Fields: []string{"BytesOut"}, Bounds: []sigma.Bound{{Op: sigma.BoundLt, Value: -0.5}}}},
		{"percentile", "type: value_percentile\nrules: a\ntimespan: 24h\ncondition: {field: f, percentile: 95, gte: 1}",
			sigma.Correlation{Type: sigma.ValuePercentile, Rules: []string{"a"}, Timespan: 24 * time.Hour, Percentile: 95,
				Fields: []string{"f"}, Bounds: gte(1)}},
		{"percentile 0", "type: value_percentile\nrules: a\ntimespan: 24h\ncondition: {percentile: 0, field: f, gte: 1}",
			sigma.Correlation{Type: sigma.ValuePercentile, Rules: []string{"a"}, Timespan: 24 * time.Hour, Fields: []string{"f"}, Bounds: gte(1)}},
		{"median", "type: value_median\nrules: a\ntimespan: 24h\ncondition: {field: f, gte: 1}",
			sigma.Correlation{Type: sigma.ValuePercentile, Rules: []string{"a"}, Timespan: 24 * time.Hour, Percentile: 50,
				Fields: []string{"f"}, Bounds: gte(1)}},
		{"aliases", "type: temporal\nrules: [internal_error, new_network_connection]\ngroup-by: [internal_ip, remote_ip]\ntimespan: 10s\naliases:\n" +
			"  internal_ip: {internal_error: destination.ip, new_network_connection: source.ip}\n" +
			"  remote_ip: {internal_error: source.ip, new_network_connection: destination.ip}",
			sigma.Correlation{Type: sigma.Temporal, Rules: []string{"internal_error", "new_network_connection"},
				GroupBy: []string{"internal_ip", "remote_ip"}, Timespan: 10 * time.Second,
				Aliases: map[string]map[string]string{
					"internal_ip": {"internal_error": "destination.ip", "new_network_connection": "source.ip"},
					"remote_ip":   {"internal_error": "source.ip", "new_network_connection": "destination.ip"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parseCorrelation(t, correlation(tt.section))
			tt.want.Attributes, tt.want.Line = &sigma.Rule{Title: "t", Line: 1}, 1
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", *got, tt.want)
			}
		})
	}
}

// TestCorrelationAttributes reads what a correlation says about itself, and the flag beside its section.
func TestCorrelationAttributes(t *testing.T) {
	got := parseCorrelation(t, `# comment
title: Failed logins
id: b180ead8-d58f-40b2-ae54-c8940995b9b6
name: logins
status: experimental
author: someone
tags: [attack.t1110]
falsepositives: [Unlikely]
level: high
generate: true
custom: {a: b}
correlation: {type: event_count, rules: r, timespan: 1m, condition: {gte: 1}}
`)
	want := &sigma.Rule{
		Title: "Failed logins", ID: "b180ead8-d58f-40b2-ae54-c8940995b9b6", Name: "logins", Status: "experimental", Author: "someone",
		Tags: []string{"attack.t1110"}, FalsePositives: []string{"Unlikely"}, Level: "high", Line: 2,
	}
	if !reflect.DeepEqual(got.Attributes, want) || !got.Generate || got.Line != 2 {
		t.Errorf("got %+v of %+v", got.Attributes, got)
	}
}

func TestCorrelationRejects(t *testing.T) {
	count := func(rest string) string {
		return correlation("type: event_count\nrules: [r]\ntimespan: 1m\n" + rest)
	}
	temporal := func(condition string) string {
		return correlation("type: temporal\nrules: [a, b]\ntimespan: 1m\ncondition: " + condition)
	}
	values := func(typ, condition string) string {
		return correlation("type: " + typ + "\nrules: [a]\ntimespan: 1m\ncondition: " + condition)
	}
	timespan := func(s string) string {
		return correlation("type: temporal\nrules: [a, b]\ntimespan: " + s)
	}
	tests := []struct {
		name, data string
		reason     sigma.Reason
		err        string
	}{
		{"no title", "correlation: {type: temporal}", sigma.ReasonStructure, "line 1: title: missing"},
		{"not a map", "title: t\ncorrelation: [a]", sigma.ReasonStructure, "line 2: correlation: want a map, found a list"},
		{"also a rule", "title: t\ncorrelation: {}\ndetection: {}", sigma.ReasonCorrelation, "line 3: detection: one document is a rule or a correlation, not both"},
		{"also a filter", "title: t\nfilter: {}\ncorrelation: {}", sigma.ReasonCorrelation, "line 2: filter: one document is a filter or a correlation, not both"},
		{"unknown key", count("group_by: a"), sigma.ReasonCorrelation,
			"line 6: correlation.group_by: unknown key, want one of type, rules, group-by, timespan, condition, aliases, generate"},
		{"no type", correlation("rules: a"), sigma.ReasonCorrelation, "line 2: correlation.type: missing"},
		{"unknown type", correlation("type: event-count"), sigma.ReasonCorrelation, `line 3: correlation.type: unknown type "event-count", ` +
			"want event_count, value_count, value_sum, value_avg, value_percentile, value_median, temporal or temporal_ordered"},
		{"no rules", correlation("type: event_count\ntimespan: 1m\ncondition: {gte: 1}"), sigma.ReasonCorrelation, "line 2: correlation.rules: missing"},
		{"no rules and no text", correlation("type: temporal\ntimespan: 1m\ncondition: {gte: 1}"), sigma.ReasonCorrelation, "line 2: correlation.rules: missing"},
		{"empty rules", correlation("type: temporal\nrules: []"), sigma.ReasonCorrelation, "line 4: correlation.rules: empty"},
		{"rules hold a map", correlation("type: temporal\nrules: [{a: b}]"), sigma.ReasonStructure, "line 4: correlation.rules: want text, found a map"},
		{"rule twice", correlation("type: temporal_ordered\nrules: [a, b, a]"), sigma.ReasonCorrelation, `line 4: correlation.rules: "a" is named twice`},
		{"empty rule", correlation("type: temporal\nrules: [a, '']"), sigma.ReasonCorrelation, "line 4: correlation.rules: empty name"},
		{"group twice", correlation("type: temporal\nrules: [a, b]\ngroup-by: [A, A]"), sigma.ReasonCorrelation, `line 5: correlation.group-by: "A" is named twice`},
		{"empty group", correlation("type: temporal\nrules: [a, b]\ngroup-by:"), sigma.ReasonCorrelation, "line 5: correlation.group-by: empty"},
		{"no timespan", correlation("type: temporal\nrules: [a]"), sigma.ReasonCorrelation, "line 2: correlation.timespan: missing"},
		{"timespan without unit", timespan("90"), sigma.ReasonCorrelation, `line 5: correlation.timespan: want a number and one of s, m, h, d, w, M, y, found "90"`},
		{"timespan of two units", timespan("1h30m"), sigma.ReasonCorrelation, `line 5: correlation.timespan: want a number and one of s, m, h, d, w, M, y, found "1h30m"`},
		{"timespan of a unit", timespan("m"), sigma.ReasonCorrelation, `line 5: correlation.timespan: want a number and one of s, m, h, d, w, M, y, found "m"`},
		{"negative timespan", timespan("-1m"), sigma.ReasonCorrelation, `line 5: correlation.timespan: want a number and one of s, m, h, d, w, M, y, found "-1m"`},
		{"unknown unit", timespan("1D"), sigma.ReasonCorrelation, `line 5: correlation.timespan: want a number and one of s, m, h, d, w, M, y, found "1D"`},
		{"no time", timespan("0s"), sigma.ReasonCorrelation, "line 5: correlation.timespan: must be longer than nothing"},
		{"long timespan", timespan("11y"), sigma.ReasonLimit, `line 5: correlation.timespan: "11y" is longer than ten years`},
		{"endless timespan", timespan("99999999999999999999s"), sigma.ReasonLimit, `line 5: correlation.timespan: "99999999999999999999s" is longer than ten years`},
		{"no condition", count(""), sigma.ReasonCorrelation, "line 2: correlation.condition: missing"},
		{"null condition", count("condition:"), sigma.ReasonStructure, "line 6: correlation.condition: want a map, found nothing"},
		{"text for a count", count("condition: r"), sigma.ReasonCorrelation,
			"line 6: correlation.condition: a text is for temporal and temporal_ordered, want a map such as gte: 10"},
		{"no comparison", count("condition: {}"), sigma.ReasonCorrelation, "line 6: correlation.condition: needs a comparison: eq, neq, gt, gte, lt or lte"},
		{"unknown comparison", count("condition:\n  ge: 5"), sigma.ReasonCorrelation,
			"line 7: correlation.condition.ge: unknown key, want one of eq, neq, gt, gte, lt, lte, field, percentile"},
		{"text as a number", count("condition: {gte: '10'}"), sigma.ReasonCorrelation, `line 6: correlation.condition.gte: want a number, found the value "10"`},
		{"half an event", count("condition: {gte: 1.5}"), sigma.ReasonCorrelation, `line 6: correlation.condition.gte: want a whole number, found "1.5"`},
		{"negative count", count("condition: {gt: -1}"), sigma.ReasonCorrelation, `line 6: correlation.condition.gt: want a whole number, found "-1"`},
		{"no number", count("condition: {gt: .nan}"), sigma.ReasonValue, `line 6: correlation.condition.gt: ".nan" is not a finite number`},
		{"large count", count("condition: {gt: 1000000001}"), sigma.ReasonLimit, "line 6: correlation.condition.gt: counts of more than 1000000000 are not kept"},
		{"field of an event count", count("condition: {gte: 1, field: A}"), sigma.ReasonCorrelation, "line 6: correlation.condition.field: event_count counts no values"},
		{"empty range", count("condition: {gt: 5, lt: 6}"), sigma.ReasonCorrelation, "line 6: correlation.condition: can never hold"},
		{"no event", count("condition: {lt: 1}"), sigma.ReasonCorrelation, "line 6: correlation.condition: can never hold"},
		{"more than all rules", temporal("{gt: 2}"), sigma.ReasonCorrelation, "line 6: correlation.condition: can never hold"},
		{"empty range of values", values("value_sum", "{field: A, eq: 1, neq: 1}"), sigma.ReasonCorrelation, "line 6: correlation.condition: can never hold"},
		{"value count without field", values("value_count", "{gte: 1}"), sigma.ReasonCorrelation, "line 6: correlation.condition: value_count needs a field"},
		{"sum of two", values("value_sum", "{gte: 1, field: [A, B]}"), sigma.ReasonCorrelation, "line 6: correlation.condition.field: value_sum is about one field"},
		// The example of the specification's version 2.1.0 says no percentile; other readers refuse it, too.
		{"no percentile", values("value_percentile", "{field: image, lte: 1}"), sigma.ReasonCorrelation,
			"line 6: correlation.condition: value_percentile needs a percentile, from 0 to 100"},
		{"percentile too high", values("value_percentile", "{field: A, lte: 1, percentile: 101}"), sigma.ReasonCorrelation,
			`line 6: correlation.condition.percentile: want a number from 0 to 100, found the value "101"`},
		{"percentile of a median", values("value_median", "{field: A, lte: 1, percentile: 50}"), sigma.ReasonCorrelation,
			"line 6: correlation.condition.percentile: is for value_percentile"},
		{"percentile of a sum", values("value_sum", "{field: A, lte: 1, percentile: 50}"), sigma.ReasonCorrelation,
			"line 6: correlation.condition.percentile: is for value_percentile"},
		{"unknown rule in the text", temporal("a and b and c"), sigma.ReasonCondition, `line 6: correlation.condition: rule "c" is not defined`},
		{"rule left out", temporal("a"), sigma.ReasonCorrelation, `line 6: correlation.condition: does not name the rule "b"`},
		{"syntax", temporal("a and (b"), sigma.ReasonCondition, `line 6: correlation.condition: ends where ")" should follow`},
		{"holds at rest", temporal("a or not b"), sigma.ReasonCorrelation, "line 6: correlation.condition: holds before any rule does: name at least one that must"},
		{"aggregation", temporal("a | count() > 5"), sigma.ReasonAggregation,
			`line 6: correlation.condition: legacy aggregation "| count() > 5" is not supported: use a correlation rule`},
		{"pattern without rules", correlation("type: temporal\ntimespan: 1m\ncondition: 1 of s*"), sigma.ReasonCorrelation,
			"line 5: correlation.condition: a pattern needs a list of rules to choose from"},
		{"list of texts", temporal("[a, b]"), sigma.ReasonStructure, "line 6: correlation.condition: want a map, found a list"},
		{"aliases are a list", timespan("1m\naliases: [a]"), sigma.ReasonStructure, "line 6: correlation.aliases: want a map, found a list"},
		{"alias is text", timespan("1m\naliases: {a: b}"), sigma.ReasonStructure, `line 6: correlation.aliases.a: want a map, found the value "b"`},
		{"empty alias", timespan("1m\naliases: {a: {}}"), sigma.ReasonCorrelation, "line 6: correlation.aliases.a: empty alias"},
		{"alias without field", timespan("1m\naliases: {a: {b: }}"), sigma.ReasonCorrelation, "line 6: correlation.aliases.a: needs the name of a rule and of a field"},
		{"generate is text", timespan("1m\ngenerate: 'yes'"), sigma.ReasonCorrelation, `line 6: correlation.generate: want true or false, found the value "yes"`},
		{"generate is a list", timespan("1m\ngenerate: []"), sigma.ReasonStructure, `line 6: correlation.generate: want a value, found a list`},
		{"generate twice", timespan("1m\ngenerate: true") + "generate: true\n", sigma.ReasonCorrelation,
			"line 7: generate: is given twice, beside correlation and inside it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := rejectBy(t, tt.data, correlated)
			if err.Reason != tt.reason || err.Error() != tt.err {
				t.Errorf("%s: %v\nwant %s: %s", err.Reason, err, tt.reason, tt.err)
			}
		})
	}
}

// TestCorrelationLimits gives correlations that are too large in one way each.
func TestCorrelationLimits(t *testing.T) {
	long := strings.Repeat("a", sigma.MaxName+1)
	inline := func(n int, format string) string {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprintf(format, i))
		}
		return strings.Join(items, ", ")
	}
	base := "type: temporal\nrules: [a, b]\ntimespan: 1m\n"
	for name, section := range map[string]string{
		"rules":                   "type: temporal\nrules: [" + inline(sigma.MaxRefs+1, "r%d") + "]",
		"rules of a condition":    "type: temporal\ntimespan: 1m\ncondition: a" + list(sigma.MaxRefs, " or r%d"),
		"groups":                  base + "group-by: [" + inline(sigma.MaxGroupBy+1, "g%d") + "]",
		"fields":                  "type: value_count\nrules: a\ntimespan: 1m\ncondition: {gte: 1, field: [" + inline(sigma.MaxGroupBy+1, "f%d") + "]}",
		"aliases":                 base + "aliases: {" + inline(sigma.MaxAliases+1, "a%d: {a: f}") + "}",
		"rules of an alias":       base + "aliases: {x: {" + inline(sigma.MaxRefs+1, "a%d: f") + "}}",
		"name of a rule":          "type: temporal\nrules: [" + long + "]",
		"name of an alias":        base + "aliases: {? " + long + " : {a: f}}",
		"name of an alias' rule":  base + "aliases: {x: {? " + long + " : f}}",
		"name of an alias' field": base + "aliases: {x: {a: " + long + "}}",
		"condition":               base + "condition: " + strings.Repeat("a or ", sigma.MaxConditionLength/5) + " b or a",
		"depth of the condition":  base + "condition: " + strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100),
		"references": "type: temporal\nrules: [" + inline(sigma.MaxRefs, "r%d") + "]\ntimespan: 1m\ncondition: " +
			strings.Repeat("1 of them or ", 50) + "all of them",
	} {
		t.Run(name, func(t *testing.T) {
			if err := rejectBy(t, correlation(section), correlated); err.Reason != sigma.ReasonLimit {
				t.Errorf("%s: %v", err.Reason, err)
			}
		})
	}
}
