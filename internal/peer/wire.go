package peer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits on what a peer may send. Each is checked before anything is parsed.
const (
	// MaxPost bounds a body posted by a key that is in no card (/join, /card).
	MaxPost = 16 << 10
	// MaxReceipt bounds an applied receipt.
	MaxReceipt = 4 << 10
	// MaxNote bounds a roster note, a card or a checkpoint that is fetched.
	MaxNote = 2 << 20
	// MaxJoined bounds the answer to a join: the roster chain and all cards.
	MaxJoined = 64 << 20
	// MaxBatch bounds the entries of one stream event, as sent by us.
	MaxBatch = 1 << 20
	// maxEvent bounds a stream event's line as received, in base64: the entries of a batch or one that is
	// larger than it, two bytes before each of them (the smallest has 18), a checkpoint.
	maxEvent = (MaxBatch + MaxBatch/8 + maxEntry + maxCheckpoint) / 3 * 4
	// maxEntry is the largest entry (DESIGN.md, "Log").
	maxEntry = 65535
	// maxCheckpoint bounds a signed checkpoint.
	maxCheckpoint = 16 << 10
	// MaxBlob bounds a blob's ciphertext.
	MaxBlob = 16 << 20
)

// Times that a slow or dead peer may cost. Neither a stream nor a body is timed as a whole: only silence is,
// so that a slow link is not taken for a dead one.
const (
	// pingEvery is how often an idle stream says that it lives.
	pingEvery = 10 * time.Second
	// silence is how long a peer may send nothing in the middle of an answer.
	silence = 35 * time.Second
	// answerTimeout is how long a peer may take to begin an answer.
	answerTimeout = 30 * time.Second
	// requestTimeout bounds a request whose answer is small.
	requestTimeout = 60 * time.Second
	// writeTimeout bounds the sending of one stream event, or of a small answer.
	writeTimeout = 60 * time.Second
	// bodyTimeout bounds the receiving of what somebody posts.
	bodyTimeout = 20 * time.Second
	// dialTimeout bounds the connection to one endpoint, handshakeTimeout the handshake: a card names up to
	// eight, and one request tries them in turn.
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 10 * time.Second
	// healthAfter is how long a connection may be quiet before it is asked whether it lives: a peer that lost
	// its power sends no goodbye.
	healthAfter = 15 * time.Second
)

// slowest is the slowest link that a large body is waited for on, in bytes a second.
const slowest = 16 << 10

// patience is how long the sending or fetching of a body of n bytes may take.
func patience(n int64) time.Duration {
	return requestTimeout + time.Duration(n/slowest)*time.Second
}

// Refusal is an answer by which a peer says no, and why.
type Refusal struct {
	Status int
	Reason string
}

func (r *Refusal) Error() string { return r.Reason }

// IsRefusal says whether err is a peer's own no (not a failure on the way), and gives its reason.
func IsRefusal(err error) (string, bool) {
	var r *Refusal
	if errors.As(err, &r) && r.Status >= 400 && r.Status < 500 {
		return r.Reason, true
	}
	return "", false
}

// refuse answers with a reason in JSON.
func refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": reason})
}

// refusalOf reads a refusal back.
func refusalOf(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxReceipt))
	var msg struct{ Error string }
	if err != nil || json.Unmarshal(body, &msg) != nil || msg.Error == "" {
		msg.Error = "the peer answered " + resp.Status
	}
	return &Refusal{Status: resp.StatusCode, Reason: readable(msg.Error)}
}

// maxReason bounds a peer's reason as it is kept and shown, in characters.
const maxReason = 300

// readable makes a peer's words fit to be shown on a terminal and kept in a log: one short line, without
// control characters.
func readable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > maxReason {
		s = string(runes[:maxReason]) + "..."
	}
	return s
}

// News tells a follower which roster and which cards a peer has, so that it can fetch what it lacks.
type News struct {
	Alliance string `json:"alliance"`
	Version  uint64 `json:"version"`
	Hash     string `json:"hash"`
	// Cards are the sequences of members' cards: all of them in a stream's first news, in a later one those
	// that changed; 0 is a card that is not held any more.
	Cards map[string]uint64 `json:"cards"`
	// Drafts are the SHA-256, in hex, of drafts of the next roster that officers are signing.
	Drafts []string `json:"drafts,omitempty"`
}

// JoinRequest asks for membership. Proof shows knowledge of the token's secret on this very connection.
type JoinRequest struct {
	SecretHash []byte          `json:"secret_hash"` // SHA-256 of the token's secret
	Card       []byte          `json:"card"`        // the card note
	Keys       json.RawMessage `json:"keys"`        // typed identity keys to be pinned in the roster
	Identities []string        `json:"identities"`  // STIX identity ids
	Proof      []byte          `json:"proof"`
}

// Joined is the answer to an admitted request: the whole roster chain and everybody's cards; or that officers
// must admit it first, and nothing else.
type Joined struct {
	Pending string   `json:"pending,omitempty"`
	Rosters [][]byte `json:"rosters"` // notes from version 1
	Cards   [][]byte `json:"cards"`
}

// Batch is a contiguous part of a log together with the signed checkpoint that ends it, or, while a
// long gap is being closed, one that lies ahead.
type Batch struct {
	Checkpoint []byte
	First      uint64
	Entries    [][]byte
}

// appendBatch encodes a batch: u32 length and checkpoint, u64 first, then each entry after a u16 length.
func appendBatch(b []byte, batch Batch) ([]byte, error) {
	b = binary.BigEndian.AppendUint32(b, uint32(len(batch.Checkpoint)))
	b = append(b, batch.Checkpoint...)
	b = binary.BigEndian.AppendUint64(b, batch.First)
	for _, e := range batch.Entries {
		if len(e) > maxEntry {
			return nil, fmt.Errorf("an entry of %d bytes does not fit", len(e))
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(e)))
		b = append(b, e...)
	}
	return b, nil
}

// ParseBatch decodes what appendBatch made. The entries share data's memory.
func ParseBatch(data []byte) (Batch, error) {
	var batch Batch
	if len(data) < 4 {
		return batch, errors.New("stream event: cut before the checkpoint's length")
	}
	n := binary.BigEndian.Uint32(data)
	data = data[4:]
	if n > maxCheckpoint || uint64(n)+8 > uint64(len(data)) {
		return batch, fmt.Errorf("stream event: a checkpoint of %d bytes does not fit", n)
	}
	batch.Checkpoint = data[:n:n]
	batch.First = binary.BigEndian.Uint64(data[n:])
	data = data[n+8:]
	for len(data) > 0 {
		if len(data) < 2 {
			return batch, errors.New("stream event: cut inside an entry's length")
		}
		n := int(binary.BigEndian.Uint16(data))
		if 2+n > len(data) {
			return batch, errors.New("stream event: cut inside an entry")
		}
		batch.Entries = append(batch.Entries, data[2:2+n:2+n])
		data = data[2+n:]
	}
	return batch, nil
}
