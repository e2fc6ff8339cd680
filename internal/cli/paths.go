package cli

import (
	"context"
	"strings"
	"text/tabwriter"

	"shieldwall/internal/observed"
)

func newRulesPaths() *command {
	return &command{
		name: "rules paths", args: "", minArgs: 0, maxArgs: 0,
		short: "which fields STIX object paths are read from",
		long: `Prints the map that STIX patterns are matched through: object path, which observable of the event it is about, and
the fields that its value is read from, the first that the event has. "->" are references to other observables of the
event; paths go through them, as in process:parent_ref.command_line. A pattern with a path that is not here is rejected.`,
		exits: "0 printed\n2 usage, or could not run",
		run: func(_ context.Context, p *program, _ []string) error {
			var b strings.Builder
			w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
			if err := observed.Table(w); err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
			return p.print(b.String())
		},
	}
}
