package publish

import (
	"fmt"
	"strings"
)

// Problem is one reason why nothing is shared.
type Problem struct {
	File     string // as named in the request
	Object   string // STIX id, as far as there is one
	Property string
	Msg      string
}

func (p Problem) String() string {
	var b strings.Builder
	for _, part := range []string{p.File, p.Object, p.Property} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	b.WriteString(p.Msg)
	return b.String()
}

// Refused lists why a request is refused; nothing was written.
type Refused struct {
	Problems []Problem
	More     int // problems beyond those listed
}

func (r *Refused) Error() string {
	lines := make([]string, 0, len(r.Problems)+1)
	for _, p := range r.Problems {
		lines = append(lines, p.String())
	}
	if r.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", r.More))
	}
	return strings.Join(lines, "\n")
}

func refusal(p Problem) *Refused { return &Refused{Problems: []Problem{p}} }

// maxListed bounds the problems, and the warnings, that one request lists.
const maxListed = 200
