package httpapi

import (
	"io"
	"net/http"
	"time"

	"github.com/avx-platform/avxrt/runtime"
)

// Subscriber is how one subscriber stands.
type Subscriber struct {
	Name         string    `json:"name"`
	State        string    `json:"state"`
	Reason       string    `json:"reason,omitempty"`
	Problem      string    `json:"problem,omitempty"`
	Topics       []string  `json:"topics"`
	Module       string    `json:"module"`
	Digest       string    `json:"digest"`
	Generation   int       `json:"generation"`
	OnTrial      bool      `json:"on_trial,omitempty"`
	StateVersion uint32    `json:"state_version"`
	KeptVersion  uint32    `json:"kept_state_version,omitempty"` // whose state is there for a roll back
	Build        *Build    `json:"state_build,omitempty"`
	Since        time.Time `json:"since"`
	Cursor       uint64    `json:"cursor"`
	Mark         uint64    `json:"mark,omitempty"` // below it, after a reset, events are handled again
	LagEvents    uint64    `json:"lag_events"`
	LagSeconds   float64   `json:"lag_seconds"`
	BlockedKeys  int       `json:"blocked_keys"`
	Partitions   int       `json:"partitions"`
	Timers       int       `json:"timers"` // that wait
	Handled      uint64    `json:"handled"`
	Emitted      uint64    `json:"emitted"`
	Traps        uint64    `json:"traps"`
	Failures     uint64    `json:"failures"`
	Retries      uint64    `json:"retries"`
	Skipped      uint64    `json:"skipped"`
	DeadLetters  uint64    `json:"dead_letters"` // that there are
	Refused      uint64    `json:"refused"`
	RolledBack   uint64    `json:"rolled_back"`
	ExecSeconds  float64   `json:"exec_seconds"`
	MemoryBytes  int64     `json:"memory_bytes"`
}

func subscriberOf(s runtime.SubscriberStatus) Subscriber {
	return Subscriber{
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
	out := make([]Subscriber, len(all))
	for i, s := range all {
		out[i] = subscriberOf(s)
	}
	respond(w, http.StatusOK, map[string]any{"subscribers": out})
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

// Status is how the node stands.
type Status struct {
	Node           string `json:"node"`
	Version        string `json:"version,omitempty"` // of the program
	Data           string `json:"data"`
	Ready          bool   `json:"ready"`
	NotReady       string `json:"not_ready,omitempty"`
	ManifestError  string `json:"manifest_error,omitempty"`
	Reloads        uint64 `json:"reloads"`
	RefusedReloads uint64 `json:"refused_reloads"`
	ClockProblem   string `json:"clock_problem,omitempty"`
	Head           uint64 `json:"head"`
	Durable        uint64 `json:"durable"`
}

// status is GET /v1/status.
func (a *api) status(w http.ResponseWriter, _ *http.Request) {
	s := a.Runtime.Status()
	respond(w, http.StatusOK, Status{
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
	respond(w, http.StatusOK, map[string]any{"reloaded": true})
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
