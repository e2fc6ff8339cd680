package match

import "shieldwall/internal/match/compare"

// fieldEventID is the field by which rules of a logsource are told apart.
const (
	fieldEventID = "EventID"
	fieldMessage = "Message" // a record's rendered text
)

func fold(s string) string { return compare.Fold(s) }

// sameFolded compares without case, and without memory where both texts are ASCII.
func sameFolded(a, b string) bool {
	if a == b {
		return true
	}
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		switch {
		case x|y >= 0x80:
			return fold(a) == fold(b)
		case x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z'):
			return false
		}
	}
	return len(a) == len(b) || fold(a) == fold(b)
}
