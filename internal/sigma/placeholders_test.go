package sigma_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

func TestReadPlaceholders(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		want       map[string][]string
	}{
		{"nothing", "", map[string][]string{}},
		{"comments", "# none yet\n---\n", map[string][]string{}},
		{"an empty map", "{}", map[string][]string{}},
		{"one value and lists", "Administrators: [alice, 'adm_*']\nJumpServers: jump01\n",
			map[string][]string{"Administrators": {"alice", "adm_*"}, "JumpServers": {"jump01"}}},
		{"values keep their spelling", "n: [007, 1.50, true, 2026-01-02, ' a ', 'C:\\x\\?']",
			map[string][]string{"n": {"007", "1.50", "true", "2026-01-02", " a ", `C:\x\?`}}},
		{"names", "Admins-1.x: a\nélan: b\n", map[string][]string{"Admins-1.x": {"a"}, "élan": {"b"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sigma.ReadPlaceholders([]byte(tt.yaml))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestReadPlaceholdersRefuses(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, tt := range []struct {
		name, yaml string
		reason     sigma.Reason
		want       string
	}{
		{"no YAML", "a: [", sigma.ReasonYAML, "line 1"},
		{"a list", "- a\n", sigma.ReasonStructure, "line 1: want a map of names to values, found a list"},
		{"two documents", "a: b\n---\nc: d\n", sigma.ReasonStructure, "line 3: a second document"},
		{"a name twice", "a: b\nc: d\na: e\n", sigma.ReasonStructure, "line 3: a: given twice"},
		{"no values", "a: b\nc: []\n", sigma.ReasonValue, "line 2: c: has no values"},
		{"nothing", "a:\n", sigma.ReasonValue, "line 1: a: is empty"},
		{"an empty text", "a:\n  - b\n  - ''\n", sigma.ReasonValue, "line 3: a[1]: is empty"},
		{"null in a list", "a: [b, ~]\n", sigma.ReasonValue, "line 1: a[1]: is empty"},
		{"a map", "a: {b: c}\n", sigma.ReasonStructure, "line 1: a: want a value, found a map"},
		{"a list in a list", "a: [[b]]\n", sigma.ReasonStructure, "line 1: a[0]: want a value, found a list"},
		{"a tag", "a: !!binary aGk=\n", sigma.ReasonYAML, "line 1: a: YAML tag"},
		{"percent signs", "'%a%': b\n", sigma.ReasonStructure, "line 1: %a%: names are written without their percent signs"},
		{"a percent sign", "'a%': b\n", sigma.ReasonStructure, "cannot be a placeholder's name"},
		{"a wildcard in a name", "'a*': b\n", sigma.ReasonStructure, "cannot be a placeholder's name"},
		{"a name of nothing", "'': b\n", sigma.ReasonStructure, "cannot be a placeholder's name"},
		{"a name that is a list", "? [a]\n: b\n", sigma.ReasonStructure, "line 1: key is a list, want a name"},
		{"an alias", "a: &x [b]\nc: *x\n", sigma.ReasonYAML, "line 1: a: anchors and aliases are not used here"},
		{"a merge", "<<: {a: b}\n", sigma.ReasonYAML, "line 1: <<: merge keys are not used here"},
		{"too many names", many(sigma.MaxPlaceholders+1, "a%d: b\n"), sigma.ReasonLimit, "1001 names, at most 1000"},
		{"too many values", "a:\n" + many(sigma.MaxPlaceholderValues+1, "- b%d\n"), sigma.ReasonLimit, "a: 20001 values, at most 20000"},
		{"too many values in all", "a:\n" + many(sigma.MaxPlaceholderValues, "- b%d\n") + "c: d\n", sigma.ReasonLimit, "line 20002: c: more than 20000 values in all"},
		{"a long value", "a: " + strings.Repeat("x", sigma.MaxValueBytes+1), sigma.ReasonLimit, "line 1: a: value of 65537 bytes"},
		{"a long name", "? " + strings.Repeat("x", sigma.MaxName+1) + "\n: b", sigma.ReasonLimit, "name of 513 bytes"},
		{"a long file", strings.Repeat("#", sigma.MaxFileSize+1), sigma.ReasonLimit, "file of"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sigma.ReadPlaceholders([]byte(tt.yaml))
			var e *sigma.Error
			if !errors.As(err, &e) || e.Reason != tt.reason || !strings.Contains(err.Error(), tt.want) || len(got) > 0 {
				t.Errorf("got %v, %v; want %s: %q", got, err, tt.reason, tt.want)
			}
		})
	}
}
