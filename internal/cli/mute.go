package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/status"
)

type muteOptions struct{ ally, host, reason, span string }

func newMuteAdd() *command {
	var o muteOptions
	return &command{
		name: "mute add", args: "[RULE]", maxArgs: 1,
		short: "keep a rule's or an ally's detections from being told here",
		long: `Keeps detections of a rule (its Sigma id, or an object's STIX id) or of everything that an ally shares
from being written, shown and told by sightings: at this node alone, until the time is over. With --host only on
that computer. What is kept back is counted; mute list shows it.`,
		exits: exitsOfChange,
		define: func(f *pflag.FlagSet) {
			f.StringVar(&o.ally, "ally", "", "only what this `MEMBER` shares; without RULE, all of it")
			f.StringVar(&o.host, "host", "", "only on this `COMPUTER`")
			f.StringVar(&o.reason, "reason", "", "`WHY`, for those who come after you (required)")
			f.StringVar(&o.span, "for", "30d", "how long: `SPAN` such as 12h or 30d, at most a year")
		},
		run: func(ctx context.Context, p *program, args []string) error { return runMuteAdd(ctx, p, o, args) },
	}
}

func runMuteAdd(ctx context.Context, p *program, o muteOptions, args []string) error {
	req := control.MuteRequest{Publisher: o.ally, Host: o.host, Reason: o.reason}
	if len(args) > 0 {
		req.Rule = args[0]
	}
	switch {
	case req.Rule == "" && req.Publisher == "":
		return usagef("mute add wants a rule's id, or --ally")
	case req.Reason == "":
		return usagef("mute add wants --reason: why, for those who come after you")
	}
	var span config.Duration
	if err := span.UnmarshalText([]byte(o.span)); err != nil || span <= 0 {
		return usagef("--for: %q is no time span such as 30d", o.span)
	}
	req.For = span.Std()
	return p.withNode(ctx, nil, func(s *session) error {
		m, err := s.Mute(ctx, req)
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(m)
		}
		return p.printf("mute %s: %s until %s\n", m.ID, muteOf(m), when(m.Until))
	})
}

// muteOf says what a mute is about.
func muteOf(m status.Mute) string {
	text := "everything"
	if m.Rule != "" {
		text = m.Rule
	}
	if m.Publisher != "" {
		text += " of " + m.Publisher
	}
	if m.Host != "" {
		text += " on " + m.Host
	}
	return text
}

func newMuteList() *command {
	return &command{
		name:  "mute list",
		short: "the mutes in force, with what each kept back",
		long:  `Shows the mutes in force at this node, and how many detections each kept back since the node's start.`,
		exits: "0 shown\n2 usage, or could not run",
		run: func(ctx context.Context, p *program, _ []string) error {
			return p.withNode(ctx, nil, func(s *session) error {
				list, err := s.Mutes(ctx)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(list)
				}
				if len(list) == 0 {
					p.talk("nothing is muted")
					return nil
				}
				rows := [][]string{}
				for _, m := range list {
					rows = append(rows, []string{m.ID, orDash(m.Rule), orDash(m.Publisher), orDash(m.Host), when(m.Until), fmt.Sprint(m.Count), m.Reason})
				}
				return p.table([]string{"ID", "RULE", "ALLY", "HOST", "UNTIL", "KEPT BACK", "REASON"}, rows)
			})
		},
	}
}

func newMuteRemove() *command {
	return &command{
		name: "mute remove", args: "ID...", minArgs: 1, maxArgs: -1,
		short: "take mutes back",
		long:  `Takes mutes back by their ids, as mute list shows them. What they kept back does not come again.`,
		exits: exitsOfChange,
		run: func(ctx context.Context, p *program, args []string) error {
			return p.withNode(ctx, nil, func(s *session) error {
				removed := []status.Mute{}
				var errs []error
				for _, id := range args {
					m, err := s.Unmute(ctx, id)
					if err != nil {
						errs = append(errs, err)
						continue
					}
					removed = append(removed, m)
					if !p.json {
						errs = append(errs, p.printf("mute %s taken back: %s\n", m.ID, muteOf(m)))
					}
				}
				if p.json {
					errs = append(errs, p.printJSON(removed))
				}
				return errors.Join(errs...)
			})
		},
	}
}
