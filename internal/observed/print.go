package observed

import (
	"fmt"
	"io"
	"strings"
)

// Table prints the map from object paths to fields, a line for each path of each observable.
func Table(w io.Writer) error {
	for i := range roles {
		r, name := &roles[i], roles[i].name
		if r.referred {
			name += " (by reference)"
		}
		for _, p := range r.properties {
			if _, err := fmt.Fprintf(w, "%s:%s\t%s\t%s\n", r.typ, showPath(p), name, showFields(p.fields)); err != nil {
				return err
			}
		}
		for _, ref := range r.references {
			if _, err := fmt.Fprintf(w, "%s:%s\t%s\t-> %s\n", r.typ, ref.name, name, strings.Join(ref.roles, ", ")); err != nil {
				return err
			}
		}
	}
	return nil
}

func showPath(p property) string {
	out := ""
	for i, key := range p.path {
		switch {
		case key == "*":
			out += "[*]"
		case strings.Contains(key, "-"):
			out += "." + "'" + key + "'"
		default:
			out += "." + key
		}
		if i == 0 {
			out = strings.TrimPrefix(out, ".")
		}
	}
	if p.fields[0].read == hashList {
		out += ".'...'"
	}
	return out
}

func showFields(fields []field) string {
	var names []string
	for _, f := range fields {
		name := f.name
		if len(f.when) > 0 {
			name += " (beside " + strings.Join(f.when, ", ") + ")"
		}
		if len(f.unless) > 0 {
			name += " (without " + strings.Join(f.unless, ", ") + ")"
		}
		names = append(names, name)
	}
	out := strings.Join(names, ", ")
	if how := fields[0].read.String(); how != "" {
		out += ": " + how
	}
	return out
}
