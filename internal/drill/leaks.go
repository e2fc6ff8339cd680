package drill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"shieldwall/internal/status"
)

// leaks proves that a partner can read none of the AMBER entries although it mirrors all of them: its node
// holds no such object, none of its keys opens the entries, nothing it detected came from them, and no
// byte of its data folder names them.
func (a *alliance) leaks(ctx context.Context, f *Figures) error {
	for i := range a.nodes {
		if !isPartner(i) {
			continue
		}
		leaked, mirrored, err := a.partnerLeaks(ctx, i)
		if err != nil {
			return fmt.Errorf("searching %s: %w", memberName(i), err)
		}
		f.Leaks += int64(len(leaked))
		f.Mirrored += mirrored
		for _, what := range leaked {
			a.opt.Talk(fmt.Sprintf("LEAK at %s: %s", memberName(i), what))
		}
	}
	if f.Mirrored == 0 {
		return errors.New("no partner mirrors an AMBER entry: nothing was proven")
	}
	return nil
}

func (a *alliance) partnerLeaks(ctx context.Context, i int) (leaked []string, mirrored int64, err error) {
	n := a.nodes[i]
	log := a.nodes[0].LogID()
	var ambers []publication
	for _, p := range a.published {
		if p.rule.amber {
			ambers = append(ambers, p)
		}
	}
	for _, p := range ambers {
		own, err := a.nodes[0].RawEntry(ctx, log, p.index)
		if err != nil {
			return nil, 0, err
		}
		kept, err := n.RawEntry(ctx, log, p.index)
		if err != nil || !bytes.Equal(own, kept) {
			return nil, 0, fmt.Errorf("entry %d is not mirrored as it is: %w", p.index, err)
		}
		mirrored++
		if opens, err := n.Opens(ctx, log, p.index); err != nil {
			return nil, 0, err
		} else if opens {
			leaked = append(leaked, fmt.Sprintf("entry %d opens", p.index))
		}
		if held, err := n.Holds(ctx, p.object); err != nil || held {
			leaked = append(leaked, fmt.Sprintf("object %s is held (%v)", p.object, err))
		}
	}
	err = n.DetectionsSince(ctx, time.Time{}, func(d status.Detection) error {
		if slices.ContainsFunc(ambers, func(p publication) bool { return p.rule.id == d.RuleID }) {
			leaked = append(leaked, "rule "+d.RuleID+" matched")
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	named, err := searchFolder(a.cfgs[i].Data, a.needles(ambers))
	return append(leaked, named...), mirrored, err
}

// needlesPerRule is how many of a rule's own lines are looked for: one may be cut by a page of the store.
const needlesPerRule = 5

// needles are bytes that only the AMBER rules have: their objects' ids, and lines of theirs that stand in no
// other rule. (A GREEN rule may name an AMBER one as related; that is its author's doing.)
func (a *alliance) needles(ambers []publication) map[string]string {
	var others bytes.Buffer
	for _, p := range a.published {
		if !p.rule.amber {
			others.Write(p.rule.file.Data)
		}
	}
	out := map[string]string{} // needle -> rule id
	for _, p := range ambers {
		out[p.object] = p.rule.id
		n := 0
		for line := range bytes.Lines(p.rule.file.Data) {
			line = bytes.TrimSpace(line)
			// As it would stand in the object's JSON: without what is escaped there.
			if len(line) < 24 || bytes.ContainsAny(line, `"\<>&`) || bytes.Contains(others.Bytes(), line) {
				continue
			}
			out[string(line)] = p.rule.id
			if n++; n == needlesPerRule {
				break
			}
		}
	}
	return out
}

// searchFolder looks for needles in every byte of a data folder.
func searchFolder(dir string, needles map[string]string) (found []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the store's companions come and go
		}
		if err != nil {
			return err
		}
		for needle, rule := range needles {
			if bytes.Contains(data, []byte(needle)) {
				found = append(found, fmt.Sprintf("%s holds %q of rule %s", d.Name(), needle, rule))
			}
		}
		return nil
	})
	return found, err
}
