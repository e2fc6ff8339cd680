package mapping

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// What STIX does not allow is left out, as little as there can be, and told.
func TestUnsound(t *testing.T) {
	object := func(name string, list ...dict) dict {
		return dict{"Object": []dict{{"name": name, "meta-category": "file", "uuid": uuidOf(50), "timestamp": "1714567800", "distribution": "5", "Attribute": list}}}
	}
	part := func(n int, relation, typ, value string) dict {
		return attribute(n, typ, value, false, dict{"object_relation": relation})
	}
	for _, s := range []struct {
		name  string
		event dict
		has   []string // types of what is made
		said  []string // in it
		not   []string
		lost  string
	}{
		{"a URL that is none is kept as it is", dict{"Attribute": []dict{attribute(1, "uri", "/a/b", false)}},
			[]string{"x-misp-attribute"}, []string{`"x_misp_value":"/a/b"`}, []string{`"type":"url"`}, `no url: value: "/a/b" is no URI of RFC 3986 (STIX 2.1, section 3.2): kept as it is`},
		{"a file without a hash of the wrong form", object("file", part(1, "filename", "filename", "a.exe"), part(2, "ssdeep", "ssdeep", "1"), part(3, "md5", "md5", hexOf(32))),
			[]string{"file", "observed-data"}, []string{`"hashes":{"MD5":"` + hexOf(32) + `"}`}, []string{`"SSDEEP"`}, `not said of its file: hashes.SSDEEP: "1" is no value`},
		{"hashes that are all of the wrong form", object("file", part(1, "filename", "filename", "a.exe"), part(2, "ssdeep", "ssdeep", "1"), part(3, "tlsh", "tlsh", "1")),
			[]string{"file", "observed-data"}, nil, []string{`"hashes"`}, "hashes.TLSH"},
		{"a file without an unknown character set", object("file", part(1, "filename", "filename", "a.exe"), part(2, "file-encoding", "text", "none")),
			[]string{"file", "observed-data"}, nil, []string{`"name_enc"`}, "name_enc"},
		{"a file that nothing is left of", object("file", part(1, "ssdeep", "ssdeep", "1")),
			[]string{"x-misp-object"}, []string{`"value":"1"`}, []string{`"type":"file"`}, "no file: hashes.SSDEEP"},
		{"a mail without a bad address", object("email", part(1, "from", "email-src", "nobody"), part(2, "to", "email-dst", "nobody either"), part(3, "subject", "email-subject", "hi")),
			[]string{"email-message", "observed-data"}, []string{`"subject":"hi"`}, []string{`"from_ref"`, `"to_refs"`, `"email-addr"`}, `not said of its email-addr: value: "nobody" is no addr-spec`},
		{"a reference that is no URL", object("vulnerability", part(1, "id", "vulnerability", "CVE-2021-44228"), part(2, "references", "link", "no url"), part(3, "references", "link", "https://b.example/")),
			[]string{"vulnerability"}, []string{`"external_id":"CVE-2021-44228"`, `"url":"https://b.example/"`}, []string{`"url":"no url"`}, `left out: external_references.[1].url`},
	} {
		r := toSTIX(t, mispEvent(s.event), Options{})
		valid(t, r)
		var all strings.Builder
		var types []string
		for _, o := range r.Objects {
			if typ := stix.TypeOf(o.ID); typ != "identity" && typ != "report" && typ != "grouping" {
				types = append(types, typ)
			}
			fmt.Fprintf(&all, "%s\n", o.Raw)
		}
		slices.Sort(types)
		if !slices.Equal(types, s.has) {
			t.Errorf("%s: %v", s.name, types)
		}
		for _, text := range s.said {
			if !strings.Contains(all.String(), text) {
				t.Errorf("%s: %s is not in\n%s", s.name, text, &all)
			}
		}
		for _, text := range s.not {
			if strings.Contains(all.String(), text) {
				t.Errorf("%s: %s is in\n%s", s.name, text, &all)
			}
		}
		if !slices.ContainsFunc(r.Losses.List, func(l misp.Loss) bool { return l.Path != "" && strings.Contains(l.Why, s.lost) }) {
			t.Errorf("%s: losses %v", s.name, r.Losses.List)
		}
	}
}

// Repairs are bounded: of very many bad references all go at once, and the object stays.
func TestManyUnsound(t *testing.T) {
	list := []dict{attribute(0, "vulnerability", "CVE-2021-44228", false, dict{"object_relation": "id"})}
	for i := range 5 * maxRepairs {
		list = append(list, attribute(i+1, "link", fmt.Sprintf("no url %d", i), false, dict{"object_relation": "references"}))
	}
	r := toSTIX(t, mispEvent(dict{"Object": []dict{{"name": "vulnerability", "uuid": uuidOf(500), "timestamp": "1714567800", "distribution": "5", "Attribute": list}}}), Options{})
	valid(t, r)
	o := object(t, r, "vulnerability--"+uuidOf(500))
	if o.Name != "CVE-2021-44228" || len(r.Losses.List) < maxRepairs {
		t.Errorf("%s\n%v", o.Raw, r.Losses.List)
	}
}

// Headers are lists, and a single text of others is read as well.
func TestHeaders(t *testing.T) {
	r := toSTIX(t, mispEvent(dict{"Object": []dict{{"name": "email", "meta-category": "network", "uuid": uuidOf(50), "timestamp": "1714567800", "distribution": "5",
		"Attribute": []dict{attribute(1, "email-reply-to", "r@b.example", false, dict{"object_relation": "reply-to"})}}},
		"Attribute": []dict{attribute(2, "email-x-mailer", "m", false)}}), Options{})
	valid(t, r)
	for _, want := range []string{`"additional_header_fields":{"Reply-To":["r@b.example"]}`, `"additional_header_fields":{"X-Mailer":["m"]}`} {
		if !slices.ContainsFunc(r.Objects, func(s Shared) bool { return strings.Contains(string(s.Raw), want) }) {
			t.Errorf("nothing has %s", want)
		}
	}
	for _, value := range []string{`"m"`, `["m"]`, `["m","n"]`} {
		o := parsed(t, []byte(`{"type":"email-message","spec_version":"2.1","id":"email-message--`+uuidOf(1)+`","is_multipart":false,"subject":"s","additional_header_fields":{"X-Mailer":`+value+`}}`))
		x := &exporter{}
		got := x.at(o, templates["email"].rows["x-mailer"].path, told{})
		if want := strings.Split(strings.Trim(value, `[]"`), `","`); !slices.Equal(got, want) {
			t.Errorf("%s: %q", value, got)
		}
	}
}
