package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"shieldwall/internal/canon"
)

// KitFile is the recovery kit's name in the data folder, until it is carried away.
const KitFile = "recovery.kit"

const (
	kitFormat = "shieldwall recovery kit v1"
	kitKDF    = "pbkdf2-sha256"
	maxKit    = 4 << 10
	seedSize  = 32
	saltSize  = 16
	// Iterations is the work of PBKDF2 by default (OWASP's figure for HMAC-SHA-256). The passphrase that
	// we make has 130 bits, so this guards those that people choose.
	Iterations = 600_000
	// maxIterations bounds the work that a hostile kit can ask for.
	maxIterations = 10_000_000
)

// kit is the recovery kit's file.
type kit struct {
	Format     string `json:"format"`
	KDF        string `json:"kdf"`
	Iterations int    `json:"iterations"`
	Salt       []byte `json:"salt"`
	Sealed     []byte `json:"sealed"`
}

// Seed is the recovery kit's secret, from which identity and recovery keys derive. It is never kept on a
// node.
type Seed [seedSize]byte

// Identity is the member's offline identity key.
func (s Seed) Identity() (ed25519.PrivateKey, error) {
	b, err := hkdf.Key(sha256.New, s[:], nil, "shieldwall/identity/v1", ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(b), nil
}

// Recovery is the key to which every epoch key of this member is wrapped too.
func (s Seed) Recovery() (hpke.PrivateKey, error) {
	b, err := hkdf.Key(sha256.New, s[:], nil, "shieldwall/recovery/v1", 32)
	if err != nil {
		return nil, err
	}
	return hpke.MLKEM768X25519().NewPrivateKey(b)
}

// passphraseLength is that of a passphrase that we make, in base32 characters: 130 bits.
const passphraseLength = 26

// Passphrase draws a passphrase of 26 base32 characters (130 bits) in groups of five.
func Passphrase(rand io.Reader) (string, error) {
	b := make([]byte, 17)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("drawing a passphrase: %w", err)
	}
	return grouped(strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)[:passphraseLength])), nil
}

func grouped(s string) string {
	var groups []string
	for len(s) > 5 {
		groups, s = append(groups, s[:5]), s[5:]
	}
	return strings.Join(append(groups, s), "-")
}

// asWritten is a passphrase of ours as it was shown, whatever of its letters' case, spaces and hyphens the
// one who types it from paper kept.
func asWritten(p string) (string, bool) {
	s := strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, p)
	return grouped(s), len(s) == passphraseLength && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// MinPassphrase is the least length of a passphrase that is accepted.
const MinPassphrase = 16

func checkPassphrase(p string) error {
	if len(p) < MinPassphrase {
		return fmt.Errorf("the kit's passphrase has fewer than %d characters", MinPassphrase)
	}
	return nil
}

func kitCipher(passphrase string, salt []byte, iterations int) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha256.New, passphrase, salt, iterations, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sealKit makes the kit's file.
func sealKit(rand io.Reader, seed Seed, passphrase string, iterations int) ([]byte, error) {
	if err := checkPassphrase(passphrase); err != nil {
		return nil, err
	}
	if iterations < 1 || iterations > maxIterations {
		return nil, fmt.Errorf("%d iterations for the kit's passphrase, not 1 to %d", iterations, maxIterations)
	}
	k := kit{Format: kitFormat, KDF: kitKDF, Iterations: iterations, Salt: make([]byte, saltSize)}
	if _, err := io.ReadFull(rand, k.Salt); err != nil {
		return nil, fmt.Errorf("drawing a salt: %w", err)
	}
	aead, err := kitCipher(passphrase, k.Salt, iterations)
	if err != nil {
		return nil, err
	}
	k.Sealed = aead.Seal(nil, nil, seed[:], []byte(kitFormat))
	return canon.Marshal(k)
}

// ErrPassphrase says that a passphrase does not open a kit.
var ErrPassphrase = errors.New("the passphrase does not open this recovery kit")

// OpenKit opens a recovery kit's bytes.
func OpenKit(data []byte, passphrase string) (Seed, error) {
	var k kit
	if err := canon.Unmarshal(data, &k, maxKit); err != nil {
		return Seed{}, fmt.Errorf("this is no recovery kit: %w", err)
	}
	if k.Format != kitFormat || k.KDF != kitKDF || k.Iterations < 1 || k.Iterations > maxIterations || len(k.Salt) != saltSize {
		return Seed{}, errors.New("this is no recovery kit that this version can open")
	}
	seed, err := k.open(passphrase)
	if written, ok := asWritten(passphrase); ok && written != passphrase && errors.Is(err, ErrPassphrase) {
		return k.open(written)
	}
	return seed, err
}

func (k kit) open(passphrase string) (Seed, error) {
	aead, err := kitCipher(passphrase, k.Salt, k.Iterations)
	if err != nil {
		return Seed{}, err
	}
	seed, err := aead.Open(nil, nil, k.Sealed, []byte(kitFormat))
	if err != nil || len(seed) != seedSize {
		return Seed{}, ErrPassphrase
	}
	return Seed(seed), nil
}
