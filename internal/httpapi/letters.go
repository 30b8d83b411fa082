package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/runtime"
)

func deadLetterOf(d *runtime.DeadLetter, event bool) wire.DeadLetter {
	out := wire.DeadLetter{
		Subscriber: d.Subscriber, Seq: uint64(d.Seq), Topic: d.Event.Topic, Key: d.Event.Key, ID: d.Event.ID,
		Reason: d.Reason, Message: d.Message, Fingerprint: d.Fingerprint, Pattern: d.Pattern, Code: d.Code, Attempts: d.Attempts,
		Digest: d.Digest, Time: d.Time, Fuel: d.Fuel, Run: d.Run, Replayed: d.Replayed,
	}
	for _, t := range d.Tries {
		out.Tries = append(out.Tries, wire.Try(t))
	}
	if event {
		out.Event = cloudevents.AppendJSON(nil, &d.Event)
	}
	return out
}

// letterFilter reads ?seq=1,2&reason=&topic=&fingerprint=&since=.
func letterFilter(query url.Values) (runtime.LetterFilter, error) {
	f := runtime.LetterFilter{Reason: query.Get("reason"), Topic: query.Get("topic"), Fingerprint: query.Get("fingerprint")}
	for _, list := range query["seq"] {
		for _, text := range strings.Split(list, ",") {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				return f, fmt.Errorf("seq must be numbers with commas in between, not %q", list)
			}
			f.Seqs = append(f.Seqs, abi.Seq(n))
		}
	}
	if since := query.Get("since"); since != "" {
		t, err := time.Parse(time.RFC3339, since)
		if err != nil {
			return f, fmt.Errorf("since must be a time as in RFC 3339, not %q", since)
		}
		f.Since = t
	}
	return f, nil
}

// deadLetters is GET /v1/subscribers/{name}/dead-letters?after=&limit=&events=true and a filter.
func (a *api) deadLetters(w http.ResponseWriter, r *http.Request) {
	after, err := number(r, "after", 0)
	limit, err2 := number(r, "limit", 100)
	filter, err3 := letterFilter(r.URL.Query())
	if err = errors.Join(err, err2, err3); err != nil {
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	letters, err := a.Runtime.FindDeadLetters(r.Context(), r.PathValue("name"), filter, abi.Seq(after), int(min(limit, maxPage)))
	if err != nil {
		refuseError(w, err)
		return
	}
	out := make([]wire.DeadLetter, len(letters))
	for i := range letters {
		out[i] = deadLetterOf(&letters[i], r.URL.Query().Get("events") == "true")
	}
	respond(w, http.StatusOK, wire.DeadLetters{DeadLetters: out})
}

// dropLetters is DELETE /v1/subscribers/{name}/dead-letters with a filter; all=true where
// it shall mean all.
func (a *api) dropLetters(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	filter, err := letterFilter(query)
	if err == nil && query.Get("all") != "true" && len(filter.Seqs) == 0 && filter.Reason+filter.Topic+filter.Fingerprint == "" && filter.Since.IsZero() {
		err = errors.New("say which: seq, reason, topic, fingerprint or since, or all=true")
	}
	if err != nil {
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	dropped, err := a.Runtime.DropDeadLetters(r.Context(), r.PathValue("name"), filter)
	if err != nil {
		refuseError(w, err)
		return
	}
	out := wire.DroppedLetters{Dropped: make([]uint64, len(dropped))}
	for i, seq := range dropped {
		out.Dropped[i] = uint64(seq)
	}
	respond(w, http.StatusOK, out)
}

// maxRedrive is how many letters one request handles again: an answer is wanted while somebody waits.
const maxRedrive = 100

// redrive is POST /v1/subscribers/{name}/dead-letters/redrive?seq=1,2&dry_run=true, with a
// module as the body where it shall not be the one in service. A letter that is not there,
// or whose turn comes, is answered as refused; the others go on.
func (a *api) redrive(w http.ResponseWriter, r *http.Request) {
	filter, err := letterFilter(r.URL.Query())
	if err == nil && (len(filter.Seqs) == 0 || len(filter.Seqs) > maxRedrive) {
		err = fmt.Errorf("name 1 to %d dead letters: ?seq=17,18", maxRedrive)
	}
	if err != nil {
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	opts := runtime.RedriveOptions{DryRun: r.URL.Query().Get("dry_run") == "true", Name: "the given module"}
	if wasm, err := module(w, r); err != nil {
		refuseBody(w, err)
		return
	} else if len(wasm) > 0 {
		opts.Module = wasm
	}
	out := []wire.Redriven{}
	for _, seq := range filter.Seqs {
		d, err := a.Runtime.Redrive(r.Context(), r.PathValue("name"), seq, opts)
		_, gone := a.Runtime.Subscriber(r.PathValue("name"))
		switch {
		case err == nil:
			out = append(out, redrivenOf(d))
		case gone == nil && (errors.Is(err, runtime.ErrNotFound) || errors.Is(err, runtime.ErrInTurn)):
			out = append(out, wire.Redriven{Seq: uint64(seq), Outcome: "refused", Message: err.Error()})
		default:
			refuseError(w, err)
			return
		}
	}
	respond(w, http.StatusOK, wire.Redrive{Redriven: out})
}

func redrivenOf(d runtime.Redriven) wire.Redriven {
	out := wire.Redriven{
		Seq: uint64(d.Seq), Outcome: string(d.Outcome), Reason: d.Reason, Message: d.Message, Attempts: d.Attempts,
		Dropped: d.Dropped, Timers: d.Timers, Writes: d.Writes, Fuel: d.Fuel, Digest: d.Digest,
	}
	for _, e := range d.Emits {
		if out.Emits == nil {
			out.Emits = map[string]int{}
		}
		out.Emits[e.Topic] = e.Number
	}
	return out
}
