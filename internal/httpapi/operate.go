package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/runtime"
)

// body reads a small JSON document; none is fine. A field that the route does not know may be a
// mistyped one of those that keep it from doing harm, and is refused.
func body(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if errors.Is(err, io.EOF) {
		return true
	}
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return true
		}
		err = errors.New("there is something behind it")
	}
	refuse(w, badRequest, "the body must be a JSON document: "+err.Error(), nil)
	return false
}

// maxReason bounds what an operator says about what is done.
const maxReason = 1024

// goodReason refuses a reason that is too long.
func goodReason(w http.ResponseWriter, reason string) bool {
	if len(reason) > maxReason {
		refuse(w, badRequest, "the reason has more than "+strconv.Itoa(maxReason)+" bytes", nil)
		return false
	}
	return true
}

// pause is POST /v1/subscribers/{name}/pause with {"reason": …}.
func (a *api) pause(w http.ResponseWriter, r *http.Request) {
	var in wire.Reason
	if !body(w, r, &in) || !goodReason(w, in.Reason) {
		return
	}
	a.operated(w, r, a.Runtime.Pause(r.Context(), r.PathValue("name"), in.Reason))
}

// resume is POST /v1/subscribers/{name}/resume.
func (a *api) resume(w http.ResponseWriter, r *http.Request) {
	a.operated(w, r, a.Runtime.Resume(r.Context(), r.PathValue("name")))
}

// operated answers how the subscriber stands after err was nil.
func (a *api) operated(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		refuseError(w, err)
		return
	}
	a.subscriber(w, r)
}

// reset is POST /v1/subscribers/{name}/reset with {"to": "seq:17", "re_emit": false,
// "empty_state": false, "dry_run": true}.
func (a *api) reset(w http.ResponseWriter, r *http.Request) {
	var in wire.ResetRequest
	if !body(w, r, &in) {
		return
	}
	to, err := runtime.ParseTarget(in.To)
	if err != nil {
		refuse(w, badRequest, "to: "+err.Error(), nil)
		return
	}
	run := a.Runtime.Reset
	if in.DryRun {
		run = a.Runtime.PlanReset
	}
	name := r.PathValue("name")
	p, err := run(r.Context(), name, runtime.ResetOptions{To: to, ReEmit: in.ReEmit, EmptyState: in.EmptyState})
	if err != nil {
		refuseError(w, err)
		return
	}
	respond(w, http.StatusOK, wire.Reset{
		Subscriber: name, DryRun: in.DryRun, From: uint64(p.From), To: uint64(p.To), Again: p.Again, Fresh: p.Fresh, Skipped: p.Skipped,
		DeadLetters: p.DeadLetters, BlockedKeys: p.BlockedKeys, Run: p.Run, EmptyState: p.EmptyState,
	})
}

// drop is DELETE /v1/subscribers/{name}.
func (a *api) drop(w http.ResponseWriter, r *http.Request) {
	d, err := a.Runtime.Drop(r.Context(), r.PathValue("name"))
	if err != nil {
		refuseError(w, err)
		return
	}
	respond(w, http.StatusOK, wire.Dropped{
		Subscriber: r.PathValue("name"), StateKeys: d.StateKeys, DeadLetters: d.DeadLetters, BlockedKeys: d.BlockedKeys, Timers: d.Timers,
	})
}

func (a *api) detached(w http.ResponseWriter) {
	all, err := a.Runtime.Detached()
	if err != nil {
		refuseError(w, err)
		return
	}
	out := make([]wire.Detached, len(all))
	for i, d := range all {
		out[i] = wire.Detached{Name: d.Name, Cursor: uint64(d.Cursor), Digest: d.Digest, Since: d.Since, StateKeys: d.StateKeys, DeadLetters: d.DeadLetters, BlockedKeys: d.BlockedKeys}
	}
	respond(w, http.StatusOK, wire.DetachedSubscribers{Subscribers: out})
}
