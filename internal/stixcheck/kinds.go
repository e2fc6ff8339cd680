package stixcheck

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shieldwall/internal/stix"
)

// kind is the type of a property's value: it reports what is wrong with one.
type kind func(c *checker, n *node)

// newer is a kind that gates of old did not ask for.
func newer(k kind) kind {
	return func(c *checker, n *node) { c.inside(func() { k(c, n) }) }
}

func commas(list []string) string { return strings.Join(list, ", ") }

func oneOfWords(n *node, list []string) bool {
	return slices.ContainsFunc(list, n.same)
}

func anything(*checker, *node) {}

func text(c *checker, n *node) {
	if !n.isText() {
		c.report(stix.Unusable, n, c.section, "must be a string")
	}
}

// form is a string of a form that gates do not ask for. The section is that of the form's rule.
func form(section, msg string, is func(string) bool) kind {
	return func(c *checker, n *node) {
		text(c, n)
		if c.wants(stix.Broken) && n.isText() {
			if s := n.text(); !is(s) {
				c.report(stix.Broken, n, section, stix.Shown(s)+" "+msg)
			}
		}
	}
}

// advised is a string of a form that only SHOULD be.
func advised(section, msg string, is func(string) bool) kind {
	return func(c *checker, n *node) {
		text(c, n)
		if c.wants(stix.Advice) && n.isText() {
			if s := n.text(); !is(s) {
				c.report(stix.Advice, n, cmp.Or(section, c.section), stix.Shown(s)+" "+msg)
			}
		}
	}
}

func boolean(c *checker, n *node) {
	if n.kind != 't' && n.kind != 'f' {
		c.report(stix.Unusable, n, c.section, "must be true or false")
	}
}

// whole reads a number without fraction or exponent, within what I-JSON keeps exact (section 2.10).
func whole(n *node) (int64, bool) {
	i, err := strconv.ParseInt(string(n.raw), 10, 64)
	const exact = 1<<53 - 1
	return i, n.kind == 0 && err == nil && -exact <= i && i <= exact
}

func integer(c *checker, n *node) {
	if _, ok := whole(n); !ok {
		c.report(stix.Unusable, n, c.section, "must be an integer within 2^53")
	}
}

func natural(c *checker, n *node) {
	if i, ok := whole(n); !ok || i < 0 {
		c.report(stix.Unusable, n, c.section, "must be an integer, not negative")
	}
}

func between(low, high int64) kind {
	return func(c *checker, n *node) {
		if i, ok := whole(n); !ok || i < low || i > high {
			c.report(stix.Unusable, n, c.section, fmt.Sprintf("must be an integer from %d to %d", low, high))
		}
	}
}

func number(c *checker, n *node) {
	if n.kind != 0 {
		c.report(stix.Unusable, n, c.section, "must be a number")
	}
}

func numberBetween(low, high float64) kind {
	return func(c *checker, n *node) {
		f, err := strconv.ParseFloat(string(n.raw), 64)
		if n.kind != 0 || err != nil || f < low || f > high {
			c.report(stix.Unusable, n, c.section, fmt.Sprintf("must be a number from %g to %g", low, high))
		}
	}
}

func textOrInteger(c *checker, n *node) {
	if _, ok := whole(n); !ok && !n.isText() {
		c.report(stix.Unusable, n, c.section, "must be a string or an integer")
	}
}

func timestamp(c *checker, n *node) {
	if stix.SortKey(n.text()) == "" {
		c.report(stix.Unusable, n, "2.16.1", "must be a timestamp YYYY-MM-DDTHH:MM:SS[.s+]Z")
	}
}

// fraction is how many digits of a second a timestamp has.
func fraction(s string) int {
	_, digits, _ := strings.Cut(strings.TrimSuffix(s, "Z"), ".")
	return len(digits)
}

// millis is the form of created and modified: at least three digits (section 3.2); more survive.
func millis(c *checker, n *node) {
	if s := n.text(); stix.SortKey(s) == "" || fraction(s) < 3 {
		c.report(stix.Unusable, n, "3.2", "must be a timestamp YYYY-MM-DDTHH:MM:SS.sssZ of at least milliseconds")
	}
}

