package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/taxii"
)

// client is a TAXII client of a member's node.
type client struct {
	t     testing.TB
	h     http.Handler
	token string
}

// client makes a token and a client that has it. An empty as leaves the holder to the node.
func (m *member) client(name, as string, scopes ...string) *client {
	m.t.Helper()
	if len(scopes) == 0 {
		scopes = []string{scopeTAXIIRead, scopeTAXIIWrite}
	}
	tok, err := m.n.TokenNew(context.Background(), control.TokenRequest{Name: name, Scopes: scopes, As: as})
	if err != nil {
		m.t.Fatal(err)
	}
	return &client{m.t, m.n.taxiiHandler(), tok.Token}
}

func (c *client) do(method, path, body string) (int, []byte) {
	c.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/taxii+json;version=2.1")
	rec := httptest.NewRecorder()
	c.h.ServeHTTP(rec, r)
	return rec.Code, rec.Body.Bytes()
}

func collectionPath(audience string) string {
	return "/taxii2/root/collections/" + taxii.CollectionID(audience) + "/"
}

// objects are the raw objects of a collection by their id; nil where there is no such collection.
func (c *client) objects(audience string) map[string]string {
	c.t.Helper()
	code, body := c.do("GET", collectionPath(audience)+"objects/", "")
	if code == 404 {
		return nil
	}
	var e struct{ Objects []json.RawMessage }
	if err := json.Unmarshal(body, &e); err != nil || code != 200 {
		c.t.Fatalf("%d %s: %v", code, body, err)
	}
	out := map[string]string{}
	for _, raw := range e.Objects {
		var o struct{ ID string }
		if err := json.Unmarshal(raw, &o); err != nil {
			c.t.Fatal(err)
		}
		out[o.ID] = string(raw)
	}
	return out
}

// posted is what became of a posting.
type posted struct {
	Succeeded int                        `json:"success_count"`
	Successes []struct{ Message string } `json:"successes"`
	Failures  []struct{ Message string } `json:"failures"`
}

func (c *client) post(objects ...string) (p posted) {
	c.t.Helper()
	code, body := c.do("POST", "/taxii2/root/collections/inbox/objects/", `{"objects":[`+strings.Join(objects, ",")+`]}`)
	if err := json.Unmarshal(body, &p); err != nil || code != 202 {
		c.t.Fatalf("%d %s: %v", code, body, err)
	}
	return p
}

// only is the object of a bundle.
func only(t testing.TB, f control.File) string {
	t.Helper()
	var b struct{ Objects []json.RawMessage }
	if err := json.Unmarshal(f.Data, &b); err != nil || len(b.Objects) != 1 {
		t.Fatal(err)
	}
	return string(b.Objects[0])
}

const markClear = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"

// TestTAXIIAcrossAnAlliance: what one member publishes is read from an ally's server byte for byte, by those whom the
// marking allows, and by nobody else.
func TestTAXIIAcrossAnAlliance(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := alpha.join("beta", states)
	allLive(t, alpha, beta)
	green, amber, strict, red := bundle(1, "green.example", markClear), bundle(2, "amber.example", markClear), bundle(3, "strict.example", markClear), bundle(4, "red.example", markClear)
	alpha.publish("green", nil, green)
	alpha.publish("amber", states, amber)
	alpha.publish("amber+strict", states, strict)
	alpha.publish("red", []string{"beta"}, red)
	alpha.caughtUp(beta)

	staff, machine, bank := beta.client("soc", "staff"), beta.client("siem", "machine"), beta.client("bank", "")
	for name, tt := range map[string]struct {
		c       *client
		visible []control.File
		hidden  []control.File
	}{
		"staff": {staff, []control.File{green, amber, strict}, []control.File{red}}, "machine": {machine, []control.File{green, amber, strict}, []control.File{red}},
		"constituent": {bank, []control.File{green, amber}, []control.File{strict, red}},
	} {
		all := map[string]string{}
		for _, audience := range []string{"alliance", "group:states", "member:beta", "member:alpha,member:beta"} {
			for id, raw := range tt.c.objects(audience) {
				all[id] = raw
			}
		}
		for i, f := range tt.visible {
			if raw := only(t, f); all[indicatorID(i+1)] != raw {
				t.Errorf("%s reads %q, alpha published %q", name, all[indicatorID(i+1)], raw)
			}
		}
		if len(all) != len(tt.visible) {
			t.Errorf("%s reads %d objects, want %d and not %d others", name, len(all), len(tt.visible), len(tt.hidden))
		}
	}
	// Withdrawn, it is gone.
	if _, err := alpha.n.Withdraw(t.Context(), []string{indicatorID(1)}); err != nil {
		t.Fatal(err)
	}
	alpha.caughtUp(beta)
	if got := staff.objects("alliance"); len(got) != 0 {
		t.Errorf("after the withdrawal %v", got)
	}
}

