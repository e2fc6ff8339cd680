package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/pflag"

	"shieldwall/internal/status"
)

// statusReport is `status --json`.
type statusReport struct {
	status.Node
	// Running says whether a node runs on the data folder; counts since the start are zero where none does.
	Running      bool                 `json:"running"`
	Publications []status.Publication `json:"publications"`
}

func newStatus() *command {
	var entries int
	var link bool
	return &command{
		name:  "status",
		short: "members, heads, lag and time to protect",
		long: `Shows this node, its alliance and its members: how far their logs are verified here, how far they act on
ours, and for the newest publications how many of the entitled members act on them and how long that took.`,
		exits: "0 shown\n2 usage, or could not run",
		define: func(f *pflag.FlagSet) {
			f.IntVar(&entries, "publications", 10, "show the newest `N` publications")
			f.BoolVar(&link, "link", false, "print a new one-time link to the running node's page, and nothing else")
		},
		run: func(ctx context.Context, p *program, _ []string) error {
			if entries < 1 || entries > 10_000 {
				return usagef("--publications must be from 1 to 10000")
			}
			return p.withNode(ctx, nil, func(s *session) error {
				if link {
					return p.showLink(ctx, s)
				}
				n, err := s.Status(ctx)
				if err != nil {
					return err
				}
				pubs, err := s.Publications(ctx, entries)
				if err != nil {
					return err
				}
				r := statusReport{Node: n, Running: s.running, Publications: pubs}
				if p.json {
					return p.printJSON(r)
				}
				return p.showStatus(r)
			})
		},
	}
}

func (p *program) showLink(ctx context.Context, s *session) error {
	link, err := s.PageLink(ctx)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]string{"page": link})
	}
	return p.printf("%s\n", link)
}

func (p *program) showStatus(r statusReport) error {
	for _, w := range r.Warnings {
		p.talk("warning: %s", w)
	}
	n := r.Node
	running := "not running"
	if r.Running {
		running = "up since " + when(n.Started)
	}
	errs := []error{p.printf("member   %s, %s, version %s\nalliance %s, roster %d, expires %s\nlog      %s, %s\n",
		n.Member, running, n.Version, n.Alliance.Name, n.Alliance.Version, when(n.Alliance.Expires),
		n.Log.ID, plural(n.Log.Size, "entry", "entries"))}
	if n.Page != "" || n.Peer != "" {
		errs = append(errs, p.printf("serves   page %s, peers %s, TAXII %s\n", orDash(n.Page), orDash(n.Peer), orDash(n.TAXII)))
	}
	errs = append(errs, p.printf("holds    %s; live: %s, %s\n", plural(n.Objects, "object", "objects"),
		plural(n.Rules, "rule", "rules"), plural(n.Indicators, "indicator", "indicators")))
	errs = append(errs, p.printf("search   %s waiting to be found\n", plural(n.Search.Waiting, "object", "objects")))
	if n.Search.Problem != "" {
		errs = append(errs, p.print("search   it does not go on: "+printable(n.Search.Problem)+"\n"))
	}
	errs = append(errs, p.printf("engine   %s\n", engineOf(n.Engine)))
	if r.Running {
		errs = append(errs, p.printf("saw      %s, %s, %d muted\n", plural(n.Events, "event", "events"), plural(n.Detections, "detection", "detections"), n.Muted))
	}
	errs = append(errs, p.showUntold(n))
	for _, reason := range slices.Sorted(maps.Keys(n.Rejected)) {
		errs = append(errs, p.printf("refused  %s of peers: %s\n", plural(n.Rejected[reason], "object", "objects"), reason))
	}
	errs = append(errs, p.printf("protect  %s\n\n", protection(n.Protect)), p.memberTable(n.Alliance.Members))
	if len(r.Publications) > 0 {
		errs = append(errs, p.print("\n"), p.publicationTable(r.Publications))
	}
	return errors.Join(errs...)
}

// engineOf says in a line what the matcher takes.
func engineOf(e status.Engine) string {
	out := fmt.Sprintf("%s for rules", bytesOf(float64(e.RuleBytes+e.ProgramBytes)))
	if e.Indicators > 0 {
		out += ", " + bytesOf(float64(e.IndicatorBytes)) + " for indicators"
	}
	return out + fmt.Sprintf("; %s, %s not merged yet; %s so far", plural(e.Segments, "segment", "segments"), plural(e.Delta, "rule", "rules"), plural(e.Merges, "merge", "merges"))
}

// showUntold says what is not told one by one: detections of rules that fire on everything, and intelligence
// that cannot be matched.
func (p *program) showUntold(n status.Node) error {
	var errs []error
	if n.Suppressed > 0 {
		errs = append(errs, p.printf("loud     %s counted, not written\n", plural(n.Suppressed, "detection", "detections")))
	}
	for _, l := range n.Loudest {
		errs = append(errs, p.printf("loud     %s on %s%s: %d not written; shieldwall mute add silences it\n", l.RuleID, orDash(l.Computer), from(l.Publisher), l.Count))
	}
	if n.NotLive > 0 {
		errs = append(errs, p.printf("unused   %s that cannot be matched\n", plural(n.NotLive, "object", "objects")))
	}
	for _, u := range n.Unusable {
		errs = append(errs, p.printf("unused   %s%s: %s\n", u.ID, from(u.Publisher), u.Reason))
	}
	return errors.Join(errs...)
}

func from(publisher string) string {
	if publisher == "" {
		return ""
	}
	return " from " + publisher
}

func protection(t status.Protect) string {
	if t.Pairs == 0 {
		return fmt.Sprintf("nobody confirmed yet, %d waiting", t.Waiting)
	}
	return fmt.Sprintf("p50 %s, p95 %s, p99 %s, max %s over %d confirmed; %d waiting",
		milliseconds(t.P50), milliseconds(t.P95), milliseconds(t.P99), milliseconds(t.Max), t.Pairs, t.Waiting)
}

func (p *program) publicationTable(pubs []status.Publication) error {
	rows := [][]string{}
	for _, pub := range pubs {
		p50, p95 := "-", "-"
		if pub.Applied > 0 {
			p50, p95 = milliseconds(pub.P50), milliseconds(pub.P95)
		}
		rows = append(rows, []string{fmt.Sprint(pub.Index), when(pub.At), pub.Audience,
			fmt.Sprintf("%d/%d", pub.Applied, pub.Readers), p50, p95, pub.What})
	}
	return p.table([]string{"ENTRY", "AT", "AUDIENCE", "APPLIED", "P50", "P95", "WHAT"}, rows)
}
