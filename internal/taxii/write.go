package taxii

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"shieldwall/internal/inbox"
)

// detail is what became of one object (section 4.3.1).
type detail struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Message string `json:"message,omitempty"`
}

// statusResource is what became of a posting (section 4.3.1). Where a list is there, it is whole: clients count.
type statusResource struct {
	ID        string   `json:"id"`
	Status    string   `json:"status"`
	Requested string   `json:"request_timestamp"`
	Total     int      `json:"total_count"`
	Succeeded int      `json:"success_count"`
	Successes []detail `json:"successes,omitempty"`
	Failed    int      `json:"failure_count"`
	Failures  []detail `json:"failures,omitempty"`
	Pending   int      `json:"pending_count"`
}

// maxKeptDetails bounds the successes that are listed when a status is asked for again; failures always are.
const maxKeptDetails = 1_000

// post takes a posting (section 5.5). It is worked off at once, so the status is complete.
func (r *request) post(c collection) error {
	if !c.CanWrite {
		return forbidden("this collection takes no postings; the inbox does")
	}
	if err := r.sendsTAXII(); err != nil {
		return err
	}
	at := r.h.opt.Now()
	body, err := r.body()
	if err != nil {
		return err
	}
	objects, err := splitEnvelope(body)
	if err != nil {
		return err
	}
	results, err := r.h.opt.Backend.Post(r.Context(), r.holder, objects)
	if err != nil {
		return err
	}
	s := statusResource{ID: newID(), Status: "complete", Requested: dateAdded(at), Total: len(objects)}
	for i, res := range results {
		s.add(i, res)
	}
	if err := r.keep(s); err != nil {
		return err
	}
	return r.answer(http.StatusAccepted, s)
}

func (s *statusResource) add(i int, res inbox.Result) {
	d := detail{ID: res.ID, Version: res.Version, Message: res.Note}
	if res.Refusal == "" {
		s.Succeeded++
		s.Successes = append(s.Successes, d)
		return
	}
	if d.ID == "" {
		d.ID = fmt.Sprintf("object %d of the envelope", i+1)
	}
	d.Message = res.Refusal
	s.Failed++
	s.Failures = append(s.Failures, d)
}

// keep keeps a status for its holder to ask for.
func (r *request) keep(s statusResource) error {
	if len(s.Successes) > maxKeptDetails {
		s.Successes = nil
	}
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding a status: %w", err)
	}
	return r.h.opt.Backend.Note(r.Context(), r.holder, s.ID, body)
}

// newID is a random UUID.
func newID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// status answers what became of a posting of this client (section 4.3).
func (r *request) status(id string) error {
	body, err := r.h.opt.Backend.Noted(r.Context(), r.holder, id)
	if errors.Is(err, inbox.ErrUnknown) {
		return notFound()
	}
	if err != nil {
		return err
	}
	r.write(http.StatusOK, body)
	return nil
}

// delete takes back what this client posted (section 5.7): all versions of an object, or those that it names.
func (r *request) delete(c collection, id string) error {
	if !c.CanRead || !c.CanWrite {
		return forbidden("a client can delete from a collection that it can read and write: the inbox")
	}
	f, err := parseFilter(r.URL.RawQuery, c.audience, id, objectFields)
	if err != nil {
		return err
	}
	if f.nothing {
		return notFound()
	}
	if v := f.Versions; !v.First && !v.Last && len(v.Exact) == 0 {
		f.Versions.All = true
	}
	err = r.h.opt.Backend.Remove(r.Context(), r.holder, id, f.Versions)
	switch {
	case errors.Is(err, inbox.ErrUnknown):
		return notFound()
	case errors.Is(err, inbox.ErrOthers):
		return forbidden("it was not posted by this client alone")
	case err != nil:
		return err
	}
	r.write(http.StatusOK)
	return nil
}
