package httpapi

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/runtime"
)

func handlingOf(h *runtime.Handling) *wire.Handling {
	if h == nil {
		return nil
	}
	out := &wire.Handling{Unknown: h.Unknown, Generation: h.Generation, Fuel: h.Fuel, Took: h.Took.Seconds(), More: h.More, Differs: h.Differs}
	for _, c := range h.Changes {
		out.Changes = append(out.Changes, wire.Change{Key: string(c.Key), Before: textOf(c.Before), After: textOf(c.After)})
	}
	return out
}

// maxTraceValue bounds what a trace shows of a value.
const maxTraceValue = 256

// textOf is a value as text: one that is none is written in hexadecimal, a long one is cut.
func textOf(value []byte) *string {
	if value == nil {
		return nil
	}
	text := string(value[:min(len(value), maxTraceValue)])
	if !utf8.ValidString(text) {
		text = "0x" + hex.EncodeToString([]byte(text))
	}
	if len(value) > maxTraceValue {
		text += "…"
	}
	return &text
}

// trace is GET /v1/events/{seq}/trace. What is no number is the id of an event. With changes=true
// guests run again to work out what each handling took and changed.
func (a *api) trace(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		found, err := a.Runtime.Find(r.Context(), r.PathValue("seq"))
		if err != nil {
			refuseError(w, err)
			return
		}
		seq = uint64(found)
	}
	trace := a.Runtime.Trace
	changes := r.URL.Query().Get("changes") == "true"
	if changes {
		trace = a.Runtime.TraceChanges
	}
	tr, err := trace(r.Context(), abi.Seq(seq))
	if err != nil {
		refuseError(w, err)
		return
	}
	respond(w, http.StatusOK, traceOf(tr, changes))
}

func traceOf(tr runtime.Trace, changes bool) wire.Trace {
	out := wire.Trace{
		Causes: []wire.Cause{}, Whole: tr.Whole, ReadTo: uint64(tr.ReadTo), Cut: tr.Cut,
		NotRecorded: []string{"fuel", "state changes", "whether a subscriber began behind an event or skipped it"},
	}
	if changes { // fuel and changes were worked out
		out.NotRecorded = out.NotRecorded[2:]
	}
	for _, c := range tr.Causes {
		out.Causes = append(out.Causes, wire.Cause{Seq: uint64(c.Seq), Topic: c.Topic, ID: c.ID, Subscriber: c.Subscriber})
	}
	appended := map[abi.Seq]int64{}
	for i := range tr.Events {
		ev := &tr.Events[i]
		appended[ev.Seq] = ev.Appended
		e := wire.TracedEvent{
			Seq: uint64(ev.Seq), Topic: ev.Topic, Key: ev.Key, ID: ev.ID, Cause: uint64(ev.Cause), By: ev.By,
			Timer: ev.Kind == abi.KindTimer, Hops: ev.Hops(), Deliveries: []wire.Delivery{},
		}
		if ev.Cause != 0 {
			e.After = float64(ev.Appended-appended[ev.Cause]) / 1e9
		}
		for _, d := range ev.Deliveries {
			e.Deliveries = append(e.Deliveries, wire.Delivery{
				Subscriber: d.Subscriber, Outcome: string(d.Outcome), Emitted: d.Emitted, Timers: d.Timers,
				Reason: d.Reason, Message: d.Message, Attempts: d.Attempts, Handling: handlingOf(d.Handling),
			})
		}
		out.Events = append(out.Events, e)
	}
	return out
}
