package httpapi

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/runtime"
)

// Trace is what came of an event.
type Trace struct {
	Causes      []Cause       `json:"causes"`       // of the event itself, the first one first
	Whole       bool          `json:"causes_whole"` // causes begins with a root
	Events      []TracedEvent `json:"events"`       // the event that was asked for, then what it caused, by seq
	ReadTo      uint64        `json:"read_to"`
	Cut         string        `json:"cut,omitempty"` // why it was not read to the end
	NotRecorded []string      `json:"not_recorded"`
}

// Cause is an event on the way to another, and the subscriber that went on from it.
type Cause struct {
	Seq        uint64 `json:"seq"`
	Topic      string `json:"topic"`
	ID         string `json:"id"`
	Subscriber string `json:"subscriber"`
}

// TracedEvent is an event of the tree.
type TracedEvent struct {
	Seq        uint64     `json:"seq"`
	Topic      string     `json:"topic"`
	Key        string     `json:"key,omitempty"`
	ID         string     `json:"id"`
	Cause      uint64     `json:"cause,omitempty"` // seq, of an event in the tree
	By         string     `json:"by,omitempty"`    // the subscriber that emitted it
	After      float64    `json:"after_seconds"`   // since its cause was appended
	Timer      bool       `json:"timer,omitempty"` // it waited for its time in between
	Hops       int        `json:"hops"`
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is what a subscriber made of an event.
type Delivery struct {
	Subscriber string `json:"subscriber"`
	Outcome    string `json:"outcome"` // emitted, handled, dead letter, retrying, blocked or not reached
	Emitted    int    `json:"emitted"`
	Timers     int    `json:"timers,omitempty"` // set, and not due yet
	Reason     string `json:"reason,omitempty"`
	Message    string `json:"message,omitempty"`
	Attempts   int    `json:"attempts,omitempty"`

	Handling *Handling `json:"handling,omitempty"` // with changes=true
}

// Handling is what handling an event took and changed, worked out by doing it again.
type Handling struct {
	Unknown    string   `json:"unknown,omitempty"` // why it could not be worked out
	Generation int      `json:"generation,omitempty"`
	Fuel       int64    `json:"fuel,omitempty"`
	Took       float64  `json:"took_seconds,omitempty"`
	Changes    []Change `json:"changes,omitempty"`
	More       int      `json:"more_changes,omitempty"`
	Differs    string   `json:"differs,omitempty"` // what came of it now and did not then
}

// Change is one key of a state; a nil value is one that was, or is, not there.
type Change struct {
	Key    string  `json:"key"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}

func handlingOf(h *runtime.Handling) *Handling {
	if h == nil {
		return nil
	}
	out := &Handling{Unknown: h.Unknown, Generation: h.Generation, Fuel: h.Fuel, Took: h.Took.Seconds(), More: h.More, Differs: h.Differs}
	for _, c := range h.Changes {
		out.Changes = append(out.Changes, Change{Key: string(c.Key), Before: textOf(c.Before), After: textOf(c.After)})
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

func traceOf(tr runtime.Trace, changes bool) Trace {
	out := Trace{
		Causes: []Cause{}, Whole: tr.Whole, ReadTo: uint64(tr.ReadTo), Cut: tr.Cut,
		NotRecorded: []string{"fuel", "state changes", "whether a subscriber began behind an event or skipped it"},
	}
	if changes { // fuel and changes were worked out
		out.NotRecorded = out.NotRecorded[2:]
	}
	for _, c := range tr.Causes {
		out.Causes = append(out.Causes, Cause{Seq: uint64(c.Seq), Topic: c.Topic, ID: c.ID, Subscriber: c.Subscriber})
	}
	appended := map[abi.Seq]int64{}
	for i := range tr.Events {
		ev := &tr.Events[i]
		appended[ev.Seq] = ev.Appended
		e := TracedEvent{
			Seq: uint64(ev.Seq), Topic: ev.Topic, Key: ev.Key, ID: ev.ID, Cause: uint64(ev.Cause), By: ev.By,
			Timer: ev.Kind == abi.KindTimer, Hops: ev.Hops(), Deliveries: []Delivery{},
		}
		if ev.Cause != 0 {
			e.After = float64(ev.Appended-appended[ev.Cause]) / 1e9
		}
		for _, d := range ev.Deliveries {
			e.Deliveries = append(e.Deliveries, Delivery{
				Subscriber: d.Subscriber, Outcome: string(d.Outcome), Emitted: d.Emitted, Timers: d.Timers,
				Reason: d.Reason, Message: d.Message, Attempts: d.Attempts, Handling: handlingOf(d.Handling),
			})
		}
		out.Events = append(out.Events, e)
	}
	return out
}
