package web

import "strings"

// Shapes are drawn around the origin in a box of 14 by 14. Each state and each level has its own, so that
// nothing is told by colour alone (WCAG 2.1, 1.4.1).

// state is how a member's state looks.
type state struct {
	Class string // part of a class name
	Word  string
	Shape string // path data
	rank  int    // what needs attention comes first
}

const (
	shapeShield = "M0-6.6 5.8-4.4V.4C5.8 3.6 3.2 5.7 0 6.9-3.2 5.7-5.8 3.6-5.8.4V-4.4Z"
	shapeDisc   = "M-5 0A5 5 0 1 0 5 0 5 5 0 1 0-5 0Z"
	shapeTri    = "M0-5.6 6 4.8H-6Z"
	shapeCross  = "M-4.6-4.6 4.6 4.6M4.6-4.6-4.6 4.6"
	shapeSquare = "M-5-5H5V5H-5Z"
	shapePause  = "M-4.5-5.2H-1.3V5.2H-4.5ZM1.3-5.2H4.5V5.2H1.3Z"
	shapeDots   = "M-5.5 0H-5.4M0 0H.1M5.5 0H5.6"
)

// states are the states of status.Member and "suspended".
var states = map[string]state{
	"refused":     {"refused", "refused", shapeSquare, 0},
	"unreachable": {"unreachable", "unreachable", shapeCross, 1},
	"suspended":   {"suspended", "suspended", shapePause, 2},
	"catching up": {"behind", "catching up", shapeTri, 3},
	"connecting":  {"connecting", "connecting", shapeDisc, 4},
	"live":        {"live", "live", shapeDisc, 6},
	"self":        {"self", "this node", shapeShield, lastRank},
}

const lastRank = 7

// stateOf is the look of a member's state; a word that this page does not know is shown as it is.
func stateOf(word string, suspended bool) state {
	if suspended {
		return states["suspended"]
	}
	if s, ok := states[word]; ok {
		return s
	}
	s := state{"unknown", "unknown", shapeDots, 5}
	if word != "" {
		s.Word = clean(word, maxLabel)
	}
	return s
}

// level is how a detection's level looks: bars that rise with it.
type level struct {
	Class string
	Word  string
	Bars  int // of four
}

var levels = map[string]level{
	"critical":      {"critical", "critical", 4},
	"high":          {"high", "high", 3},
	"medium":        {"medium", "medium", 2},
	"low":           {"low", "low", 1},
	"informational": {"info", "info", 0},
}

func levelOf(word string) level {
	if l, ok := levels[strings.ToLower(word)]; ok {
		return l
	}
	return level{Class: "none", Word: "unrated"}
}

// marking is a TLP chip: its word in its standard colour (FIRST, TLP 2.0), always on black.
type marking struct{ Class, Word string }

func markingOf(tlp string) marking {
	word := strings.TrimPrefix(strings.ToUpper(tlp), "TLP:")
	switch word {
	case "CLEAR", "WHITE":
		return marking{"clear", "TLP:" + word}
	case "GREEN":
		return marking{"green", "TLP:GREEN"}
	case "AMBER", "AMBER+STRICT":
		return marking{"amber", "TLP:" + word}
	case "RED":
		return marking{"red", "TLP:RED"}
	case "":
		return marking{"none", "no TLP"}
	}
	return marking{"none", clean(tlp, maxLabel)}
}
