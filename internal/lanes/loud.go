package lanes

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/scan"
)

// rated are the columns of levels, falling.
var rated = []string{"critical", "high", "medium", "low", "informational", "none"}

// Loud scans recordings with rules and writes two tables in Markdown: how many detections a level has in 1,000
// events of each recording, and each recording's loudest rules. Detections in recordings of attacks are an upper
// bound for false positives: some are of the attack. It tells talk what could not be read.
func Loud(ctx context.Context, recordings string, rules []string, out io.Writer, talk func(format string, args ...any)) error {
	var files []scan.FileStats
	st, err := scan.Run(ctx, scan.Options{
		Rules: rules, Paths: []string{recordings}, Out: io.Discard, Now: time.Now,
		OnProblem: func(p scan.Problem) { talk("%v", p) },
		OnFile: func(f scan.FileStats) {
			if f.Events > 0 {
				files = append(files, f)
			}
		},
	})
	if err != nil {
		return err
	}
	whole := scan.FileStats{Source: "all", Events: st.Events, Levels: st.Levels, Loudest: st.Loudest}
	var b strings.Builder
	b.WriteString("| recording | events | detections | " + strings.Join(rated, " | ") + " |\n|---|" + strings.Repeat("--:|", 2+len(rated)) + "\n")
	for _, f := range append(files, whole) {
		writeRates(&b, nameOf(recordings, f.Source), f)
	}
	b.WriteString("\nDetections of a level in 1,000 events.\n\n| recording | rule | level | detections | in 1,000 events |\n|---|---|---|--:|--:|\n")
	for _, f := range append(files, whole) {
		for _, r := range f.Loudest {
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %s |\n", markdown(nameOf(recordings, f.Source)), markdown(r.Title), r.Level, r.Detections, rate(r.Detections, f.Events))
		}
	}
	_, err = io.WriteString(out, b.String())
	return err
}

func writeRates(b *strings.Builder, name string, f scan.FileStats) {
	total := int64(0)
	for _, n := range f.Levels {
		total += n
	}
	fmt.Fprintf(b, "| %s | %d | %d |", markdown(name), f.Events, total)
	for _, level := range rated {
		fmt.Fprintf(b, " %s |", rate(f.Levels[level], f.Events))
	}
	b.WriteByte('\n')
}

// nameOf is a recording's path below the folder.
func nameOf(folder, source string) string {
	if name, err := filepath.Rel(folder, source); err == nil && !strings.HasPrefix(name, "..") {
		return filepath.ToSlash(name)
	}
	return source
}

// rate is so many in 1,000 events; nothing is a dash, so that what is loud is seen.
func rate(n, events int64) string {
	if n == 0 || events == 0 {
		return "-"
	}
	return strconv.FormatFloat(1000*float64(n)/float64(events), 'f', 2, 64)
}

// markdown keeps a text within its cell.
func markdown(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;").Replace(text)
}
