package roster

import (
	"crypto/ed25519"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/merkle"
)

const appliedHeading = "shieldwall applied v1"

// MaxReceipt bounds a receipt note.
const MaxReceipt = 4 << 10

// SignApplied makes a member's receipt: its matcher and lists act on the first size entries of log.
func SignApplied(member, log string, size uint64, witness ed25519.PrivateKey) ([]byte, error) {
	if err := CheckLogID(log); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	if size > math.MaxInt64 {
		return nil, fmt.Errorf("receipt: no log has %d entries", size)
	}
	s, err := merkle.NewSigner(member+"/witness", witness)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: appliedHeading + "\n" + log + "\n" + strconv.FormatUint(size, 10) + "\n"}, s)
}

// VerifyApplied verifies a receipt by the witness key of the member's card.
func VerifyApplied(msg []byte, member string, witness Key) (log string, size uint64, err error) {
	if len(msg) > MaxReceipt {
		return "", 0, fmt.Errorf("a receipt of %d bytes is over the limit of %d", len(msg), MaxReceipt)
	}
	if err := witness.check("witness", Ed25519); err != nil {
		return "", 0, fmt.Errorf("receipt: %w", err)
	}
	v, err := merkle.NewVerifier(member+"/witness", witness.Key)
	if err != nil {
		return "", 0, err
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return "", 0, fmt.Errorf("receipt: %w %s", errSignature, member+"/witness")
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != appliedHeading {
		return "", 0, fmt.Errorf("receipt: not two lines below %q", appliedHeading)
	}
	if err := CheckLogID(lines[1]); err != nil {
		return "", 0, fmt.Errorf("receipt: %w", err)
	}
	size, err = strconv.ParseUint(lines[2], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[2] {
		return "", 0, fmt.Errorf("receipt: size %.40q", lines[2])
	}
	return lines[1], size, nil
}
