package sigma

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Options are what a rule may need from its reader.
type Options struct {
	// Placeholders gives the values of %name% placeholders (modifier expand). Values are Sigma
	// strings: wildcards work. A rule that needs a name which is not here is rejected.
	Placeholders map[string][]string
}

// Collection is what one rule file holds.
type Collection struct {
	Rules []*Rule
	// Rejected lists the documents that are no usable detection rule, in the order of the file.
	Rejected []Rejection
}

// Rejection is one document that was refused.
type Rejection struct {
	// ID and Title are the rule's own, as far as they could be read.
	ID, Title string
	Line      int
	Err       *Error
}

// Parse reads a rule file: one or more YAML documents. Each document stands for itself: a rejected
// one does not keep its neighbours from loading. The error is an *Error and says that the file as a
// whole cannot be read; then there are no rules.
func Parse(data []byte, opt Options) (*Collection, error) {
	docs, err := readDocuments(data)
	if err != nil {
		return nil, err
	}
	out := &Collection{}
	for _, doc := range docs {
		rule, err := parseDocument(doc, opt)
		if err == nil {
			out.Rules = append(out.Rules, rule)
			continue
		}
		rejection := Rejection{Line: doc.Line, Err: &Error{}}
		if !errors.As(err, &rejection.Err) {
			rejection.Err = errorAt(doc.Line, "", ReasonStructure, "%v", err)
		}
		if rule != nil {
			rejection.ID, rejection.Title = rule.ID, rule.Title
		}
		out.Rejected = append(out.Rejected, rejection)
	}
	return out, nil
}

// parseDocument reads one document. Beside an error it returns what is known of the rule, for the
// report.
func parseDocument(doc *yaml.Node, opt Options) (*Rule, error) {
	if err := measure(doc); err != nil {
		return nil, err
	}
	pairs, err := mapping(doc, "")
	if err != nil {
		return nil, err
	}
	rule := &Rule{Line: doc.Line}
	var logsource, detection *pair
	for i, p := range pairs {
		switch p.key {
		case "logsource":
			logsource = &pairs[i]
		case "detection":
			detection = &pairs[i]
		default:
			if err := rule.setAttribute(p); err != nil {
				return rule, err
			}
		}
	}
	if err := refuseKind(pairs); err != nil {
		return rule, err
	}
	switch {
	case rule.Title == "":
		return rule, errorAt(doc.Line, "title", ReasonStructure, "missing")
	case logsource == nil:
		return rule, errorAt(doc.Line, "logsource", ReasonStructure, "missing")
	case detection == nil:
		return rule, errorAt(doc.Line, "detection", ReasonStructure, "missing")
	}
	if rule.Logsource, err = parseLogsource(logsource.value); err != nil {
		return rule, err
	}
	rule.Detection, err = parseDetection(detection.value, opt)
	return rule, err
}

// refuseKind recognises the documents that are no detection rules. Correlations and filters get
// readers of their own: this is where they will part ways.
func refuseKind(pairs []pair) error {
	for _, p := range pairs {
		switch p.key {
		case "correlation":
			return errorAt(p.line, p.key, ReasonCorrelation, "correlation rules are not supported yet")
		case "filter":
			return errorAt(p.line, p.key, ReasonFilter, "filters are not supported yet")
		case "action":
			return errorAt(p.line, p.key, ReasonCollection,
				"legacy rule collections (action: global, reset, repeat) are not supported: write whole rules")
		}
	}
	return nil
}

// levels are those of the specification, "Level".
var levels = []string{"informational", "low", "medium", "high", "critical"}

// setAttribute fills in what the rule says about itself. Unknown keys are the specification's
// "arbitrary custom fields" and are left alone.
func (r *Rule) setAttribute(p pair) (err error) {
	if dst := r.listAttribute(p.key); dst != nil {
		*dst, err = texts(p.value, p.key)
		return err
	}
	dst := r.textAttribute(p.key)
	if dst == nil {
		return nil
	}
	if *dst, err = text(p.value, p.key); err != nil {
		return err
	}
	if p.key == "level" && r.Level != "" && !slices.Contains(levels, r.Level) {
		return errorAt(p.line, p.key, ReasonStructure, "unknown level %s, want one of %s",
			quote(r.Level), strings.Join(levels, ", "))
	}
	return nil
}

func (r *Rule) textAttribute(key string) *string {
	switch key {
	case "id":
		return &r.ID
	case "name":
		return &r.Name
	case "title":
		return &r.Title
	case "status":
		return &r.Status
	case "level":
		return &r.Level
	case "author":
		return &r.Author
	case "license":
		return &r.License
	case "description":
		return &r.Description
	case "date":
		return &r.Date
	case "modified":
		return &r.Modified
	}
	return nil
}

func (r *Rule) listAttribute(key string) *[]string {
	switch key {
	case "references":
		return &r.References
	case "tags":
		return &r.Tags
	case "fields":
		return &r.Fields
	case "falsepositives":
		return &r.FalsePositives
	}
	return nil
}

func parseLogsource(n *yaml.Node) (Logsource, error) {
	var ls Logsource
	pairs, err := mapping(n, "logsource")
	if err != nil {
		return ls, err
	}
	parts := map[string]*string{"product": &ls.Product, "category": &ls.Category, "service": &ls.Service}
	for _, p := range pairs {
		dst, ok := parts[p.key]
		if !ok {
			continue // "definition" and the specification's optional elements are for humans
		}
		s, err := text(p.value, "logsource."+p.key)
		if err != nil {
			return ls, err
		}
		*dst = strings.ToLower(s)
	}
	if ls == (Logsource{}) {
		return ls, errorAt(n.Line, "logsource", ReasonStructure, "needs a product, category or service")
	}
	return ls, nil
}
