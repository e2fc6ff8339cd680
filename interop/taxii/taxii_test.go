// Package taxii drives a running node with TAXII clients that are not ours: taxii2-client of OASIS, and cytaxii2.
package taxii

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("PYTHON")
	if name == "" {
		name = "python3"
	}
	if err := exec.Command(name, "-c", "import taxii2client, cytaxii2").Run(); err != nil {
		t.Skipf("%s has no packages taxii2-client and cytaxii2: %v", name, err)
	}
	return name
}

// node is a running node, made by the product's own commands.
type node struct {
	t           *testing.T
	binary, dir string
	url         string // of TAXII's discovery
}

// run runs a command of the product on the node's folder.
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

// build makes the product as its users do.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "shieldwall")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/shieldwall")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return binary
}

// start runs a node until the test ends.
func start(t *testing.T, binary, configuration string) *node {
	t.Helper()
	n := &node{t: t, binary: binary, dir: t.TempDir()}
	data := filepath.Join(n.dir, "data")
	pass := filepath.Join(n.dir, "pass")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{pass: "a passphrase for the test alone\n", filepath.Join(data, "config.yaml"): configuration} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(binary, "up", "--data", data, "--member", "cert", "--kit-passphrase-file", pass, "--page-listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0")
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
	if line := make([]byte, 1); readByte(out, line) != nil {
		t.Fatalf("the node does not start: %s", &said)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	var status struct{ TAXII string }
	if err := json.Unmarshal([]byte(n.run("status", "--json")), &status); err != nil || status.TAXII == "" {
		t.Fatalf("where is TAXII? %v", err)
	}
	n.url = status.TAXII
	return n
}

// readByte waits for the first byte of the page's link: then everything serves.
func readByte(in io.Reader, b []byte) error {
	_, err := io.ReadFull(in, b)
	return err
}

// tokens makes one for each client: staff who post, a machine, a constituent.
func (n *node) tokens() map[string]string {
	token := func(name, as string, scopes ...string) string {
		args := []string{"token", "new", "--name", name, "--as", as}
		for _, s := range scopes {
			args = append(args, "--scope", s)
		}
		return n.run(args...)
	}
	return map[string]string{
		"soc":  token("soc", "staff", "taxii:read", "taxii:write"),
		"siem": token("siem", "machine", "taxii:read"),
		"bank": token("bank", "constituent", "taxii:read", "taxii:write"),
	}
}

// publish shares generated indicators and gives the bytes of each, in order.
func (n *node) publish(count int) (ids []string, raws [][]byte) {
	n.t.Helper()
	for i := range count {
		id := fmt.Sprintf("indicator--%08d-5555-4555-8555-555555555555", i)
		ids = append(ids, id)
		raws = append(raws, fmt.Appendf(nil, `{ "type": "indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.123456Z","name":"caf\u00e9 %d",`+
			`"pattern":"[domain-name:value = 'host%d.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","x_score":1.50 }`, id, i, i))
	}
	file := filepath.Join(n.dir, "bundle.json")
	body := append([]byte(`{"type":"bundle","id":"bundle--00000000-5555-4555-8555-555555555555","objects":[`), bytes.Join(raws, []byte(","))...)
	if err := os.WriteFile(file, append(body, "]}"...), 0o600); err != nil {
		n.t.Fatal(err)
	}
	n.run("publish", file, "--tlp", "green")
	return ids, raws
}

// clients runs scenarios of clients.py, and wants at least so many checks of them.
func clients(t *testing.T, least int, arg map[string]any) {
	t.Helper()
	text, err := json.Marshal(arg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python(t), "clients.py", string(text))
	if authority, ok := arg["verify"].(string); ok {
		cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+authority) // which counts before what the client is told
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &out, &said)
	}
	lines := strings.Fields(out.String())
	if n, err := strconv.Atoi(lines[len(lines)-1]); err != nil || n < least {
		t.Errorf("%s checks, want at least %d", lines[len(lines)-1], least)
	}
	t.Logf("%s checks", lines[len(lines)-1])
}

func TestClients(t *testing.T) {
	python(t)
	n := start(t, build(t), "")
	ids, raws := n.publish(300)
	tokens := n.tokens()
	clients(t, 60, map[string]any{
		"url": n.url, "tokens": tokens, "published": ids, "scenarios": []string{"discovery", "reading", "writing", "cyware", "arriving"},
	})
	// Byte for byte, which no client tells.
	r, err := http.NewRequest("GET", n.url+"root/collections/alliance/objects/?limit=1000", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("soc", tokens["soc"])
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if want := `{"objects":[` + string(bytes.Join(raws, []byte(","))) + `]}`; err != nil || string(got) != want {
		t.Errorf("%d bytes, want %d that were published; %v", len(got), len(want), err)
	}
}

// TestClientsOverTLS: with a certificate of its own, and with a client's.
func TestClientsOverTLS(t *testing.T) {
	python(t)
	dir := t.TempDir()
	serverCert, serverKey := certificate(t, dir, "server")
	clientCert, clientKey := certificate(t, dir, "client")
	n := start(t, build(t), fmt.Sprintf("taxii:\n  listen: 127.0.0.1:0\n  certificate: %s\n  key: %s\n", serverCert, serverKey))
	if !strings.HasPrefix(n.url, "https://") {
		t.Fatalf("TAXII is at %s", n.url)
	}
	ids, _ := n.publish(100)
	n.run("token", "new", "--name", "pinned", "--as", "machine", "--scope", "taxii:read", "--certificate", clientCert)
	clients(t, 15, map[string]any{
		"url": n.url, "tokens": n.tokens(), "verify": serverCert, "cert": clientCert, "key": clientKey, "scenarios": []string{"certificate", "cyware"}, "published": ids,
	})
}

// certificate makes a self-signed one for loopback.
func certificate(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
