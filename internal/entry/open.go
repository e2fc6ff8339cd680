package entry

import (
	"encoding/hex"
	"fmt"

	"shieldwall/internal/canon"
)

// MaxOpen bounds the body of a log's opening.
const MaxOpen = 4 << 10

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
	body, err := canon.Marshal(o)
	if err != nil {
		return nil, err
	}
	if len(body) > MaxOpen {
		return nil, fmt.Errorf("a log opening of %d bytes is over the limit of %d", len(body), MaxOpen)
	}
	return Entry{Header: Header{Kind: KindOpen}, Body: body}.Bytes()
}

// ParseOpen parses the body of a log's opening.
func ParseOpen(body []byte) (Open, error) {
	var o Open
	if err := canon.Unmarshal(body, &o, MaxOpen); err != nil {
		return Open{}, fmt.Errorf("log opening: %w", err)
	}
	if p := o.Predecessor; p != nil {
		if root, err := hex.DecodeString(p.Root); err != nil || len(root) != 32 {
			return Open{}, fmt.Errorf("log opening: %.70q is no root", p.Root)
		}
	}
	return o, nil
}
