package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"shieldwall/internal/control"
)

// maxToken is more than any token needs.
const maxToken = 16 << 10

func newJoin() *command {
	var kitFile string
	var noWait bool
	return &command{
		name: "join", args: "TOKEN", minArgs: 1, maxArgs: 1,
		short: "become a member of an ally's alliance",
		long: `Presents an invitation's token to the ally that made it and becomes a member of its alliance. TOKEN may
be -, then it is read from stdin and no other user of this machine sees it in the list of processes.
This member must be alone in its own alliance, which it leaves. A join that broke off may be tried again. Where
more than one officer must admit a member, this waits until they have; until then it may be broken off, too.`,
		exits: exitsOfChange,
		define: func(f *pflag.FlagSet) {
			f.StringVar(&kitFile, "kit-passphrase-file", "", kitFlagUsage)
			f.BoolVar(&noWait, "no-wait", false, "ask once; where officers must admit this member first, say so and end with 2")
		},
		run: func(ctx context.Context, p *program, args []string) error {
			token, err := p.readToken(args[0])
			if err != nil {
				return err
			}
			return p.withNode(ctx, p.creation(kitFile), func(s *session) error {
				joined, err := p.joined(ctx, s, token, !noWait)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(joined)
				}
				return p.printf("%s is now a member of %s: roster %d, %s\n",
					joined.Member, joined.Alliance, joined.Version, plural(joined.Members, "member", "members"))
			})
		},
	}
}

// joinEvery is how often a join that waits for officers is asked for again.
const joinEvery = 5 * time.Second

// joined joins, and waits for the officers where it must.
func (p *program) joined(ctx context.Context, s *session, token string, wait bool) (control.JoinResult, error) {
	for said := ""; ; {
		res, err := s.Join(ctx, token)
		switch {
		case err != nil || res.Pending == "":
			return res, err
		case !wait:
			return res, &exit{2, "asked to join as " + res.Member + "; " + res.Pending}
		case res.Pending != said:
			p.talk("asked to join as %s; %s", res.Member, res.Pending)
			said = res.Pending
		}
		select {
		case <-ctx.Done():
			return res, ctx.Err()
		case <-time.After(joinEvery):
		}
	}
}

func (p *program) readToken(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	line, err := bufio.NewReader(io.LimitReader(p.stdin, maxToken)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", usagef("no token on stdin")
	}
	return line, nil
}
