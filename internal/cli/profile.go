package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"shieldwall/internal/scan"
	"shieldwall/internal/status"
)

// maxTop bounds the rules that a profile names.
const maxTop = 10_000

type profileOptions struct {
	rules, indicators []string
	placeholders      string
	top               int
}

func newRulesProfile() *command {
	var o profileOptions
	return &command{
		name: "rules profile", args: "[PATH...]", maxArgs: -1,
		short: "which rules cost time, why, and what the engine is made of",
		long: `Matches recordings as scan does, measures every rule that an event is checked against, and lists the costliest
rules; then what the engine is made of. Without PATH it asks the node that runs on the data folder, which measures
one event in 1,024 all the time.

A rule costs nothing for events that hold none of its texts: most rules are looked at where a text of theirs is
found. A rule that has none is looked at wherever a field is there, or for every event of its log source and event
id: BY says "a field" or "every event". Below the table stands, for each rule, by which text it is found or why
there is none. LOOKED AT counts events, HELD those that the rule held for, NS EACH are the nanoseconds of one look,
SHARE is of the time of all rules. A question that rules share is booked to the one that asks it first.

--rules, --indicators and --placeholders are those of scan. --json writes one object.`,
		exits: "0 nothing found\n1 something found\n2 usage, or could not run\n3 some input could not be read, something found or not",
		define: func(f *pflag.FlagSet) {
			f.StringArrayVar(&o.rules, "rules", nil, "`DIR` or file of Sigma rules (may be repeated)")
			f.StringArrayVar(&o.indicators, "indicators", nil, "`FILE` of indicators (may be repeated)")
			definePlaceholders(f, &o.placeholders)
			f.IntVar(&o.top, "top", 20, "list the costliest `N` rules")
		},
		run: func(ctx context.Context, p *program, args []string) error { return runProfile(ctx, p, o, args) },
	}
}

func runProfile(ctx context.Context, p *program, o profileOptions, paths []string) error {
	switch given := len(o.rules)+len(o.indicators) > 0; {
	case o.top < 1 || o.top > maxTop:
		return usagef("--top must be from 1 to %d", maxTop)
	case len(paths) > 0 && !given:
		return usagef("rules profile wants --rules or --indicators: something to look for")
	case len(paths) == 0 && (given || o.placeholders != ""):
		return usagef("rules profile wants PATH: recordings to match; without, it asks the running node about its own rules")
	case len(paths) == 0:
		return p.profileNode(ctx, o)
	}
	opt, err := sigmaOptions(o.placeholders)
	if err != nil {
		return err
	}
	talk := &scanTalk{p: p, bar: newLoneBar(p)}
	st, err := scan.Run(ctx, scan.Options{
		Sigma: opt, Rules: o.rules, Indicators: o.indicators, Paths: paths, Now: p.now, Measure: 1, Costliest: o.top,
		Own: regular(p.stdout), Each: func(*status.Detection) error { return nil },
		OnRejected: talk.rejected, OnProblem: talk.problem, OnSkipped: talk.skip, Progress: talk.bar.update,
	})
	talk.bar.clear()
	if err != nil {
		return err
	}
	if err := p.showProfile(st.Profile); err != nil {
		return err
	}
	talk.summary(st)
	return outcomeOf(st)
}

func (p *program) showProfile(st *status.Profile) error {
	if p.json {
		return p.printJSON(st)
	}
	errs := []error{p.ruleCosts(st), p.reasons(st.Rules), p.patternCosts(st.Patterns), p.correlationCosts(st.Correlations)}
	n, oneIn := st.Nanoseconds, ""
	if st.OneIn > 1 {
		oneIn = fmt.Sprintf(" (one in %d)", st.OneIn)
	}
	errs = append(errs, p.printf("measured  %d of %s%s, %s each: %s to find out which rules to look at, %s to look at them, %s for indicators\n",
		st.Measured, plural(st.Events, "event", "events"), oneIn, spell(n.Total/max(st.Measured, 1)), spell(max(n.Total-n.Rules-n.Indicators, 0)),
		spell(n.Rules), spell(n.Indicators)), p.showEngine(st.Engine))
	return errors.Join(errs...)
}

// ruleCosts is the table of the costliest rules.
func (p *program) ruleCosts(st *status.Profile) error {
	if len(st.Rules) == 0 {
		return p.print("No rule was looked at in the measured events.\n\n")
	}
	rows := [][]string{}
	for i, r := range st.Rules {
		rows = append(rows, []string{
			fmt.Sprint(i + 1), spell(r.Nanoseconds), fmt.Sprintf("%.1f %%", 100*r.Share), fmt.Sprint(r.Looked), fmt.Sprint(r.Held),
			fmt.Sprint(r.Nanoseconds / max(r.Looked, 1)), filings[r.Filed], orDash(r.RuleID), orDash(r.Title), whereOf(r),
		})
	}
	err := p.table([]string{"", "TIME", "SHARE", "LOOKED AT", "HELD", "NS EACH", "BY", "RULE", "TITLE", "FILE"}, rows)
	return errors.Join(err, p.printf("%d of the %s that were looked at\n\n", len(st.Rules), plural(st.Looked, "rule", "rules")))
}

