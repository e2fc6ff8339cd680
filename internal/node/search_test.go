package node

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/control"
	"shieldwall/internal/search"
	"shieldwall/internal/status"
)

// finds asks the API until it finds just these objects.
func (c *client) finds(text string, want ...string) {
	c.t.Helper()
	var got []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		code, body := c.do("GET", "/api/v1/search?q="+url.QueryEscape(text), "")
		var page status.SearchPage
		if err := json.Unmarshal(body, &page); err != nil || code != 200 {
			c.t.Fatalf("%d %s: %v", code, body, err)
		}
		got = nil
		for _, h := range page.Hits {
			got = append(got, h.ID)
		}
		if strings.Join(got, " ") == strings.Join(want, " ") {
			return
		}
	}
	c.t.Errorf("%s: found %v, want %v", text, got, want)
}

// TestSearchAcrossMembers: what one member shares another one's clients find, each by its markings; what is
// withdrawn is found no more, and all of it is as true after a restart.
func TestSearchAcrossMembers(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := alpha.join("beta", []string{"states"})
	allLive(t, alpha, beta)
	green, strict := bundle(1, "green.example", markClear), bundle(2, "strict.example", markClear)
	alpha.publish("green", nil, green)
	alpha.publish("amber+strict", states, strict)
	alpha.caughtUp(beta)

	soc, bank := beta.client("soc", "staff", scopeAPIRead, scopeAPIPublish), beta.client("bank", "constituent", scopeAPIRead)
	soc.h, bank.h = beta.n.apiHandler(), beta.n.apiHandler()
	soc.finds("type:indicator", indicatorID(2), indicatorID(1))
	soc.finds("value:strict.example", indicatorID(2))
	soc.finds("member:alpha tlp:green", indicatorID(1))
	bank.finds("type:indicator", indicatorID(1))
	bank.finds("strict.example")
	if code, _ := bank.do("GET", "/api/v1/objects/"+indicatorID(2), ""); code != 404 {
		t.Errorf("a constituent's answer is %d", code)
	}
	if code, body := soc.do("GET", "/api/v1/objects/"+indicatorID(2)+"/raw", ""); code != 200 || string(body) != only(t, strict) {
		t.Errorf("%d: %s, alpha published %s", code, body, only(t, strict))
	}
	if code, _ := soc.do("POST", "/api/v1/withdraw", `{"ids":["`+indicatorID(1)+`"]}`); code != 415 {
		t.Errorf("a body of another type: %d", code)
	}
	if _, err := alpha.n.Withdraw(t.Context(), []string{indicatorID(2)}); err != nil {
		t.Fatal(err)
	}
	alpha.caughtUp(beta)
	soc.finds("type:indicator", indicatorID(1))
	beta.restart()
	soc.h = beta.n.apiHandler()
	soc.finds("green.example", indicatorID(1))
	if s := beta.status().Search; s.Waiting != 0 || s.Indexed == 0 {
		t.Errorf("%+v", s)
	}
}

// TestSearchUnderANewName: what stood on the old name's shelves is found on the new one's.
func TestSearchUnderANewName(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := newMember(t, "first-name").start()
	soc := beta.client("soc", "staff", scopeTAXIIWrite, scopeAPIRead)
	soc.post(only(t, bundle(1, "ours.example", markClear)))
	find := func() { soc.h = beta.n.apiHandler(); soc.finds("value:ours.example", indicatorID(1)) }
	find()
	if _, err := beta.n.Join(t.Context(), alpha.invite("beta", "states")); err != nil {
		t.Fatal(err)
	}
	find()
}

// TestSearchWithoutANode: a command that opens the folder for itself finds what was just shared.
func TestSearchWithoutANode(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alone")
	n := m.open()
	defer n.Close()
	if _, err := n.Publish(t.Context(), control.PublishRequest{TLP: "green", Files: []control.File{bundle(1, "quiet.example", markClear)}}); err != nil {
		t.Fatal(err)
	}
	page, err := n.Search(t.Context(), control.SearchRequest{Query: "quiet.example", Relations: true, Objects: true})
	if err != nil || len(page.Hits) != 1 || page.Hits[0].Relations == nil || len(page.Hits[0].Object) == 0 {
		t.Errorf("%+v, %v", page, err)
	}
	for _, text := range []string{"titel:x", "(", strings.Repeat("x", 2000)} {
		if _, err := n.Search(t.Context(), control.SearchRequest{Query: text}); control.KindOf(err) != control.Usage {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	page, err = source{n}.Search(t.Context(), search.Request{Query: "quiet.example"})
	if err != nil || len(page.Hits) != 1 {
		t.Errorf("the page finds %+v, %v", page, err)
	}
}
