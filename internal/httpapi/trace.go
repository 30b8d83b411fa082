package httpapi

import (
	"net/http"
	"strconv"

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
}

// trace is GET /v1/events/{seq}/trace. What is no number is the id of an event.
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
	tr, err := a.Runtime.Trace(r.Context(), abi.Seq(seq))
	if err != nil {
		refuseError(w, err)
		return
	}
	respond(w, http.StatusOK, traceOf(tr))
}

func traceOf(tr runtime.Trace) Trace {
	out := Trace{
		Causes: []Cause{}, Whole: tr.Whole, ReadTo: uint64(tr.ReadTo), Cut: tr.Cut,
		NotRecorded: []string{"fuel", "state changes", "whether a subscriber began behind an event or skipped it"},
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
				Reason: d.Reason, Message: d.Message, Attempts: d.Attempts,
			})
		}
		out.Events = append(out.Events, e)
	}
	return out
}
