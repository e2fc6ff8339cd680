package stix

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// Object is a view over one object's exact bytes. Fields hold what the properties of that name say where they
// are of the right JSON type; package stixcheck names those that are not.
type Object struct {
	Raw []byte // the object's bytes; never changed

	// Line and Number are its place in the document, from 1; 0 where it came alone.
	Line, Number int

	Type        string
	ID          string
	SpecVersion string
	Created     string // as written
	Modified    string // as written
	CreatedBy   string // created_by_ref
	Revoked     bool
	Labels      []string
	Name        string
	Confidence  int // -1 where there is none

	Pattern        string
	PatternType    string
	PatternVersion string
	ValidFrom      string
	ValidUntil     string

	// External are the external references, as far as they are well formed.
	External []ExternalRef
	// Refs are all values of properties whose name ends in _ref or _refs, at any depth.
	Refs []Ref

	objectMarkings   []string
	granularMarkings []string
	properties       []property
}

// ExternalRef is the part of an external reference that identifies something.
type ExternalRef struct {
	Source string
	ID     string
	URL    string
}

// Ref is one reference to another object.
type Ref struct {
	Property string // dotted path
	ID       string
}

type property struct {
	name  string
	value []byte
}

// Parse reads one object strictly: any fault of JSON is a *SyntaxError, whatever its place. What the object
// says is not judged here: package stixcheck does that. The result keeps raw.
func Parse(raw []byte, limits Limits) (*Object, error) {
	limits = limits.filled()
	if len(raw) > limits.Object {
		return nil, &SyntaxError{Offset: int64(limits.Object), Msg: "object larger than " + strconv.Itoa(limits.Object) + " bytes", Limit: true}
	}
	o := &Object{Raw: raw, Confidence: -1}
	if err := scan(raw, limits.Depth, o.visit); err != nil {
		return nil, err
	}
	if !isObject(bytes.TrimLeft(raw, " \t\r\n")) {
		return nil, &SyntaxError{Msg: "not a JSON object"}
	}
	return o, nil
}

// visit collects while the scanner passes.
func (o *Object) visit(path []string, value []byte, element bool) {
	if len(path) == 0 {
		return // the text is an array; Parse refuses it
	}
	name := path[len(path)-1]
	if isString(value) && (strings.HasSuffix(name, "_ref") || strings.HasSuffix(name, "_refs")) {
		o.Refs = append(o.Refs, Ref{dotted(path), unquote(value)})
	}
	if len(path) > 1 || element {
		return
	}
	o.properties = append(o.properties, property{name, value})
	switch name {
	case "type":
		o.Type = text(value)
	case "id":
		o.ID = text(value)
	case "spec_version":
		o.SpecVersion = text(value)
	case "created":
		o.Created = text(value)
	case "modified":
		o.Modified = text(value)
	case "created_by_ref":
		o.CreatedBy = text(value)
	case "revoked":
		o.Revoked = string(value) == "true"
	case "labels":
		o.Labels = texts(value)
	case "name":
		o.Name = text(value)
	case "confidence":
		if n, ok := integer(value); ok {
			o.Confidence = int(min(max(n, -1), 100))
		}
	default:
		o.visitRest(name, value)
	}
}

func (o *Object) visitRest(name string, value []byte) {
	switch name {
	case "object_marking_refs":
		o.objectMarkings = texts(value)
	case "granular_markings":
		o.granularMarkings = granular(value)
	case "external_references":
		o.External = external(value)
	case "pattern":
		o.Pattern = text(value)
	case "pattern_type":
		o.PatternType = text(value)
	case "pattern_version":
		o.PatternVersion = text(value)
	case "valid_from":
		o.ValidFrom = text(value)
	case "valid_until":
		o.ValidUntil = text(value)
	}
}

// maxPath bounds the spelling of a property's path: a hostile object could otherwise repeat a long name for each
// of its references.
const maxPath = 200

