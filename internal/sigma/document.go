package sigma

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// readDocuments splits a file into its YAML documents and checks each one's size, so that the code
// behind it may follow aliases and recurse without further care.
func readDocuments(data []byte) ([]*yaml.Node, error) {
	if len(data) > MaxFileSize {
		return nil, errorAt(0, "", ReasonLimit, "file of %d bytes, at most %d are read", len(data), MaxFileSize)
	}
	if !utf8.Valid(data) {
		return nil, errorAt(0, "", ReasonYAML, "file is not UTF-8")
	}
	structure := 0
	for _, c := range []byte("\n,:[{-?") {
		structure += bytes.Count(data, []byte{c})
	}
	if structure > MaxStructure {
		return nil, errorAt(0, "", ReasonLimit, "file may hold %d YAML nodes, at most %d are read", structure, MaxStructure)
	}
	var docs []*yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			// The library's message names the line itself.
			return nil, errorAt(0, "", ReasonYAML, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null" {
			continue // an empty document, such as after a trailing "---"
		}
		if len(docs) == MaxDocuments {
			return nil, errorAt(doc.Line, "", ReasonLimit, "more than %d documents in one file", MaxDocuments)
		}
		docs = append(docs, doc.Content[0])
	}
}

// size is what a document amounts to with every alias expanded.
type size struct{ nodes, text int }

// measure tells the size of what is below n. It stops at the limits, so that neither an alias bomb nor an alias
// that contains itself costs more than MaxNodes steps.
func measure(n *yaml.Node) (size, error) {
	var total size
	var walk func(n *yaml.Node, depth int) error
	walk = func(n *yaml.Node, depth int) error {
		if total.nodes++; total.nodes > MaxNodes {
			return errorAt(n.Line, "", ReasonLimit, "more than %d YAML nodes with aliases expanded", MaxNodes)
		}
		if depth > MaxDepth {
			return errorAt(n.Line, "", ReasonLimit, "YAML nested deeper than %d", MaxDepth)
		}
		if n.Kind == yaml.AliasNode {
			return walk(n.Alias, depth+1)
		}
		total.text += len(n.Value)
		for _, child := range n.Content {
			if err := walk(child, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return total, walk(n, 0)
}

// resolve follows aliases; measure has shown that they end.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// pair is one entry of a mapping.
type pair struct {
	key   string
	line  int
	value *yaml.Node
}

// mapping returns a mapping's entries in order, with merge keys (<<) applied; a key given twice is
// an error because YAML libraries disagree on which one counts.
func mapping(n *yaml.Node, path string) ([]pair, error) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return nil, errorAt(n.Line, path, ReasonStructure, "want a map, found %s", kindName(n))
	}
	var own, merged []pair
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return nil, errorAt(key.Line, path, ReasonStructure, "key is %s, want a name", kindName(key))
		}
		if key.ShortTag() == "!!merge" {
			more, err := mergeEntries(value, path)
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
			continue
		}
		if seen[key.Value] {
			return nil, errorAt(key.Line, path, ReasonYAML, "key %s is given twice", quote(key.Value))
		}
		seen[key.Value] = true
		own = append(own, pair{key: key.Value, line: key.Line, value: resolve(value)})
	}
	for _, p := range merged { // a map's own keys win, then the first merged map's
		if !seen[p.key] {
			seen[p.key] = true
			own = append(own, p)
		}
	}
	return own, nil
}

func mergeEntries(value *yaml.Node, path string) ([]pair, error) {
	value = resolve(value)
	if value.Kind != yaml.SequenceNode {
		return mapping(value, path)
	}
	var out []pair
	for _, item := range value.Content {
		more, err := mapping(item, path)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" {
			return "nothing"
		}
		return fmt.Sprintf("the value %s", quote(n.Value))
	}
	return "an unexpected node"
}

// text reads a scalar as text, whatever its type: dates and numbers keep their spelling.
func text(n *yaml.Node, path string) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", errorAt(n.Line, path, ReasonStructure, "want text, found %s", kindName(n))
	}
	if n.ShortTag() == "!!null" {
		return "", nil
	}
	return n.Value, nil
}

// texts reads a list of scalars; one scalar counts as a list of one, nothing as an empty list.
func texts(n *yaml.Node, path string) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		s, err := text(n, path)
		if err != nil || s == "" {
			return nil, err
		}
		return []string{s}, nil
	}
	out := make([]string, 0, len(n.Content))
	for _, item := range n.Content {
		s, err := text(resolve(item), path)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