// toTheSecond is the form of a PE file's time (section 6.7.6.1).
func toTheSecond(c *checker, n *node) {
	if s := n.text(); stix.SortKey(s) == "" || fraction(s) > 0 {
		c.report(stix.Unusable, n, "6.7.6.1", "must be a timestamp YYYY-MM-DDTHH:MM:SSZ, precise to the second")
	}
}

// enum takes the words of an enumeration and no others (section 2.4).
func enum(v *vocabulary) kind {
	return func(c *checker, n *node) {
		if !oneOfWords(n, v.words) {
			c.report(stix.Unusable, n, v.section, "must be one of "+commas(v.words))
		}
	}
}

// newEnum is enum where gates have only asked for a string.
func newEnum(v *vocabulary) kind {
	among := newer(enum(v))
	return func(c *checker, n *node) {
		text(c, n)
		if n.isText() {
			among(c, n)
		}
	}
}

// open takes a word of an open vocabulary; others may be, in lower case and with hyphens (section 2.14).
func open(v *vocabulary) kind {
	return func(c *checker, n *node) {
		text(c, n)
		if !n.isText() || !c.wants(stix.Advice) || oneOfWords(n, v.words) {
			return
		}
		s := n.text()
		msg := stix.Shown(s) + " is not in " + v.name
		if !isHyphenated(s) {
			msg += ", and other words should be in lower case with hyphens"
		}
		c.report(stix.Advice, n, v.section, msg)
	}
}

// hyphenated is a name in lower case with hyphens, as kill chains should have.
var hyphenated = advised("", "should be in lower case, with hyphens between words", isHyphenated)

// list applies a kind to each element; empty lists are forbidden everywhere (section 2.12).
func list(k kind) kind {
	return func(c *checker, n *node) {
		if !n.isList() {
			c.report(stix.Unusable, n, c.section, "must be a list")
			return
		}
		if n.count == 0 {
			c.report(stix.Unusable, n, "2.12", "must not be an empty list")
		}
		index := 0
		for i := n.first; i != 0; i = c.nodes[i].next {
			c.in(step{element: true, index: index}, func() { k(c, &c.nodes[i]) })
			index++
		}
	}
}

// dictionary applies a kind to each value; empty dictionaries are forbidden everywhere (section 2.3).
func dictionary(k kind) kind {
	return func(c *checker, n *node) {
		if !n.isObject() {
			c.report(stix.Unusable, n, c.section, "must be an object")
			return
		}
		if n.count == 0 {
			c.report(stix.Unusable, n, "2.3", "must not be empty")
		}
		for i := n.first; i != 0; i = c.nodes[i].next {
			m := &c.nodes[i]
			c.in(step{name: m.name}, func() {
				c.key(m)
				k(c, m)
				if m.kind != '{' && m.kind != '[' && c.wants(stix.Tolerated) {
					c.plain(m)
				}
			})
		}
	}
}

// key checks a dictionary's key (section 2.3).
func (c *checker) key(m *node) {
	if c.wants(stix.Broken) && (m.name == "" || len(m.name) > 250 || strings.Trim(m.name, keyLetters) != "") {
		c.report(stix.Broken, m, "2.3", "a key must be 1 to 250 of a-z, A-Z, 0-9, hyphen and underscore")
	}
}

const keyLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// binary is base64 (section 2.1). Gates let line ends in it pass.
func binary(c *checker, n *node) {
	s := n.text()
	if _, err := base64.StdEncoding.DecodeString(s); err != nil || !n.isText() {
		c.report(stix.Unusable, n, "2.1", "must be base64")
	} else if strings.ContainsAny(s, "\r\n") {
		c.report(stix.Broken, n, "2.1", "must be base64 without line ends")
	}
}

// hexadecimal wants pairs of digits, in lower case (section 2.8), which the specification's own example breaks.
func hexadecimal(c *checker, n *node) {
	s := n.text()
	if _, err := hex.DecodeString(s); err != nil || !n.isText() {
		c.report(stix.Unusable, n, "2.8", "must be hexadecimal, of an even number of digits")
	} else if strings.ContainsAny(s, "ABCDEF") {
		c.report(stix.Tolerated, n, "2.8", "must be hexadecimal in lower case")
	}
}

