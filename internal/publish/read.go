package publish

import (
	"bytes"
	"errors"
	"path"
	"strings"

	"shieldwall/internal/stix"
)

// read turns a file into candidates.
func (j *judge) read(item Item) error {
	if isJSON(item) {
		j.readSTIX(item)
		return nil
	}
	return j.readSigma(item)
}

// isJSON tells STIX from Sigma: by the name's ending, else by the first byte.
func isJSON(item Item) bool {
	switch strings.ToLower(path.Ext(item.Name)) {
	case ".json":
		return true
	case ".yml", ".yaml":
		return false
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(item.Data, []byte("\ufeff")), " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[')
}

func (j *judge) readSTIX(item Item) {
	objects, err := stix.ParseBundle(item.Data, stix.Limits{})
	if err == nil {
		for _, o := range objects {
			j.add(o, item.Name)
		}
		if len(objects) == 0 {
			j.problem(&candidate{file: item.Name, o: &stix.Object{}}, "", "a bundle without objects")
		}
		return
	}
	var problems stix.Problems
	if !errors.As(err, &problems) {
		j.problem(&candidate{file: item.Name, o: &stix.Object{}}, "", err.Error())
		return
	}
	for _, p := range problems {
		j.problem(&candidate{file: item.Name, o: &stix.Object{ID: p.Object}}, p.Property, message(p))
	}
}

// message is a broken rule's text without what the problem says anyway.
func message(p stix.Problem) string {
	p.Object, p.Property = "", ""
	return p.Error()
}
