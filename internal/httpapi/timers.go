package httpapi

import (
	"errors"
	"net/http"
	"time"
)

// Timer is an event that waits for its time.
type Timer struct {
	Due   time.Time `json:"due"`
	Set   time.Time `json:"set"` // when the run that set it was committed
	Name  string    `json:"name,omitempty"`
	ID    string    `json:"id"`
	Topic string    `json:"topic"`
	Key   string    `json:"key,omitempty"`
	Cause uint64    `json:"cause"` // seq of the event whose handling set it
	Bytes int       `json:"bytes"` // of its data
}

// timers is GET /v1/subscribers/{name}/timers?due=&id=&limit=: those that come after the
// one due at due (unix nanoseconds) with that id.
func (a *api) timers(w http.ResponseWriter, r *http.Request) {
	due, err := number(r, "due", 0)
	limit, err2 := number(r, "limit", 100)
	if err = errors.Join(err, err2); err != nil {
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	all, err := a.Runtime.Timers(r.Context(), r.PathValue("name"), int64(due), r.URL.Query().Get("id"), int(min(limit, maxPage)))
	if err != nil {
		refuseError(w, err)
		return
	}
	out := make([]Timer, len(all))
	for i := range all {
		t := &all[i]
		out[i] = Timer{
			Due: time.Unix(0, t.Due).UTC(), Set: time.Unix(0, t.Set).UTC(), Name: t.Name, ID: t.Event.ID, Topic: t.Event.Topic, Key: t.Event.Key,
			Cause: uint64(t.Cause), Bytes: len(t.Event.Data),
		}
	}
	respond(w, http.StatusOK, map[string]any{"timers": out})
}

// acceptClock is POST /v1/clock: the wall clock is right as it is.
func (a *api) acceptClock(w http.ResponseWriter, _ *http.Request) {
	a.Runtime.AcceptClock()
	respond(w, http.StatusOK, map[string]any{"accepted": time.Now().UTC()})
}
