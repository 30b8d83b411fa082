package httpapi

import (
	"io"
	"net/http"

	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/runtime"
)

func subscriberOf(s runtime.SubscriberStatus) wire.Subscriber {
	return wire.Subscriber{
		Name: s.Name, State: string(s.State), Reason: s.Reason, Problem: s.Problem, Topics: s.Topics, Module: s.Module,
		Digest: s.Digest, Generation: s.Generation, OnTrial: s.OnTrial, StateVersion: s.StateVersion, KeptVersion: s.KeptVersion, Build: buildOf(s.Build), Refused: s.Refused, RolledBack: s.RolledBack, Since: s.Since, Cursor: uint64(s.Cursor), Mark: uint64(s.Mark), LagEvents: s.LagEvents,
		LagSeconds: s.LagSeconds, BlockedKeys: s.BlockedKeys, Partitions: s.Partitions, Timers: s.Timers, Handled: s.Handled, Emitted: s.Emitted, Traps: s.Traps, Failures: s.Failures,
		Retries: s.Retries, Skipped: s.Skipped, DeadLetters: uint64(s.Letters), ExecSeconds: s.ExecSeconds, MemoryBytes: s.MemoryBytes,
	}
}

// subscribers is GET /v1/subscribers; with detached=true, of those that the manifest has no more.
func (a *api) subscribers(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("detached") == "true" {
		a.detached(w)
		return
	}
	all := a.Runtime.Subscribers()
	out := make([]wire.Subscriber, len(all))
	for i, s := range all {
		out[i] = subscriberOf(s)
	}
	respond(w, http.StatusOK, wire.Subscribers{Subscribers: out})
}

// subscriber is GET /v1/subscribers/{name}.
func (a *api) subscriber(w http.ResponseWriter, r *http.Request) {
	s, err := a.Runtime.Subscriber(r.PathValue("name"))
	if err != nil {
		refuseError(w, err)
		return
	}
	respond(w, http.StatusOK, subscriberOf(s))
}

// status is GET /v1/status.
func (a *api) status(w http.ResponseWriter, _ *http.Request) {
	s := a.Runtime.Status()
	respond(w, http.StatusOK, wire.Status{
		Node: s.Node, Version: a.Version, Data: s.Data, Ready: s.Ready, NotReady: s.NotReady, ManifestError: s.ManifestError, Reloads: s.Reloads,
		RefusedReloads: s.RefusedReloads, ClockProblem: s.ClockProblem, Head: uint64(s.Log.Durable), Durable: uint64(s.Log.Durable),
	})
}

// reload is POST /v1/reload.
func (a *api) reload(w http.ResponseWriter, r *http.Request) {
	if err := a.Runtime.Reload(r.Context()); err != nil {
		refuse(w, badPlan, err.Error(), nil)
		return
	}
	respond(w, http.StatusOK, wire.Reloaded{Reloaded: true})
}

// live is GET /livez: the process answers.
func (a *api) live(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

// ready is GET /readyz: the node takes events.
func (a *api) ready(w http.ResponseWriter, _ *http.Request) {
	if s := a.Runtime.Status(); !s.Ready {
		refuse(w, draining, s.NotReady, nil)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}
