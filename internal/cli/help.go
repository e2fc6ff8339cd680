package cli

import (
	"fmt"
	"strings"
)

// help prints the help of a command, of a group of commands, or of the whole line, on stdout: it was asked for.
func (p *program) help(words []string) error {
	name := strings.Join(words, " ")
	if name == "" {
		return p.print(usage(commands()))
	}
	if len(words) == 1 && len(below(commands(), name)) > 0 {
		var group []*command
		for _, c := range commands() {
			if strings.HasPrefix(c.name, name+" ") {
				group = append(group, c)
			}
		}
		return p.print(list(group) + "\nshieldwall help COMMAND says more.\n")
	}
	c, rest, err := find(words)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("help wants one command, not also %q", rest[0])
	}
	return p.print(commandHelp(c))
}

func usage(all []*command) string {
	return `Shieldwall: a collective cyber-defence node. An attack seen by one member of an alliance
protects every other member seconds later.

usage: shieldwall COMMAND [FLAGS] [ARGUMENTS]

` + list(all) + `
Every command takes --data DIR, --config FILE and --json. shieldwall help COMMAND says more.
Exit codes: 0 ok, 1 findings or a failed check, 2 usage or could not run, 3 some input could not be read.
`
}

func list(commands []*command) string {
	var b strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-18s %s\n", c.name, c.short)
	}
	return b.String()
}

func commandHelp(c *command) string {
	f := (&program{}).commandFlags(c)
	// The library shows that a switch may be given a value; nobody needs to know. Columns stay.
	const noise = "[=true|false]"
	flags := strings.ReplaceAll(f.FlagUsages(), noise, strings.Repeat(" ", len(noise)))
	line := strings.TrimSpace("usage: shieldwall " + c.name + " " + c.args)
	return line + "\n\n" + strings.TrimSpace(c.long) + "\n\nflags:\n" + flags +
		"\nexit codes:\n  " + strings.ReplaceAll(strings.TrimSpace(c.exits), "\n", "\n  ") + "\n"
}
