package httpapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/avx-platform/avxrt/internal/wire"
)

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
	out := make([]wire.Timer, len(all))
	for i := range all {
		t := &all[i]
		out[i] = wire.Timer{
			Due: time.Unix(0, t.Due).UTC(), Set: time.Unix(0, t.Set).UTC(), Name: t.Name, ID: t.Event.ID, Topic: t.Event.Topic, Key: t.Event.Key,
			Cause: uint64(t.Cause), Bytes: len(t.Event.Data),
		}
	}
	respond(w, http.StatusOK, wire.Timers{Timers: out})
}

// acceptClock is POST /v1/clock: the wall clock is right as it is.
func (a *api) acceptClock(w http.ResponseWriter, _ *http.Request) {
	a.Runtime.AcceptClock()
	respond(w, http.StatusOK, wire.Clock{Accepted: time.Now().UTC()})
}
