package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"shieldwall/internal/control"
	"shieldwall/internal/keys"
	"shieldwall/internal/roster"
)

type allianceChangeOptions struct {
	officers, removeOfficers, addGroups, removeGroups, suspend, resume, remove []string
	groups, quotas, types, identities, rekey                                   []string
	threshold                                                                  int
	renew, rejectFork                                                          bool
}

func newAllianceChange() *command {
	var o allianceChangeOptions
	return &command{
		name:  "alliance change",
		short: "sign a roster with other officers, groups or members' rights",
		long: `Signs a roster with changes, all of them in one version. It is in force at once where one officer is enough;
where more must sign it is a draft, which the other officers' nodes show and alliance sign signs.`,
		exits: exitsOfChange,
		define: func(f *pflag.FlagSet) {
			f.StringArrayVar(&o.officers, "officer", nil, "`NAME=KEY`: a new officer, or another key of one; KEY may be @FILE (repeatable)")
			f.StringSliceVar(&o.removeOfficers, "remove-officer", nil, "`NAMES` of officers to remove")
			f.IntVar(&o.threshold, "threshold", 0, "`NUMBER` of officers that must sign from then on: more than half of them")
			f.StringSliceVar(&o.addGroups, "add-group", nil, "new `GROUPS`")
			f.StringSliceVar(&o.removeGroups, "remove-group", nil, "`GROUPS` to dissolve")
			f.StringArrayVar(&o.groups, "groups", nil, "`MEMBER=GROUPS`, comma-separated: those that a member is in (repeatable)")
			f.StringSliceVar(&o.suspend, "suspend", nil, "`MEMBERS` that nobody deals with until they are resumed")
			f.StringSliceVar(&o.resume, "resume", nil, "`MEMBERS` to deal with again")
			f.StringSliceVar(&o.remove, "remove", nil, "`MEMBERS` to take off the roster")
			f.StringArrayVar(&o.quotas, "quota", nil, "`MEMBER=ENTRIES` a day; 0 is no limit (repeatable)")
			f.StringArrayVar(&o.types, "types", nil, "`MEMBER=TYPES`, comma-separated: the STIX types it may publish; none is all (repeatable)")
			f.StringArrayVar(&o.identities, "identities", nil, "`MEMBER=IDS`, comma-separated: the STIX identities that speak for it (repeatable)")
			f.StringArrayVar(&o.rekey, "rekey", nil, "`MEMBER=KEY`: another identity key, where the old one is lost or stolen (repeatable)")
			f.BoolVar(&o.rejectFork, "reject-fork", false, "where officers signed two rosters of one version, make the other branch void")
			f.BoolVar(&o.renew, "renew", false, "only have the roster expire later")
		},
		run: func(ctx context.Context, p *program, _ []string) error {
			change, err := o.change()
			if err != nil {
				return err
			}
			return p.withNode(ctx, nil, func(s *session) error {
				a, err := s.AllianceChange(ctx, change)
				if err != nil {
					return err
				}
				return p.showAlliance(a)
			})
		},
	}
}

func (o *allianceChangeOptions) change() (control.RosterChange, error) {
	c := control.RosterChange{
		RemoveOfficers: trimmed(o.removeOfficers), Threshold: o.threshold, AddGroups: trimmed(o.addGroups),
		RemoveGroups: trimmed(o.removeGroups), Remove: trimmed(o.remove), Renew: o.renew, RejectFork: o.rejectFork,
		Officers: map[string]string{}, Members: map[string]control.MemberChange{},
	}
	if o.threshold < 0 {
		return c, usagef("--threshold must be at least 1")
	}
	suspended := func(members []string, to bool) {
		for _, m := range trimmed(members) {
			change := c.Members[m]
			change.Suspended = &to
			c.Members[m] = change
		}
	}
	suspended(o.suspend, true)
	suspended(o.resume, false)
	for _, m := range o.resume {
		if slices.Contains(o.suspend, m) {
			return c, usagef("%s cannot be suspended and resumed at once", m)
		}
	}
	for _, f := range []struct {
		flag   string
		values []string
		set    func(m *control.MemberChange, value string) error
	}{
		{"--groups", o.groups, func(m *control.MemberChange, v string) error { return split(&m.Groups, v) }},
		{"--types", o.types, func(m *control.MemberChange, v string) error { return split(&m.Types, v) }},
		{"--identities", o.identities, func(m *control.MemberChange, v string) error { return split(&m.Identities, v) }},
		{"--rekey", o.rekey, func(m *control.MemberChange, v string) error { m.Key = v; return nil }},
		{"--quota", o.quotas, func(m *control.MemberChange, v string) error {
			n, err := strconv.ParseUint(v, 10, 63)
			m.Quota = &n
			return err
		}},
	} {
		for _, v := range f.values {
			name, value, ok := strings.Cut(v, "=")
			m := c.Members[name]
			if err := f.set(&m, value); !ok || err != nil {
				return c, usagef("%s %q: MEMBER=VALUE is wanted", f.flag, v)
			}
			c.Members[name] = m
		}
	}
	for _, v := range o.officers {
		name, key, ok := strings.Cut(v, "=")
		if !ok {
			return c, usagef("--officer %q: NAME=KEY is wanted", v)
		}
		if path, isFile := strings.CutPrefix(key, "@"); isFile {
			data, err := readFile(path)
			if err != nil {
				return c, err
			}
			key = strings.TrimSpace(string(data))
		}
		c.Officers[name] = key
	}
	if c.Empty() {
		return c, usagef("nothing is to be changed; say what, or --renew")
	}
	return c, nil
}

func split(into **[]string, value string) error {
	names := trimmed(strings.Split(value, ","))
	*into = &names
	return nil
}

