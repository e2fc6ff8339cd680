// Package keys keeps a node's secrets as files that only their owner may read: the keys in use, each a file
// of its own in the data folder, and the recovery kit (DESIGN.md, "Formats"). What the kit holds, the
// identity, is used once and not kept here.
package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"shieldwall/internal/canon"
	"shieldwall/internal/roster"
)

// Names of the key files in the data folder.
const (
	Folder         = "keys"
	OfficerFile    = "officer.key"
	delegationFile = "delegation"
	nodeFile       = "node.key"
	tlsFile        = "tls.key"
	hpkeFile       = "hpke.key"
	witnessFile    = "witness.key"
	delegateFile   = "delegate.key"
	kitHashFile    = "kit.sha256" // of the recovery kit that was made with these keys
	stagingFolder  = "keys.new"   // where they are made
)

// delegationLife is how long the node's delegate key may sign cards before the kit is needed again.
const delegationLife = 2 * 365 * 24 * time.Hour

// Keys are a node's keys in use.
type Keys struct {
	Delegation string // the signed note
	Identity   roster.Key
	TLS        ed25519.PrivateKey
	HPKE       hpke.PrivateKey
	Witness    ed25519.PrivateKey
	Delegate   ed25519.PrivateKey

	dir string
	box cipher.AEAD
}

// Options are what a first start needs.
type Options struct {
	Passphrase string // of the recovery kit
	Iterations int    // of the kit's key derivation; 0 = Iterations
	Rand       io.Reader
	Now        time.Time
}

// Exists says whether a data folder has keys.
func Exists(data string) bool {
	_, err := os.Lstat(filepath.Join(data, Folder))
	return err == nil
}

// Create makes all keys for a data folder without any: the recovery kit, the officer key (at officer, unless
// one lies there), the keys in use. They are made in a folder beside, which gets its name last: where the
// keys' folder stands it is complete, and what an interrupted Create left is known not to have been used.
func Create(data, officer string, opt Options) (*Keys, error) {
	if Exists(data) {
		return nil, errors.New("this data folder has keys already")
	}
	if err := dropInterrupted(data); err != nil {
		return nil, err
	}
	if err := makeOfficer(officer, opt.Rand); err != nil {
		return nil, err
	}
	dir := filepath.Join(data, stagingFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var seed Seed
	if _, err := io.ReadFull(opt.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("drawing the seed: %w", err)
	}
	if opt.Iterations == 0 {
		opt.Iterations = Iterations
	}
	kit, err := sealKit(opt.Rand, seed, opt.Passphrase, opt.Iterations)
	if err != nil {
		return nil, err
	}
	if err := writeNew(filepath.Join(dir, kitHashFile), []byte(kitHash(kit))); err != nil {
		return nil, err
	}
	for _, name := range []string{nodeFile, tlsFile, hpkeFile, witnessFile, delegateFile} {
		if err := newSecret(filepath.Join(dir, name), opt.Rand); err != nil {
			return nil, err
		}
	}
	if err := delegate(dir, seed, opt.Now); err != nil {
		return nil, err
	}
	if err := writeNew(filepath.Join(dir, KitFile), kit); err != nil {
		return nil, err
	}
	if err := putInPlace(data); err != nil {
		return nil, fmt.Errorf("putting the new keys in place: %w", err)
	}
	return Load(data)
}

// putInPlace moves the recovery kit out of the staged folder, from where it can be carried away, and then gives
// that folder its name.
func putInPlace(data string) error {
	staged := filepath.Join(data, stagingFolder)
	kit := filepath.Join(staged, KitFile)
	if err := place(kit, filepath.Join(data, KitFile)); err != nil {
		return fmt.Errorf("%s: %w", KitFile, err)
	}
	if err := os.Remove(kit); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncDir(data); err != nil {
		return err
	}
	if err := os.Rename(staged, filepath.Join(data, Folder)); err != nil {
		return err
	}
	return syncDir(data)
}

func kitHash(kit []byte) string {
	sum := sha256.Sum256(kit)
	return hex.EncodeToString(sum[:])
}

// dropInterrupted removes what an interrupted Create left. A recovery kit is removed only if that Create
// made it: any other one is somebody's way back.
func dropInterrupted(data string) error {
	staged, kitPath := filepath.Join(data, stagingFolder), filepath.Join(data, KitFile)
	if KitHere(data) {
		kit, errKit := readSecret(kitPath, 0)
		made, errMade := readSecret(filepath.Join(staged, kitHashFile), 2*sha256.Size)
		if errKit != nil || errMade != nil || string(made) != kitHash(kit) {
			return fmt.Errorf("%s lies in the data folder, which has no keys: restore from it, or carry it away to begin as a new member", KitFile)
		}
		if err := os.Remove(kitPath); err != nil {
			return err
		}
	}
	return os.RemoveAll(staged)
}

// makeOfficer makes an officer key, or checks the one that lies there.
func makeOfficer(path string, rand io.Reader) error {
	if _, err := os.Lstat(path); err == nil {
		_, err := readSigner(path)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return newSecret(path, rand)
}

// delegate signs the delegation with the identity key, which is forgotten after that.
func delegate(dir string, seed Seed, now time.Time) error {
	identity, err := seed.Identity()
	if err != nil {
		return err
	}
	recovery, err := seed.Recovery()
	if err != nil {
		return err
	}
	key, err := readSigner(filepath.Join(dir, delegateFile))
	if err != nil {
		return err
	}
	note, err := roster.Delegation{
		Identity: Public(identity),
		Delegate: Public(key),
		Recovery: roster.Key{Type: roster.HPKE, Key: recovery.PublicKey().Bytes()},
		Expires:  canon.At(now.Add(delegationLife)),
	}.Sign(identity)
	if err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, delegationFile), note)
}

