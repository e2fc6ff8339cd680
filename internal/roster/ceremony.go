package roster

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/merkle"
)

// Merge joins what officers signed apart: the signatures of two notes of one text, of those that prev's officers
// or the roster's own made. All others are left out, so that nobody can fill a note with them.
func Merge(prev *Roster, a, b []byte) ([]byte, error) {
	r, err := parseAfter(prev, a)
	if err != nil {
		return nil, err
	}
	other, err := ParseRoster(b)
	if err != nil {
		return nil, err
	}
	hash, err := r.Hash()
	if err != nil {
		return nil, err
	}
	if h, err := other.Hash(); err != nil || h != hash {
		return nil, errors.Join(errors.New("roster: the two drafts do not say the same"), err)
	}
	text, err := r.Text()
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, msg := range [][]byte{a, b} {
		for _, o := range slices.Concat(prev.Officers, r.Officers) {
			line, err := signatureLine(msg, o)
			if err != nil {
				return nil, err
			}
			if line != "" && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	slices.Sort(lines) // one form, whoever signed first
	out := []byte(text + "\n" + strings.Join(lines, ""))
	return out, checkSize(out)
}

// signatureLine is an officer's valid signature as it stands in a note, or nothing.
func signatureLine(msg []byte, o Officer) (string, error) {
	if signedBy(msg, o.Name, o.Key) != nil {
		return "", nil
	}
	v, err := merkle.NewVerifier(o.Name, o.Key.Key)
	if err != nil {
		return "", err
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return "", err
	}
	for _, s := range n.Sigs {
		return fmt.Sprintf("— %s %s\n", s.Name, s.Base64), nil
	}
	return "", nil
}

// Changes says in plain words what next changes in prev, a line each: what an officer is asked to sign.
func Changes(prev, next *Roster) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if prev.Name != next.Name {
		say("the alliance %q is called %q", prev.Name, next.Name)
	}
	if !prev.Expires.Equal(next.Expires.Time) {
		say("the roster expires on %s instead of %s", next.Expires.Format(time.RFC3339), prev.Expires.Format(time.RFC3339))
	}
	officersChanged(say, prev, next)
	for _, h := range next.Rejects {
		if !slices.Contains(prev.Rejects, h) {
			say("the other branch of the roster, which begins with %.12s, is void", h)
		}
	}
	for _, g := range next.Groups {
		if !prev.HasGroup(g) {
			say("group %s is new", g)
		}
	}
	for _, g := range prev.Groups {
		if !next.HasGroup(g) {
			say("group %s is dissolved", g)
		}
	}
	for i := range next.Members {
		m := &next.Members[i]
		if before, known := prev.Member(m.ID); known {
			memberChanged(say, before, m)
		} else {
			say("member %s joins, in %s, with the identity key %s", m.ID, listed(m.Groups, "no group"), keyTexts(m.Keys))
		}
	}
	for _, m := range prev.Members {
		if _, still := next.Member(m.ID); !still {
			say("member %s is removed", m.ID)
		}
	}
	return out
}

func officersChanged(say func(string, ...any), prev, next *Roster) {
	for _, o := range next.Officers {
		before, known := prev.Officer(o.Name)
		switch {
		case !known:
			say("officer %s is new, with the key %s", o.Name, o.Key.Text())
		case !before.Key.Equal(o.Key):
			say("officer %s has another key, %s", o.Name, o.Key.Text())
		}
	}
	for _, o := range prev.Officers {
		if _, still := next.Officer(o.Name); !still {
			say("officer %s is removed", o.Name)
		}
	}
	if prev.Threshold != next.Threshold || len(prev.Officers) != len(next.Officers) {
		say("%d of %d officers must sign instead of %d of %d", next.Threshold, len(next.Officers), prev.Threshold, len(prev.Officers))
	}
}

func memberChanged(say func(string, ...any), before, after *Member) {
	if !slices.EqualFunc(before.Keys, after.Keys, Key.Equal) {
		say("member %s has another identity key: %s", after.ID, keyTexts(after.Keys))
	}
	if before.Suspended != after.Suspended {
		say("member %s is %s", after.ID, map[bool]string{true: "suspended", false: "no longer suspended"}[after.Suspended])
	}
	if !slices.Equal(before.Groups, after.Groups) {
		say("member %s is in %s instead of %s", after.ID, listed(after.Groups, "no group"), listed(before.Groups, "no group"))
	}
	if before.Quota != after.Quota {
		say("member %s may publish %s entries a day instead of %s", after.ID, quotaText(after.Quota), quotaText(before.Quota))
	}
	if !slices.Equal(before.Types, after.Types) {
		say("member %s may publish %s instead of %s", after.ID, listed(after.Types, "all types"), listed(before.Types, "all types"))
	}
	if !slices.Equal(before.Identities, after.Identities) {
		say("member %s speaks for %s instead of %s", after.ID, listed(after.Identities, "no STIX identity"), listed(before.Identities, "no STIX identity"))
	}
	if !before.Listed.Equal(after.Listed.Time) {
		say("member %s is listed since %s instead of %s", after.ID, after.Listed.Format(time.RFC3339), before.Listed.Format(time.RFC3339))
	}
}

func listed(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

func quotaText(n uint64) string {
	if n == 0 {
		return "any number of"
	}
	return strconv.FormatUint(n, 10)
}

func keyTexts(keys []Key) string {
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = k.Text()
	}
	return strings.Join(texts, ", ")
}

// draftHeading begins a draft's file: the roster in force and the one that is to follow it, so that an officer
// without a node sees what changes.
const draftHeading = "shieldwall roster draft v1"

// maxDraft bounds a draft's file.
const maxDraft = 2*MaxRoster + 200

// DraftFile is what an officer without a node signs by.
type DraftFile struct {
	Alliance           string // its id, as the file says
	Prev, Next         *Roster
	PrevNote, NextNote []byte
}

// Encode makes the file of the alliance's id and the two notes.
func (d DraftFile) Encode() []byte {
	return slices.Concat([]byte(d.head()), d.PrevNote, d.NextNote)
}

func (d DraftFile) head() string {
	return fmt.Sprintf("%s %s %d %d\n", draftHeading, d.Alliance, len(d.PrevNote), len(d.NextNote))
}

// DecodeDraft reads a draft's file and checks that next follows prev; signatures are not counted.
func DecodeDraft(data []byte) (DraftFile, error) {
	var d DraftFile
	if len(data) > maxDraft {
		return d, fmt.Errorf("roster draft: %d bytes are over the limit of %d", len(data), maxDraft)
	}
	head, rest, _ := bytes.Cut(data, []byte("\n"))
	var a, b int
	if n, _ := fmt.Sscanf(string(head), draftHeading+" %s %d %d", &d.Alliance, &a, &b); n != 3 || !isHex(d.Alliance, sha256.Size) {
		return d, fmt.Errorf("roster draft: the first line is not %q, an alliance's id and two lengths", draftHeading)
	}
	if a < 0 || b < 0 || a > len(rest) || a+b != len(rest) {
		return d, fmt.Errorf("roster draft: %d and %d bytes are said, %d are there", a, b, len(rest))
	}
	d.PrevNote, d.NextNote = rest[:a:a], rest[a:]
	if d.head() != string(head)+"\n" {
		return d, errors.New("roster draft: the first line is spelled in another way")
	}
	var err error
	if d.Prev, err = ParseRoster(d.PrevNote); err != nil {
		return d, fmt.Errorf("roster draft: the roster in force: %w", err)
	}
	if d.Next, err = parseAfter(d.Prev, d.NextNote); err != nil {
		return d, fmt.Errorf("roster draft: %w", err)
	}
	return d, nil
}