// filings say in a table when a rule is looked at.
var filings = map[string]string{status.FiledByText: "a text", status.FiledByField: "a field", status.FiledAlways: "every event"}

// whereOf says where a rule comes from.
func whereOf(r status.RuleCost) string {
	if r.Publisher != "" {
		return r.Publisher + " " + r.Object
	}
	return orDash(r.File)
}

// reasons says by what each rule is found.
func (p *program) reasons(rules []status.RuleCost) error {
	if len(rules) == 0 {
		return nil
	}
	rows := [][]string{}
	for i, r := range rules {
		for n, why := range r.Why {
			number := fmt.Sprint(i + 1)
			if n > 0 {
				number = ""
			}
			rows = append(rows, []string{number, "it " + why})
		}
	}
	return errors.Join(p.table([]string{"", "WHY IT IS LOOKED AT"}, rows), p.print("\n"))
}

// patternCosts is the table of STIX patterns.
func (p *program) patternCosts(patterns []status.PatternCost) error {
	if len(patterns) == 0 {
		return nil
	}
	rows := [][]string{}
	for _, c := range patterns {
		kept := "-"
		if c.Room > 0 {
			kept = fmt.Sprintf("%d of %d", c.Kept, c.Room)
		}
		from := c.File
		if c.Publisher != "" {
			from = c.Publisher
		}
		rows = append(rows, []string{
			spell(c.Nanoseconds), fmt.Sprint(c.Asked), fmt.Sprint(c.Held), spell(c.Nanoseconds / max(c.Asked, 1)), kept, c.ID, orDash(from), orDash(c.Stopped),
		})
	}
	return errors.Join(p.table([]string{"TIME", "ASKED", "HELD", "EACH", "KEPT", "STIX PATTERN", "FROM", "STOPPED"}, rows), p.print("\n"))
}

// correlationCosts is the table of correlation rules.
func (p *program) correlationCosts(list []status.CorrelationCost) error {
	if len(list) == 0 {
		return nil
	}
	rows := [][]string{}
	for _, c := range list {
		rows = append(rows, []string{
			spell(c.Nanoseconds), fmt.Sprint(c.Taken), fmt.Sprint(c.Told), spell(c.Nanoseconds / max(c.Taken, 1)), bytesOf(float64(c.PeakBytes)),
			fmt.Sprint(c.EvictedEvents + c.EvictedGroups), orDash(c.RuleID), orDash(c.Title), orDash(c.File),
		})
	}
	return errors.Join(p.table([]string{"TIME", "TAKEN", "TOLD", "EACH", "HELD AT MOST", "EVICTED", "CORRELATION", "TITLE", "FILE"}, rows), p.print("\n"))
}

// showEngine says what the matcher is made of.
func (p *program) showEngine(e status.Engine) error {
	indicators := ""
	if e.Indicators > 0 {
		indicators = fmt.Sprintf("; %s for %s in %s, %.1f bytes each", bytesOf(float64(e.IndicatorBytes)), plural(e.Indicators, "indicator", "indicators"),
			plural(e.Lists, "object or list", "objects and lists"), float64(e.IndicatorBytes)/float64(e.Indicators))
	}
	return p.printf(`engine    %s in %s of %s (by log source and event id), %s not merged yet, %s so far
asks      %s about %s, shared by all; looks for %s, at %s wherever a field is there, at %s for every event
memory    rules %s as read, %s compiled%s
`,
		plural(e.Rules, "rule", "rules"), plural(e.Segments, "segment", "segments"), plural(e.Buckets, "bucket", "buckets"), plural(e.Delta, "rule", "rules"), plural(e.Merges, "merge", "merges"),
		plural(e.Questions, "question", "questions"), plural(e.Fields, "field", "fields"), plural(e.Witnesses, "text", "texts"), plural(e.ByField, "rule", "rules"), plural(e.Always, "rule", "rules"),
		bytesOf(float64(e.RuleBytes)), bytesOf(float64(e.ProgramBytes)), indicators)
}

// spell shows nanoseconds as people read them, in three digits.
func spell(nanoseconds int64) string {
	n := float64(nanoseconds)
	for _, unit := range []string{"ns", "µs", "ms"} {
		switch {
		case n < 9.995 && unit != "ns":
			return fmt.Sprintf("%.2f %s", n, unit)
		case n < 99.95 && unit != "ns":
			return fmt.Sprintf("%.1f %s", n, unit)
		case n < 999.5:
			return fmt.Sprintf("%.0f %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.2f s", n)
}

// profileNode asks the running node.
func (p *program) profileNode(ctx context.Context, o profileOptions) error {
	return p.withNode(ctx, nil, func(s *session) error {
		if !s.running {
			return fmt.Errorf("no node runs on %s: start one, or name recordings: shieldwall rules profile --rules DIR PATH", s.cfg.Data)
		}
		st, err := s.Profile(ctx, o.top)
		if err != nil {
			return err
		}
		return p.showProfile(&st)
	})
}
