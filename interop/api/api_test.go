// Package api lets schemathesis, a fuzzer of APIs that is not ours, at a running node: it reads the description that
// the node serves and tries whatever that allows, and what it does not.
package api

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("PYTHON")
	if name == "" {
		name = "python3"
	}
	if err := exec.Command(name, "-c", "import schemathesis").Run(); err != nil {
		t.Skipf("%s has no package schemathesis: %v", name, err)
	}
	return name
}

// node is a running node, made by the product's own commands.
type node struct {
	t                 *testing.T
	binary, dir, page string
}

func (n *node) run(args ...string) string {
	n.t.Helper()
	cmd := exec.Command(n.binary, append(args, "--data", filepath.Join(n.dir, "data"))...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(n.dir, "config"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		n.t.Fatalf("%v: %v\n%s%s", args, err, &out, &errs)
	}
	return strings.TrimSpace(out.String())
}

// start builds the product and runs a node until the test ends.
func start(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir()}
	n.binary = filepath.Join(n.dir, "shieldwall")
	build := exec.Command("go", "build", "-o", n.binary, "./cmd/shieldwall")
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	pass := filepath.Join(n.dir, "pass")
	if err := os.WriteFile(pass, []byte("a passphrase for the test alone\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(n.binary, "up", "--data", filepath.Join(n.dir, "data"), "--member", "cert", "--kit-passphrase-file", pass, "--page-listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(n.dir, "config"))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if runtime.GOOS == "windows" {
			_ = cmd.Process.Kill()
		} else if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the node ended with %v\n%s", err, &said)
		}
	})
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatalf("the node does not start: %s", &said)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	var status struct{ Page string }
	if err := json.Unmarshal([]byte(n.run("status", "--json")), &status); err != nil || status.Page == "" {
		t.Fatalf("where is the page? %v", err)
	}
	n.page = status.Page
	return n
}

// bundle are objects for the fuzzer to find.
const bundle = `{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001","objects":[
{"type":"malware","spec_version":"2.1","id":"malware--00000001-0000-4000-8000-000000000000","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"worm","is_family":false},
{"type":"tool","spec_version":"2.1","id":"tool--00000002-0000-4000-8000-000000000000","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"tool"},
{"type":"relationship","spec_version":"2.1","id":"relationship--00000003-0000-4000-8000-000000000000","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","relationship_type":"uses","source_ref":"malware--00000001-0000-4000-8000-000000000000","target_ref":"tool--00000002-0000-4000-8000-000000000000"}]}`

var generated = regexp.MustCompile(`(\d+) generated`)

// No 5xx, no answer, media type, header or body that is not described; what the description forbids is refused, and
// no token opens what it must not.
func TestSchemathesis(t *testing.T) {
	py := python(t)
	n := start(t)
	file := filepath.Join(n.dir, "bundle.json")
	if err := os.WriteFile(file, []byte(bundle), 0o600); err != nil {
		t.Fatal(err)
	}
	n.run("publish", file, "--tlp", "clear")
	staff := n.run("token", "new", "--name", "staff", "--as", "staff", "--scope", "api:read", "--scope", "api:publish", "--scope", "api:operate")
	bank := n.run("token", "new", "--name", "bank", "--scope", "api:read")
	sensor := n.run("token", "new", "--name", "sensor", "--scope", "ingest")
	const always = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method"
	for _, c := range []struct {
		name, token, checks string
		examples            int
	}{
		{"staff", staff, always + ",negative_data_rejection,missing_required_header,ignored_auth", 60},
		{"constituent", bank, always + ",negative_data_rejection", 20},
		{"no scope", sensor, always, 10},
		{"no token", "", always, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"-m", "schemathesis.cli", "run", n.page + "/api/openapi.json", "--checks", c.checks, "--max-examples", strconv.Itoa(c.examples), "--seed", "1", "--no-color"}
			if c.token != "" {
				args = append(args, "-H", "Authorization: Bearer "+c.token)
			}
			cmd := exec.Command(py, args...)
			cmd.Dir = t.TempDir()
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			m := generated.FindSubmatch(out)
			if m == nil {
				t.Fatalf("how much was tried?\n%s", out)
			}
			if tried, _ := strconv.Atoi(string(m[1])); tried < 150 {
				t.Errorf("%d cases are no test\n%s", tried, out)
			}
			t.Logf("%s cases", m[1])
		})
	}
}
