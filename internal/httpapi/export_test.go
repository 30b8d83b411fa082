package httpapi

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
)

// Routes are the method and path of each route but /metrics.
func Routes() []string { return slices.Sorted(maps.Keys((&api{}).routes())) }

// Fail answers a request whose route fails with err.
func Fail(logger *slog.Logger, err error) *httptest.ResponseRecorder {
	a := &api{Options{Logger: logger}}
	w := httptest.NewRecorder()
	a.watched(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuseError(w, err) })).ServeHTTP(w, httptest.NewRequest("POST", "/v1/clock", nil))
	return w
}
