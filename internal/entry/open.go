package entry

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"shieldwall/internal/canon"
	"shieldwall/internal/roster"
)

// MaxOpen bounds the body of a log's opening.
const MaxOpen = 4 << 10

// maxReason bounds the reason for which a log was opened.
const maxReason = 200

// Open is the body of a log's first entry: whose log it is and what it continues.
type Open struct {
	Alliance    string       `json:"alliance"`
	Member      string       `json:"member"`
	Reason      string       `json:"reason"`
	Predecessor *Predecessor `json:"predecessor,omitempty"`
}

// Predecessor names the log of the incarnation before, as far as this node knew it.
type Predecessor struct {
	Log  string `json:"log"`
	Size uint64 `json:"size"`
	Root string `json:"root"` // hex
}

// Bytes is the whole entry 0.
func (o Open) Bytes() ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("log opening: %w", err)
	}
	body, err := canon.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("log opening: %w", err)
	}
	return Entry{Header: Header{Kind: KindOpen}, Body: body}.Bytes()
}

// ParseOpen parses the body of a log's opening.
func ParseOpen(body []byte) (Open, error) {
	var o Open
	if err := canon.Unmarshal(body, &o, MaxOpen); err != nil {
		return Open{}, fmt.Errorf("log opening: %w", err)
	}
	if err := o.check(); err != nil {
		return Open{}, fmt.Errorf("log opening: %w", err)
	}
	if !isHash(o.Alliance) {
		return Open{}, fmt.Errorf("log opening: %.70q is no alliance's id", o.Alliance)
	}
	return o, nil
}

func (o Open) check() error {
	if err := roster.CheckName(o.Member); err != nil {
		return err
	}
	if o.Reason == "" || len(o.Reason) > maxReason || strings.ContainsFunc(o.Reason, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("a reason has 1 to %d bytes of printable text", maxReason)
	}
	if o.Predecessor == nil {
		return nil
	}
	if err := roster.CheckLogID(o.Predecessor.Log); err != nil {
		return fmt.Errorf("predecessor: %w", err)
	}
	if !isHash(o.Predecessor.Root) {
		return errors.New("predecessor: its root is no hash")
	}
	return nil
}

// isHash says whether s is a SHA-256 hash in lower-case hex.
func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && hex.EncodeToString(b) == s
}
