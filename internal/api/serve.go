package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/search"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
)

// Status is how a node is, in short.
type Status struct {
	Version    string        `json:"version"`
	Member     string        `json:"member"`
	Alliance   string        `json:"alliance"`
	Started    time.Time     `json:"started"`
	Now        time.Time     `json:"now"`
	Objects    int64         `json:"objects"` // copies held
	Search     status.Search `json:"search"`
	Rules      int           `json:"rules"`
	Indicators int           `json:"indicators"`
	Events     int64         `json:"events"`
	Detections int64         `json:"detections"`
	Warnings   []string      `json:"warnings"`
	Members    []Member      `json:"members"`
}

// Member is a member of the alliance as seen from here.
type Member struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Problem string `json:"problem"`
}

// Publication asks for a file to be shared.
type Publication struct {
	Data   []byte
	TLP    string
	To     []string
	DryRun bool
}

// Published is what was, or with DryRun would be, shared.
type Published struct {
	DryRun    bool     `json:"dry_run"`
	Shared    []Shared `json:"shared"`
	Unchanged []string `json:"unchanged"` // ids that are shared just so already
	Warnings  []string `json:"warnings"`
}

// Shared is one object that was shared.
type Shared struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	TLP      string `json:"tlp"`
	Audience string `json:"audience"`
}

// Withdrawn is what was taken back.
type Withdrawn struct {
	Withdrawn []string `json:"withdrawn"`
}

// Muting asks for a mute; one of Rule and Publisher at least is wanted.
type Muting struct {
	Rule      string `json:"rule"`
	Publisher string `json:"publisher"`
	Host      string `json:"host"`
	Reason    string `json:"reason"`
	// Seconds is how long it holds.
	Seconds int64 `json:"seconds"`
}

// checkQuery refuses parameters that the route does not know, and ones given twice but for a list.
func (r *request) checkQuery(known []string) error {
	if len(r.URL.RawQuery) > maxQuery {
		return NewProblem(http.StatusRequestURITooLong, "the query is longer than %d bytes", maxQuery)
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("the query cannot be read")
	}
	for name, list := range values {
		if !slices.Contains(known, name) {
			return badRequest("%s is no parameter; there is: %s", strconv.QuoteToASCII(name), orNone(known))
		}
		if len(list) > 1 && name != "to" {
			return badRequest("%s is given %d times", name, len(list))
		}
	}
	return nil
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func (r *request) param(name string) (value string, given bool) {
	list, given := r.URL.Query()[name]
	if given {
		value = list[0]
	}
	return value, given
}

func (r *request) number(name string, otherwise, most int) (int, error) {
	text, given := r.param(name)
	if !given {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most || strconv.Itoa(n) != text {
		return 0, badRequest("%s must be a number from 1 to %d", name, most)
	}
	return n, nil
}

func (r *request) flag(name string) (bool, error) {
	text, given := r.param(name)
	if given && text != "true" && text != "false" {
		return false, badRequest("%s must be true or false", name)
	}
	return text == "true", nil
}

func (r *request) describe() error { return r.write(http.StatusOK, "application/json", description) }

func (r *request) status() error {
	s, err := r.h.opt.Backend.Status(r.Context())
	if err != nil {
		return err
	}
	return r.answer(http.StatusOK, s)
}

func (r *request) search() error {
	var req search.Request
	req.Query, _ = r.param("q")
	var given bool
	if req.Cursor, given = r.param("cursor"); given && req.Cursor == "" {
		return badRequest("cursor: empty; leave it out for the first page")
	}
	var errs [3]error
	req.Limit, errs[0] = r.number("limit", search.DefaultPage, search.MaxPage)
	req.Relations, errs[1] = r.flag("relations")
	req.Objects, errs[2] = r.flag("objects")
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	page, err := r.h.opt.Backend.Search(r.Context(), r.holder, req)
	if err != nil {
		return err
	}
	return r.answer(http.StatusOK, page)
}

// objectID is the path's id. What is no STIX id is nobody's.
func (r *request) objectID() (string, error) {
	if !stix.IsID(r.id) {
		return "", badRequest("the id in the path is no STIX id")
	}
	return r.id, nil
}

func (r *request) object() error {
	id, err := r.objectID()
	if err != nil {
		return err
	}
	view, err := r.h.opt.Backend.Object(r.Context(), r.holder, id)
	if err != nil {
		return err
	}
	return r.answer(http.StatusOK, view)
}

func (r *request) raw() error {
	id, err := r.objectID()
	if err != nil {
		return err
	}
	version, given := r.param("version")
	if given {
		if _, err := stix.ParseTime(version); err != nil {
			return badRequest("version must be a timestamp such as 2026-02-03T04:05:06.000Z")
		}
	}
	raw, err := r.h.opt.Backend.Raw(r.Context(), r.holder, id, version)
	if err != nil {
		return err
	}
	r.w.Header().Set("Content-Disposition", "attachment")
	return r.write(http.StatusOK, "application/stix+json;version=2.1", raw)
}

// DetectionPage is a part of the detections.
type DetectionPage struct {
	Detections []status.Detection `json:"detections"`
	// More says that there are others, from the last one's seen on.
	More bool `json:"more"`
}

func (r *request) detections() error {
	since := r.h.opt.Now().Add(-24 * time.Hour)
	if text, given := r.param("since"); given {
		var err error
		if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return badRequest("since must be a time such as 2026-02-03T04:05:06Z")
		}
	}
	limit, err := r.number("limit", 100, maxDetections)
	if err != nil {
		return err
	}
	list, more, err := r.h.opt.Backend.Detections(r.Context(), since, limit)
	if err != nil {
		return err
	}
	if list == nil {
		list = []status.Detection{}
	}
	return r.answer(http.StatusOK, DetectionPage{list, more})
}

// body reads a body of one of the media types.
func (r *request) body(most int64, types ...string) ([]byte, error) {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(types, typ) {
		return nil, NewProblem(http.StatusUnsupportedMediaType, "want Content-Type %s", strings.Join(types, " or "))
	}
	_ = http.NewResponseController(r.w).SetReadDeadline(time.Now().Add(bodyTimeout)) // not every writer has one
	body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, most))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, NewProblem(http.StatusRequestEntityTooLarge, "a body has at most %d bytes", most)
	}
	if err != nil {
		return nil, badRequest("the body cannot be read to its end")
	}
	return body, nil
}

