package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"shieldwall/internal/control"
	"shieldwall/internal/status"
)

const exitsOfChange = "0 done\n2 usage, refused, or could not run"

type allianceNewOptions struct {
	groups  []string
	in      []string
	kitFile string
}

func newAllianceNew() *command {
	var o allianceNewOptions
	return &command{
		name: "alliance new", args: "NAME", minArgs: 1, maxArgs: 1,
		short: "name the alliance of a member that is alone in it",
		long: `Names the alliance in which this member is alone, and its groups, and signs the roster with the
officer key. A member that has allies already is refused: a node is in one alliance.`,
		exits: exitsOfChange,
		define: func(f *pflag.FlagSet) {
			f.StringSliceVar(&o.groups, "groups", nil, "`GROUPS` of the alliance, comma-separated")
			f.StringSliceVar(&o.in, "in", nil, "those of the `GROUPS` that this member itself is in")
			f.StringVar(&o.kitFile, "kit-passphrase-file", "", kitFlagUsage)
		},
		run: func(ctx context.Context, p *program, args []string) error {
			return p.withNode(ctx, p.creation(o.kitFile), func(s *session) error {
				a, err := s.AllianceNew(ctx, control.AllianceRequest{Name: args[0], Groups: trimmed(o.groups), In: trimmed(o.in)})
				if err != nil {
					return err
				}
				return p.showAlliance(a)
			})
		},
	}
}

func newAllianceShow() *command {
	return &command{
		name:  "alliance show",
		short: "show the roster in force",
		long:  `Shows the roster in force: officers, groups, members, and how each member is seen from here.`,
		exits: "0 shown\n2 usage, or could not run",
		run: func(ctx context.Context, p *program, _ []string) error {
			return p.withNode(ctx, nil, func(s *session) error {
				a, err := s.Alliance(ctx)
				if err != nil {
					return err
				}
				return p.showAlliance(a)
			})
		},
	}
}

type inviteOptions struct {
	groups  []string
	expires time.Duration
}

func newAllianceInvite() *command {
	var o inviteOptions
	return &command{
		name: "alliance invite", args: "NAME", minArgs: 1, maxArgs: 1,
		short: "make a token with which one node joins as NAME",
		long: `Makes a token for one joiner and prints it. It carries a secret: send it by a way you trust. The first
node that presents it binds it to its keys; another node with the same token is refused and shown as a leak.
While a joiner is to be admitted, this node must run where the token says.`,
		exits: exitsOfChange,
		define: func(f *pflag.FlagSet) {
			f.StringSliceVar(&o.groups, "groups", nil, "`GROUPS` the new member belongs to, comma-separated")
			f.DurationVar(&o.expires, "expires", 24*time.Hour, "how long the token is good for")
		},
		run: func(ctx context.Context, p *program, args []string) error {
			if o.expires <= 0 {
				return usagef("--expires must be more than nothing")
			}
			return p.withNode(ctx, nil, func(s *session) error {
				inv, err := s.Invite(ctx, control.InviteRequest{Name: args[0], Groups: trimmed(o.groups), Expires: o.expires})
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(inv)
				}
				p.talk("For %s, until %s:", inv.Name, when(inv.Expires))
				return p.printf("%s\n", inv.Token)
			})
		},
	}
}

func newAllianceRemove() *command {
	return &command{
		name: "alliance remove", args: "MEMBER", minArgs: 1, maxArgs: 1,
		short: "take a member off the roster",
		long: `Signs a roster without the member. Its streams end at every node that has admitted the new roster, and
nothing sealed by such a node from then on can be opened by it. What it could read before, it keeps. Where
more than one officer must sign, this makes a draft for the others.`,
		exits: exitsOfChange,
		run: func(ctx context.Context, p *program, args []string) error {
			return p.withNode(ctx, nil, func(s *session) error {
				a, err := s.AllianceChange(ctx, control.RosterChange{Remove: []string{args[0]}})
				if err != nil {
					return err
				}
				return p.showAlliance(a)
			})
		},
	}
}

func (p *program) showAlliance(a status.Alliance) error {
	if p.json {
		return p.printJSON(a)
	}
	if err := p.printf("alliance %s, roster %d, %s\nid       %s\nissued   %s, expires %s\nofficers %s (%d of %d sign)\ngroups   %s\n\n",
		a.Name, a.Version, plural(len(a.Members), "member", "members"), a.ID, when(a.Issued), when(a.Expires),
		joined(a.Officers), a.Threshold, len(a.Officers), joined(a.Groups)); err != nil {
		return err
	}
	if err := p.memberTable(a.Members); err != nil {
		return err
	}
	return p.showDrafts(a.Drafts)
}

// showDrafts prints what officers are asked to sign.
func (p *program) showDrafts(drafts []status.Draft) error {
	for _, d := range drafts {
		if err := p.printf("\ndraft %s of roster %d: signed by %s (%d of %d)", d.ID, d.Version, joined(d.Signed), len(d.Signed), d.Needed); err != nil {
			return err
		}
		if len(d.SignedNew) < d.NeededNew {
			if err := p.printf(", %d of %d of those it names", len(d.SignedNew), d.NeededNew); err != nil {
				return err
			}
		}
		if err := p.printf("\n  %s\n", strings.Join(d.Changes, "\n  ")); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) memberTable(members []status.Member) error {
	rows := [][]string{}
	for _, m := range members {
		state := m.State
		if m.Suspended {
			state += ", suspended"
		}
		if m.Problem != "" {
			state += ": " + m.Problem
		}
		rows = append(rows, []string{m.ID, joined(m.Groups), lag(m), fmt.Sprint(m.TheirApplied), when(m.LastSeen), state})
	}
	return p.table([]string{"MEMBER", "GROUPS", "LOG", "APPLIED OURS", "LAST SEEN", "STATE"}, rows)
}

// lag says how far this node is with a member's log: verified size, and what is missing to the newest known.
func lag(m status.Member) string {
	s := fmt.Sprint(m.Size)
	if m.Head > m.Size {
		s += fmt.Sprintf(" (-%d)", m.Head-m.Size)
	}
	return s
}

// trimmed cleans a comma-separated list.
func trimmed(values []string) []string {
	out := []string{}
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}
