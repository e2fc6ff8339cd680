package follow

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/detect"
	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
	"shieldwall/internal/status"
)

const rule = `title: Shadow Copies Deleted
id: c947b146-0abc-4c87-9c64-b17e9d7274a2
logsource: {product: windows, category: process_creation}
detection:
    selection:
        CommandLine|contains: 'delete shadows'
    condition: selection
`

// TestDetection follows a file into a real detector.
func TestDetection(t *testing.T) {
	found, err := sigma.Parse([]byte(rule), sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context, func(detect.Tx) error) error { return nil } // local rules need no store
	w := newWorld(t)
	journal, log := t.TempDir(), slog.New(slog.NewTextHandler(io.Discard, nil))
	d, err := detect.New(detect.Options{
		Self: "alpha", Dir: journal, Retention: detect.Retention{MaxAge: time.Hour, MaxSize: 1 << 20}, Engine: match.New(w.now),
		Update: nothing, View: nothing, Sightings: detect.Sightings{Tick: time.Hour}, Now: w.now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.SetLocalRules([]detect.LocalRule{{Path: "a.yml", Rule: found.Rules[0]}})
	f := New(Options{Sources: []Source{{Path: w.dir}}, Sink: d, Offsets: w, Now: w.now, Log: log})
	line := func(command string) string {
		return `{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"CommandLine":"` + command + "\"}\n"
	}
	w.write("a.jsonl", line("dir")+line("vssadmin delete shadows"))
	w.polls(f)
	w.rename("a.jsonl", "a.jsonl.1")
	w.write("a.jsonl", line("vssadmin delete shadows /all"))
	w.polls(f)
	var got []string
	err = detect.ReadJournal(t.Context(), journal, time.Time{}, func(x status.Detection) error {
		got = append(got, filepath.Base(x.Source)+":"+x.Record+" "+x.Fields["CommandLine"])
		return nil
	})
	if want := "a.jsonl:2 vssadmin delete shadows, a.jsonl:1 vssadmin delete shadows /all"; err != nil || strings.Join(got, ", ") != want {
		t.Errorf("journal %q (%v), want %q", got, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// free takes everything.
type free struct{}

func (free) Submit(context.Context, *event.Event) error             { return nil }
func (free) Sync(context.Context) error                             { return nil }
func (free) Offset(context.Context, string) (string, int64, error)  { return "", 0, nil }
func (free) PutOffset(context.Context, string, string, int64) error { return nil }

// BenchmarkLines reads a file from its start; bytes are those of the file.
func BenchmarkLines(b *testing.B) {
	text := strings.Repeat(`{"Channel":"Security","EventID":4688,"NewProcessName":"C:\\Windows\\System32\\cmd.exe","CommandLine":"cmd /c whoami"}`+"\n", 1<<16)
	path := filepath.Join(b.TempDir(), "a.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f := New(Options{
			Sources: []Source{{Path: path}}, Sink: free{}, Offsets: free{}, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		for f.poll(b.Context()) {
		}
		if got := f.Stats().Events; got != 1<<16 {
			b.Fatalf("took %d events", got)
		}
	}
}
