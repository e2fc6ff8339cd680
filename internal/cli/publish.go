package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"shieldwall/internal/control"
	"shieldwall/internal/stix"
)

// Limits of one publication from the command line; the node has its own for what it accepts.
const (
	maxPublishFile  = 64 << 20
	maxPublishTotal = 240 << 20
	maxPublishFiles = 20_000
)

type publishOptions struct {
	tlp    string
	to     []string
	dryRun bool
}

func newPublish() *command {
	var o publishOptions
	return &command{
		name: "publish", args: "FILE|ID...", minArgs: 1, maxArgs: -1,
		short: "share STIX 2.1 bundles and Sigma rules",
		long: `Shares STIX 2.1 bundles (.json) and Sigma rules (.yml, .yaml; as indicators that carry the file's exact
bytes). A folder means the files in it with these endings. A STIX id means what was posted to this node's inbox
under it, with its exact bytes. All are shared or, where one is refused, none.
When it returns, what it shared is durable. Sharing the same again changes nothing.

--tlp marks the entries; an object's own marking counts too, the stricter of the two wins, and what has neither
is refused. Without --to, CLEAR and GREEN go to the alliance; AMBER and above are refused until readers are named.
--dry-run changes nothing and shows the exact bytes before sealing, and who could read them.`,
		exits: "0 shared, or shared already\n2 usage, refused, or could not run",
		define: func(f *pflag.FlagSet) {
			f.StringVar(&o.tlp, "tlp", "", "`MARKING`: clear, green, amber, amber+strict or red")
			f.StringSliceVar(&o.to, "to", nil, "`READERS`: groups, members, alliance or everyone, comma-separated")
			f.BoolVar(&o.dryRun, "dry-run", false, "show the exact bytes and their readers, share nothing")
		},
		run: func(ctx context.Context, p *program, args []string) error { return runPublish(ctx, p, o, args) },
	}
}

func runPublish(ctx context.Context, p *program, o publishOptions, args []string) error {
	// An id is no path that anybody has: a file of this name can be given as ./NAME.
	ids := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !stix.IsID(arg) })
	files, err := readFiles(slices.DeleteFunc(slices.Clone(args), stix.IsID))
	if err != nil {
		return err
	}
	return p.withNode(ctx, nil, func(s *session) error {
		r, err := s.Publish(ctx, control.PublishRequest{Files: files, IDs: ids, TLP: strings.ToLower(o.tlp), To: trimmed(o.to), DryRun: o.dryRun})
		if err != nil {
			return err
		}
		for _, w := range r.Warnings {
			p.talk("warning: %s", w)
		}
		switch {
		case p.json:
			return p.printJSON(r)
		case o.dryRun:
			return p.showDryRun(r)
		}
		return p.showPublished(r)
	})
}

// readFiles reads the files that the arguments name, in a fixed order.
func readFiles(args []string) ([]control.File, error) {
	var files []control.File
	total := 0
	for _, path := range args {
		paths, err := expand(path)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			data, err := readFile(path)
			if err != nil {
				return nil, err
			}
			if total += len(data); total > maxPublishTotal || len(files) == maxPublishFiles {
				return nil, fmt.Errorf("more than %d files or %d bytes at once; publish them in parts", maxPublishFiles, maxPublishTotal)
			}
			files = append(files, control.File{Name: path, Data: data})
		}
	}
	return files, nil
}

// expand lists a folder's files that could be published; a file is itself, whatever its name.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var paths []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && slices.Contains([]string{".json", ".yml", ".yaml"}, strings.ToLower(filepath.Ext(name))) {
			paths = append(paths, name)
		}
		return err
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s holds no .json, .yml or .yaml file", path)
	}
	return paths, err
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPublishFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPublishFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxPublishFile)
	}
	return data, nil
}

func (p *program) showPublished(r control.PublishResult) error {
	rows := [][]string{}
	for _, e := range r.Entries {
		for _, o := range e.Objects {
			rows = append(rows, []string{fmt.Sprint(e.Index), strings.ToUpper(e.TLP), e.Audience, fmt.Sprint(len(e.Readers)), o.ID, o.Name})
		}
	}
	var err error
	if len(rows) > 0 {
		err = p.table([]string{"ENTRY", "TLP", "AUDIENCE", "READERS", "ID", "NAME"}, rows)
	}
	if len(r.Unchanged) > 0 {
		p.talk("%s shared already, unchanged", plural(len(r.Unchanged), "object", "objects"))
	}
	return err
}

// showDryRun shows each entry's readers as talk and its objects' bytes as data: exact where stdout is no
// terminal, which would obey what is in them.
func (p *program) showDryRun(r control.PublishResult) error {
	for _, e := range r.Entries {
		how := ""
		if e.Blob {
			how = ", as a blob"
		}
		p.talk("%s to %s, %d bytes before sealing%s, readable by: %s",
			strings.ToUpper(e.TLP), e.Audience, len(e.Payload), how, joined(e.Readers))
		for _, o := range e.Objects {
			if isTerminal(p.stdout) {
				if err := p.printf("%s\n", o.Raw); err != nil {
					return err
				}
				continue
			}
			if err := errors.Join(writeOut(p.stdout, o.Raw), writeOut(p.stdout, []byte("\n"))); err != nil {
				return err
			}
		}
	}
	if len(r.Unchanged) > 0 {
		p.talk("%s shared already, unchanged", plural(len(r.Unchanged), "object", "objects"))
	}
	p.talk("Nothing was shared: this was a dry run.")
	return nil
}
