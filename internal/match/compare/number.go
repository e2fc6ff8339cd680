package compare

import (
	"strconv"
	"strings"

	"shieldwall/internal/sigma"
)

// Order compares a field's text with a rule's number: -1, 0, 1. Whole numbers compare exactly.
// Hexadecimal is read because Windows writes many ids and masks that way.
func Order(text string, n sigma.Number) (order int, ok bool) {
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		if digits, hex := strings.CutPrefix(Fold(text), "0x"); hex {
			i, err = strconv.ParseInt(digits, 16, 64)
		}
	}
	if err == nil && n.IsInt {
		return Three(i, n.Int), true
	}
	f := float64(i)
	if err != nil {
		// ParseFloat also reads "inf", "nan", hexadecimal floats and digits with underscores.
		if strings.Trim(text, "0123456789+-.eE") != "" {
			return 0, false
		}
		if f, err = strconv.ParseFloat(text, 64); err != nil {
			return 0, false
		}
	}
	return Three(f, n.Float), true
}

// Three compares: -1, 0, 1.
func Three[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Fits tells whether an order is one that the operator wants.
func Fits(order int, op sigma.Op) bool {
	switch op {
	case sigma.Less:
		return order < 0
	case sigma.LessEqual:
		return order <= 0
	case sigma.Greater:
		return order > 0
	case sigma.GreaterEqual:
		return order >= 0
	}
	return order == 0
}
