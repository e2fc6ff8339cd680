package sigma

import "testing"

func TestParseLogsource(t *testing.T) {
	for text, want := range map[string]Logsource{
		"okta/*/okta": {Product: "okta", Service: "okta"}, "Linux//": {Product: "linux"}, "*/process_creation/*": {Category: "process_creation"},
	} {
		got, err := ParseLogsource(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := ParseLogsource(got.String()); err != nil || again != got {
			t.Errorf("%s: %+v, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "okta", "a/b", "a/b/c/d", "*/*/*", "a b/c/d", "x/\x1b/y"} {
		if got, err := ParseLogsource(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
