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
	// Correlations says that the reader runs correlation rules; without it they are rejected.
	Correlations bool
	// Filters says that the reader applies filters (Apply); without it they are rejected.
	Filters bool
}

// Alone is for a reader that takes each rule by itself: correlations and filters, which speak of others, are
// rejected.
func (o Options) Alone() Options {
	o.Correlations, o.Filters = false, false
	return o
}

// Collection is what one rule file holds.
type Collection struct {
	Rules        []*Rule
	Correlations []*Correlation
	Filters      []*Filter
	// Rejected lists the documents that are of no use, in the order of the file.
	Rejected []Rejection
}

// Rejection is one document that was refused.
type Rejection struct {
	// ID and Title are the rule's own, as far as they could be read.
	ID, Title string
	Line      int
	// Correlation says that it was to count hits of other rules.
	Correlation bool
	Err         *Error
}

// Parse reads a rule file: one or more YAML documents. Each document stands for itself, unless it is part
// of a legacy collection (action): a rejected one does not keep its neighbours from loading. The error is an
// *Error and says that the file as a whole cannot be read; then there are no rules.
func Parse(data []byte, opt Options) (*Collection, error) {
	docs, err := readDocuments(data)
	if err != nil {
		return nil, err
	}
	c := &collector{opt: opt}
	for _, node := range docs {
		if about, err := c.add(node); err != nil {
			c.reject(about, err)
		}
	}
	c.reset()
	return &c.out, nil
}

// document is one YAML document, taken apart as far as all kinds of documents have in common.
type document struct {
	// about is what the document says about itself.
	about *Rule
	// parts are the other keys that the specification knows.
	parts map[string]pair
}

// readDocument reads what all documents have. Beside an error it returns what is known, for the report.
func readDocument(n *yaml.Node) (*document, error) {
	doc := &document{about: &Rule{Line: n.Line}, parts: map[string]pair{}}
	pairs, err := mapping(n, "")
	if err != nil {
		return doc, err
	}
	for _, p := range pairs {
		switch p.key {
		case "logsource", "detection", "correlation", "filter", "generate":
			doc.parts[p.key] = p
		default:
			if err := doc.about.setAttribute(p); err != nil {
				return doc, err
			}
		}
	}
	return doc, nil
}

// read reads a document as what it is.
func (c *collector) read(doc *document) error {
	if p, ok := doc.parts["correlation"]; ok {
		if !c.opt.Correlations {
			return errorAt(p.line, p.key, ReasonCorrelation, "correlation rules are not supported here")
		}
		x, err := parseCorrelation(doc)
		if err == nil {
			c.out.Correlations = append(c.out.Correlations, x)
		}
		c.correlation = err != nil
		return err
	}
	if p, ok := doc.parts["filter"]; ok {
		if !c.opt.Filters {
			return errorAt(p.line, p.key, ReasonFilter, "filters are not supported here")
		}
		x, err := parseFilter(doc, c.opt)
		if err == nil {
			c.out.Filters = append(c.out.Filters, x)
		}
		return err
	}
	rule, err := parseRule(doc, c.opt)
	if err == nil {
		c.out.Rules = append(c.out.Rules, rule)
	}
	return err
}

func (c *collector) reject(about *Rule, err error) {
	rejection := Rejection{ID: about.ID, Title: about.Title, Line: about.Line, Correlation: c.correlation, Err: &Error{}}
	c.correlation = false
	if !errors.As(err, &rejection.Err) {
		rejection.Err = errorAt(about.Line, "", ReasonStructure, "%v", err)
	}
	c.out.Rejected = append(c.out.Rejected, rejection)
}

// need returns a part that must be there.
func (d *document) need(key string) (*yaml.Node, error) {
	p, ok := d.parts[key]
	if !ok {
		return nil, errorAt(d.about.Line, key, ReasonStructure, "missing")
	}
	return p.value, nil
}

// titled wants the one attribute that every document must have.
func (d *document) titled() error {
	if d.about.Title == "" {
		return errorAt(d.about.Line, "title", ReasonStructure, "missing")
	}
	return nil
}

func parseRule(doc *document, opt Options) (*Rule, error) {
	rule := doc.about
	if err := doc.titled(); err != nil {
		return nil, err
	}
	logsource, err := doc.need("logsource")
	if err != nil {
		return nil, err
	}
	detection, err := doc.need("detection")
	if err != nil {
		return nil, err
	}
	if rule.Logsource, err = parseLogsource(logsource); err != nil {
		return nil, err
	}
	rule.Detection, err = parseDetection(detection, opt)
	return rule, err
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
