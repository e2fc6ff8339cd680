// Package cli is the command line: one file a command, over one program that knows where it reads, writes
// and finds its node. stdout is data, stderr is talk (DESIGN.md, "The command line").
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"shieldwall/internal/config"
	"shieldwall/internal/suggest"
)

// Exit codes. They are part of the contract of the command line.
const (
	exitOK       = 0
	exitFindings = 1 // findings or a failed check
	exitUsage    = 2 // usage, or it could not run
	exitPartial  = 3 // some input could not be read
)

// program is one run of the command line. Its fields are set before a command runs and not changed after.
type program struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	host           config.Host
	nodes          Nodes
	drill          Drill
	patience       time.Duration // for a data folder that another process owns

	flags config.Flags // --data and --config, and what up overrides
	json  bool
}

// command is one command of the line.
type command struct {
	name  string // as typed: "alliance invite"
	args  string // its arguments, for the usage line
	short string // one line for the list
	long  string // what it does, for its help
	exits string // its exit codes, one a line
	// minArgs and maxArgs bound the arguments; maxArgs < 0 is no bound.
	minArgs, maxArgs int
	// define adds flags; nil where there are none of its own.
	define func(*pflag.FlagSet)
	run    func(ctx context.Context, p *program, args []string) error
}

// commands are all commands, in the order of the help.
func commands() []*command {
	return []*command{
		newUp(), newScan(), newRulesCheck(), newRulesProfile(), newRulesPaths(), newStixCheck(),
		newAllianceNew(), newAllianceShow(), newAllianceInvite(), newAllianceRemove(),
		newAllianceChange(), newAllianceKey(), newAllianceDraft(), newAllianceSign(), newAllianceAdmit(),
		newJoin(),
		newPublish(), newWithdraw(), newSearch(), newStatus(), newDetections(),
		newMuteAdd(), newMuteList(), newMuteRemove(), newTokenNew(), newTokenList(), newTokenRevoke(),
		newLogVerify(), newDrill(), newConfigCheck(), newConfigExample(), newVersion(),
	}
}

// exit is an error that decides the exit code itself. An empty text has been said already.
type exit struct {
	code int
	text string
}

// Error is the reason.
func (e *exit) Error() string { return e.text }

// usageError is a wrong use of a command; its help is pointed to.
type usageError struct{ text string }

// Error is the reason.
func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// main runs one command and returns its exit code.
func (p *program) main(ctx context.Context, args []string) int {
	name, err := p.dispatch(ctx, args)
	if err == nil {
		return exitOK
	}
	var ex *exit
	if errors.As(err, &ex) {
		if ex.text != "" {
			p.talk("shieldwall: %s", ex.text)
		}
		return ex.code
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		p.talk("shieldwall: interrupted")
		return exitUsage
	}
	p.talk("shieldwall: %v", err)
	var use *usageError
	if errors.As(err, &use) {
		p.talk("see: %s", strings.TrimSpace("shieldwall help "+name))
	}
	return exitUsage
}

// dispatch finds the command, parses its flags and runs it. It returns the command's name for messages.
func (p *program) dispatch(ctx context.Context, args []string) (string, error) {
	front := p.flagSet("shieldwall")
	front.SetInterspersed(false) // flags of a command are its own
	version := front.Bool("version", false, "")
	if err := parse(front, args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return "", p.help(nil)
		}
		return "", err
	}
	args = front.Args()
	if *version {
		args = []string{"version"}
	}
	if len(args) == 0 {
		p.talk("%s", usage(commands()))
		return "", &exit{exitUsage, "no command given"}
	}
	if args[0] == "help" {
		return "", p.help(args[1:])
	}
	c, rest, err := find(args)
	if err != nil {
		return "", err
	}
	flags := p.commandFlags(c)
	if err := parse(flags, rest); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return c.name, p.help(strings.Fields(c.name))
		}
		return c.name, err
	}
	rest = flags.Args()
	if len(rest) < c.minArgs {
		return c.name, usagef("%s wants %s", c.name, c.args)
	}
	if c.maxArgs >= 0 && len(rest) > c.maxArgs {
		return c.name, usagef("%s: unexpected argument %q", c.name, rest[c.maxArgs])
	}
	return c.name, c.run(ctx, p, rest)
}

// find finds the command that the words name, the longest name first.
func find(args []string) (*command, []string, error) {
	all := commands()
	for words := min(2, len(args)); words > 0; words-- {
		for _, c := range all {
			if c.name == strings.Join(args[:words], " ") {
				return c, args[words:], nil
			}
		}
	}
	if subs := below(all, args[0]); len(subs) > 0 {
		if len(args) == 1 || strings.HasPrefix(args[1], "-") {
			return nil, nil, usagef("%s wants one of: %s", args[0], strings.Join(subs, ", "))
		}
		return nil, nil, usagef("unknown command %q%s", args[0]+" "+args[1], didYouMean(args[0]+" ", args[1], subs))
	}
	return nil, nil, usagef("unknown command %q%s", args[0], didYouMean("", args[0], firstWords(all)))
}

// below lists the second words of commands whose first is group.
func below(all []*command, group string) []string {
	var subs []string
	for _, c := range all {
		if sub, ok := strings.CutPrefix(c.name, group+" "); ok {
			subs = append(subs, sub)
		}
	}
	return subs
}

func firstWords(all []*command) []string {
	words := []string{"help"}
	for _, c := range all {
		first, _, _ := strings.Cut(c.name, " ")
		if !slices.Contains(words, first) {
			words = append(words, first)
		}
	}
	return words
}

func didYouMean(prefix, word string, known []string) string {
	if near := suggest.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", prefix+near)
	}
	return ""
}

// flagSet makes a set with the flags that every command takes.
func (p *program) flagSet(name string) *pflag.FlagSet {
	f := pflag.NewFlagSet(name, pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.SortFlags = false
	f.Usage = func() {}
	f.StringVar(&p.flags.Data, "data", p.flags.Data, "the data `DIR` (default: shieldwall in the user's state folder)")
	f.StringVar(&p.flags.File, "config", p.flags.File, "the configuration `FILE` (default: config.yaml in the data folder)")
	f.BoolVar(&p.json, "json", p.json, "write data as JSON")
	return f
}

func (p *program) commandFlags(c *command) *pflag.FlagSet {
	f := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.SortFlags = false
	f.Usage = func() {}
	if c.define != nil {
		c.define(f)
	}
	f.AddFlagSet(p.flagSet(c.name))
	return f
}

// parse parses flags; a wrong one is a usage error that names the nearest.
func parse(f *pflag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var known []string
		f.VisitAll(func(flag *pflag.Flag) { known = append(known, flag.Name) })
		return usagef("unknown flag --%s%s", unknown.GetSpecifiedName(), didYouMean("--", unknown.GetSpecifiedName(), known))
	}
	return usagef("%v", err)
}
