package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"shieldwall/internal/query"
	"shieldwall/internal/search"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
)

const (
	// findRows is how many hits a page of the search shows.
	findRows = 50
	// maxShown bounds the part of an object that is shown; all of it can be saved.
	maxShown = 64 << 10
)

// objectView shows one object; nothing leads to it but links.
var objectView = view{Name: "object", Path: "/object", Title: "Object"}

// finding is what the search shows, or the one object.
type finding struct {
	Query   string
	Error   string // what is wrong with the query
	Rows    []hitRow
	Next    string // the address of the next page
	Partial bool
	Started bool // there was a query
	Object  *objectPage
}

// hitRow is one hit.
type hitRow struct {
	ID, Address, Name, Type, Member, To string
	TLP                                 marking
	Admitted                            stamp
	Revoked                             bool
}

// objectPage is one object with all that is known of it.
type objectPage struct {
	hitRow
	Facts     []fact
	Relations []relationRow
	More      bool
	Versions  []versionRow
	Text      string
	Cut       bool
}

type relationRow struct {
	Out                       bool
	Kind, Name, Type, Address string
	Seen                      bool // by this node: it can be opened
}

type versionRow struct {
	Modified, Member, Raw string
	TLP                   marking
	Admitted              stamp
	Revoked               bool
}

func objectAddress(id string) string { return "/object?" + url.Values{"id": {id}}.Encode() }

func rawAddress(id, version string) string {
	v := url.Values{"id": {id}}
	if version != "" {
		v.Set("version", version)
	}
	return "/object/raw?" + v.Encode()
}

func (f *frame) hitRow(h *status.Hit) hitRow {
	name := h.Name
	if name == "" {
		name = h.ID
	}
	return hitRow{
		ID: clean(h.ID, maxCell), Address: objectAddress(h.ID), Name: clean(name, maxCell), Type: clean(h.Type, maxLabel),
		Member: clean(h.Member, maxLabel), To: clean(h.Audience, maxCell), TLP: markingOf(h.TLP), Admitted: f.stamp(h.Admitted), Revoked: h.Revoked,
	}
}

// serveSearch answers a query with a page.
func (p *Page) serveSearch(w http.ResponseWriter, r *http.Request) {
	f := p.frame(r, viewNamed("search"))
	f.read(r.Context(), p.reader)
	q := r.URL.Query()
	text, cursor := truncate(q.Get("q"), query.MaxBytes), truncate(q.Get("cursor"), maxLabel)
	f.Find = &finding{Query: text, Started: q.Has("q")}
	if f.Find.Started {
		page, err := p.reader.src.Search(r.Context(), search.Request{Query: text, Cursor: cursor, Limit: findRows})
		switch {
		case search.Wrong(err):
			f.Find.Error = clean(err.Error(), 3*maxCell)
		default:
			keep(f, &page)(page, err)
		}
		for i := range page.Hits {
			f.Find.Rows = append(f.Find.Rows, f.hitRow(&page.Hits[i]))
		}
		if page.Next != "" {
			f.Find.Next = "/search?" + url.Values{"q": {text}, "cursor": {page.Next}}.Encode()
		}
		f.Find.Partial = page.Partial
	}
	p.send(w, f)
}

// serveObject shows one object.
func (p *Page) serveObject(w http.ResponseWriter, r *http.Request) {
	f := p.frame(r, objectView)
	f.read(r.Context(), p.reader)
	o, err := p.reader.src.Object(r.Context(), truncate(r.URL.Query().Get("id"), maxCell))
	if errors.Is(err, search.ErrUnknown) {
		http.Error(w, "this node holds no such object", http.StatusNotFound)
		return
	}
	f.Find = &finding{}
	if keep(f, &o)(o, err); err == nil {
		f.Find.Object = f.objectPage(&o)
	}
	p.send(w, f)
}

func (f *frame) objectPage(o *status.ObjectView) *objectPage {
	out := &objectPage{hitRow: f.hitRow(&o.Hit)}
	for _, x := range []fact{
		{"Id", o.ID, true}, {"Type", o.Type, false}, {"Shared by", o.Member, false}, {"Audience", o.Audience, false}, {"Created", o.Created, false}, {"Modified", o.Modified, false},
	} {
		if x.Value != "" {
			x.Value = clean(x.Value, maxCell)
			out.Facts = append(out.Facts, x)
		}
	}
	if o.Relations != nil {
		out.More = o.Relations.More
		for _, r := range o.Relations.Items {
			row := relationRow{Out: r.Out, Kind: clean(r.Kind, maxLabel), Name: clean(r.Name, maxCell), Type: clean(r.Type, maxLabel), Seen: r.Type != "", Address: objectAddress(r.ID)}
			if row.Name == "" {
				row.Name = clean(r.ID, maxCell)
			}
			out.Relations = append(out.Relations, row)
		}
	}
	for _, v := range o.Versions {
		row := versionRow{Modified: clean(v.Modified, maxLabel), Member: clean(v.Member, maxLabel), TLP: markingOf(v.TLP), Admitted: f.stamp(v.Admitted), Revoked: v.Revoked, Raw: rawAddress(o.ID, v.Modified)}
		out.Versions = append(out.Versions, row)
	}
	var text bytes.Buffer
	if json.Indent(&text, o.Object, "", "  ") != nil {
		text.Write(o.Object)
	}
	out.Cut = text.Len() > maxShown
	out.Text = cleanBlock(text.String(), maxShown)
	return out
}

// serveRaw hands an object's exact bytes over, to be saved and not shown.
func (p *Page) serveRaw(w http.ResponseWriter, r *http.Request) {
	id, version := r.URL.Query().Get("id"), truncate(r.URL.Query().Get("version"), maxLabel)
	if !stix.IsID(id) {
		http.Error(w, "this is no STIX id", http.StatusBadRequest)
		return
	}
	raw, err := p.reader.src.Raw(r.Context(), id, version)
	if errors.Is(err, search.ErrUnknown) {
		http.Error(w, "this node holds no such object", http.StatusNotFound)
		return
	}
	if err != nil {
		p.opts.Log.Error("reading an object for the page", "id", id, "error", err)
		http.Error(w, "the object could not be read; the node's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/stix+json;version=2.1")
	w.Header().Set("Content-Disposition", `attachment; filename="`+id+`.json"`)
	_, _ = w.Write(raw) // the reader is gone; nobody to tell
}
