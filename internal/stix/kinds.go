package stix

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kind is the form of a property's value: it says what is wrong with a value, or "".
type kind func(value []byte) string

func stringKind(value []byte) string {
	if !isString(value) {
		return "must be a string"
	}
	return ""
}

func boolean(value []byte) string {
	if s := string(value); s != "true" && s != "false" {
		return "must be true or false"
	}
	return ""
}

func integerKind(value []byte) string {
	if _, ok := integer(value); !ok {
		return "must be an integer within 2^53"
	}
	return ""
}

func natural(value []byte) string {
	if n, ok := integer(value); !ok || n < 0 {
		return "must be an integer, not negative"
	}
	return ""
}

func between(low, high int64) kind {
	return func(value []byte) string {
		if n, ok := integer(value); !ok || n < low || n > high {
			return fmt.Sprintf("must be an integer from %d to %d", low, high)
		}
		return ""
	}
}

func number(value []byte) string {
	if _, err := strconv.ParseFloat(string(value), 64); err != nil {
		return "must be a number"
	}
	return ""
}

func range64(low, high float64) kind {
	return func(value []byte) string {
		if f, err := strconv.ParseFloat(string(value), 64); err != nil || f < low || f > high {
			return fmt.Sprintf("must be a number from %g to %g", low, high)
		}
		return ""
	}
}

func timestampKind(value []byte) string {
	if _, ok := parseTimestamp(text(value)); !ok {
		return "must be a timestamp YYYY-MM-DDTHH:MM:SS[.s+]Z"
	}
	return ""
}

// millis is the form of created and modified: at least three digits (section 3.2); more survive.
func millis(value []byte) string {
	if ts, ok := parseTimestamp(text(value)); !ok || len(ts.fraction) < 3 {
		return "must be a timestamp YYYY-MM-DDTHH:MM:SS.sssZ of at least milliseconds"
	}
	return ""
}

func enum(words ...string) kind {
	return func(value []byte) string {
		if !slices.Contains(words, text(value)) {
			return "must be one of " + strings.Join(words, ", ")
		}
		return ""
	}
}

// list applies a check to each element; empty lists are forbidden everywhere (section 2, list).
func list(what string, each func([]byte) bool) kind {
	return func(value []byte) string {
		if !isArray(value) {
			return "must be a list of " + what
		}
		n, good := 0, true
		elements(value, func(e []byte) {
			n++
			good = good && each(e)
		})
		switch {
		case n == 0:
			return "must not be an empty list"
		case !good:
			return "must be a list of " + what
		}
		return ""
	}
}

func stringList(value []byte) string { return list("strings", isString)(value) }

func enumList(words ...string) kind {
	return list(strings.Join(words, ", "), func(e []byte) bool { return slices.Contains(words, text(e)) })
}

func refTo(types ...string) kind {
	return func(value []byte) string {
		if id := text(value); !IsID(id) || !slices.Contains(types, TypeOf(id)) {
			return "must be an id of type " + strings.Join(types, ", ")
		}
		return ""
	}
}

func refNotTo(types ...string) kind {
	return func(value []byte) string {
		if id := text(value); !IsID(id) || slices.Contains(types, TypeOf(id)) {
			return "must be an id, and not of type " + strings.Join(types, ", ")
		}
		return ""
	}
}

func refs(value []byte) string {
	return list("ids", func(e []byte) bool { return IsID(text(e)) })(value)
}

func refsTo(types ...string) kind {
	return list("ids of type "+strings.Join(types, ", "), func(e []byte) bool {
		id := text(e)
		return IsID(id) && slices.Contains(types, TypeOf(id))
	})
}

func dictionary(value []byte) string {
	if !isObject(value) {
		return "must be an object"
	}
	n := 0
	members(value, func(string, []byte) { n++ })
	if n == 0 {
		return "must not be empty"
	}
	return ""
}

func base64Kind(value []byte) string {
	if _, err := base64.StdEncoding.DecodeString(text(value)); err != nil || !isString(value) {
		return "must be base64"
	}
	return ""
}

func hexKind(value []byte) string {
	if _, err := hex.DecodeString(text(value)); err != nil || !isString(value) {
		return "must be hexadecimal"
	}
	return ""
}

// hashes is a dictionary of algorithm and value (section 2, hashes).
func hashes(value []byte) string {
	if msg := dictionary(value); msg != "" {
		return msg
	}
	good := true
	members(value, func(name string, v []byte) { good = good && len(name) >= 3 && len(name) <= 250 && isString(v) })
	if !good {
		return "must hold strings under names of 3 to 250 characters"
	}
	return ""
}

// relationName is a relationship's type: a-z, 0-9 and dashes (section 5.1).
func relationName(value []byte) string {
	name := text(value)
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "must be a name of a-z, 0-9 and dashes"
	}
	return ""
}

// record is an object that must have string members.
func record(e []byte, must ...string) bool {
	if !isObject(e) {
		return false
	}
	found := 0
	members(e, func(name string, v []byte) {
		if slices.Contains(must, name) && isString(v) {
			found++
		}
	})
	return found == len(must)
}

func killChainList(value []byte) string {
	return list("objects with kill_chain_name and phase_name", func(e []byte) bool {
		return record(e, "kill_chain_name", "phase_name")
	})(value)
}

func externalList(value []byte) string {
	return list("objects with source_name and one of description, url, external_id", func(e []byte) bool {
		return record(e, "source_name") && (record(e, "description") || record(e, "url") || record(e, "external_id"))
	})(value)
}

// granularList wants selectors and either a marking or a language (section 7.2.3.1).
func granularList(value []byte) string {
	return list("objects with selectors and marking_ref or lang", func(e []byte) bool {
		selectors, marked, lang := false, false, false
		if !isObject(e) {
			return false
		}
		members(e, func(name string, v []byte) {
			switch name {
			case "selectors":
				selectors = stringList(v) == ""
			case "marking_ref":
				marked = refTo("marking-definition")(v) == ""
			case "lang":
				lang = isString(v)
			}
		})
		return selectors && marked != lang
	})(value)
}
