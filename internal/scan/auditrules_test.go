package scan

import (
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"shieldwall/internal/status"
)

// wish is what a rule's selections ask for, as far as one value for each field can fulfil it.
type wish struct {
	fields   map[string]string
	keywords []string
}

// add takes what a selection asks for: of a list the first value, unless all are wanted. What is there stays.
func (w *wish) add(node any) {
	switch node := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			value := node[key]
			name, modifiers, _ := strings.Cut(key, "|")
			text := realise(value, modifiers)
			if name == "" {
				w.keywords = append(w.keywords, text)
			} else if _, taken := w.fields[name]; !taken {
				if name == "CommandLine" && (strings.Contains(modifiers, "contains") || strings.Contains(modifiers, "endswith")) {
					text = "x" + text // the program's name comes before a blank
				}
				w.fields[name] = text
			} else if strings.Contains(modifiers, "contains") {
				w.fields[name] += " " + text
			}
		}
	case []any:
		if len(node) == 0 {
			return
		}
		if _, maps := node[0].(map[string]any); maps {
			w.add(node[0])
			return
		}
		w.keywords = append(w.keywords, fmt.Sprint(node[0]))
	}
}

// realise makes a value that a field's condition accepts.
func realise(value any, modifiers string) string {
	list, many := value.([]any)
	if !many {
		list = []any{value}
	}
	if many && !strings.Contains(modifiers, "all") {
		list = list[:1]
	}
	var parts []string
	for _, v := range list {
		text := strings.NewReplacer(`\*`, "*", "*", "x", "?", "x").Replace(fmt.Sprint(v))
		if strings.HasPrefix(modifiers, "re") && strings.Contains(text, `\.`) {
			text = ".hidden"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "")
}

// rulesOf gives the wishes of every rule below a folder: for each selection alone, and for all together.
func rulesOf(t *testing.T, dir string) (ids map[string]string, wishes []wish) {
	t.Helper()
	ids = map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var rule struct {
			ID        string         `yaml:"id"`
			Detection map[string]any `yaml:"detection"`
		}
		if err := yaml.Unmarshal(data, &rule); err != nil {
			return err
		}
		ids[rule.ID] = filepath.Base(path)
		together := wish{fields: map[string]string{}}
		for _, name := range slices.Sorted(maps.Keys(rule.Detection)) {
			selection := rule.Detection[name]
			if name == "condition" || strings.Contains(name, "filter") {
				continue
			}
			alone := wish{fields: map[string]string{}}
			alone.add(selection)
			wishes = append(wishes, alone)
			together.add(selection)
		}
		wishes = append(wishes, together)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids, wishes
}

// encoded writes a value as the kernel does where it is not plain.
func encoded(text string) string { return strings.ToUpper(hex.EncodeToString([]byte(text))) }

// auditText writes a wish as one record.
func (w wish) auditText(serial int) string {
	var b strings.Builder
	kind := strings.ToUpper(w.fields["type"])
	if kind == "" {
		kind = "EXECVE"
	}
	fmt.Fprintf(&b, "type=%s msg=audit(1700000000.000:%d):", kind, serial)
	call := ""
	for name, text := range w.fields {
		switch {
		case name == "type":
		case name == "SYSCALL":
			call = "\x1dSYSCALL=" + text
		case kind == "EXECVE" && name[0] == 'a', name == "name", name == "exe", name == "comm", name == "key":
			fmt.Fprintf(&b, " %s=%s", name, encoded(text))
		default:
			fmt.Fprintf(&b, " %s=%s", name, text)
		}
	}
	for i, word := range w.keywords {
		fmt.Fprintf(&b, " a%d=%s", 20+i, encoded(word))
	}
	return b.String() + call + "\n"
}

// processText writes a wish as a process that starts, and before it its parent.
func (w wish) processText(serial int) string {
	start := func(serial, pid, parent int, image, command string) string {
		text := fmt.Sprintf("type=SYSCALL msg=audit(1700000000.000:%d): arch=c000003e syscall=59 success=yes ppid=%d pid=%d auid=4294967295 uid=0 exe=%s\n",
			serial, parent, pid, encoded(image))
		text += fmt.Sprintf("type=EXECVE msg=audit(1700000000.000:%d): argc=9", serial)
		for i, arg := range strings.Split(command, " ") {
			text += fmt.Sprintf(" a%d=%s", i, encoded(arg))
		}
		return text + fmt.Sprintf("\ntype=CWD msg=audit(1700000000.000:%d): cwd=%s\ntype=EOE msg=audit(1700000000.000:%d): \n",
			serial, encoded(w.fields["CurrentDirectory"]), serial)
	}
	return start(2*serial, 2*serial, 1, w.fields["ParentImage"], w.fields["ParentCommandLine"]) +
		start(2*serial+1, 2*serial+1, 2*serial, w.fields["Image"], w.fields["CommandLine"])
}

// fired gives the rules below a folder that an audit log meets.
func fired(t *testing.T, dir, text string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	got := run(t, Options{Rules: []string{dir}, Paths: []string{write(t, "audit.log", text)}, Out: io.Discard, Now: time.Now})
	if got.err != nil || got.Errors != 0 {
		t.Fatalf("%+v, %v, %v", got.Stats, got.err, got.problems)
	}
	var d status.Detection
	for _, d = range got.detections {
		out[d.RuleID] = true
	}
	return out
}

// TestAuditRules: every rule for auditd fires on records that its own text asks for.
func TestAuditRules(t *testing.T) {
	dir := corpus(t, "sigma", "rules", "linux", "auditd")
	ids, wishes := rulesOf(t, dir)
	var text strings.Builder
	for i, w := range wishes {
		text.WriteString(w.auditText(i + 1))
	}
	found := fired(t, dir, text.String())
	for id, file := range ids {
		if !found[id] {
			t.Errorf("%s fired on nothing", file)
		}
	}
	t.Logf("%d of %d rules", len(found), len(ids))
}

// TestProcessRulesMeetAudit: the rules for Linux processes fire on execve records alone. The wishes do not go
// into conditions, so a part of the rules asks for more than one value a field can be.
func TestProcessRulesMeetAudit(t *testing.T) {
	dir := corpus(t, "sigma", "rules", "linux", "process_creation")
	ids, wishes := rulesOf(t, dir)
	var text strings.Builder
	for i, w := range wishes {
		text.WriteString(w.processText(i + 1))
	}
	found := fired(t, dir, text.String())
	for id, file := range ids {
		if !found[id] {
			t.Log("not made: ", file)
		}
	}
	if t.Logf("%d of %d rules", len(found), len(ids)); len(found)*10 < len(ids)*9 {
		t.Errorf("%d of %d rules fired", len(found), len(ids))
	}
}