// TestPostingsStay: a posting is live here, stays here through a restart and a new name, and is its holder's to take
// back.
func TestPostingsStay(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := newMember(t, "first-name").start()
	bank, soc := beta.client("bank", "constituent"), beta.client("soc", "staff")
	theirs, ours := only(t, bundle(1, "posted.example", markClear)), only(t, bundle(2, "ours.example", markClear))
	if p := bank.post(theirs); p.Succeeded != 1 {
		t.Fatalf("%+v", p)
	}
	soc.post(ours)
	for _, domain := range []string{"posted.example", "ours.example"} {
		d := beta.detects(query(domain))
		if len(d) != 1 || d[0].Publisher != "" {
			t.Errorf("%s: detections %+v", domain, d)
		}
	}
	if got := bank.objects("member:first-name"); len(got) != 0 {
		t.Errorf("a constituent reads %v", got)
	}
	if _, err := beta.n.Join(t.Context(), alpha.invite("beta", "states")); err != nil {
		t.Fatal(err)
	}
	beta.name = "beta"
	allLive(t, alpha, beta)
	beta.restart()
	bank.h, soc.h = beta.n.taxiiHandler(), beta.n.taxiiHandler()
	if got := soc.objects("member:beta"); len(got) != 2 || got[indicatorID(1)] != theirs || got[indicatorID(2)] != ours {
		t.Errorf("under its new name it holds %v", got)
	}
	if got := soc.objects("member:first-name"); got != nil {
		t.Errorf("the old name's collection has %v", got)
	}
	path := collectionPath("member:beta") + "objects/"
	if code, body := soc.do("DELETE", path+indicatorID(1)+"/", ""); code != 403 {
		t.Errorf("staff deletes a constituent's posting: %d %s", code, body)
	}
	if code, body := soc.do("DELETE", path+indicatorID(2)+"/", ""); code != 200 {
		t.Errorf("deleting: %d %s", code, body)
	}
	if len(beta.detects(query("posted.example"))) != 1 || len(beta.detects(query("ours.example"))) != 0 {
		t.Error("what was deleted is live, or what was not is gone")
	}
	if held, err := alpha.n.Holds(t.Context(), indicatorID(1)); held || err != nil {
		t.Errorf("a posting left its node: %v, %v", held, err)
	}
}

