package misp

import (
	"fmt"
	"strconv"
)

// Error is input that cannot be read: what is wrong, where in the document and at which byte.
type Error struct {
	Path   string // as in Event.Attribute[3].value
	Offset int64  // bytes into the document
	Msg    string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("byte %d: %s", e.Offset, e.Msg)
	}
	return fmt.Sprintf("%s (byte %d): %s", e.Path, e.Offset, e.Msg)
}

// Loss is something that a reading or a mapping leaves out: where it stood and why it did not pass.
type Loss struct {
	Path string
	Why  string
}

func (l Loss) String() string { return l.Path + ": " + l.Why }

// Losses is a bounded list of them.
type Losses struct {
	List []Loss
	More int // how many beyond MaxLosses
}

// Add lists one more.
func (l *Losses) Add(path, why string) {
	if len(l.List) >= MaxLosses {
		l.More++
		return
	}
	l.List = append(l.List, Loss{path, why})
}

// Addf lists one more with a formatted reason.
func (l *Losses) Addf(path, format string, args ...any) { l.Add(path, fmt.Sprintf(format, args...)) }

// Join adds another list.
func (l *Losses) Join(other Losses) {
	for _, loss := range other.List {
		l.Add(loss.Path, loss.Why)
	}
	l.More += other.More
}

// Shown shortens and escapes a value of foreign origin for a message.
func Shown(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return strconv.Quote(s)
}
