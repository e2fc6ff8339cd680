package cli

import (
	"context"
	"fmt"
	"strings"

	"shieldwall/internal/scan"
	"shieldwall/internal/sigma"
)

func newRulesCheck() *command {
	return &command{
		name: "rules check", args: "DIR...", minArgs: 1, maxArgs: -1,
		short: "which Sigma rules load, which do not and why",
		long: `Reads the Sigma rules below the folders (or the files), with correlation rules and filters, and lists those that do
not load: file, line, one word to group by, and the reason. --json writes one object with the counts and the list.`,
		exits: "0 all rules load\n1 some do not\n2 usage, or could not run",
		run: func(_ context.Context, p *program, args []string) error {
			report, err := scan.CheckRules(args, sigma.Options{})
			if err != nil {
				return err
			}
			if p.json {
				err = p.printJSON(report)
			} else {
				err = p.showRules(report)
			}
			if err == nil && len(report.Rejected) > 0 {
				return &exit{code: exitFindings}
			}
			return err
		},
	}
}

func (p *program) showRules(r scan.RuleReport) error {
	for _, rejected := range r.Rejected {
		at := rejected.File
		if rejected.Line > 0 {
			at = fmt.Sprintf("%s:%d", at, rejected.Line)
		}
		detail := strings.TrimPrefix(rejected.Detail, fmt.Sprintf("line %d: ", rejected.Line))
		if err := p.print(printable(fmt.Sprintf("%s: %s: %s", at, rejected.Reason, detail)) + "\n"); err != nil {
			return err
		}
	}
	loaded := plural(r.Loaded, "rule", "rules")
	if r.Correlations > 0 {
		loaded += ", " + plural(r.Correlations, "correlation", "correlations")
	}
	if r.Filters > 0 {
		loaded += ", " + plural(r.Filters, "filter", "filters")
	}
	p.talk("%s from %s loaded, %d rejected", loaded, plural(r.Files, "file", "files"), len(r.Rejected))
	return nil
}
