package httpapi

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/avx-platform/avxrt/runtime"
)

// Options make a handler.
type Options struct {
	Runtime *runtime.Runtime
	Metrics http.Handler  // serves /metrics; nil: not there
	Version string        // of the program, for /v1/status
	Logger  *slog.Logger  // gets failures of the node; nil: discard
	MaxBody int64         // bytes of a request; default 1 MiB
	Beat    time.Duration // how often an idle stream gets a comment; default 15 s
}

// api serves one node.
type api struct {
	Options
}

// New returns the handler of the whole interface.
func New(opts Options) http.Handler {
	if opts.MaxBody == 0 {
		opts.MaxBody = 1 << 20
	}
	if opts.Beat == 0 {
		opts.Beat = 15 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	a := &api{opts}
	mux := http.NewServeMux()
	for pattern, handler := range a.routes() {
		mux.HandleFunc(pattern, handler)
	}
	if opts.Metrics != nil {
		mux.Handle("GET /metrics", opts.Metrics)
	}
	mux.HandleFunc("/", a.fallback(mux))
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, foreignOrigin, "a page of another origin cannot write to the node", nil)
	}))
	return loopbackOnly(origin.Handler(mux))
}

// routes is the interface, one line a route.
func (a *api) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /v1/events":                                  a.publish,
		"POST /v1/topics/{topic}":                          a.publishPlain,
		"GET /v1/topics":                                   a.topics,
		"GET /v1/topics/{topic}/subscribers":               a.interested,
		"GET /v1/events":                                   a.stream,
		"GET /v1/events/{seq}":                             a.event,
		"GET /v1/events/{seq}/trace":                       a.trace,
		"POST /v1/events/{seq}/redaction":                  a.redact,
		"GET /v1/streams/{key}":                            a.keyStream,
		"POST /v1/backups":                                 a.backup,
		"GET /v1/status":                                   a.status,
		"GET /v1/subscribers":                              a.subscribers,
		"GET /v1/subscribers/{name}":                       a.subscriber,
		"GET /v1/subscribers/{name}/state":                 a.state,
		"GET /v1/subscribers/{name}/dead-letters":          a.deadLetters,
		"GET /v1/subscribers/{name}/timers":                a.timers,
		"POST /v1/clock":                                   a.acceptClock,
		"POST /v1/reload":                                  a.reload,
		"GET /livez":                                       a.live,
		"GET /readyz":                                      a.ready,
		"POST /v1/subscribers/{name}/pause":                a.pause,
		"POST /v1/subscribers/{name}/resume":               a.resume,
		"POST /v1/subscribers/{name}/reset":                a.reset,
		"DELETE /v1/subscribers/{name}":                    a.drop,
		"DELETE /v1/subscribers/{name}/dead-letters":       a.dropLetters,
		"POST /v1/subscribers/{name}/dead-letters/redrive": a.redrive,
		"DELETE /v1/subscribers/{name}/kept-state":         a.dropKept,
		"GET /v1/subscribers/{name}/generations":           a.generations,
		"POST /v1/subscribers/{name}/shadow":               a.shadow,
		"POST /v1/subscribers/{name}/deploy":               a.deploy,
		"POST /v1/subscribers/{name}/rollback":             a.rollback,
	}
}

// fallback answers what no route takes. A path that exists under another method is told so.
func (a *api) fallback(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); pattern != "/" && pattern != "" {
				w.Header().Set("Allow", method)
				refuse(w, notAllowed, "use "+method, nil)
				return
			}
		}
		refuse(w, notFound, "no route "+r.URL.Path+"; the interface begins at /v1/", nil)
	}
}

// loopbackOnly refuses requests under a name that is not this machine's own: a hostile
// page can point its own name at 127.0.0.1 (DNS rebinding), but cannot change the Host.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if len(host) > 1 && host[0] == '[' {
			host = host[1 : len(host)-1]
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			refuse(w, foreignHost, "talk to the node as localhost or 127.0.0.1", nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Server returns a server for the handler with every bound set. Streams set their own
// deadlines for writing.
func Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}