func dotted(path []string) string {
	long := len(path) - 1
	for _, name := range path {
		long += len(name)
	}
	if long <= maxPath {
		return strings.Join(path, ".")
	}
	last := path[len(path)-1]
	return "..." + last[max(0, len(last)-maxPath):]
}

// Markings gives the identifiers of all marking-definitions that apply to the object or to any part of it: a
// granular marking counts for the whole, because we share whole objects (section 7.2.3).
func (o *Object) Markings() []string {
	return append(o.objectMarkings[:len(o.objectMarkings):len(o.objectMarkings)], o.granularMarkings...)
}

// Place names the object in messages: its id, or its number in the document where it has none.
func (o *Object) Place() string {
	switch {
	case IsID(o.ID):
		return o.ID
	case o.ID != "":
		return shown(o.ID)
	case o.Number == 0:
		return ""
	}
	return "object " + strconv.Itoa(o.Number)
}

// Property gives the exact bytes of a top-level property's value.
func (o *Object) Property(name string) ([]byte, bool) {
	for _, p := range o.properties {
		if p.name == name {
			return p.value, true
		}
	}
	return nil, false
}

// Names lists the top-level properties in their order.
func (o *Object) Names() []string {
	out := make([]string, len(o.properties))
	for i, p := range o.properties {
		out[i] = p.name
	}
	return out
}

// Text gives a top-level string property, "" where it is absent or of another type.
func (o *Object) Text(name string) string {
	value, _ := o.Property(name)
	return text(value)
}

// Version is the sortable spelling of the time of this version; empty for objects that have no versions:
// cyber-observable objects, marking definitions, custom objects without modified (section 3.6).
func (o *Object) Version() string {
	if o.Type == "marking-definition" || IsObservable(o.Type) {
		return ""
	}
	return SortKey(o.Modified)
}

func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }
func isArray(value []byte) bool  { return len(value) > 0 && value[0] == '[' }
func isString(value []byte) bool { return len(value) > 0 && value[0] == '"' }

func text(value []byte) string {
	if !isString(value) {
		return ""
	}
	return unquote(value)
}

// texts gives the strings of an array; other elements are left out.
func texts(value []byte) []string {
	if !isArray(value) {
		return nil
	}
	var out []string
	elements(value, func(e []byte) {
		if isString(e) {
			out = append(out, unquote(e))
		}
	})
	return out
}

// integer reads a number without fraction or exponent, within what I-JSON keeps exact (section 2.10).
func integer(value []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	const exact = 1<<53 - 1
	return n, err == nil && -exact <= n && n <= exact
}

func granular(value []byte) []string {
	if !isArray(value) {
		return nil
	}
	var out []string
	elements(value, func(e []byte) {
		if !isObject(e) {
			return
		}
		members(e, func(name string, v []byte) {
			if name == "marking_ref" && isString(v) {
				out = append(out, unquote(v))
			}
		})
	})
	return out
}

func external(value []byte) []ExternalRef {
	if !isArray(value) {
		return nil
	}
	var out []ExternalRef
	elements(value, func(e []byte) {
		if !isObject(e) {
			return
		}
		var ref ExternalRef
		members(e, func(name string, v []byte) {
			switch name {
			case "source_name":
				ref.Source = text(v)
			case "external_id":
				ref.ID = text(v)
			case "url":
				ref.URL = text(v)
			}
		})
		out = append(out, ref)
	})
	return out
}

// atOnce is how long after an indicator's creation its valid_from still says "at once". Tools write the two a
// moment apart, and held against our clock, which may be an hour behind the creator's, the moment would last as long.
const atOnce = 5 * time.Minute

// Validity is when an indicator may match; a zero time is no bound.
func (o *Object) Validity() (from, until time.Time) {
	created, _ := ParseTime(o.Created)
	if at, err := ParseTime(o.ValidFrom); err == nil && at.After(created.Add(atOnce)) {
		from = at
	}
	if at, err := ParseTime(o.ValidUntil); err == nil {
		until = at
	}
	return from, until
}
