package merkle

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// MaxCheckpoint is the size of the largest signed checkpoint that is parsed: a note has at most 100
// signatures of some 150 bytes.
const MaxCheckpoint = 32 << 10

// Checkpoint is a statement about a log's tree (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin     string // the log id
	Size       uint64
	Root       Hash
	Extensions []string // further lines; tolerated, not understood
}

// Text is the checkpoint's text, the body of a note.
func (c Checkpoint) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
	for _, e := range c.Extensions {
		b.WriteString(e + "\n")
	}
	return b.String()
}

// ParseCheckpoint parses a checkpoint's text. It says nothing about who signed it.
func ParseCheckpoint(text string) (Checkpoint, error) {
	body, ok := strings.CutSuffix(text, "\n")
	lines := strings.Split(body, "\n")
	if !ok || len(text) > MaxCheckpoint || len(lines) < 3 {
		return Checkpoint{}, errors.New("malformed checkpoint: not origin, size and root, each on a line")
	}
	c := Checkpoint{Origin: lines[0]}
	if c.Origin == "" {
		return Checkpoint{}, errors.New("malformed checkpoint: empty origin")
	}
	var err error
	if c.Size, err = strconv.ParseUint(lines[1], 10, 63); err != nil || strconv.FormatUint(c.Size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("malformed checkpoint: size %.40q", lines[1])
	}
	// Strict, and compared with its encoding: the decoder would ignore carriage returns.
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) || base64.StdEncoding.EncodeToString(root) != lines[2] {
		return Checkpoint{}, fmt.Errorf("malformed checkpoint: root %.60q", lines[2])
	}
	c.Root = Hash(root)
	for _, e := range lines[3:] {
		if e == "" {
			return Checkpoint{}, errors.New("malformed checkpoint: empty extension line")
		}
		c.Extensions = append(c.Extensions, e)
	}
	return c, nil
}

// SignCheckpoint makes the signed note of a checkpoint.
func SignCheckpoint(c Checkpoint, signers ...note.Signer) ([]byte, error) {
	text := c.Text()
	if back, err := ParseCheckpoint(text); err != nil || back.Text() != text {
		return nil, fmt.Errorf("checkpoint of %.100q cannot be written", c.Origin)
	}
	msg, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		return nil, fmt.Errorf("signing the checkpoint of %s: %w", c.Origin, err)
	}
	return msg, nil
}

// OpenCheckpoint verifies a signed checkpoint of the log whose key is log: origin and signature must both
// be that log's. Signatures of the others are verified too where present; those of further keys are not
// looked at. The note says who signed.
func OpenCheckpoint(msg []byte, log note.Verifier, others ...note.Verifier) (Checkpoint, *note.Note, error) {
	if len(msg) > MaxCheckpoint {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint has %d bytes, the limit is %d", len(msg), MaxCheckpoint)
	}
	n, err := note.Open(msg, note.VerifierList(append([]note.Verifier{log}, others...)...))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint of %s: %w", log.Name(), err)
	}
	signed := false
	for _, s := range n.Sigs {
		signed = signed || s.Name == log.Name() && s.Hash == log.KeyHash()
	}
	if !signed {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint is not signed by %s", log.Name())
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if c.Origin != log.Name() {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint signed by %s is about %.100q", log.Name(), c.Origin)
	}
	return c, n, nil
}

// PeekCheckpoint parses a signed checkpoint without verifying any signature: for bytes that were verified
// before they were stored, and to learn whose key to look up.
func PeekCheckpoint(msg []byte) (Checkpoint, error) {
	if len(msg) > MaxCheckpoint {
		return Checkpoint{}, fmt.Errorf("checkpoint has %d bytes, the limit is %d", len(msg), MaxCheckpoint)
	}
	var unverified *note.UnverifiedNoteError
	if _, err := note.Open(msg, nil); !errors.As(err, &unverified) {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	return ParseCheckpoint(unverified.Note.Text)
}
