package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"shieldwall/internal/control"
	"shieldwall/internal/status"
)

// maxSearch is the most hits that one command prints.
const maxSearch = 10_000

// searchPage is how many are asked for at a time.
const searchPage = 200

func newSearch() *command {
	var limit int
	var relations bool
	return &command{
		name: "search", args: "QUERY...", minArgs: 1, maxArgs: -1,
		short: "find objects, those admitted last first",
		long: `Finds objects that this node holds. Terms stand beside one another and all must hold; OR and parentheses
group, - turns a term round. Words are looked for in the whole object; whole values and more are found by fields:

  type: id: value: label: technique: member: tlp:     whole values (technique:T1059 has T1059.001 too)
  name: pattern: text:                                words; "in quotes" beside one another, pow* by a beginning
  ref: creator:                                       objects that refer to an id, or were created by an identity
  created: modified:                                  2026-02-03, 2026-02, 2026, 2026-01..2026-03, days are UTC
  since: until:                                       when it was admitted here: 7d, 24h, 2026-02-03T04:05:06Z

Quote the query for the shell: shieldwall search 'type:indicator technique:T1059 -label:old "foo bar"'. --json writes one
object a line. Objects are found a moment after they were admitted; status says how many wait.`,
		exits: "0 found\n1 nothing found\n2 usage, or could not run",
		define: func(f *pflag.FlagSet) {
			f.IntVar(&limit, "limit", 50, "show at most `N`")
			f.BoolVar(&relations, "relations", false, "show what each object is tied to, one hop out")
		},
		run: func(ctx context.Context, p *program, args []string) error {
			if limit < 1 || limit > maxSearch {
				return usagef("--limit must be from 1 to %d", maxSearch)
			}
			return p.withNode(ctx, nil, func(s *session) error {
				return p.search(ctx, s, control.SearchRequest{Query: strings.Join(args, " "), Relations: relations}, limit)
			})
		},
	}
}

// search prints page after page.
func (p *program) search(ctx context.Context, s *session, req control.SearchRequest, limit int) error {
	shown := 0
	for {
		req.Limit = min(limit-shown, searchPage)
		page, err := s.Search(ctx, req)
		if control.KindOf(err) == control.Usage && err != nil {
			return usagef("%v", err)
		}
		if err != nil {
			return err
		}
		for _, h := range page.Hits {
			if err := p.showHit(h); err != nil {
				return err
			}
		}
		shown += len(page.Hits)
		if req.Cursor = page.Next; page.Next == "" || shown >= limit {
			break
		}
	}
	if shown == 0 {
		return &exit{exitFindings, "nothing found"}
	}
	if req.Cursor != "" {
		p.talk("there may be more; --limit shows them")
	}
	return nil
}

func (p *program) showHit(h status.Hit) error {
	if p.json {
		return p.printJSON(h)
	}
	revoked := ""
	if h.Revoked {
		revoked = "  revoked"
	}
	errs := []error{p.print(when(h.Admitted) + "  " + printable(h.TLP) + "  " + printable(orDash(h.Name)) + "  " + printable(h.ID) + " (from " + printable(h.Member) + ")" + revoked + "\n")}
	if h.Relations == nil {
		return errors.Join(errs...)
	}
	for _, r := range h.Relations.Items {
		arrow := "<-"
		if r.Out {
			arrow = "->"
		}
		errs = append(errs, p.print("    "+arrow+" "+printable(r.Kind)+"  "+printable(orDash(r.Name))+"  "+printable(r.ID)+"\n"))
	}
	if h.Relations.More {
		errs = append(errs, p.print("    and more\n"))
	}
	return errors.Join(errs...)
}
