package cli

import (
	"context"

	"github.com/spf13/pflag"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
)

type tokenOptions struct {
	scope, name, expires string
}

func newTokenNew() *command {
	var o tokenOptions
	return &command{
		name:  "token new",
		short: "make a token for the node's local HTTP interface",
		long: `Makes a token and prints it, this once: the node keeps only its hash. Scope ingest may send telemetry:

  curl -H "Authorization: Bearer $TOKEN" --data-binary @events.jsonl http://127.0.0.1:8470/ingest/jsonl`,
		exits: exitsOfChange,
		define: func(f *pflag.FlagSet) {
			f.StringVar(&o.scope, "scope", "ingest", "what the token may do: `SCOPE` is ingest")
			f.StringVar(&o.name, "name", "", "a `NAME` to know the token by (required)")
			f.StringVar(&o.expires, "expires", "", "how long it is good for: `SPAN` such as 30d (default: for ever)")
		},
		run: func(ctx context.Context, p *program, _ []string) error { return runTokenNew(ctx, p, o) },
	}
}

func runTokenNew(ctx context.Context, p *program, o tokenOptions) error {
	if o.name == "" {
		return usagef("token new wants --name, to know the token by")
	}
	if o.scope != "ingest" {
		return usagef("--scope: there is no scope %q; known: ingest", o.scope)
	}
	var expires config.Duration
	if o.expires != "" {
		if err := expires.UnmarshalText([]byte(o.expires)); err != nil || expires <= 0 {
			return usagef("--expires: %q is no time span such as 30d", o.expires)
		}
	}
	return p.withNode(ctx, nil, func(s *session) error {
		t, err := s.TokenNew(ctx, control.TokenRequest{Name: o.name, Scope: o.scope, Expires: expires.Std()})
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(t)
		}
		return p.printf("%s\n", t.Token)
	})
}
