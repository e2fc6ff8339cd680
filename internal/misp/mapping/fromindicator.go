package mapping

import (
	"regexp"
	"strconv"
	"strings"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
	"shieldwall/internal/stixpattern"
)

// category is an object's own where a label has it.
func category(typ string, o *stix.Object) string {
	if c := labelled(o, "category"); c != "" {
		return c
	}
	if c := categories[typ]; c != "" {
		return c
	}
	return "Payload delivery"
}

// forms are those that MISP holds values of some types to.
var forms = map[string]*regexp.Regexp{
	"domain": domainForm, "hostname": domainForm, "email": emailForm, "email-src": emailForm, "email-dst": emailForm,
	"vulnerability": regexp.MustCompile(`(?i)^(CVE-\d{4}-\d{4,}|GHSA(-[23456789cfghjmpqrvwx]{4}){3})$`),
}

var (
	domainForm = regexp.MustCompile(`(?i)^[A-Z0-9.\-_]+\.[A-Z0-9\-]{2,}$`)
	emailForm  = regexp.MustCompile(`^.\S*@.*\..*$`)
)

// takes says whether MISP takes a value as one of a type.
func takes(typ, text string) bool {
	form := forms[typ]
	return text != "" && len(text) <= longest && (form == nil || form.MatchString(text))
}

// longest is what MISP keeps of a value: its column is a TEXT of MySQL and cuts the rest off.
const longest = 65535

// value is one attribute in the making.
type value struct{ typ, text string }

// indicator makes attributes of an indicator.
func (x *exporter) indicator(e *eventInMaking, o *stix.Object) {
	if isObject(o) {
		x.keptObject(e, o)
		return
	}
	var values []value
	switch o.PatternType {
	case "stix":
		parsed, err := stixpattern.Parse(o.Pattern)
		if err != nil { // widely used data has such (section 9.3), and no one can look for it
			e.Losses.Add(o.ID, "its pattern is none: "+err.Error())
			return
		}
		values = fromPattern(o, parsed)
	case "sigma", "yara", "snort", "suricata":
		values = []value{{o.PatternType, o.Pattern}}
	default:
		e.Losses.Add(o.ID, "MISP has no type for patterns of "+misp.Shown(o.PatternType))
		return
	}
	for _, v := range values {
		if v.text == "" || len(v.text) > longest {
			e.Losses.Addf(o.ID, "a value of %d bytes: MISP keeps 1 to %d", len(v.text), longest)
			return
		}
	}
	comment := o.Text("description")
	if comment == "" && len(values) == 1 && o.Name != values[0].text {
		comment = o.Name
	} else if o.Name != "" && o.Name != values[0].text {
		e.Losses.Add(o.ID, "its name "+misp.Shown(o.Name)+": an attribute has none")
	}
	created, modified := times(o)
	for i, v := range values {
		a := misp.Attribute{UUID: uuidIn(o.ID), Type: v.typ, Value: v.text, Category: category(v.typ, o), ToIDs: true, Comment: comment}
		if len(values) > 1 {
			a.UUID = derived(o.ID, v.typ, v.text)
		}
		if from, err := stix.ParseTime(o.ValidFrom); err == nil && !from.Equal(created) && !from.Equal(modified) {
			a.FirstSeen = from
		}
		if until, err := stix.ParseTime(o.ValidUntil); err == nil && i == 0 {
			a.Sightings = append(a.Sightings, misp.Sighting{UUID: derived(o.ID, "valid_until", o.ValidUntil), Type: misp.Expired, Time: until,
				Source: "valid_until"})
		}
		x.add(e, o, a)
	}
	if author := o.Text("x_shieldwall_author"); author != "" && !strings.Contains(o.Pattern, author) {
		e.Losses.Add(o.ID, "the rule's author "+misp.Shown(author))
	}
}

// fromPattern gives the attributes that mean what a pattern asks for, or the pattern itself as one.
func fromPattern(o *stix.Object, parsed stixpattern.Observation) []value {
	// What came from MISP says which type it was, and its value is its name.
	if typ := labelled(o, "type"); typ != "" && asks(value{typ, o.Name}, parsed) {
		return []value{{typ, o.Name}}
	}
	var out []value
	for _, c := range alternatives(parsed) {
		v, ok := valueOf(c)
		if !ok {
			return []value{{"stix2-pattern", o.Pattern}}
		}
		out = append(out, v...)
	}
	if len(out) == 0 {
		return []value{{"stix2-pattern", o.Pattern}}
	}
	return out
}

// asks says whether an attribute becomes this very pattern.
func asks(v value, want stixpattern.Observation) bool {
	r, known, err := read(&misp.Attribute{Type: v.typ, Value: v.text})
	return known && err == nil && r.asked.pattern() == stixpattern.Format(want)
}

// alternatives are what is joined by OR in a pattern, nil where it says more.
func alternatives(o stixpattern.Observation) []stixpattern.Comparison {
	switch o := o.(type) {
	case *stixpattern.Test:
		if l, ok := o.Comparison.(*stixpattern.Logical); ok && l.Or {
			return l.Operands
		}
		return []stixpattern.Comparison{o.Comparison}
	case *stixpattern.Combined:
		if o.Op != stixpattern.ObserveOr {
			return nil
		}
		var out []stixpattern.Comparison
		for _, operand := range o.Operands {
			more := alternatives(operand)
			if more == nil {
				return nil
			}
			out = append(out, more...)
		}
		return out
	}
	return nil
}

