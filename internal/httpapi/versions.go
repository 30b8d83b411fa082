package httpapi

import (
	"net/http"

	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/runtime"
)

func buildOf(b *runtime.BuildStatus) *wire.Build {
	if b == nil {
		return nil
	}
	return &wire.Build{
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
	respond(w, http.StatusOK, wire.DroppedState{Subscriber: r.PathValue("name"), Version: version, Keys: keys})
}