func newAllianceKey() *command {
	return &command{
		name:  "alliance key",
		short: "print the public key of this node's officer key",
		long: `Prints what other officers need to make this node's officer one of theirs (alliance change --officer). The
node made its officer key when it was created; the key itself may lie anywhere (officer_key in the configuration).`,
		exits: "0 printed\n2 usage, or could not run",
		run: func(ctx context.Context, p *program, _ []string) error {
			return p.withNode(ctx, nil, func(s *session) error {
				a, err := s.Alliance(ctx)
				if err != nil {
					return err
				}
				if a.OfficerKey == "" {
					return errors.New("this node has no officer key where its configuration says")
				}
				if p.json {
					return p.printJSON(map[string]string{"officer_key": a.OfficerKey})
				}
				return p.printf("%s\n", a.OfficerKey)
			})
		},
	}
}

type allianceSignOptions struct{ key, output string }

func newAllianceSign() *command {
	var o allianceSignOptions
	return &command{
		name: "alliance sign", args: "DRAFT|FILE", minArgs: 1, maxArgs: 1,
		short: "sign a draft of the next roster as an officer",
		long: `Signs a draft that this node holds, by its id (alliance show lists them), with the officer key of this node.
With --key it signs a draft's FILE instead (alliance draft makes it), without any node: on a machine that has no
network, for one. What the draft changes is shown first. An officer key signs one roster of each version, and
keeps a record of that beside it: take FILE.signed along with the key.`,
		exits: "0 signed\n2 usage, refused, or could not run",
		define: func(f *pflag.FlagSet) {
			f.StringVar(&o.key, "key", "", "sign FILE with the officer key in this `FILE`")
			f.StringVar(&o.output, "output", "", "with --key, write the signed draft to this `FILE` (default: where it came from)")
		},
		run: func(ctx context.Context, p *program, args []string) error {
			if o.key != "" {
				return p.signFile(args[0], o)
			}
			if o.output != "" {
				return usagef("--output goes with --key")
			}
			return p.withNode(ctx, nil, func(s *session) error {
				a, err := s.AllianceSign(ctx, args[0])
				if err != nil {
					return err
				}
				return p.showAlliance(a)
			})
		},
	}
}

// signFile signs a draft away from any node.
func (p *program) signFile(path string, o allianceSignOptions) error {
	data, err := readFile(path)
	if err != nil {
		return err
	}
	draft, err := roster.DecodeDraft(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	p.talk("%s", strings.Join(append([]string{fmt.Sprintf("roster %d of %s:", draft.Next.Version, draft.Prev.Name)}, roster.Changes(draft.Prev, draft.Next)...), "\n  "))
	key, err := keys.Officer(o.key)
	if err != nil {
		return fmt.Errorf("loading the officer key: %w", err)
	}
	public := keys.Public(key)
	name := draft.Prev.OfficerOf(public)
	if name == "" {
		name = draft.Next.OfficerOf(public)
	}
	if name == "" {
		return fmt.Errorf("%s is the key of no officer of %s", o.key, draft.Prev.Name)
	}
	hash, err := draft.Next.Hash()
	if err != nil {
		return err
	}
	signing := keys.Signing{Alliance: draft.Alliance, Version: draft.Next.Version, Previous: draft.Next.Previous, Hash: hash}
	if err := keys.SignOnce(o.key, signing); err != nil {
		return err
	}
	if draft.NextNote, err = roster.Cosign(draft.NextNote, name, key); err != nil {
		return err
	}
	signed, err := roster.Signatures(draft.Prev, draft.NextNote)
	if err != nil {
		return err
	}
	to := o.output
	if to == "" {
		to = path
	}
	if err := writeWhole(to, draft.Encode()); err != nil {
		return err
	}
	p.talk("signed by %s: %d of %d; alliance admit %s takes it back into a node", name, len(signed.Before), signed.BeforeNeeded, to)
	return nil
}

// writeWhole replaces a file at once, or leaves it as it was.
func writeWhole(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

func newAllianceDraft() *command {
	var output string
	return &command{
		name: "alliance draft", args: "DRAFT", minArgs: 1, maxArgs: 1,
		short: "write a draft of the next roster to a file, to be signed elsewhere",
		long: `Writes a draft that this node holds to a file, together with the roster in force: alliance sign --key signs
it on a machine without a node, and alliance admit takes it back.`,
		exits: "0 written\n2 usage, or could not run",
		define: func(f *pflag.FlagSet) {
			f.StringVar(&output, "output", "", "the `FILE` to write; it must not exist (default: stdout)")
		},
		run: func(ctx context.Context, p *program, args []string) error {
			return p.withNode(ctx, nil, func(s *session) error {
				data, err := s.AllianceDraft(ctx, args[0])
				if err != nil {
					return err
				}
				if output == "" {
					_, err = p.stdout.Write(data)
					return err
				}
				if _, err := os.Lstat(output); !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("%s exists already", output)
				}
				return writeWhole(output, data)
			})
		},
	}
}

func newAllianceAdmit() *command {
	return &command{
		name: "alliance admit", args: "FILE", minArgs: 1, maxArgs: 1,
		short: "take a draft's file that officers signed elsewhere",
		long: `Takes the signatures in a draft's file. The roster is in force as soon as enough officers have signed it,
whichever way their signatures came.`,
		exits: exitsOfChange,
		run: func(ctx context.Context, p *program, args []string) error {
			data, err := readFile(args[0])
			if err != nil {
				return err
			}
			return p.withNode(ctx, nil, func(s *session) error {
				a, err := s.AllianceAdmit(ctx, data)
				if err != nil {
					return err
				}
				return p.showAlliance(a)
			})
		},
	}
}
