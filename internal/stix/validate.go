package stix

import "strings"

// Validate checks the MUSTs that the table knows. It returns Problems, or nil.
func (o *Object) Validate() error { return o.problems().err() }

// Usable is Validate without what is tolerated: what a gate asks.
func (o *Object) Usable() error { return o.problems().fatal().err() }

func (o *Object) problems() Problems {
	v := validation{o: o, spec: specOf(o.Type)}
	v.identity()
	v.required()
	v.fields(common, "3.2")
	v.fields(v.spec.fields, v.spec.section)
	v.versions()
	for _, c := range v.spec.checks {
		if property, msg := c(o); msg != "" {
			v.add(property, msg, v.spec.section)
		}
	}
	return v.problems
}

type validation struct {
	o        *Object
	spec     spec
	problems Problems
}

func (v *validation) add(property, msg, section string) {
	v.problems.add(Problem{Object: v.o.ID, Property: property, Msg: msg, Section: section})
}

// identity checks type and id, which everything else stands on.
func (v *validation) identity() {
	switch {
	case v.o.Type == "":
		v.add("type", "missing or not a string", "3.2")
	case v.o.Type == "bundle":
		v.add("type", "a bundle is not an object", "8")
	case !isType(v.o.Type):
		v.add("type", shown(v.o.Type)+" is not a type: 3 to 250 of a-z, 0-9 and single dashes", "3.1")
	}
	switch {
	case v.o.ID == "":
		v.add("id", "missing or not a string", "3.2")
	case !IsID(v.o.ID):
		v.add("id", shown(v.o.ID)+" is not type--UUID", "2.9")
	case TypeOf(v.o.ID) != v.o.Type:
		v.add("id", "must begin with the object's type "+shown(v.o.Type), "2.9")
	}
}

// required checks the common properties that the object's class demands (section 3.2).
func (v *validation) required() {
	var names []string
	switch v.spec.class {
	case domain, relation, meta:
		names = []string{"spec_version", "created", "modified"}
	case marking:
		names = []string{"spec_version"}
	}
	for _, name := range names {
		if _, ok := v.o.Property(name); !ok {
			v.add(name, "missing", "3.2")
		}
	}
	// Later versions of STIX may come under other numbers; 2.0 lacks half of what we rely on.
	if s := v.o.SpecVersion; s != "" && s != "2.1" {
		v.add("spec_version", shown(s)+" is not 2.1", "3.2")
	}
}

func (v *validation) fields(list []field, section string) {
	for _, f := range list {
		value, ok := v.o.Property(f.name)
		if !ok {
			if f.need != optional {
				v.problems.add(Problem{Object: v.o.ID, Property: f.name, Msg: "missing", Section: section,
					Tolerated: f.need == tolerated})
			}
			continue
		}
		if msg := f.kind(value); msg != "" {
			v.add(f.name, msg, section)
		}
	}
}

// versions checks that no version is older than its object (section 3.6).
func (v *validation) versions() {
	created, modified := SortKey(v.o.Created), SortKey(v.o.Modified)
	if created != "" && modified != "" && modified < created {
		v.add("modified", "is before created", "3.2")
	}
}

// check is a rule between properties: the property to blame and what is wrong, or "".
type check func(o *Object) (property, msg string)

func checks(list ...check) []check { return list }

// after wants property to be later than than, where both are there.
func after(property, than string) check {
	return func(o *Object) (string, string) {
		a, b := SortKey(o.Text(property)), SortKey(o.Text(than))
		if a != "" && b != "" && a <= b {
			return property, "must be later than " + than
		}
		return "", ""
	}
}

// notBefore wants property to be equal to or later than than, where both are there.
func notBefore(property, than string) check {
	return func(o *Object) (string, string) {
		a, b := SortKey(o.Text(property)), SortKey(o.Text(than))
		if a != "" && b != "" && a < b {
			return property, "must not be before " + than
		}
		return "", ""
	}
}

func present(o *Object, name string) bool {
	_, ok := o.Property(name)
	return ok
}

func has(name string) check {
	return func(o *Object) (string, string) {
		if !present(o, name) {
			return name, "missing"
		}
		return "", ""
	}
}

func oneOf(names ...string) check {
	return func(o *Object) (string, string) {
		for _, n := range names {
			if present(o, n) {
				return "", ""
			}
		}
		return names[0], "one of " + strings.Join(names, ", ") + " must be there"
	}
}

func exclusive(a, b string) check {
	return func(o *Object) (string, string) {
		if present(o, a) && present(o, b) {
			return a, "must not be there together with " + b
		}
		return "", ""
	}
}

func needs(a, b string) check {
	return func(o *Object) (string, string) {
		if present(o, a) && !present(o, b) {
			return b, "must be there where " + a + " is"
		}
		return "", ""
	}
}

func never(names ...string) check {
	return func(o *Object) (string, string) {
		for _, n := range names {
			if present(o, n) {
				return n, "must not be there: this type has no versions"
			}
		}
		return "", ""
	}
}

// familyName: a malware family must have a name (section 4.11.1).
func familyName(o *Object) (string, string) {
	if family, _ := o.Property("is_family"); string(family) == "true" && !present(o, "name") {
		return "name", "missing, and is_family is true"
	}
	return "", ""
}

// definition: a marking carries definition and definition_type, or an extension instead (section 7.2.1).
func definition(o *Object) (string, string) {
	switch {
	case present(o, "extensions"):
		return "", ""
	case !present(o, "definition_type"):
		return "definition_type", "missing, and there are no extensions"
	case !present(o, "definition"):
		return "definition", "missing, and there are no extensions"
	}
	def, _ := o.Property("definition")
	if o.Text("definition_type") == "statement" && !record(def, "statement") {
		return "definition.statement", "missing or not a string"
	}
	return "", ""
}
