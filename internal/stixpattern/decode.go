package stixpattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// MaxData bounds what Decode reads, in bytes.
	MaxData = 64 << 20
	// maxNesting bounds how deep values are nested. No property of STIX comes near.
	maxNesting = 64
)

// Decode reads observed-data objects, in the order they come in, with what they observed: STIX 2.1, where
// object_refs name observables of the same data, and STIX 2.0, which has them inside. The data are bundles,
// objects, or lists of them. Other objects are passed over.
func Decode(data []byte) ([]Observed, error) {
	if len(data) > MaxData {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(data), MaxData)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	d := decoder{byID: map[string]Object{}}
	for {
		var value any
		if err := dec.Decode(&value); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("observed data: %w", err)
		}
		if err := d.value(value); err != nil {
			return nil, fmt.Errorf("observed data: %w", err)
		}
	}
	return d.finish()
}

type decoder struct {
	observed []Object
	byID     map[string]Object
}

func (d *decoder) value(value any) error {
	value, err := plain(value, 0)
	if err != nil {
		return err
	}
	d.collect(value)
	return nil
}

func (d *decoder) collect(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			d.collect(item)
		}
	case Object:
		switch v["type"] {
		case "bundle":
			d.collect(v["objects"])
		case "observed-data":
			d.observed = append(d.observed, v)
		default:
			if id, ok := v["id"].(string); ok {
				d.byID[id] = v
			}
		}
	}
}

func (d *decoder) finish() ([]Observed, error) {
	out := make([]Observed, 0, len(d.observed))
	for _, v := range d.observed {
		o, err := d.one(v)
		if err != nil {
			return nil, fmt.Errorf("observed data %v: %w", v["id"], err)
		}
		out = append(out, o)
	}
	return out, nil
}

func (d *decoder) one(v Object) (out Observed, err error) {
	if out.First, err = timeOf(v, "first_observed"); err != nil {
		return out, err
	}
	if out.Last, err = timeOf(v, "last_observed"); err != nil {
		return out, err
	}
	if out.Last.Before(out.First) {
		return out, errors.New("last_observed is before first_observed")
	}
	number, ok := v["number_observed"].(int64)
	if !ok || number < 1 || number > MaxNumberObserved {
		return out, fmt.Errorf("number_observed: want 1 to %d", MaxNumberObserved)
	}
	out.Number = number
	var list []Object
	if inside, ok := v["objects"].(Object); ok { // STIX 2.0
		for id, o := range inside {
			if o, ok := o.(Object); ok {
				o["id"] = id
				list = append(list, o)
			}
		}
	}
	refs, _ := v["object_refs"].([]any)
	seen := map[string]bool{}
	for _, ref := range refs {
		id, _ := ref.(string)
		if o, ok := d.byID[id]; ok && !seen[id] {
			seen[id] = true
			list = append(list, o)
		}
	}
	out.Objects = NewObjects(list)
	return out, nil
}

func timeOf(v Object, name string) (time.Time, error) {
	text, _ := v[name].(string)
	t, ok := timestamp(text)
	if !ok {
		return t, fmt.Errorf("%s: want a timestamp of the form 2006-01-02T15:04:05.999Z", name)
	}
	return t, nil
}

// plain gives numbers their types: whole ones are int64 where they fit.
func plain(value any, depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested deeper than %d", maxNesting)
	}
	var err error
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case []any:
		for i := range v {
			if v[i], err = plain(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = plain(v[key], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}
