package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
)

type tokenOptions struct {
	scopes                     []string
	name, as, expires, certify string
}

// tokenScopes are what a token may do.
var tokenScopes = []string{"ingest", "taxii:read", "taxii:write", "api:read", "api:publish", "api:operate"}

func newTokenNew() *command {
	var o tokenOptions
	return &command{
		name:  "token new",
		short: "make a token for the node's HTTP interfaces",
		long: `Makes a token and prints it, this once: the node keeps only its hash. A new token of the same name takes
the old one's place. --scope may be given several times.

ingest may send telemetry:

  curl -H "Authorization: Bearer $TOKEN" --data-binary @events.jsonl http://127.0.0.1:8470/ingest/jsonl

taxii:read may read over TAXII 2.1 what the policy lets its holder read, taxii:write may post to the inbox. Clients
give NAME and the token by HTTP Basic, or the token as a bearer token. --as says who the holder is: a constituent,
whom this member serves (up to TLP:AMBER, nothing that was never shared); or a machine or staff of its own (up to
AMBER+STRICT). RED is not for tokens.

api:read may search and read over the HTTP/JSON API (/api/openapi.json describes it), with --as as above; api:publish may share
and withdraw in this member's name, api:operate may mute: their holders are machine or staff.

With --certificate there is no secret: the key of that client certificate is let in, whoever signed it.`,
		exits: exitsOfChange,
		define: func(f *pflag.FlagSet) {
			f.StringArrayVar(&o.scopes, "scope", []string{"ingest"}, "what the token may do: a `SCOPE` as above")
			f.StringVar(&o.name, "name", "", "a `NAME` to know the token by (required)")
			f.StringVar(&o.as, "as", "", "who holds a token for TAXII or the API: `WHO` is constituent (default), machine or staff")
			f.StringVar(&o.expires, "expires", "", "how long it is good for: `SPAN` such as 30d (default: for ever)")
			f.StringVar(&o.certify, "certificate", "", "let in the key of this client certificate, a PEM `FILE`, in place of a token")
		},
		run: func(ctx context.Context, p *program, _ []string) error { return runTokenNew(ctx, p, o) },
	}
}

func runTokenNew(ctx context.Context, p *program, o tokenOptions) error {
	if o.name == "" {
		return usagef("token new wants --name, to know the token by")
	}
	for _, s := range o.scopes {
		if !slices.Contains(tokenScopes, s) {
			return usagef("--scope: there is no scope %q; known: %s", s, strings.Join(tokenScopes, ", "))
		}
	}
	var expires config.Duration
	if o.expires != "" {
		if err := expires.UnmarshalText([]byte(o.expires)); err != nil || expires <= 0 {
			return usagef("--expires: %q is no time span such as 30d", o.expires)
		}
	}
	certificate, err := readCertificate(o.certify)
	if err != nil {
		return err
	}
	return p.withNode(ctx, nil, func(s *session) error {
		t, err := s.TokenNew(ctx, control.TokenRequest{Name: o.name, Scopes: o.scopes, As: o.as, Expires: expires.Std(), Certificate: certificate})
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(t)
		}
		if t.Token == "" {
			return p.printf("%s is let in by its certificate's key\n", t.Name)
		}
		return p.printf("%s\n", t.Token)
	})
}

// maxCertificate bounds a certificate's file.
const maxCertificate = 64 << 10

func readCertificate(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCertificate+1))
	if err == nil && len(data) > maxCertificate {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxCertificate)
	}
	return data, err
}

func newTokenList() *command {
	return &command{
		name:  "token list",
		short: "show which tokens there are",
		long:  "Shows every token's name, what it may do, who holds it and until when; never the token itself.",
		exits: "0 ok\n2 usage or could not run",
		run: func(ctx context.Context, p *program, _ []string) error {
			return p.withNode(ctx, nil, func(s *session) error {
				list, err := s.Tokens(ctx)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(list)
				}
				if len(list) == 0 {
					p.talk("there are no tokens")
					return nil
				}
				rows := [][]string{}
				for _, k := range list {
					rows = append(rows, []string{k.Name, k.Scope, orDash(k.As), when(k.Created), p.until(k)})
				}
				return p.table([]string{"NAME", "SCOPE", "HOLDER", "MADE", "UNTIL"}, rows)
			})
		},
	}
}

// until says how long a token is good for.
func (p *program) until(t control.Token) string {
	switch {
	case t.Expires.IsZero():
		return "for ever"
	case !p.now().Before(t.Expires):
		return "expired " + when(t.Expires)
	}
	return when(t.Expires)
}

func newTokenRevoke() *command {
	return &command{
		name: "token revoke", args: "NAME", minArgs: 1, maxArgs: 1,
		short: "make a token worthless",
		long:  "Forgets a token by its name. Its holder is let in no more, from the next request on.",
		exits: exitsOfChange,
		run: func(ctx context.Context, p *program, args []string) error {
			return p.withNode(ctx, nil, func(s *session) error {
				t, err := s.TokenRevoke(ctx, args[0])
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(t)
				}
				return p.printf("token %s is revoked\n", t.Name)
			})
		},
	}
}
