package cli

import (
	"context"
	"errors"
)

func newWithdraw() *command {
	return &command{
		name: "withdraw", args: "ID...", minArgs: 1, maxArgs: -1,
		short: "take shared objects back; it reaches matchers and block lists",
		long: `Takes back objects that this member shared, by their STIX ids. The withdrawal goes to those who could
read the object; their copies of it stop matching. Other members' copies of an object of the same id stay.`,
		exits: exitsOfChange,
		run: func(ctx context.Context, p *program, args []string) error {
			return p.withNode(ctx, nil, func(s *session) error {
				r, err := s.Withdraw(ctx, args)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(r)
				}
				var errs []error
				for _, id := range r.Withdrawn {
					errs = append(errs, p.printf("withdrawn %s\n", id))
				}
				return errors.Join(errs...)
			})
		},
	}
}
