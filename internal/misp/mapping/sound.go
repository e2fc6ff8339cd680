package mapping

import (
	"slices"
	"strconv"
	"strings"

	"shieldwall/internal/stix"
	"shieldwall/internal/stixcheck"
)

// maxRepairs is how often an object is made again without one small part of it; from then on whole properties go, of
// which there are few. An event may have any number of values that the specification does not allow.
const maxRepairs = 20

// sound makes an object until it breaks no MUST of the specification: MISP takes values that STIX does not. What breaks
// one is omitted, as little as there can be, and told in lost. Where nothing can be omitted there is no object, and
// the error says what the object could not be without.
func sound(encode func() ([]byte, error), omit func(path []string) bool) (raw []byte, lost stix.Problems, err error) {
	for {
		if raw, err = encode(); err != nil {
			return nil, nil, err
		}
		o, err := stix.Parse(raw, stix.Limits{})
		if err != nil {
			return nil, nil, err
		}
		found := stixcheck.Object(o, stix.Tolerated)
		if len(found) == 0 {
			return raw, lost, nil
		}
		p := found[0]
		p.Object = ""
		path := strings.Split(p.Property, ".") // names have no dots (sections 2.3 and 3.1)
		if len(lost) >= maxRepairs {
			path = path[:1]
		}
		if !omit(path) {
			if len(lost) > 0 {
				p = lost[len(lost)-1] // without which something is missing now
			}
			return nil, nil, p
		}
		lost = append(lost, p)
	}
}

// without are properties without what a path leads to, or as much of the path as there is.
func without(properties []stix.Property, path []string) (rest []stix.Property, found bool) {
	i := slices.IndexFunc(properties, func(p stix.Property) bool { return p.Name == path[0] })
	if i < 0 {
		return properties, false
	}
	rest = slices.Clone(properties)
	if value := remainder(rest[i].Value, path[1:]); value != nil {
		rest[i].Value = value
		return rest, true
	}
	return slices.Delete(rest, i, i+1), true
}

// remainder is a value without what a path leads to inside of it, nil where nothing is to remain.
func remainder(value any, path []string) any {
	if len(path) == 0 {
		return nil
	}
	switch v := value.(type) {
	case stix.Dict:
		if rest, found := without(v, path); found && len(rest) > 0 {
			return stix.Dict(rest)
		}
	case []stix.Dict:
		i, is := element(path[0], len(v))
		if !is {
			return nil
		}
		if d, some := remainder(v[i], path[1:]).(stix.Dict); some {
			list := slices.Clone(v)
			list[i] = d
			return list
		}
		if len(v) > 1 {
			return slices.Delete(slices.Clone(v), i, i+1)
		}
	case []string:
		if i, is := element(path[0], len(v)); is && len(v) > 1 {
			return slices.Delete(slices.Clone(v), i, i+1)
		}
	}
	return nil
}

// element reads a list's index as problems write it.
func element(step string, n int) (int, bool) {
	i, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(step, "["), "]"))
	return i, err == nil && 0 <= i && i < n
}

// omit leaves out a part of a draft that it can be without. Its marking is none.
func (d *draft) omit(path []string) bool {
	switch path[0] {
	case "labels":
		d.Labels = nil
	case "external_references":
		if len(path) > 1 {
			if i, is := element(path[1], len(d.External)); is {
				d.External = slices.Delete(slices.Clone(d.External), i, i+1)
				return true
			}
		}
		d.External = nil
	default:
		var found bool
		d.properties, found = without(d.properties, path)
		return found
	}
	return true
}
