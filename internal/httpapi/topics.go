package httpapi

import (
	"net/http"

	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/runtime"
)

// interested is GET /v1/topics/{topic}/subscribers: who would get an event with the topic.
func (a *api) interested(w http.ResponseWriter, r *http.Request) {
	found, err := a.Runtime.Interested(r.PathValue("topic"))
	if err != nil {
		refuseError(w, err)
		return
	}
	out := make([]wire.Interest, len(found))
	for i, in := range found {
		out[i] = wire.Interest(in)
	}
	respond(w, http.StatusOK, wire.Interests{Subscribers: out})
}

// topics is GET /v1/topics?pattern=&after=&limit=: which topics of the log a pattern matches.
func (a *api) topics(w http.ResponseWriter, r *http.Request) {
	limit, err := number(r, "limit", 1000)
	if err != nil {
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	query := r.URL.Query()
	pattern := query.Get("pattern")
	if pattern == "" {
		pattern = "**"
	}
	var found runtime.SeenTopics
	if found, err = a.Runtime.Topics(r.Context(), pattern, query.Get("after"), int(min(limit, maxPage))); err != nil {
		refuseError(w, err)
		return
	}
	if found.Topics == nil {
		found.Topics = []string{}
	}
	respond(w, http.StatusOK, wire.Topics{Topics: found.Topics, To: uint64(found.To), Incomplete: found.Missed})
}