// hashes is a dictionary of algorithm and value (section 2.7).
func hashes(c *checker, n *node) {
	if !n.isObject() {
		c.report(stix.Unusable, n, c.section, "must be an object")
		return
	}
	if n.count == 0 {
		c.report(stix.Unusable, n, "2.3", "must not be empty")
	}
	sha256 := false
	for i := n.first; i != 0; i = c.nodes[i].next {
		m := &c.nodes[i]
		sha256 = sha256 || m.name == "SHA-256"
		c.in(step{name: m.name}, func() { c.hash(m) })
	}
	if !sha256 {
		c.report(stix.Advice, n, "2.7", "should have a SHA-256")
	}
}

func (c *checker) hash(m *node) {
	if len(m.name) < 3 || len(m.name) > 250 {
		c.report(stix.Unusable, m, "2.7", "a name must be 3 to 250 characters")
	}
	if !m.isText() {
		c.report(stix.Unusable, m, "2.7", "must be a string")
		return
	}
	if !c.wants(stix.Broken) {
		return
	}
	if strings.Trim(m.name, keyLetters) != "" {
		c.report(stix.Broken, m, "2.7", "a name must be of a-z, A-Z, 0-9, hyphen and underscore")
	}
	switch form := hashForms[m.name]; {
	case form == nil:
		c.report(stix.Advice, m, "10.7", "is not in "+hashAlgorithm.name)
	case !form(m.text()):
		c.report(stix.Broken, m, "10.7", stix.Shown(m.text())+" is no value of this algorithm")
	}
}

// listedHashes are hashes of algorithms that are listed and no others (section 2.5.1).
func listedHashes(c *checker, n *node) {
	hashes(c, n)
	if !n.isObject() {
		return
	}
	for i := n.first; i != 0; i = c.nodes[i].next {
		if m := &c.nodes[i]; hashForms[m.name] == nil {
			c.in(step{name: m.name}, func() {
				c.report(stix.Broken, m, "2.5.1", "must be one of "+commas(hashAlgorithm.words))
			})
		}
	}
}

// relationshipType is a name of a-z, 0-9 and hyphens (section 5.1.2).
func relationshipType(c *checker, n *node) {
	if s := n.text(); s == "" || strings.Trim(s, lowerLetters+"-") != "" {
		c.report(stix.Unusable, n, c.section, "must be a name of a-z, 0-9 and dashes")
	}
}

const lowerLetters = "abcdefghijklmnopqrstuvwxyz0123456789"

// translations are the contents of a language-content: dictionaries under language codes (section 7.1.1).
func translations(c *checker, n *node) {
	dictionary(anything)(c, n)
	if !n.isObject() || !c.wants(stix.Broken) {
		return
	}
	for i := n.first; i != 0; i = c.nodes[i].next {
		m := &c.nodes[i]
		c.in(step{name: m.name}, func() {
			if !isLanguageTag(m.name) {
				c.report(stix.Broken, m, "7.1.1", "a key must be a language code of RFC 5646")
			}
			if !m.isObject() {
				c.report(stix.Broken, m, "7.1.1", "must be an object of translated properties")
				return
			}
			c.plain(m)
			for i := m.first; i != 0; i = c.nodes[i].next {
				if p := &c.nodes[i]; !isPropertyName(p.name) {
					c.report(stix.Broken, p, "3.1", stix.Shown(p.name)+" is no property's name")
				}
			}
		})
	}
}

// selector selects a part of the object that is there (section 7.2.3.1).
func selector(c *checker, n *node) {
	text(c, n)
	if !n.isText() || !c.wants(stix.Broken) {
		return
	}
	at := &c.nodes[0]
	for part := range strings.SplitSeq(n.text(), ".") {
		if at = c.selected(at, part); at == nil {
			c.report(stix.Broken, n, "7.2.3.1", stix.Shown(n.text())+" selects nothing of this object")
			return
		}
	}
}

// selected goes one step of a selector's way; nil where there is nothing.
func (c *checker) selected(at *node, part string) *node {
	digits, isIndex := strings.CutPrefix(part, "[")
	if !isIndex {
		if !at.isObject() {
			return nil
		}
		return c.member(at, part)
	}
	digits, closed := strings.CutSuffix(digits, "]")
	index, err := strconv.Atoi(digits)
	if !closed || err != nil || !at.isList() || strings.Trim(digits, "0123456789") != "" {
		return nil
	}
	i := at.first
	for ; i != 0 && index > 0; index-- {
		i = c.nodes[i].next
	}
	if i == 0 {
		return nil
	}
	return &c.nodes[i]
}
