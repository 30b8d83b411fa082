package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/runtime"
)

func respond(w http.ResponseWriter, status int, body any) {
	begin(w, "application/json", status)
	_ = json.NewEncoder(w).Encode(body)
}

// writeTime is how long a reader may take for one answer, or one piece of a stream, before it
// is cut off: who does not read would hold on to it for ever.
const writeTime = 30 * time.Second

// begin writes the head of an answer.
func begin(w http.ResponseWriter, contentType string, status int) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
}

// number reads a query parameter; absent is byDefault.
func number(r *http.Request, name string, byDefault uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return byDefault, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, errors.New(name + " must be a number, not " + strconv.Quote(text))
	}
	return n, nil
}

// event is GET /v1/events/{seq}.
func (a *api) event(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		refuse(w, badRequest, "the seq of an event is a number", nil)
		return
	}
	ev, err := a.Runtime.Event(abi.Seq(seq))
	if err != nil {
		refuseError(w, err)
		return
	}
	begin(w, cloudevents.TypeJSON, http.StatusOK)
	_, _ = w.Write(append(cloudevents.AppendJSON(nil, &ev), '\n'))
}

// stream is GET /v1/events: server-sent events from a seq or from now on. Without follow
// it ends at the last durable event.
func (a *api) stream(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	from, err := number(r, "from", 0)
	if last := r.Header.Get("Last-Event-ID"); last != "" && err == nil {
		if from, err = strconv.ParseUint(last, 10, 64); err != nil || from == math.MaxUint64 {
			err = errors.New("Last-Event-ID must be a seq, not " + strconv.Quote(last))
		}
		from++
	}
	if err != nil {
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	follow := query.Get("follow") != "false"
	if !follow {
		from = max(from, 1)
		// What was handled just now shall be in the answer, and only what is on disk may be.
		if err := a.Runtime.Store().Sync(r.Context()); err != nil {
			refuseError(w, err)
			return
		}
	}
	var patterns []string
	for _, list := range query["topics"] {
		patterns = append(patterns, strings.Split(list, ",")...)
	}
	t, err := a.Runtime.Tail(runtime.TailOptions{Patterns: patterns, From: abi.Seq(from)})
	if err != nil {
		refuseError(w, err)
		return
	}
	defer t.Close()
	s := &sse{w: w, control: http.NewResponseController(w)}
	s.begin()
	if r.Method == http.MethodHead {
		return // an endless answer of nothing
	}
	if follow && s.place(t.Position()-1) != nil {
		return
	}
	a.feed(r.Context(), s, t, follow)
}

// feed writes events until the reader goes, the node ends or, without follow, the log does.
func (a *api) feed(ctx context.Context, s *sse, t *runtime.Tail, follow bool) {
	for {
		wait := a.Beat
		if !follow {
			wait = 0
		}
		beat, cancel := context.WithTimeout(ctx, wait)
		ev, err := t.Next(beat)
		cancel()
		switch {
		case err == nil:
			err = s.event(ev)
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return
		case !follow:
			return
		case a.Runtime.Status().NotReady != "":
			return // draining: the client comes back with Last-Event-ID
		default:
			err = s.comment()
		}
		if err != nil {
			return
		}
	}
}

// sse writes server-sent events.
type sse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     []byte
}

func (s *sse) begin() {
	h := s.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	_ = s.control.SetReadDeadline(time.Time{}) // the request was read; its time must not end the stream
	begin(s.w, "text/event-stream", http.StatusOK)
	_ = s.control.Flush()
}

func (s *sse) event(ev *abi.Event) error {
	s.buf = append(s.buf[:0], "id: "...)
	s.buf = strconv.AppendUint(s.buf, uint64(ev.Seq), 10)
	s.buf = append(s.buf, "\ndata: "...)
	start := len(s.buf)
	s.buf = cloudevents.AppendJSON(s.buf, ev)
	for i := start; i < len(s.buf); i++ { // data may be JSON with line breaks, which would end the field
		if s.buf[i] == '\n' || s.buf[i] == '\r' {
			s.buf[i] = ' '
		}
	}
	s.buf = append(s.buf, "\n\n"...)
	return s.write(s.buf)
}

// place says behind which seq the stream begins, so that a reader whose connection breaks before
// the first event comes back to there, not to what is now by then.
func (s *sse) place(seq abi.Seq) error {
	return s.write(append(strconv.AppendUint([]byte("id: "), uint64(seq), 10), "\n\n"...))
}

func (s *sse) comment() error { return s.write([]byte(":\n\n")) }

func (s *sse) write(b []byte) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTime))
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.control.Flush()
}

// textOrBase64 returns bytes as one of the two.
func textOrBase64(b []byte) (text, encoded string) {
	if utf8.Valid(b) {
		return string(b), ""
	}
	return "", base64.StdEncoding.EncodeToString(b)
}

// maxPage bounds one answer.
const maxPage = 10_000

// state is GET /v1/subscribers/{name}/state?prefix=&after=&limit=.
func (a *api) state(w http.ResponseWriter, r *http.Request) {
	limit, err := number(r, "limit", 1000)
	if err != nil {
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	query := r.URL.Query()
	entries, err := a.Runtime.State(r.Context(), r.PathValue("name"), query.Get("prefix"), query.Get("after"), int(min(limit, maxPage)))
	if err != nil {
		refuseError(w, err)
		return
	}
	out := make([]wire.StateEntry, len(entries))
	for i, e := range entries {
		out[i].Key, out[i].KeyBase64 = textOrBase64(e.Key)
		out[i].Value, out[i].ValueBase64 = textOrBase64(e.Value)
	}
	respond(w, http.StatusOK, wire.State{Entries: out})
}
