package httpapi

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
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
	for pattern, route := range a.routes() {
		mux.HandleFunc(pattern, strict(route))
	}
	if opts.Metrics != nil {
		mux.Handle("GET /metrics", soon(opts.Metrics))
	}
	mux.HandleFunc("/", a.fallback(mux))
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, foreignOrigin, "a page of another origin cannot write to the node", nil)
	}))
	return a.watched(loopbackOnly(ownReadersOnly(origin.Handler(mux))))
}

// soon gives who reads an answer no longer than [writeTime] for it.
func soon(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
		next.ServeHTTP(w, r)
	})
}

// watchedWriter hears why a request failed.
type watchedWriter struct {
	http.ResponseWriter
	failed func(error)
}

// Unwrap is for [http.ResponseController].
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// watched logs what the node, not the client, is to blame for.
func (a *api) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&watchedWriter{w, func(err error) {
			a.Logger.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}}, r)
	})
}

// ownReadersOnly refuses what a page of another origin asks for, but for a link that a person
// follows. Such a page could read none of it, but make the node work and measure how long it takes.
func ownReadersOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site, link := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
		if (site == "cross-site" || site == "same-site") && !link && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			refuse(w, foreignOrigin, "a page of another origin cannot read from the node", nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// route is what answers a method and a path.
type route struct {
	serve http.HandlerFunc
	query string // the parameters that it takes, see [parameters]
}

// routes is the interface, one line a route.
func (a *api) routes() map[string]route {
	return map[string]route{
		"POST /v1/events":                                  {a.publish, "durability"},
		"POST /v1/topics/{topic}":                          {a.publishPlain, "durability key"},
		"GET /v1/topics":                                   {a.topics, "pattern after limit"},
		"GET /v1/topics/{topic}/subscribers":               {a.interested, ""},
		"GET /v1/events":                                   {a.stream, "topics* from follow?"},
		"GET /v1/events/{seq}":                             {a.event, ""},
		"GET /v1/events/{seq}/trace":                       {a.trace, "changes?"},
		"POST /v1/events/{seq}/redaction":                  {a.redact, ""},
		"GET /v1/streams/{key}":                            {a.keyStream, "from at limit reverse?"},
		"POST /v1/backups":                                 {a.backup, ""},
		"GET /v1/status":                                   {a.status, ""},
		"GET /v1/subscribers":                              {a.subscribers, "detached?"},
		"GET /v1/subscribers/{name}":                       {a.subscriber, ""},
		"GET /v1/subscribers/{name}/state":                 {a.state, "prefix after limit"},
		"GET /v1/subscribers/{name}/dead-letters":          {a.deadLetters, "after limit events? seq* reason topic fingerprint since"},
		"GET /v1/subscribers/{name}/timers":                {a.timers, "due id limit"},
		"POST /v1/clock":                                   {a.acceptClock, ""},
		"POST /v1/reload":                                  {a.reload, ""},
		"GET /livez":                                       {a.live, "*"},
		"GET /readyz":                                      {a.ready, "*"},
		"POST /v1/subscribers/{name}/pause":                {a.pause, ""},
		"POST /v1/subscribers/{name}/resume":               {a.resume, ""},
		"POST /v1/subscribers/{name}/reset":                {a.reset, ""},
		"DELETE /v1/subscribers/{name}":                    {a.drop, ""},
		"DELETE /v1/subscribers/{name}/dead-letters":       {a.dropLetters, "all? seq* reason topic fingerprint since"},
		"POST /v1/subscribers/{name}/dead-letters/redrive": {a.redrive, "seq* dry_run?"},
		"DELETE /v1/subscribers/{name}/kept-state":         {a.dropKept, ""},
		"GET /v1/subscribers/{name}/generations":           {a.generations, ""},
		"POST /v1/subscribers/{name}/shadow":               {a.shadow, "last from to dead_letters?"},
		"POST /v1/subscribers/{name}/deploy":               {a.deploy, "dry_run?"},
		"POST /v1/subscribers/{name}/rollback":             {a.rollback, "to"},
	}
}

// fallback answers what no route takes. A path that exists under other methods is told so.
func (a *api) fallback(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); pattern != "/" && pattern != "" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			refuse(w, notFound, "no route "+r.URL.Path+"; the interface begins at /v1/", nil)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		refuse(w, notAllowed, "use "+strings.Join(allowed, " or "), nil)
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
		if ip := net.ParseIP(host); !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
			refuse(w, foreignHost, "talk to the node as localhost or 127.0.0.1", nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Server returns a server for the handler with every bound set. Answers set their own
// deadlines for writing, since some take long to come about. logger gets what the library says.
func Server(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}
