package stix

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Objects of any type, built out of properties: for formats that are turned into STIX.

// Property is one property of an object that we build. Its value is a string, []string, int64, float64, bool,
// time.Time, a Dict or a []Dict; what is empty is left out, for STIX forbids empty lists and dictionaries.
type Property struct {
	Name  string
	Value any
}

// Dict is an object inside an object, in order.
type Dict []Property

// Object writes an object of a type that has common properties.
func (c Common) Object(typ string, properties ...Property) ([]byte, error) {
	w := c.begin(typ)
	if err := w.properties(properties); err != nil {
		return nil, fmt.Errorf("building a %s: %w", typ, err)
	}
	return w.end()
}

// contributing are the properties that make a cyber-observable object's identifier (section 6). A process has
// none.
var contributing = map[string][]string{
	"artifact":             {"hashes", "payload_bin"},
	"autonomous-system":    {"number"},
	"directory":            {"path"},
	"domain-name":          {"value"},
	"email-addr":           {"value"},
	"email-message":        {"from_ref", "subject", "body"},
	"file":                 {"hashes", "name", "extensions", "parent_directory_ref"},
	"ipv4-addr":            {"value"},
	"ipv6-addr":            {"value"},
	"mac-addr":             {"value"},
	"mutex":                {"name"},
	"network-traffic":      {"start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"},
	"software":             {"name", "cpe", "swid", "vendor", "version"},
	"url":                  {"value"},
	"user-account":         {"account_type", "user_id", "account_login"},
	"windows-registry-key": {"key", "values"},
	"x509-certificate":     {"hashes", "serial_number"},
}

// Observable writes a cyber-observable object. These have no versions, so two of one identifier must be the same:
// the identifier is the specification's, made of the contributing properties (section 2.9), only where the object
// consists of those alone. One that says more, or is marked, has a UUID of version 4 drawn out of all that it says.
func Observable(typ string, markings []string, properties ...Property) (id string, raw []byte, err error) {
	if !IsObservable(typ) {
		return "", nil, fmt.Errorf("building an object: %s is no cyber-observable", shown(typ))
	}
	if len(markings) > 0 {
		properties = append([]Property{{"object_marking_refs", markings}}, properties...)
	}
	body := &writer{}
	body.open('{')
	body.text("type", typ)
	if err := body.properties(properties); err != nil {
		return "", nil, fmt.Errorf("building a %s: %w", typ, err)
	}
	body.close('}')
	if body.bad {
		return "", nil, fmt.Errorf("building a %s: a text is not UTF-8", typ)
	}
	if id, err = standardID(typ, properties); err != nil {
		return "", nil, err
	}
	if id == "" {
		id = drawnID(typ, body.buf)
	}
	w := &writer{}
	w.open('{')
	w.text("type", typ)
	w.text("spec_version", "2.1")
	w.text("id", id)
	if err := w.properties(properties); err != nil {
		return "", nil, err
	}
	raw, err = w.end()
	return id, raw, err
}

// standardID is the specification's identifier, or "" where the object says more than it is made of.
func standardID(typ string, properties []Property) (string, error) {
	w := &writer{}
	w.open('{')
	for _, p := range properties {
		if !slices.Contains(contributing[typ], p.Name) {
			return "", nil
		}
		if p.Name == "hashes" && !oneHash(p.Value) {
			return "", nil
		}
		if err := w.property(p); err != nil {
			return "", err
		}
	}
	if len(properties) == 0 {
		return "", nil
	}
	w.close('}')
	canonical, err := Canonical(w.buf)
	if err != nil {
		return "", err
	}
	return ObservableID(typ, canonical), nil
}

// oneHash says whether a file's or certificate's hashes are the one that makes identifiers (section 2.9). Of several
// the specification takes one, so that objects of one identifier could differ in the others.
func oneHash(value any) bool {
	hashes, _ := value.(Dict)
	return len(hashes) == 1 && slices.Contains([]string{"MD5", "SHA-1", "SHA-256", "SHA-512"}, hashes[0].Name)
}

// drawnID has the form of a random UUID (version 4) and is always the same for the same content.
func drawnID(typ string, content []byte) string {
	sum := sha256.Sum256(content)
	u := uuid.UUID(sum[:16])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return typ + "--" + u.String()
}

func (w *writer) properties(list []Property) error {
	for _, p := range list {
		if err := w.property(p); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) property(p Property) error {
	switch v := p.Value.(type) {
	case string:
		w.text(p.Name, v)
	case []string:
		w.texts(p.Name, v)
	case int64:
		w.number(p.Name, v)
	case float64:
		w.name(p.Name)
		w.separate()
		w.buf = canonicalNumber(w.buf, v)
	case bool:
		w.name(p.Name)
		w.separate()
		w.buf = fmt.Appendf(w.buf, "%t", v)
	case time.Time:
		if !v.IsZero() {
			w.text(p.Name, FormatTime(v))
		}
	case Dict:
		if len(v) > 0 {
			w.name(p.Name)
			return w.dict(v)
		}
	case []Dict:
		return w.dicts(p.Name, v)
	default:
		return fmt.Errorf("%s: a value of type %T has no form in STIX", p.Name, v)
	}
	return nil
}

func (w *writer) dict(d Dict) error {
	w.open('{')
	err := w.properties(d)
	w.close('}')
	return err
}

func (w *writer) dicts(name string, list []Dict) error {
	if len(list) == 0 {
		return nil
	}
	w.name(name)
	w.open('[')
	for _, d := range list {
		if err := w.dict(d); err != nil {
			return err
		}
	}
	w.close(']')
	return nil
}
