package misp

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// definition is a template of a MISP object, as PyMISP has it.
type definition struct {
	Name       string
	Meta       string `json:"meta-category"`
	UUID       string
	Version    int
	Attributes map[string]struct {
		Type     string `json:"misp-attribute"`
		Multiple bool
	}
}

// relationValues are values for relations whose type takes any text and whose meaning does not.
var relationValues = map[string]string{
	"pid": "4321", "parent-pid": "4320", "child-pid": "4322", "hidden": "1", "data-type": "REG_SZ", "pubkey-info-exponent": "65537", "pubkey-info-size": "2048",
	"self_signed": "1", "is_self_signed": "1", "is_ca": "1", "protocol": "tcp", "layer3-protocol": "ipv4", "layer4-protocol": "tcp", "layer7-protocol": "http", "privileged": "1", "disabled": "0",
	"can_escalate_privs": "1", "is_service_account": "0", "account-type": "unix", "validity-not-before": "2024-01-01T00:00:00+00:00", "validity-not-after": "2025-01-01T00:00:00+00:00",
	"first-packet-seen": "2024-05-01T10:00:00+00:00", "last-packet-seen": "2024-05-01T10:00:01+00:00", "address-family": "AF_INET", "socket-type": "SOCK_STREAM", "state": "listening",
	"tcp-flags": "000002", "icmp-type": "08", "ip-protocol-number": "6", "content-type": "text/html", "serial-number": "36:f7",
}

func definitions(t *testing.T) map[string]definition {
	t.Helper()
	script := `import json, pathlib, pymisp
print(json.dumps([json.loads(p.read_text()) for p in sorted(pathlib.Path(pymisp.__file__).parent.glob("data/misp-objects/objects/*/definition.json"))]))`
	out, err := exec.Command(python(t), "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []definition
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	all := map[string]definition{}
	for _, d := range list {
		all[d.Name] = d
	}
	return all
}

func (d definition) relations() []string { return slices.Sorted(maps.Keys(d.Attributes)) }

// object makes a MISP object of some relations.
func (d definition) object(n int, relations []string, toIDs func(relation string) bool) dict {
	var list []dict
	for i, relation := range relations {
		typ := d.Attributes[relation].Type
		value, known := relationValues[relation]
		if !known {
			value = someValue(typ, 0)
		}
		a := attribute(n*100+i+1, typ, value, toIDs(relation))
		a["object_relation"] = relation
		list = append(list, a)
	}
	return dict{"uuid": uuidOf(n * 100), "name": d.Name, "meta-category": d.Meta, "description": "", "template_uuid": d.UUID, "template_version": fmt.Sprint(d.Version),
		"timestamp": "1714567800", "distribution": "5", "Attribute": list}
}

// mapped are the templates that we have a mapping for.
var mapped = []string{"file", "url", "mutex", "asn", "directory", "software", "domain-ip", "ip-port", "network-connection", "network-socket", "netflow", "http-request", "email",
	"process", "registry-key", "x509", "user-account", "credential", "yara", "sigma", "suricata", "stix2-pattern", "vulnerability", "attack-pattern", "course-of-action"}

// Objects of each template that we map, one relation at a time and several, all of them for detection.
func TestObjects(t *testing.T) {
	t.Parallel()
	o := start(t)
	all := definitions(t)
	g := rand.New(rand.NewPCG(3, 3))
	book := newLedger(objectTypes, objectPatterns)
	n, indicators := 0, 0
	try := func(d definition, relations []string) {
		n++
		for _, toIDs := range []bool{true, false} {
			ev := event(n, dict{"Object": []dict{d.object(n, relations, func(string) bool { return toIDs })}})
			reply := o.ask(t, request{Convert: ev})
			if len(reply.Said) > 0 && slices.ContainsFunc(reply.Said, func(s string) bool { return strings.Contains(s, "Failed validation") }) {
				continue
			}
			indicators += book.compare(t, fmt.Sprintf("%s %t", d.Name, toIDs), reply.Objects, ours(t, convert(t, ev)))
		}
	}
	for _, name := range mapped {
		d, known := all[name]
		if !known {
			t.Fatalf("PyMISP has no template %s", name)
		}
		relations := d.relations()
		for _, r := range relations {
			try(d, []string{r})
		}
		for range 6 {
			g.Shuffle(len(relations), func(i, j int) { relations[i], relations[j] = relations[j], relations[i] })
			some := slices.Clone(relations[:1+g.IntN(min(6, len(relations)))])
			try(d, some)
		}
	}
	book.close(t)
	if n != objects || indicators != objectIndicators {
		t.Errorf("%d objects, %d indicators of both compared", n, indicators)
	}
}