// Load reads the keys of a data folder.
func Load(data string) (*Keys, error) {
	dir := filepath.Join(data, Folder)
	k := &Keys{dir: dir}
	note, err := readSecret(filepath.Join(dir, delegationFile), 0)
	if err != nil {
		return nil, fmt.Errorf("loading keys: %w", err)
	}
	d, err := roster.ParseDelegation(note)
	if err != nil {
		return nil, fmt.Errorf("loading keys: %w", err)
	}
	k.Delegation, k.Identity = string(note), d.Identity
	for _, s := range []struct {
		name string
		key  *ed25519.PrivateKey
	}{{tlsFile, &k.TLS}, {witnessFile, &k.Witness}, {delegateFile, &k.Delegate}} {
		if *s.key, err = readSigner(filepath.Join(dir, s.name)); err != nil {
			return nil, fmt.Errorf("loading keys: %w", err)
		}
	}
	seed, err := readSecret(filepath.Join(dir, hpkeFile), 32)
	if err != nil {
		return nil, fmt.Errorf("loading keys: %w", err)
	}
	if k.HPKE, err = hpke.MLKEM768X25519().NewPrivateKey(seed); err != nil {
		return nil, fmt.Errorf("loading keys: %w", err)
	}
	node, err := readSecret(filepath.Join(dir, nodeFile), 32)
	if err != nil {
		return nil, fmt.Errorf("loading keys: %w", err)
	}
	block, err := aes.NewCipher(node)
	if err != nil {
		return nil, err
	}
	k.box, err = cipher.NewGCMWithRandomNonce(block)
	return k, err
}

// Seal keeps a secret in the store under the node's key; place says which secret it is.
func (k *Keys) Seal(plain []byte, place string) []byte {
	return k.box.Seal(nil, nil, plain, []byte(place))
}

// Open is the inverse of Seal, at the same place only.
func (k *Keys) Open(sealed []byte, place string) ([]byte, error) {
	plain, err := k.box.Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("%s does not open with this node's key", place)
	}
	return plain, nil
}

// NewLog makes the key of a new log, an incarnation's or an alliance's, in a file of its own.
func (k *Keys) NewLog(rand io.Reader) (ed25519.PrivateKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, fmt.Errorf("drawing a log key: %w", err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	return key, writeNew(k.logFile(key.Public().(ed25519.PublicKey)), seed)
}

// Log loads the key of a log by its public key.
func (k *Keys) Log(public ed25519.PublicKey) (ed25519.PrivateKey, error) {
	return readSigner(k.logFile(public))
}

func (k *Keys) logFile(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return filepath.Join(k.dir, "log-"+hex.EncodeToString(sum[:16])+".key")
}

// Officer loads an officer key, which may lie anywhere.
func Officer(path string) (ed25519.PrivateKey, error) { return readSigner(path) }

// Public is the typed public key of a signing key.
func Public(key ed25519.PrivateKey) roster.Key {
	return roster.Key{Type: roster.Ed25519, Key: key.Public().(ed25519.PublicKey)}
}

// KitHere says whether the recovery kit still lies in the data folder, where a wipe would take it along.
func KitHere(data string) bool {
	_, err := os.Lstat(filepath.Join(data, KitFile))
	return err == nil
}

// Certificate is a self-signed certificate of the node's TLS key. It says nothing: peers pin the key.
func (k *Keys) Certificate() (tls.Certificate, error) {
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "shieldwall"},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(nil, tmpl, tmpl, k.TLS.Public(), k.TLS)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making the certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making the certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k.TLS, Leaf: leaf}, nil
}

// Pin is the SHA-256 (hex) of a TLS key's SubjectPublicKeyInfo, by which peers know it.
func Pin(key roster.Key) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(key.Key))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

func newSecret(path string, rand io.Reader) error {
	secret := make([]byte, 32)
	if _, err := io.ReadFull(rand, secret); err != nil {
		return fmt.Errorf("drawing a key: %w", err)
	}
	return writeNew(path, secret)
}

func readSigner(path string) (ed25519.PrivateKey, error) {
	seed, err := readSecret(path, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
