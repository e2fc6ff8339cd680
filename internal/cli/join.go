package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// maxToken is more than any token needs.
const maxToken = 16 << 10

func newJoin() *command {
	var kitFile string
	return &command{
		name: "join", args: "TOKEN", minArgs: 1, maxArgs: 1,
		short: "become a member of an ally's alliance",
		long: `Presents an invitation's token to the ally that made it and becomes a member of its alliance. TOKEN may
be -, then it is read from stdin and no other user of this machine sees it in the list of processes.
This member must be alone in its own alliance, which it leaves. A join that broke off may be tried again.`,
		exits:  exitsOfChange,
		define: func(f *pflag.FlagSet) { f.StringVar(&kitFile, "kit-passphrase-file", "", kitFlagUsage) },
		run: func(ctx context.Context, p *program, args []string) error {
			token, err := p.readToken(args[0])
			if err != nil {
				return err
			}
			return p.withNode(ctx, p.creation(kitFile), func(s *session) error {
				joined, err := s.Join(ctx, token)
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
