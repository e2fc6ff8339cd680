package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/control"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
	"shieldwall/internal/taxii"
)

// What a token may do.
const (
	scopeIngest     = "ingest"      // send telemetry
	scopeTAXIIRead  = "taxii:read"  // read what policy lets its holder read
	scopeTAXIIWrite = "taxii:write" // post to the inbox
	scopeAPIRead    = "api:read"    // read by the API what policy lets its holder read
	scopeAPIPublish = "api:publish" // share and withdraw in this member's name
	scopeAPIOperate = "api:operate" // mute
)

var scopes = []string{scopeIngest, scopeTAXIIRead, scopeTAXIIWrite, scopeAPIRead, scopeAPIPublish, scopeAPIOperate}

// holderKinds are the sorts of readers that a token's holder can be. None of them may read RED: that is for people
// whom the member has named, on the page.
var holderKinds = map[string]policy.Kind{"constituent": policy.Constituent, "machine": policy.Machine, "staff": policy.Staff}

// defaultHolder is who holds a token for TAXII where nobody says: the one that may read least.
const defaultHolder = "constituent"

// TokenNew makes a secret for a local interface, or lets a client's certificate in; only a hash is kept.
func (n *Node) TokenNew(ctx context.Context, req control.TokenRequest) (control.Token, error) {
	if err := checkToken(&req); err != nil {
		return control.Token{}, err
	}
	out := control.Token{Name: req.Name, Scope: strings.Join(req.Scopes, " "), As: req.As, Created: n.now().UTC()}
	if req.Expires > 0 {
		out.Expires = out.Created.Add(req.Expires)
	}
	hash, err := certificateHash(req.Certificate)
	if err != nil {
		return control.Token{}, control.Errorf(control.Usage, "the certificate cannot be read: %w", err)
	}
	if hash == nil {
		secret := make([]byte, 24)
		if _, err := random.Read(secret); err != nil {
			return control.Token{}, err
		}
		out.Token = "swi1." + base64.RawURLEncoding.EncodeToString(secret)
		sum := taxii.TokenHash(out.Token)
		hash = sum[:]
	}
	err = n.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error {
		if name, _, _, _, err := tx.Token(hash); err == nil && name != req.Name {
			return refusedf("this certificate's key is let in already, as %s", name)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return tx.PutToken(hash, req.Name, out.Scope, req.As, out.Expires)
	})
	if err != nil {
		return control.Token{}, fmt.Errorf("keeping the token: %w", err)
	}
	return out, nil
}

// checkToken refuses what makes no sense and fills in what was left out.
func checkToken(req *control.TokenRequest) error {
	if err := roster.CheckName(req.Name); err != nil {
		return control.Errorf(control.Usage, "%w", err)
	}
	if len(req.Scopes) == 0 {
		return control.Errorf(control.Usage, "a token without a scope may do nothing; there is: %s", strings.Join(scopes, ", "))
	}
	for _, s := range req.Scopes {
		if !slices.Contains(scopes, s) {
			return control.Errorf(control.Usage, "the scope %q is not known; there is: %s", s, strings.Join(scopes, ", "))
		}
	}
	slices.Sort(req.Scopes)
	req.Scopes = slices.Compact(req.Scopes)
	forTAXII := slices.ContainsFunc(req.Scopes, func(s string) bool { return s != scopeIngest })
	switch {
	case forTAXII:
		req.As = cmp.Or(req.As, defaultHolder)
		if _, known := holderKinds[req.As]; !known {
			return control.Errorf(control.Usage, "%q is no sort of reader: constituent, machine or staff", req.As)
		}
		for _, s := range []string{scopeAPIPublish, scopeAPIOperate} {
			if slices.Contains(req.Scopes, s) && req.As == defaultHolder {
				return control.Errorf(control.Usage, "the scope %s acts in this member's name: its holder must be machine or staff (--as)", s)
			}
		}
	case req.As != "":
		return control.Errorf(control.Usage, "who reads is for TAXII and the API; one of scope %s reads nothing", scopeIngest)
	case len(req.Certificate) > 0:
		return control.Errorf(control.Usage, "certificates are for TAXII; telemetry wants a token")
	}
	return nil
}

// certificateHash is what a client's certificate is known by; nil where there is none.
func certificateHash(raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if block, _ := pem.Decode(raw); block != nil {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it is a %s", block.Type)
		}
		raw = block.Bytes
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	sum := taxii.CertificateHash(c)
	return sum[:], nil
}

// Tokens are those that were made, by name, expired ones too.
func (n *Node) Tokens(ctx context.Context) ([]control.Token, error) {
	out := []control.Token{}
	err := n.store.View(ctx, func(tx *sqlite.Tx) error {
		return tx.EachToken(func(name, scope, reader string, created, expires time.Time) error {
			t := control.Token{Name: name, Scope: scope, As: reader, Created: created}
			if !expires.IsZero() {
				t.Expires = expires
			}
			out = append(out, t)
			return nil
		})
	})
	return out, err
}

// TokenRevoke forgets a token by its name: what it presents from now on is unknown.
func (n *Node) TokenRevoke(ctx context.Context, name string) (control.Token, error) {
	all, err := n.Tokens(ctx)
	if err != nil {
		return control.Token{}, err
	}
	i := slices.IndexFunc(all, func(t control.Token) bool { return t.Name == name })
	if i < 0 {
		return control.Token{}, control.Errorf(control.NotFound, "there is no token %q; token list shows those there are", name)
	}
	err = n.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error { return tx.DropToken(name) })
	return all[i], err
}

// tokens knows the tokens by their hashes (httpjsonl.TokenChecker, taxii.Tokens).
type tokens struct{ node *Node }

// find is what a token that is good now allows.
func (t tokens) find(ctx context.Context, hash [sha256.Size]byte) (name string, scopes []string, reader string, ok bool, err error) {
	var scope string
	var expires time.Time
	err = t.node.store.View(ctx, func(tx *sqlite.Tx) (err error) {
		name, scope, reader, expires, err = tx.Token(hash[:])
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, "", false, nil
	}
	if err != nil {
		return "", nil, "", false, fmt.Errorf("looking a token up: %w", err)
	}
	return name, strings.Fields(scope), reader, expires.IsZero() || t.node.now().Before(expires), nil
}

// Check says whether a token may send telemetry.
func (t tokens) Check(ctx context.Context, hash [sha256.Size]byte) (name string, ok bool, err error) {
	name, scopes, _, ok, err := t.find(ctx, hash)
	return name, ok && slices.Contains(scopes, scopeIngest), err
}

// Holder says what a token may do by TAXII.
func (t tokens) Holder(ctx context.Context, hash [sha256.Size]byte) (h taxii.Holder, ok bool, err error) {
	name, scopes, reader, ok, err := t.find(ctx, hash)
	kind := holderKinds[reader] // the zero kind may read nothing
	return taxii.Holder{
		Name: name, Kind: kind,
		Read: slices.Contains(scopes, scopeTAXIIRead), Write: slices.Contains(scopes, scopeTAXIIWrite),
	}, ok, err
}
