package web

import (
	"context"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/status"
)

// view is one page: which panels it shows, in this order. The stylesheet places them.
type view struct {
	Name, Path, Title string
	panels            []string
	// rows is how many rows a list shows here.
	rows int
}

func (v view) pattern() string {
	if v.Path == "/" {
		return "/{$}"
	}
	return v.Path
}

func (v view) has(panel string) bool { return slices.Contains(v.panels, panel) }

// views are all pages, in the order of the navigation; the first is where a link opens.
var views = []view{
	{"overview", "/", "Overview", []string{"figures", "mesh", "detections", "protect", "sightings", "objects"}, 60},
	{"alliance", "/alliance", "Alliance", []string{"mesh", "roster", "members"}, 1000},
	{"detections", "/detections", "Detections", []string{"detections"}, 200},
	{"objects", "/objects", "Objects", []string{"engine", "objects"}, 300},
	{"sightings", "/sightings", "Sightings", []string{"sightings"}, 300},
	{"protection", "/protection", "Protection", []string{"protect", "publications"}, 200},
	{"search", "/search", "Search", nil, findRows},
}

// shortRows is how many rows the small lists of the overview show.
const shortRows = 8

// viewNamed is the view of that name, the first for any other.
func viewNamed(name string) view {
	for _, v := range views {
		if v.Name == name {
			return v
		}
	}
	return views[0]
}

// frame is everything that one rendering of a page stands on. The templates reach only its exported parts;
// every remote string in those has been through clean.
type frame struct {
	View        view
	Query       string
	Theme       string
	LinkCommand string
	Trouble     string // why the picture is incomplete
	// Find is what the search or an object's page shows: made once, for nothing of it is renewed.
	Find *finding

	zone         *time.Location
	node         status.Node
	publications []status.Publication
	objects      []status.Object
	sightings    []status.Sightings
	detections   []status.Detection
}

// read fills the frame with what its view shows. What cannot be read stays as it was and is named in
// Trouble: half a picture is better than none.
func (f *frame) read(ctx context.Context, r *reader) {
	f.readPanels(ctx, r)
	if f.View.has("detections") {
		keep(f, &f.detections)(r.detections(ctx))
	}
}

// readPanels is read without the detections, which a stream adds one by one.
func (f *frame) readPanels(ctx context.Context, r *reader) {
	f.Trouble = ""
	keep(f, &f.node)(r.node.get(ctx))
	if f.View.has("protect") {
		keep(f, &f.publications)(r.publications.get(ctx))
	}
	if f.View.has("objects") {
		keep(f, &f.objects)(r.objects.get(ctx))
	}
	if f.View.has("sightings") {
		keep(f, &f.sightings)(r.sightings.get(ctx))
	}
}

// keep returns what takes a reading: into place, or its error into f.Trouble.
func keep[T any](f *frame, place *T) func(T, error) {
	return func(v T, err error) {
		if err == nil {
			*place = v
			return
		}
		if f.Trouble != "" {
			f.Trouble += "; "
		}
		f.Trouble += clean(err.Error(), maxCell)
	}
}

// Nav is the navigation.
func (f *frame) Nav() []view { return views }

// Member is this node's member id.
func (f *frame) Member() string { return clean(f.node.Member, maxLabel) }

// AllianceName is the alliance's name.
func (f *frame) AllianceName() string { return clean(f.node.Alliance.Name, maxLabel) }

// Version is the program's version.
func (f *frame) Version() string { return clean(f.node.Version, maxLabel) }

// Now is the node's clock.
func (f *frame) Now() stamp {
	s := f.stamp(f.node.Now)
	s.Date = f.node.Now.UTC().Format(time.DateOnly)
	if s.Local != "" {
		s.Local = f.node.Now.In(f.zone).Format("15:04:05 MST")
	}
	return s
}

// ZoneName names the local time zone as of now.
func (f *frame) ZoneName() string {
	name, offset := f.node.Now.In(f.zone).Zone()
	if offset == 0 {
		return ""
	}
	return name
}

// NextTheme is what the theme button chooses.
func (f *frame) NextTheme() string {
	return themes[(slices.Index(themes, f.Theme)+1)%len(themes)]
}

// Short says whether lists show only their first rows here.
func (f *frame) Short() bool { return f.View.Name == "overview" }

func (f *frame) stamp(t time.Time) stamp { return stampOf(t, f.node.Now, f.zone) }

// listRows is how many rows the small lists show on this view.
func (f *frame) listRows() int {
	if f.Short() {
		return shortRows
	}
	return f.View.rows
}

// terms are the filter's words. On the overview the filter is the detections'.
func (f *frame) terms() []string { return strings.Fields(strings.ToLower(f.Query)) }

func (f *frame) listTerms() []string {
	if f.Short() {
		return nil
	}
	return f.terms()
}

// matches says whether every term occurs in one of the texts, letter case aside.
func matches(terms []string, texts ...string) bool {
	if len(terms) == 0 {
		return true
	}
	all := strings.ToLower(strings.Join(texts, "\n"))
	for _, t := range terms {
		if !strings.Contains(all, t) {
			return false
		}
	}
	return true
}
