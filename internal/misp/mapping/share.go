package mapping

import (
	"fmt"
	"slices"
	"strings"

	"shieldwall/internal/misp"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

// Asks is what MISP asks for something: how it is marked and who may read it. The zero Audience is nobody beyond
// this node's own organisation; Why says then why.
type Asks struct {
	Marking  stix.TLP
	Audience policy.Audience
	Why      string

	said stix.TLP // what tags alone say
}

func (a Asks) same(b Asks) bool {
	return a.Marking == b.Marking && a.Audience.String() == b.Audience.String()
}

// Directory knows whom MISP means. Whom it does not know it takes for nobody.
type Directory struct {
	// Groups are the audiences of sharing groups, by UUID in lower case. They count before what an event says of
	// the group.
	Groups map[string]policy.Audience
	// Members are members' names by their organisation's UUID in lower case.
	Members map[string]string
	// Marking counts beside tags, the stricter of the two; None leaves it to them.
	Marking stix.TLP
}

// Asks says what an event as a whole asks for. Unclear is nobody:
//
//	0 own organisation, 1 this community   nobody: both end at the instance that the event is from
//	2 connected, 3 all communities         the alliance for CLEAR and GREEN; above, readers must be named
//	4 sharing group                        its audience by the directory, or those of its organisations that are
//	                                       members; nobody where it is empty, inactive or unknown
//	5 inherit, anything else               nobody
func (d Directory) Asks(e *misp.Event) Asks {
	marking, why := d.marking(d.Marking, e.Tags)
	audience, reason := d.audience(marking, e.Sharing)
	if why == "" {
		why = reason
	}
	said, _ := d.marking(stix.None, e.Tags)
	return closed(Asks{marking, audience, why, said})
}

// Within narrows what an event or object asks for to what a part of it asks for: the stricter marking, the
// narrower audience.
func (d Directory) Within(outer Asks, s misp.Sharing, tags []misp.Tag) Asks {
	marking, why := d.marking(outer.Marking, tags)
	inner, reason := outer.Audience, ""
	if s.Distribution != misp.Inherit {
		inner, reason = d.audience(marking, s)
	}
	both := narrower(outer.Audience, inner)
	switch {
	case outer.Why != "":
		why = outer.Why
	case why != "":
	case reason != "":
		why = reason
	case both.IsNobody():
		why = fmt.Sprintf("nobody is in both %s and %s", outer.Audience, inner)
	case unnamed(outer.Marking, marking, both):
		why = fmt.Sprintf("TLP:%s: %v", marking, policy.ErrNoAudience)
	}
	said, _ := d.marking(outer.said, tags)
	return closed(Asks{marking, both, why, said})
}

// closed makes an audience that the marking does not allow nobody.
func closed(a Asks) Asks {
	if a.Audience.IsNobody() || a.Why != "" {
		a.Audience = policy.Audience{}
		if a.Why == "" {
			a.Why = "no reader is named"
		}
		return a
	}
	if err := policy.CheckPublish(a.Marking, a.Audience); err != nil {
		return Asks{a.Marking, policy.Audience{}, err.Error(), a.said}
	}
	return a
}

// unnamed is an audience that needed no names because what is around was CLEAR or GREEN, and now does.
func unnamed(outer, inner stix.TLP, a policy.Audience) bool {
	return a.IsAlliance() && outer <= stix.Green && inner > stix.Green
}

// marking is the strictest TLP of the tags and of what is around them. A tag that says TLP and none that is known
// is RED for nobody.
func (d Directory) marking(around stix.TLP, tags []misp.Tag) (tlp stix.TLP, why string) {
	for _, tag := range tags {
		name, is := tlpName(tag.Name)
		if !is {
			continue
		}
		t, err := stix.ParseTLP(name)
		if err != nil {
			t, why = stix.Red, "the tag "+misp.Shown(tag.Name)+" is no TLP marking that is known"
		}
		around = around.Stricter(t)
	}
	return around, why
}

// tlpName tells tags of the taxonomy tlp, in any case, and gives the marking's name.
func tlpName(tag string) (name string, is bool) {
	prefix, name, ok := strings.Cut(tag, ":")
	if !ok || !strings.EqualFold(strings.TrimSpace(prefix), "tlp") {
		return "", false
	}
	return strings.TrimSpace(name), true
}

func (d Directory) audience(marking stix.TLP, s misp.Sharing) (policy.Audience, string) {
	switch s.Distribution {
	case misp.Organisation:
		return policy.Audience{}, "distribution 0: its own organisation only"
	case misp.Community:
		return policy.Audience{}, "distribution 1: the community of its own instance only"
	case misp.Connected, misp.All:
		audience, err := policy.Default(marking)
		if err != nil {
			return policy.Audience{}, fmt.Sprintf("distribution %d: %v", s.Distribution, err)
		}
		return audience, ""
	case misp.InSharingGroup:
		return d.group(s.Group)
	}
	return policy.Audience{}, "its distribution is not one that an event can have"
}

func (d Directory) group(g *misp.SharingGroup) (policy.Audience, string) {
	switch {
	case g == nil:
		return policy.Audience{}, "distribution 4, and the sharing group is not described"
	case !g.Active:
		return policy.Audience{}, "the sharing group " + misp.Shown(g.Name) + " is not active"
	}
	if audience, known := d.Groups[g.UUID]; known {
		if audience.IsNobody() {
			return audience, "the sharing group " + misp.Shown(g.Name) + " is for nobody here"
		}
		return audience, ""
	}
	var names []string
	for _, org := range g.Orgs {
		if name := d.Members[org.UUID]; name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return policy.Audience{}, "no member is in the sharing group " + misp.Shown(g.Name)
	}
	audience, err := policy.Named(nil, names)
	if err != nil {
		return policy.Audience{}, "the sharing group " + misp.Shown(g.Name) + ": " + err.Error()
	}
	return audience, ""
}

// narrower is who is in both audiences, as far as their names tell: that a member belongs to a group is the
// roster's to say.
func narrower(a, b policy.Audience) policy.Audience {
	switch {
	case a.IsEveryone():
		return b
	case b.IsEveryone():
		return a
	case a.IsAlliance():
		return b
	case b.IsAlliance():
		return a
	}
	both, err := policy.Named(common(a.Groups(), b.Groups()), common(a.Members(), b.Members()))
	if err != nil {
		return policy.Audience{}
	}
	return both
}

func common(a, b []string) []string {
	return slices.DeleteFunc(a, func(name string) bool { return !slices.Contains(b, name) })
}
