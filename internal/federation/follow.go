// Package federation is the core of the alliance as pure state: whose keys count, which part of a log is
// proven, which member acts on what. Messages, time and randomness come in as arguments; what follows from
// them goes out as values. The node and the simulator drive the same code.
package federation

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/merkle"
)

var (
	// ErrRoot says that entries do not give the root that the log's key signed: somebody lies.
	ErrRoot = errors.New("the entries do not give the signed root")
	// ErrGap says that entries do not continue what is held.
	ErrGap = errors.New("the entries do not continue what is held")
	// ErrRollback says that a log's signed head is smaller than what is held of it.
	ErrRollback = errors.New("the signed head went back")
)

// MaxSize bounds a log in entries. No log comes near it; what counts tree hashes (tlog, in int64) never ends
// for sizes from 2^62 on, which anybody can sign.
const MaxSize = 1 << 40

// Head is a checkpoint that the log's own key signed.
type Head struct {
	Size uint64
	Root merkle.Hash
	Note []byte // the signed checkpoint as received
}

// Verifier checks the heads of one log.
type Verifier struct{ key note.Verifier }

// NewVerifier checks heads of log by its public key.
func NewVerifier(log string, key ed25519.PublicKey) (*Verifier, error) {
	v, err := merkle.NewVerifier(log, key)
	if err != nil {
		return nil, err
	}
	return &Verifier{v}, nil
}

// Head verifies a signed checkpoint.
func (v *Verifier) Head(checkpoint []byte) (Head, error) {
	c, _, err := merkle.OpenCheckpoint(checkpoint, v.key)
	if err != nil {
		return Head{}, err
	}
	if c.Size > MaxSize {
		return Head{}, fmt.Errorf("a checkpoint of %d entries is over the limit of %d", c.Size, uint64(MaxSize))
	}
	return Head{Size: c.Size, Root: c.Root, Note: checkpoint}, nil
}

// Extend verifies that entries, which start at index first, take the tree held to exactly the signed head.
// It returns the new tree and the entries that were not held yet; held itself is not changed. An overlap
// with what is held is not looked at again: the root covers it.
func Extend(held *merkle.Frontier, head Head, first uint64, entries [][]byte) (*merkle.Frontier, [][]byte, error) {
	if head.Size < held.Size() {
		return nil, nil, fmt.Errorf("%w from %d to %d entries", ErrRollback, held.Size(), head.Size)
	}
	if first > held.Size() || first+uint64(len(entries)) < head.Size {
		return nil, nil, fmt.Errorf("%w: %d entries from %d on, %d held, %d signed", ErrGap, len(entries), first, held.Size(), head.Size)
	}
	if first+uint64(len(entries)) > head.Size {
		return nil, nil, fmt.Errorf("%w: %d entries from %d on reach beyond the %d signed", ErrRoot, len(entries), first, head.Size)
	}
	fresh := entries[held.Size()-first:]
	next := held.Clone()
	for _, e := range fresh {
		next.Append(merkle.LeafHash(e))
	}
	if next.Root() != head.Root {
		return nil, nil, fmt.Errorf("%w of %d entries", ErrRoot, head.Size)
	}
	return next, fresh, nil
}
