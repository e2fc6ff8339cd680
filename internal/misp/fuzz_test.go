package misp

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Seeds for the fuzzer, and how many there must be: a fuzzer without seeds looks like a passing test.
var seeds = []string{
	whole,
	event("1"),
	`[` + event("1") + `,{"Event":` + event("2") + `}]`,
	`{"response":[{"Event":` + event("1") + `}],"x":[{}]}`,
	`{"Event":{"uuid":"5cfc1a2b-0001-4000-8000-000000000001","timestamp":1,"published":"1","Tag":null,"Galaxy":[{"GalaxyCluster":[{"uuid":"5cfc1a2b-0001-4000-8000-000000000002","value":"v","meta":[]}]}],"Orgc":null}}`,
	`{"Event":{"uuid":"5cfc1a2b-0001-4000-8000-000000000001","Attribute":[{"uuid":"5cfc1a2b-0001-4000-8000-000000000003","type":"attachment","value":"a","data":"aGFsbG8=","first_seen":"2024-05-01 10:00:00","Sighting":[{"uuid":"5cfc1a2b-0001-4000-8000-000000000004","type":2}]}]}}`,
	"\ufeff" + `{"uuid":"5CFC1A2B-0001-4000-8000-000000000001","info":"\ud83d\ude00\/\u0000","distribution":"77","x":{"a":[1.5e3,-0,true,null]}}`,
	`{"Event":{"uuid":"5cfc1a2b-0001-4000-8000-000000000001","Object":[{"uuid":"5cfc1a2b-0001-4000-8000-000000000005","name":"file","Attribute":[{"uuid":"5cfc1a2b-0001-4000-8000-000000000006","type":"md5","value":"x"}]},{"name":"y"}]}}`,
	`{"Event":{"uuid":"` + "\xff" + `"}}`,
	`{"uuid":"x","uuid":"y"}`,
}

func TestSeeds(t *testing.T) {
	good := 0
	for _, s := range seeds {
		if Decode(strings.NewReader(s), Limits{}, func(*Event) error { return nil }) == nil {
			good++
		}
	}
	if len(seeds) < 10 || good < 8 {
		t.Errorf("%d seeds, %d of them good", len(seeds), good)
	}
}

// FuzzDecode checks that any bytes give events or an error that says where, and that what was read is written so that
// it reads the same.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Decode(bytes.NewReader(data), Limits{}, func(e *Event) error {
			e.Losses = Losses{}
			raw, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			again := 0
			if err := Decode(bytes.NewReader(raw), Limits{}, func(second *Event) error {
				again++
				normal(e)
				normal(second)
				if !reflect.DeepEqual(e, second) {
					t.Fatalf("%+v\nbecame %+v\nby %s", e, second, raw)
				}
				return nil
			}); err != nil || again != 1 {
				t.Fatalf("%s: %d events, %v", raw, again, err)
			}
			return nil
		})
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Msg == "") {
			t.Fatalf("error %#v says nothing", err)
		}
	})
}

// normal takes out what is not written as it was read: times finer than MISP's, distributions that are none, places.
func normal(e *Event) {
	e.Losses = Losses{}
	closed := func(s *Sharing) {
		if s.Distribution < Organisation || s.Distribution > Inherit {
			s.Distribution = Organisation
		}
		if s.Group != nil && len(s.Group.Orgs) == 0 {
			s.Group.Orgs = nil
		}
	}
	org := func(o *Org) {
		if o.UUID == "" {
			*o = Org{}
		}
	}
	attribute := func(a *Attribute) {
		a.Path = ""
		closed(&a.Sharing)
		a.FirstSeen, a.LastSeen = a.FirstSeen.Truncate(1000), a.LastSeen.Truncate(1000)
		for i := range a.Sightings {
			org(&a.Sightings[i].Org)
		}
		clusters(a.Galaxies)
	}
	closed(&e.Sharing)
	org(&e.Org)
	org(&e.Orgc)
	clusters(e.Galaxies)
	for i := range e.Attributes {
		attribute(&e.Attributes[i])
	}
	for i := range e.Objects {
		o := &e.Objects[i]
		o.Path = ""
		closed(&o.Sharing)
		o.FirstSeen, o.LastSeen = o.FirstSeen.Truncate(1000), o.LastSeen.Truncate(1000)
		for k := range o.Attributes {
			attribute(&o.Attributes[k])
		}
	}
	for i := range e.Reports {
		closed(&e.Reports[i].Sharing)
	}
}

// clusters puts meta into one order: it is written by name.
func clusters(list []Galaxy) {
	for _, g := range list {
		for i := range g.Clusters {
			slices.SortFunc(g.Clusters[i].Meta, func(a, b Meta) int { return strings.Compare(a.Name, b.Name) })
		}
	}
}
