package node

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"shieldwall/internal/control"
	"shieldwall/internal/sigma"
)

// expanding is a rule that asks its reader for the values of %tools%.
func expanding(n int) control.File {
	f := rule(n, "%tools%")
	f.Data = bytes.Replace(f.Data, []byte("|contains:"), []byte("|contains|expand:"), 1)
	return f
}

// TestPlaceholders: every member reads a rule that says expand with its own values; where it has none, the rule
// is told as rejected, and is not shared.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	with := func(values ...string) func(*Options) {
		return func(o *Options) { o.Config.Placeholders = sigma.Placeholders{"tools": values} }
	}
	local := t.TempDir()
	if err := os.WriteFile(filepath.Join(local, "local.yml"), expanding(2).Data, 0o600); err != nil {
		t.Fatal(err)
	}
	alpha := founder(t, "alpha", with("psexec*-s"))
	beta := alpha.join("beta", states, with("nc", "ncat"), func(o *Options) { o.Config.Rules = []string{local} })
	gamma := alpha.join("gamma", partners)
	allLive(t, alpha, beta, gamma)

	_, err := gamma.n.Publish(t.Context(), control.PublishRequest{TLP: "green", Files: []control.File{expanding(1)}})
	wantErr(t, err, control.Refused, "rule-1.yml", `placeholder "%tools%"`)
	alpha.publish("green", nil, expanding(1))
	alpha.caughtUp(beta, gamma)
	if got := alpha.detects(command("run psexec \\\\host -s cmd")); len(got) != 1 || got[0].RuleID != ruleID(1) {
		t.Errorf("alpha detects %+v", got)
	}
	if got := alpha.detects(command("ncat -l")); len(got) != 0 {
		t.Errorf("alpha detects by somebody else's values: %+v", got)
	}
	if got := beta.detects(command("ncat -l")); len(got) != 2 {
		t.Errorf("beta detects %+v, want the shared and the local rule", got)
	}
	rejected := gamma.n.current.Load().detector.Stats().Rejections
	if len(rejected) != 1 || !containsAll(rejected[0].Reason, `placeholder "%tools%"`) {
		t.Errorf("gamma rejects %+v", rejected)
	}
}