// plainTypes are the attribute types of single comparisons.
var plainTypes = map[string]string{
	"ipv4-addr:value": "ip-dst", "ipv6-addr:value": "ip-dst", "domain-name:value": "domain", "url:value": "url",
	"email-addr:value": "email", "file:name": "filename", "file:size": "size-in-bytes", "mutex:name": "mutex", "mac-addr:value": "mac-address",
	"windows-registry-key:key": "regkey", "autonomous-system:number": "AS", "email-message:subject": "email-subject",
	"email-message:body": "email-body", "email-message:message_id": "email-message-id", "email-message:from_ref.value": "email-src",
	"email-message:to_refs[*].value": "email-dst", "email-message:additional_header_fields.'Reply-To'": "email-reply-to",
	"email-message:additional_header_fields.'X-Mailer'":                         "email-x-mailer",
	"network-traffic:dst_port":                                                  "port",
	"network-traffic:src_ref.value":                                             "ip-src",
	"network-traffic:dst_ref.value":                                             "ip-dst",
	"network-traffic:extensions.'http-request-ext'.request_method":              "http-method",
	"network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'": "user-agent",
	"x509-certificate:hashes.MD5":                                               "x509-fingerprint-md5", "x509-certificate:hashes.'SHA-1'": "x509-fingerprint-sha1",
	"x509-certificate:hashes.'SHA-256'": "x509-fingerprint-sha256",
}

// hashTypes is hashNames the other way, and the other spellings that patterns have.
var hashTypes = func() map[string]string {
	out := map[string]string{}
	for typ, name := range hashNames {
		out[strings.ToLower(name)] = typ
		out[strings.ToLower(strings.ReplaceAll(name, "-", ""))] = typ
	}
	return out
}()

// valueOf gives the attributes of one alternative.
func valueOf(c stixpattern.Comparison) ([]value, bool) {
	switch c := c.(type) {
	case *stixpattern.Compare:
		return fromCompare(c)
	case *stixpattern.Logical:
		if !c.Or {
			v, ok := together(c)
			return []value{v}, ok
		}
		var out []value
		for _, operand := range c.Operands {
			v, ok := valueOf(operand)
			if !ok {
				return nil, false
			}
			out = append(out, v...)
		}
		return out, true
	}
	return nil, false
}

func fromCompare(c *stixpattern.Compare) ([]value, bool) {
	address := c.Path.Type == "ipv4-addr" || c.Path.Type == "ipv6-addr"
	if c.Negated || c.Op != stixpattern.Equal && c.Op != stixpattern.In && (c.Op != stixpattern.IsSubset || !address) {
		return nil, false
	}
	typ := plainTypes[c.Path.String()]
	if steps := c.Path.Steps; c.Path.Type == "file" && len(steps) == 2 && steps[0].Property == "hashes" {
		typ = hashTypes[strings.ToLower(steps[1].Property)]
	}
	if typ == "" {
		return nil, false
	}
	var out []value
	for _, l := range c.Values {
		text, ok := literalText(l)
		if !ok {
			return nil, false
		}
		if typ == "AS" {
			text = "AS" + text
		}
		if _, _, err := read(&misp.Attribute{Type: typ, Value: text}); err != nil || !takes(typ, text) {
			return nil, false
		}
		out = append(out, value{typ, text})
	}
	return out, len(out) > 0
}

func literalText(l stixpattern.Literal) (string, bool) {
	switch l.Kind {
	case stixpattern.String:
		return l.Text, l.Text != ""
	case stixpattern.Int:
		return strconv.FormatInt(l.Int, 10), true
	}
	return "", false
}

// composites are the types of two values that are looked for together.
var composites = []string{"ip-dst|port", "ip-src|port", "regkey|value", "filename", "filename|imphash", "filename|ssdeep", "filename|tlsh",
	"filename|authentihash", "filename|vhash", "filename|impfuzzy", "filename|pehash"}

// together gives the composite attribute that means all of a conjunction, if there is one.
func together(c *stixpattern.Logical) (value, bool) {
	var texts []string
	for _, operand := range c.Operands {
		compare, ok := operand.(*stixpattern.Compare)
		if !ok || len(compare.Values) != 1 || compare.Op != stixpattern.Equal || compare.Negated {
			return value{}, false
		}
		text, ok := literalText(compare.Values[0])
		if !ok {
			return value{}, false
		}
		texts = append(texts, text)
	}
	want := &stixpattern.Test{Comparison: c}
	for _, text := range spellings(texts) {
		for _, typ := range composites {
			if v := (value{typ, text}); asks(v, want) {
				return v, true
			}
		}
	}
	return value{}, false
}

// spellings are the composite values that two or three texts can be parts of: with a bar, or as a path.
func spellings(texts []string) []string {
	var out []string
	join := func(folder, name string) []string {
		if strings.HasSuffix(folder, `\`) || strings.HasSuffix(folder, "/") {
			return []string{folder + name}
		}
		if strings.Contains(folder, "/") {
			return []string{folder + "/" + name, folder + `\` + name}
		}
		return []string{folder + `\` + name, folder + "/" + name}
	}
	switch len(texts) {
	case 2:
		a, b := texts[0], texts[1]
		out = append(out, a+"|"+b, b+"|"+a)
		out = append(append(out, join(a, b)...), join(b, a)...)
	case 3: // a hash, a name, a folder
		for i, hash := range texts {
			for _, p := range append(join(texts[(i+1)%3], texts[(i+2)%3]), join(texts[(i+2)%3], texts[(i+1)%3])...) {
				out = append(out, p+"|"+hash)
			}
		}
	}
	return out
}