// TestInboxRule: where the configuration says so, postings are published; what may not be stays, and the poster is
// told. An ally's object does not come out under a milder marking because a client posts it back.
func TestInboxRule(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := alpha.join("beta", states, func(o *Options) { o.Config.Inbox = config.Inbox{TLP: "green"} })
	gamma := alpha.join("gamma", partners)
	allLive(t, alpha, beta, gamma)
	amber := bundle(1, "amber.example", markClear)
	alpha.publish("amber", states, amber)
	alpha.caughtUp(beta)

	bank := beta.client("bank", "constituent")
	fresh, echo, red := only(t, bundle(2, "fresh.example", markClear)), only(t, amber), only(t, bundle(3, "red.example", "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"))
	p := bank.post(fresh, echo, red)
	if p.Succeeded != 3 || p.Successes[0].Message != "" || !strings.Contains(p.Successes[1].Message, "only CLEAR and GREEN may be shared on") || !strings.Contains(p.Successes[2].Message, "not published") {
		t.Errorf("%+v", p)
	}
	beta.caughtUp(alpha, gamma)
	for _, m := range []*member{alpha, gamma} {
		c := m.client("soc", "staff")
		if got := c.objects("alliance"); len(got) != 1 || got[indicatorID(2)] != fresh {
			t.Errorf("%s reads %v", m.name, got)
		}
	}
	// Posted again, it changes nothing.
	size := beta.status().Log.Size
	if p := bank.post(fresh); p.Succeeded != 1 || beta.status().Log.Size != size {
		t.Errorf("again: %+v", p)
	}
}

