package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"shieldwall/internal/scan"
	"shieldwall/internal/sigma"
)

// maxPlaceholdersFile bounds a file of placeholders, in bytes.
const maxPlaceholdersFile = sigma.MaxFileSize

// sigmaOptions reads the file of --placeholders; none is no placeholders.
func sigmaOptions(path string) (opt sigma.Options, err error) {
	if path == "" {
		return opt, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return opt, fmt.Errorf("reading the placeholders: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPlaceholdersFile+1)) // one more, so that the reader sees that it is too long
	if err != nil {
		return opt, fmt.Errorf("reading the placeholders: %w", err)
	}
	if opt.Placeholders, err = sigma.ReadPlaceholders(data); err != nil {
		return opt, fmt.Errorf("reading the placeholders: %s: %w", path, err)
	}
	return opt, nil
}

// definePlaceholders is the flag of commands that read rules without a node.
func definePlaceholders(f *pflag.FlagSet, path *string) {
	f.StringVar(path, "placeholders", "", "YAML `FILE` of the values of %name% in rules that say expand")
}

func newRulesCheck() *command {
	var placeholders string
	return &command{
		name: "rules check", args: "DIR...", minArgs: 1, maxArgs: -1,
		short: "which Sigma rules load, which do not and why",
		long: `Reads the Sigma rules below the folders (or the files), with correlation rules and filters, and lists those that do
not load: file, line, one word to group by, and the reason. --json writes one object with the counts and the list.

--placeholders is a file such as "Administrators: [alice, bob]": a map of names to one value or a list. It is what
the configuration's placeholders are to a node.`,
		exits:  "0 all rules load\n1 some do not\n2 usage, or could not run",
		define: func(f *pflag.FlagSet) { definePlaceholders(f, &placeholders) },
		run: func(_ context.Context, p *program, args []string) error {
			opt, err := sigmaOptions(placeholders)
			if err != nil {
				return err
			}
			report, err := scan.CheckRules(args, opt)
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

// maxWaiting bounds the log sources that are named; --json has all.
const maxWaiting = 20

// waitingLines says which rules wait for log sources that nothing here makes.
func waitingLines(list []scan.Waiting) []string {
	total := 0
	var lines []string
	for i, w := range list {
		total += w.Rules
		if i < maxWaiting {
			lines = append(lines, printable(fmt.Sprintf("  %s: %s", w.Name(), plural(w.Rules, "rule", "rules"))))
		}
	}
	if more := len(list) - maxWaiting; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	head := plural(total, "rule is", "rules are") + " only asked where the log source is said of what is read (scan --logsource, a configuration's product, category and service):"
	return append([]string{head}, lines...)
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
	if len(r.Waiting) > 0 {
		p.talk("%s", strings.Join(waitingLines(r.Waiting), "\n"))
	}
	p.talk("%s from %s loaded, %d rejected", loaded, plural(r.Files, "file", "files"), len(r.Rejected))
	return nil
}
