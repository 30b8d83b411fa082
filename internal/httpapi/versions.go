package httpapi

import (
	"net/http"

	"github.com/avx-platform/avxrt/runtime"
)

// Build is how far a change of the state version is.
type Build struct {
	Version  uint32 `json:"version"`
	Kind     string `json:"kind"`   // migrate, rebuild or return
	Halted   bool   `json:"halted"` // the subscriber waits for it
	Next     uint64 `json:"next,omitempty"`
	Target   uint64 `json:"target,omitempty"`
	Events   uint64 `json:"events"`
	Failed   uint64 `json:"failed"`
	Keys     uint64 `json:"keys"`
	Commits  uint64 `json:"commits"`
	WaitsFor string `json:"waits_for,omitempty"`
}

func buildOf(b *runtime.BuildStatus) *Build {
	if b == nil {
		return nil
	}
	return &Build{
		Version: b.Version, Kind: b.Kind, Halted: b.Halted, Next: uint64(b.Next), Target: uint64(b.Target), Events: b.Events,
		Failed: b.Failed, Keys: b.Keys, Commits: b.Commits, WaitsFor: b.WaitsFor,
	}
}

// dropKept is DELETE /v1/subscribers/{name}/kept-state: the state of the version before the
// present one, which a roll back would need.
func (a *api) dropKept(w http.ResponseWriter, r *http.Request) {
	version, keys, err := a.Runtime.DropKeptState(r.Context(), r.PathValue("name"))
	if err != nil {
		refuseError(w, err)
		return
	}
	respond(w, http.StatusOK, map[string]any{"subscriber": r.PathValue("name"), "version": version, "keys": keys})
}