// decode reads a JSON body strictly: one object of these members, none of them null.
func (r *request) decode(into any, names ...string) error {
	body, err := r.body(maxBody, "application/json")
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err = dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("bytes after it")
		}
	}
	var members map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(body, &members)
	}
	for name, value := range members {
		if !slices.Contains(names, name) {
			err = fmt.Errorf("it has no %s", strconv.QuoteToASCII(name))
		} else if string(value) == "null" {
			err = fmt.Errorf("%s is null; leave it out", name)
		}
	}
	if err == nil && members == nil {
		err = errors.New("want an object")
	}
	if err != nil {
		return badRequest("the body is not as described: %v", err)
	}
	return nil
}

func (r *request) publish() error {
	p := Publication{To: r.URL.Query()["to"]}
	var given bool
	if p.TLP, given = r.param("tlp"); given {
		if _, err := stix.ParseTLP(p.TLP); err != nil {
			return badRequest("tlp must be clear, green, amber, amber+strict or red")
		}
	}
	var err error
	if p.DryRun, err = r.flag("dry_run"); err != nil {
		return err
	}
	if p.Data, err = r.body(MaxPublish, "application/json", "application/stix+json", "application/yaml"); err != nil {
		return err
	}
	out, err := r.h.opt.Backend.Publish(r.Context(), p)
	if err != nil {
		return err
	}
	return r.answer(http.StatusOK, out)
}

func (r *request) withdraw() error {
	var req struct {
		IDs []string `json:"ids"`
	}
	if err := r.decode(&req, "ids"); err != nil {
		return err
	}
	if len(req.IDs) == 0 || len(req.IDs) > maxIDs {
		return badRequest("ids must be from 1 to %d STIX ids", maxIDs)
	}
	for i, id := range req.IDs {
		if !stix.IsID(id) {
			return badRequest("ids: number %d is no STIX id", i+1)
		}
	}
	out, err := r.h.opt.Backend.Withdraw(r.Context(), req.IDs)
	if err != nil {
		return err
	}
	return r.answer(http.StatusOK, out)
}

// MuteList is what is not told.
type MuteList struct {
	Mutes []status.Mute `json:"mutes"`
}

func (r *request) mutes() error {
	list, err := r.h.opt.Backend.Mutes(r.Context())
	if err != nil {
		return err
	}
	if list == nil {
		list = []status.Mute{}
	}
	return r.answer(http.StatusOK, MuteList{list})
}

// maxMute is the longest mute, in seconds.
const maxMute = 366 * 24 * 3600

func (r *request) mute() error {
	var req Muting
	if err := r.decode(&req, "rule", "publisher", "host", "reason", "seconds"); err != nil {
		return err
	}
	if req.Seconds < 1 || req.Seconds > maxMute {
		return badRequest("seconds must be from 1 to %d", maxMute)
	}
	m, err := r.h.opt.Backend.Mute(r.Context(), req)
	if err != nil {
		return err
	}
	r.w.Header().Set("Location", fmt.Sprintf("/api/v1/mutes/%s", url.PathEscape(m.ID)))
	return r.answer(http.StatusCreated, m)
}

func (r *request) unmute() error {
	m, err := r.h.opt.Backend.Unmute(r.Context(), r.id)
	if err != nil {
		return err
	}
	return r.answer(http.StatusOK, m)
}
