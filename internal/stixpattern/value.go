package stixpattern

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strings"
	"time"
)

// Object is one observable as its JSON says: string, int64, float64, bool, nil, []any and map[string]any.
// It has a "type", and an "id" where something refers to it.
type Object = map[string]any

// Objects are the observables of one observation; references are followed inside it alone (section 9.7). They
// are for one goroutine.
type Objects struct {
	byType map[string][]Object
	byID   map[string]Object
	work   *int64
}

// Work is what evaluating patterns on the objects has cost so far: one for a value compared, and for MATCHES
// and LIKE as much more as expression and text are long.
func (all Objects) Work() int64 {
	if all.work == nil {
		return 0
	}
	return *all.work
}

func (all Objects) spend(n int64) {
	if all.work != nil {
		*all.work += n
	}
}

// NewObjects takes the observables of one observation, and others that are only referred to: they are no
// observables by themselves. All are only read.
func NewObjects(list []Object, referred ...Object) Objects {
	out := Objects{work: new(int64), byType: map[string][]Object{}, byID: make(map[string]Object, len(list)+len(referred))}
	for _, o := range referred {
		if id, ok := o["id"].(string); ok {
			out.byID[id] = o
		}
	}
	for _, o := range list {
		typ, _ := o["type"].(string)
		out.byType[typ] = append(out.byType[typ], o)
		if id, ok := o["id"].(string); ok {
			out.byID[id] = o
		}
	}
	return out
}

// each calls yield with every value that steps lead to from a value, until it returns false; it returns
// false then. A step that cannot be taken leads nowhere.
func (all Objects) each(value any, steps []Step, yield func(any) bool) bool {
	if len(steps) == 0 {
		return yield(value)
	}
	step, rest := steps[0], steps[1:]
	if step.IsIndex {
		list, _ := value.([]any)
		if !step.Any {
			if step.Index < 0 || step.Index >= int64(len(list)) {
				return true
			}
			list = list[step.Index : step.Index+1]
		}
		for _, item := range list {
			if item != unresolved && !all.each(item, rest, yield) {
				return false
			}
		}
		return true
	}
	object, _ := value.(Object)
	next, ok := object[step.Property]
	if !ok {
		return true
	}
	if next = all.property(step.Property, next); next == unresolved {
		return true
	}
	return all.each(next, rest, yield)
}

// nothing is the type of unresolved.
type nothing struct{}

// unresolved stands for a reference that leads to no object of the observation, and for an encoding that
// cannot be decoded. It keeps its place in a list, so that indexes count what the list has.
var unresolved any = nothing{}

// property reads what a property's name says about its value (sections 3 and 9.7): binary values are
// decoded, references followed.
func (all Objects) property(name string, value any) any {
	text, isText := value.(string)
	switch {
	case strings.HasSuffix(name, "_hex") && isText:
		return decoded(hex.DecodeString(text))
	case strings.HasSuffix(name, "_bin") && isText:
		return decoded(base64.StdEncoding.DecodeString(text))
	case strings.HasSuffix(name, "_ref"):
		return all.reference(value)
	case strings.HasSuffix(name, "_refs"):
		list, ok := value.([]any)
		if !ok {
			return unresolved
		}
		out := make([]any, len(list))
		for i, item := range list {
			out[i] = all.reference(item)
		}
		return out
	}
	return value
}

func decoded(b []byte, err error) any {
	if err != nil {
		return unresolved
	}
	return b
}

func (all Objects) reference(value any) any {
	id, _ := value.(string)
	if o, ok := all.byID[id]; ok {
		return o
	}
	return unresolved
}

// order compares a value with a literal; ok is false where their types cannot be compared (section 9.6).
func order(value any, l *Literal) (order int, ok bool) {
	switch l.Kind {
	case Int:
		switch v := value.(type) {
		case int64:
			return cmp.Compare(v, l.Int), true
		case float64:
			return -compareMixed(l.Int, v), true
		}
	case Float:
		switch v := value.(type) {
		case int64:
			return compareMixed(v, l.Float), true
		case float64:
			return cmp.Compare(v, l.Float), true
		}
	case Bool:
		if v, is := value.(bool); is && v == l.Bool {
			return 0, true
		}
		return 1, false
	case Timestamp:
		if text, is := value.(string); is {
			t, good := timestamp(text)
			return compareTimes(t, l.Time), good
		}
	case String:
		switch v := value.(type) {
		case string:
			return strings.Compare(v, l.Text), true
		case []byte:
			b, good := latin1(l.Text)
			return bytes.Compare(v, b), good
		}
	case Hex, Binary:
		switch v := value.(type) {
		case string:
			b, good := latin1(v)
			return bytes.Compare(b, l.Bytes), good
		case []byte:
			return bytes.Compare(v, l.Bytes), true
		}
	}
	return 1, false
}

func compareTimes(a, b time.Time) int { return a.Compare(b) }

// compareMixed compares exactly where converting the integer would round it.
func compareMixed(i int64, f float64) int {
	switch {
	case math.IsNaN(f) || f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	if c := cmp.Compare(i, int64(f)); c != 0 {
		return c
	}
	return cmp.Compare(0, f-math.Trunc(f))
}

// latin1 gives a text's code points as bytes; text with others cannot be compared with binary values.
func latin1(text string) ([]byte, bool) {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, false
		}
		out = append(out, byte(r))
	}
	return out, true
}

// fromLatin1 gives bytes as text of the same code points, so that text operators can read them.
func fromLatin1(b []byte) string {
	var out strings.Builder
	for _, c := range b {
		out.WriteRune(rune(c))
	}
	return out.String()
}
