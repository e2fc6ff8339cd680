package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

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
found ("text"). A rule that has none is looked at wherever a field is there ("field") or for every event of its
log source and event id ("every event"); for these the table is followed by what about the rule is the reason.
LOOKED AT counts events, HELD those that the rule held for, EACH is what one look takes, SHARE is of the time of
all rules. A question that rules share is booked to the one that asks it first.

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
	talk := &scanTalk{p: p, bar: newBar(p)}
	st, err := scan.Run(ctx, scan.Options{
		Sigma: opt, Rules: o.rules, Indicators: o.indicators, Paths: paths, Now: p.now, Measure: 1, Costliest: o.top,
		Own: regular(p.stdout), Each: func(*status.Detection) error { return nil },
		OnRejected: talk.rejected, OnProblem: talk.problem, Progress: talk.bar.update,
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
	n := st.Nanoseconds
	errs = append(errs, p.printf("measured  %d of %s in %s: %s for rules, %s for indicators, %s to find out which rules to look at\n",
		st.Measured, plural(st.Events, "event", "events"), spell(n.Total), spell(n.Rules), spell(n.Indicators), spell(max(n.Total-n.Rules-n.Indicators, 0))),
		p.showEngine(st.Engine))
	return errors.Join(errs...)
}

// ruleCosts is the table of the costliest rules.
func (p *program) ruleCosts(st *status.Profile) error {
	if len(st.Rules) == 0 {
		return p.print("No rule was looked at in the measured events.\n\n")
	}
	rows := [][]string{}
	for _, r := range st.Rules {
		rows = append(rows, []string{
			spell(r.Nanoseconds), fmt.Sprintf("%.1f %%", 100*r.Share), fmt.Sprint(r.Looked), fmt.Sprint(r.Held),
			spell(r.Nanoseconds / max(r.Looked, 1)), filings[r.Filed], orDash(r.RuleID), orDash(r.Title), whereOf(r),
		})
	}
	err := p.table([]string{"TIME", "SHARE", "LOOKED AT", "HELD", "EACH", "BY", "RULE", "TITLE", "FILE"}, rows)
	return errors.Join(err, p.printf("%d of the %s that were looked at\n\n", len(st.Rules), plural(st.Looked, "rule", "rules")))
}

// filings say in a table when a rule is looked at.
var filings = map[string]string{status.FiledByText: "text", status.FiledByField: "field", status.FiledAlways: "every event"}

// whereOf says where a rule comes from.
func whereOf(r status.RuleCost) string {
	if r.Publisher != "" {
		return r.Publisher + " " + r.Object
	}
	return orDash(r.File)
}

// reasons says of the rules that are not filed by a text why that is so.
func (p *program) reasons(rules []status.RuleCost) error {
	var errs []error
	for _, r := range rules {
		if len(r.Why) == 0 {
			continue
		}
		if len(errs) == 0 {
			errs = append(errs, p.print("Looked at without a text of theirs being found:\n"))
		}
		name := r.Title
		if name == "" {
			name = r.RuleID
		}
		errs = append(errs, p.print(printable(fmt.Sprintf("  %s (%s)", name, whereOf(r)))+"\n"))
		for _, why := range r.Why {
			errs = append(errs, p.print(printable(fmt.Sprintf("    %s: it %s", filings[r.Filed], why))+"\n"))
		}
	}
	if len(errs) > 0 {
		errs = append(errs, p.print("\n"))
	}
	return errors.Join(errs...)
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
	each := ""
	if e.Indicators > 0 {
		each = fmt.Sprintf(", %.1f bytes each", float64(e.IndicatorBytes)/float64(e.Indicators))
	}
	return p.printf(`engine    %s in %s of %s (by log source and event id), %d not merged yet, %s so far
looks     for %s; %d rules wherever a field is there, %d for every event; %s in common, %s
memory    %s for rules; %s for %s in %s%s
`,
		plural(e.Rules, "rule", "rules"), plural(e.Segments, "segment", "segments"), plural(e.Buckets, "bucket", "buckets"), e.Delta, plural(e.Merges, "merge", "merges"),
		plural(e.Witnesses, "text", "texts"), e.ByField, e.Always, plural(e.Questions, "question", "questions"), plural(e.Fields, "field name", "field names"),
		bytesOf(float64(e.RuleBytes)), bytesOf(float64(e.IndicatorBytes)), plural(e.Indicators, "indicator", "indicators"), plural(e.Lists, "list", "lists"), each)
}

// spell shows nanoseconds as people read them.
func spell(nanoseconds int64) string {
	switch d := time.Duration(nanoseconds); {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d >= 10*time.Microsecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
	return fmt.Sprintf("%d ns", nanoseconds)
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
