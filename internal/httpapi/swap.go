package httpapi

import (
	"errors"
	"io"
	"net/http"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// generations is GET /v1/subscribers/{name}/generations, oldest first.
func (a *api) generations(w http.ResponseWriter, r *http.Request) {
	history, err := a.Runtime.Generations(r.PathValue("name"))
	if err != nil {
		refuseError(w, err)
		return
	}
	out := make([]wire.Generation, len(history))
	for i, g := range history {
		out[i] = wire.Generation{Number: g.Number, Digest: g.Digest, Module: g.Module, Cause: g.Cause, Standing: string(g.Standing), Reason: g.Reason, StateVersion: max(g.StateVersion, 1), Seq: uint64(g.Seq), Time: g.Time}
	}
	respond(w, http.StatusOK, wire.Generations{Generations: out})
}

// module reads the body as a module.
func module(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, log.MaxModuleBytes))
}

// shadow is POST /v1/subscribers/{name}/shadow with the bytes of a module: a rehearsal that
// changes nothing. last, or from and to, or dead_letters=true say which events.
func (a *api) shadow(w http.ResponseWriter, r *http.Request) {
	last, err := number(r, "last", 0)
	from, err2 := number(r, "from", 0)
	to, err3 := number(r, "to", 0)
	if err := errors.Join(err, err2, err3); err != nil {
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	const most = 1_000_000
	if last > most {
		refuse(w, badRequest, "last is at most 1000000; use from and to for more", nil)
		return
	}
	wasm, err := module(w, r)
	if err != nil {
		refuseBody(w, err)
		return
	}
	span := runtime.Span{Last: int(last), From: abi.Seq(from), To: abi.Seq(to), DeadLetters: r.URL.Query().Get("dead_letters") == "true"}
	report, err := a.Runtime.Shadow(r.Context(), r.PathValue("name"), wasm, span)
	if err != nil {
		refuseModule(w, err)
		return
	}
	respond(w, http.StatusOK, report)
}

// deploy is POST /v1/subscribers/{name}/deploy with the bytes of a module. A rehearsal that
// went badly is an answer, with deployed false, and no problem.
func (a *api) deploy(w http.ResponseWriter, r *http.Request) {
	wasm, err := module(w, r)
	if err != nil {
		refuseBody(w, err)
		return
	}
	d, err := a.Runtime.Deploy(r.Context(), r.PathValue("name"), wasm, r.URL.Query().Get("dry_run") == "true")
	if err != nil {
		refuseModule(w, err)
		return
	}
	respondDeployment(w, d)
}

// rollback is POST /v1/subscribers/{name}/rollback; to is the number of a generation.
func (a *api) rollback(w http.ResponseWriter, r *http.Request) {
	to, err := number(r, "to", 0)
	if err != nil {
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	d, err := a.Runtime.Rollback(r.Context(), r.PathValue("name"), int(to))
	if err != nil {
		refuseModule(w, err)
		return
	}
	respondDeployment(w, d)
}

func respondDeployment(w http.ResponseWriter, d runtime.Deployment) {
	out := wire.Deployment{
		Subscriber: d.Subscriber, Digest: d.Digest, File: d.File, Shared: d.Shared, Deployed: d.Deployed, Generation: d.Generation, OnTrial: d.OnTrial,
		Move: string(d.Move), Version: d.Version, Report: d.Report,
	}
	respond(w, http.StatusOK, out)
}

// refuseModule is refuseError for requests that bring a module.
func refuseModule(w http.ResponseWriter, err error) {
	var bad *runtime.ManifestError
	if errors.As(err, &bad) {
		refuse(w, badPlan, err.Error(), nil)
		return
	}
	refuseError(w, err)
}