// TestPublishPosting: what was posted is published by its id, with its exact bytes, and only then.
func TestPublishPosting(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha").start()
	bank, shop := m.client("bank", ""), m.client("shop", "")
	raw := only(t, bundle(1, "posted.example", markClear))
	bank.post(raw)
	shop.post(raw, only(t, bundle(2, "one.example", markClear)))
	bank.post(only(t, bundle(2, "two.example", markClear)))
	res, err := m.n.Publish(t.Context(), control.PublishRequest{IDs: []string{indicatorID(1)}, TLP: "green"})
	if err != nil || len(res.Entries) != 1 || res.Entries[0].TLP != "GREEN" || res.Entries[0].Audience != "alliance" {
		t.Errorf("%+v, %v", res, err)
	}
	if got := bank.objects("alliance"); len(got) != 1 || got[indicatorID(1)] != raw {
		t.Errorf("published %v", got)
	}
	_, err = m.n.Publish(t.Context(), control.PublishRequest{IDs: []string{indicatorID(2)}, TLP: "green"})
	wantErr(t, err, control.Refused, "local:shop and local:bank posted different objects")
	_, err = m.n.Publish(t.Context(), control.PublishRequest{IDs: []string{indicatorID(3)}, TLP: "green"})
	wantErr(t, err, control.NotFound, "nothing of this id was posted here")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha")
	n := m.open()
	ctx := t.Context()
	for _, tt := range []struct {
		req  control.TokenRequest
		want string
	}{
		{control.TokenRequest{Name: "X", Scopes: []string{"ingest"}}, "X"},
		{control.TokenRequest{Name: "x"}, "without a scope"},
		{control.TokenRequest{Name: "x", Scopes: []string{"taxii"}}, "is not known"},
		{control.TokenRequest{Name: "x", Scopes: []string{"ingest"}, As: "staff"}, "for TAXII"},
		{control.TokenRequest{Name: "x", Scopes: []string{"taxii:read"}, As: "boss"}, "no sort of reader"},
		{control.TokenRequest{Name: "x", Scopes: []string{"taxii:read"}, Certificate: []byte("x")}, "certificate cannot be read"},
		{control.TokenRequest{Name: "x", Scopes: []string{"ingest"}, Certificate: []byte("x")}, "wants a token"},
	} {
		_, err := n.TokenNew(ctx, tt.req)
		wantErr(t, err, control.Usage, tt.want)
	}
	both := m.client("both", "", "ingest", "taxii:read", "ingest")
	if code, _ := both.do("GET", "/taxii2/", ""); code != 200 {
		t.Errorf("the token: %d", code)
	}
	telemetry := m.client("beats", "", "ingest")
	if code, _ := telemetry.do("GET", "/taxii2/", ""); code != 403 {
		t.Errorf("telemetry's token: %d", code)
	}
	if name, ok, err := (tokens{n}).Check(ctx, taxii.TokenHash(both.token)); name != "both" || !ok || err != nil {
		t.Errorf("sending telemetry: %q %v %v", name, ok, err)
	}
	if _, err := n.TokenNew(ctx, control.TokenRequest{Name: "short", Scopes: []string{"taxii:write"}, As: "machine", Expires: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	list, err := n.Tokens(ctx)
	if err != nil || len(list) != 3 || list[1].Name != "both" || list[1].Scope != "ingest taxii:read" || list[1].As != "constituent" || list[1].Token != "" || list[2].Expires.IsZero() {
		t.Errorf("listed %+v, %v", list, err)
	}
	// A new token of the name ends the old one; revoked, none is left.
	again := m.client("both", "staff", "taxii:read")
	if code, _ := both.do("GET", "/taxii2/", ""); code != 401 {
		t.Errorf("the replaced token: %d", code)
	}
	if tok, err := n.TokenRevoke(ctx, "both"); tok.As != "staff" || err != nil {
		t.Errorf("revoked %+v, %v", tok, err)
	}
	if code, _ := again.do("GET", "/taxii2/", ""); code != 401 {
		t.Errorf("the revoked token: %d", code)
	}
	_, err = n.TokenRevoke(ctx, "both")
	wantErr(t, err, control.NotFound, "no token")
}

// certificate makes a self-signed certificate and its key.
func certificate(t testing.TB) (cert tls.Certificate, certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	if cert, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return cert, certPEM, keyPEM
}

// TestTAXIIOverTLS: on an address of its own, TAXII is served over TLS; a client is known by its token or by its
// certificate's key.
func TestTAXIIOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, certPEM, keyPEM := certificate(t)
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, data := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := newMember(t, "alpha", func(o *Options) {
		o.NoPage = false
		o.Config.Page.Listen = "127.0.0.1:0"
		o.Config.TAXII = config.TAXII{Enabled: true, Listen: "127.0.0.1:0", Certificate: certFile, Key: keyFile}
	}).start()
	known, clientPEM, _ := certificate(t)
	unknown, _, _ := certificate(t)
	ctx := t.Context()
	if _, err := m.n.TokenNew(ctx, control.TokenRequest{Name: "siem", Scopes: []string{scopeTAXIIRead}, As: "machine", Certificate: clientPEM}); err != nil {
		t.Fatal(err)
	}
	_, err := m.n.TokenNew(ctx, control.TokenRequest{Name: "other", Scopes: []string{scopeTAXIIRead}, Certificate: clientPEM})
	wantErr(t, err, control.Refused, "siem")
	token := m.client("soc", "staff").token
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	for name, tt := range map[string]struct {
		cert  []tls.Certificate
		user  string
		max   uint16
		code  int
		fails bool
	}{
		"nobody": {code: 401}, "a token": {user: "soc", code: 200}, "a known key": {cert: []tls.Certificate{known}, code: 200},
		"an unknown key": {cert: []tls.Certificate{unknown}, code: 401}, "TLS 1.2": {user: "soc", max: tls.VersionTLS12, code: 200}, "TLS 1.1": {user: "soc", max: tls.VersionTLS11, fails: true},
	} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: tt.cert, MinVersion: tls.VersionTLS10, MaxVersion: tt.max}}
		r, err := http.NewRequest("GET", m.n.taxiiURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.user != "" {
			r.SetBasicAuth(tt.user, token)
		}
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if (err != nil) != tt.fails {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		transport.CloseIdleConnections()
		if err != nil || resp.StatusCode != tt.code || tt.code == 200 && !strings.Contains(string(body), fmt.Sprintf(`"default":"%sroot/"`, m.n.taxiiURL)) {
			t.Errorf("%s: %d %s, %v", name, resp.StatusCode, body, err)
		}
	}
	// The page's own listener has none then.
	resp, err := http.Get(m.n.pageURL + "/taxii2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Header.Get("Content-Type") == "application/taxii+json;version=2.1" {
		t.Error("the page serves TAXII too")
	}
}
