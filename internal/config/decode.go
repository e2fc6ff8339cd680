package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"shieldwall/internal/sigma"
	"shieldwall/internal/suggest"
)

// MaxFile is the largest configuration file, in bytes.
const MaxFile = 1 << 20

// maxProblems bounds what one broken file makes us say.
const maxProblems = 20

// Error is one problem of a configuration file.
type Error struct {
	File string
	Line int // one-based; 0 where it is the file as a whole
	// Key is the whole key, such as page.listen; empty where the YAML itself is broken.
	Key     string
	Problem string
}

// Error says file, line, key and problem.
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Problem
}

// Decode reads YAML over the defaults. It is strict: an unknown or repeated key, a value of another type, a
// second document, an alias or a merge are errors, each with its line. name is the file's, for errors.
func Decode(name string, data []byte) (Config, error) {
	c := Default()
	if len(data) > MaxFile {
		return c, &Error{File: name, Problem: fmt.Sprintf("larger than %d bytes", MaxFile)}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return c, nil
	} else if err != nil {
		return c, syntaxError(name, err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return c, &Error{File: name, Line: second.Line, Problem: "a second document; only one is read"}
	} else if !errors.Is(err, io.EOF) {
		return c, syntaxError(name, err)
	}
	if len(doc.Content) != 1 {
		return c, nil
	}
	b := binder{file: name}
	b.bind(reflect.ValueOf(&c).Elem(), doc.Content[0], "")
	if len(b.problems) == maxProblems {
		b.problems = append(b.problems, &Error{File: name, Problem: "more problems than these are not listed"})
	}
	return c, errors.Join(b.problems...)
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

func syntaxError(name string, err error) error {
	text, line := err.Error(), 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return &Error{File: name, Line: line, Problem: "not YAML: " + strings.TrimPrefix(text, "yaml: ")}
}

// binder sets a structure from a YAML tree. The library's own strict mode names neither the whole key nor
// what was probably meant, and lets aliases and repeated sections pass.
type binder struct {
	file     string
	problems []error
}

func (b *binder) problem(n *yaml.Node, key, format string, args ...any) {
	if len(b.problems) < maxProblems {
		b.problems = append(b.problems, &Error{File: b.file, Line: n.Line, Key: key, Problem: fmt.Sprintf(format, args...)})
	}
}

// bind sets v. Its recursion is as deep as the structure's types, whatever the file holds.
func (b *binder) bind(v reflect.Value, n *yaml.Node, key string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		b.problem(n, key, "anchors and aliases are not used here")
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // a section whose lines are all comments: the defaults
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if text, ok := b.scalar(n, key); ok {
			if err := u.UnmarshalText([]byte(text)); err != nil {
				b.problem(n, key, "%v", err)
			}
		}
		return
	}
	if u, ok := v.Addr().Interface().(yaml.Unmarshaler); ok {
		b.bindOwn(u, n, key)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		b.bindStruct(v, n, key)
	case reflect.Slice:
		b.bindSlice(v, n, key)
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			b.problem(n, key, "wants true or false")
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	default:
		if text, ok := b.scalar(n, key); ok {
			v.SetString(text)
		}
	}
}

// bindOwn lets a type read its part of the file. Package sigma's errors name their line and key.
func (b *binder) bindOwn(u yaml.Unmarshaler, n *yaml.Node, key string) {
	err := u.UnmarshalYAML(n)
	if e := (*sigma.Error)(nil); errors.As(err, &e) {
		if e.Key != "" {
			key = join(key, e.Key)
		}
		b.problem(&yaml.Node{Line: e.Line}, key, "%s", e.Detail)
	} else if err != nil {
		b.problem(n, key, "%v", err)
	}
}

func (b *binder) scalar(n *yaml.Node, key string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		b.problem(n, key, "wants one value, not a list or a section")
		return "", false
	}
	return n.Value, true
}

func (b *binder) bindStruct(v reflect.Value, n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode {
		b.problem(n, key, "wants a section of keys: %s", strings.Join(keysOf(v.Type()), ", "))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		whole := join(key, clip(k.Value))
		field, ok := fieldOf(v, k)
		if !ok {
			b.problem(k, whole, "unknown key%s", meant(key, k.Value, keysOf(v.Type())))
			continue
		}
		if line, ok := seen[k.Value]; ok {
			b.problem(k, whole, "set twice; the first is on line %d", line)
			continue
		}
		seen[k.Value] = k.Line
		b.bind(field, n.Content[i+1], whole)
	}
}

func (b *binder) bindSlice(v reflect.Value, n *yaml.Node, key string) {
	if n.Kind != yaml.SequenceNode {
		b.problem(n, key, "wants a list")
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if item.Kind == yaml.ScalarNode && item.Tag == "!!null" {
			b.problem(item, key, "an empty item")
			continue
		}
		b.bind(list.Index(i), item, fmt.Sprintf("%s[%d]", key, i))
	}
	v.Set(list)
}

// fieldOf finds the field that a key sets.
func fieldOf(v reflect.Value, k *yaml.Node) (reflect.Value, bool) {
	if k.Kind != yaml.ScalarNode || k.Anchor != "" || k.Value == "" {
		return reflect.Value{}, false
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == k.Value {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keysOf lists a section's keys in the order of the documentation.
func keysOf(t reflect.Type) []string {
	keys := []string{}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
			keys = append(keys, tag)
		}
	}
	return keys
}

// meant says which key was probably meant: one of this section, or one of another.
func meant(section, word string, known []string) string {
	if near := suggest.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", join(section, near))
	}
	for _, whole := range wholeKeys(reflect.TypeFor[Config](), "") {
		if strings.HasSuffix(whole, "."+word) || whole == word {
			return fmt.Sprintf("; did you mean %s?", whole)
		}
	}
	return "; known here: " + strings.Join(known, ", ")
}

// wholeKeys lists every key of a structure and its sections.
func wholeKeys(t reflect.Type, prefix string) []string {
	keys := []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("yaml")
		if tag == "" {
			continue
		}
		whole := join(prefix, tag)
		keys = append(keys, whole)
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, wholeKeys(f.Type, whole)...)
		}
	}
	return keys
}

func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}
