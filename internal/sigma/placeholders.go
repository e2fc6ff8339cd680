package sigma

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of what is configured for placeholders. A rule that uses much of it meets its own limits.
const (
	// MaxPlaceholders bounds the names.
	MaxPlaceholders = 1000
	// MaxPlaceholderValues bounds the values of all names together.
	MaxPlaceholderValues = MaxValues
)

// Placeholders are Options.Placeholders as YAML says them: a map of names, without their percent signs,
// to one value or a list of values. Nothing is lenient here: a value that is passed over is a rule that
// finds less than its reader believes.
type Placeholders map[string][]string

// ReadPlaceholders reads a file of placeholders: one YAML document. The error is an *Error.
func ReadPlaceholders(data []byte) (map[string][]string, error) {
	docs, err := readDocuments(data)
	if err != nil {
		return nil, err
	}
	out := Placeholders{}
	switch len(docs) {
	case 0: // nothing but comments
		return out, nil
	case 1:
		err = out.UnmarshalYAML(docs[0])
		return out, err
	}
	return nil, errorAt(docs[1].Line, "", ReasonStructure, "a second document: only one is read")
}

// UnmarshalYAML reads a map of placeholders (yaml.Unmarshaler). The error is an *Error whose key is the
// name, with the place of the value in its list where it is about one value.
func (p *Placeholders) UnmarshalYAML(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return unusedAlias(n, "")
	case n.Kind != yaml.MappingNode:
		return errorAt(n.Line, "", ReasonStructure, "want a map of names to values, found %s", kindName(n))
	case len(n.Content)/2 > MaxPlaceholders:
		return errorAt(n.Line, "", ReasonLimit, "%d names, at most %d are read", len(n.Content)/2, MaxPlaceholders)
	}
	out, total := Placeholders{}, 0
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if err := checkPlaceholderName(key); err != nil {
			return err
		}
		if out[key.Value] != nil {
			return errorAt(key.Line, quotedKey(key.Value), ReasonStructure, "given twice")
		}
		values, err := placeholderList(n.Content[i+1], key)
		if err != nil {
			return err
		}
		if total += len(values); total > MaxPlaceholderValues {
			return errorAt(key.Line, quotedKey(key.Value), ReasonLimit, "more than %d values in all", MaxPlaceholderValues)
		}
		out[key.Value] = values
	}
	*p = out
	return nil
}

func unusedAlias(n *yaml.Node, path string) error {
	return errorAt(n.Line, path, ReasonYAML, "anchors and aliases are not used here")
}

// checkPlaceholderName refuses names that no rule can ask for.
func checkPlaceholderName(key *yaml.Node) error {
	path := quotedKey(key.Value)
	switch {
	case key.Kind == yaml.AliasNode || key.Anchor != "":
		return unusedAlias(key, path)
	case key.Kind != yaml.ScalarNode:
		return errorAt(key.Line, "", ReasonStructure, "key is %s, want a name", kindName(key))
	case key.ShortTag() == "!!merge":
		return errorAt(key.Line, path, ReasonYAML, "merge keys are not used here")
	case len(key.Value) > MaxName:
		return errorAt(key.Line, "", ReasonLimit, "name of %d bytes, at most %d are read", len(key.Value), MaxName)
	case len(key.Value) > 2 && strings.HasPrefix(key.Value, "%") && strings.HasSuffix(key.Value, "%"):
		return errorAt(key.Line, path, ReasonStructure, "names are written without their percent signs")
	}
	if name, ok := placeholderAt("%" + key.Value + "%"); !ok || name != key.Value {
		return errorAt(key.Line, path, ReasonStructure, "%s cannot be a placeholder's name", quote(key.Value))
	}
	return nil
}

// placeholderList reads one value or a list of them.
func placeholderList(n, key *yaml.Node) ([]string, error) {
	path := quotedKey(key.Value)
	if n.Anchor != "" {
		return nil, unusedAlias(n, path)
	}
	if n.Kind != yaml.SequenceNode {
		value, err := placeholderValue(n, path)
		return []string{value}, err
	}
	switch {
	case len(n.Content) == 0:
		return nil, errorAt(key.Line, path, ReasonValue, "has no values")
	case len(n.Content) > MaxPlaceholderValues:
		return nil, errorAt(key.Line, path, ReasonLimit, "%d values, at most %d are read", len(n.Content), MaxPlaceholderValues)
	}
	out := make([]string, 0, len(n.Content))
	for i, item := range n.Content {
		value, err := placeholderValue(item, fmt.Sprintf("%s[%d]", path, i))
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	return out, nil
}

// placeholderValue reads a value in the spelling of the file. The empty value is refused: with "contains"
// it would hold everywhere.
func placeholderValue(n *yaml.Node, path string) (string, error) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return "", unusedAlias(n, path)
	}
	s, err := readScalar(n, path)
	switch {
	case err != nil:
		return "", err
	case n.Value == "" || s.kind == scalarNull:
		return "", errorAt(n.Line, path, ReasonValue, "is empty")
	case len(n.Value) > MaxValueBytes:
		return "", errorAt(n.Line, path, ReasonLimit, "value of %d bytes, at most %d are read", len(n.Value), MaxValueBytes)
	}
	return n.Value, nil
}
