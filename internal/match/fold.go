package match

import "shieldwall/internal/match/compare"

// fieldEventID is the field by which rules of a logsource are told apart.
const fieldEventID = "EventID"

func fold(s string) string { return compare.Fold(s) }
