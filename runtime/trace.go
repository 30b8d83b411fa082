package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/log"
)

// Bounds of a trace.
const (
	maxTraceEvents = 1000      // in the tree
	maxTraceRead   = 1_000_000 // of the log: a second or so
	maxTraceTimers = 10_000    // of a subscriber
)

// Outcome is what a subscriber made of an event.
type Outcome string

// The outcomes.
const (
	Emitted    Outcome = "emitted"     // events, which are in the trace, too
	Handled    Outcome = "handled"     // its cursor is behind the event, and nothing came of it. Whether it began behind it or skipped it is not recorded
	Lettered   Outcome = "dead letter" // given up
	Retried    Outcome = "retrying"    // it waits for its next attempt
	Blocked    Outcome = "blocked"     // it waits behind an event of its key that does
	NotReached Outcome = "not reached" // yet
)

// Trace is what came of an event.
type Trace struct {
	Causes []Cause // of the event itself, from the root on
	Whole  bool    // Causes begins with the root
	Events []TracedEvent
	ReadTo abi.Seq // the log was read up to here
	Cut    string  // why not to the end; "" if it was
}

// TracedEvent is an event of the tree, with what the subscribers made of it. The first is the
// one that was asked for; the others follow in the order of the log.
type TracedEvent struct {
	abi.Event
	Cause      abi.Seq // the event of the trace that caused it, 0 for the first
	By         string  // the subscriber that emitted it, "" if somebody published it
	Deliveries []Delivery
}

// Delivery is what one subscriber made of an event.
type Delivery struct {
	Subscriber string
	Outcome    Outcome
	Emitted    int    // events
	Timers     int    // set, and not due yet
	Reason     string // of a dead letter
	Message    string
	Attempts   int // used so far

	Handling *Handling // nil: not asked for, or not handled
}

// Find returns the seq of the youngest durable event with this id, or [ErrNotFound]. An id
// that a subscriber gave leads to its place; for others at most the last million events are
// looked at.
func (r *Runtime) Find(ctx context.Context, id string) (abi.Seq, error) {
	if err := r.store.Sync(ctx); err != nil {
		return 0, err
	}
	opts := log.ReadOptions{Durable: true, Borrow: true, Backward: true}
	if _, cause, ok := emitter(&abi.Event{ID: id, Source: "/avxrt/"}); ok && cause < r.store.Head() {
		opts.From, opts.Backward = cause+1, false
	}
	reader := r.store.NewReader(opts)
	defer func() { _ = reader.Close() }()
	var ev abi.Event
	for n := 0; n < maxTraceRead && ctx.Err() == nil && reader.Next(&ev); n++ {
		if ev.ID == id {
			return ev.Seq, nil
		}
	}
	if err := errors.Join(ctx.Err(), reader.Err()); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("event with the id %q: %w; older than %d events it is found by its seq alone", id, ErrNotFound, maxTraceRead)
}

// Trace returns what came of the durable event at seq: the events that it caused, directly or
// not, and what the subscribers made of each. It returns [ErrNotFound] if the event is not in
// the log. What a run burnt and what it wrote is not recorded; [Runtime.TraceChanges] works it out.
func (r *Runtime) Trace(ctx context.Context, seq abi.Seq) (Trace, error) {
	if err := r.store.Sync(ctx); err != nil { // what is shown must not be taken back by a crash
		return Trace{}, err
	}
	root, err := r.Event(seq)
	if err != nil {
		return Trace{}, err
	}
	tr := Trace{Events: []TracedEvent{{Event: root}}}
	tr.Causes, tr.Whole = r.causes(&root)
	if err := r.descend(ctx, &tr); err != nil {
		return Trace{}, err
	}
	judge := judge{r: r, known: map[string]standing{}}
	for i := range tr.Events {
		if err := judge.deliveries(&tr, i); err != nil {
			return Trace{}, err
		}
	}
	return tr, nil
}

// descend reads on from the root and adds the events that those in the trace caused.
func (r *Runtime) descend(ctx context.Context, tr *Trace) error {
	seqs := map[string]abi.Seq{tr.Events[0].ID: tr.Events[0].Seq} // by id
	reader := r.store.NewReader(log.ReadOptions{From: tr.Events[0].Seq + 1, Durable: true, Borrow: true})
	defer reader.Close()
	var ev abi.Event
	for n := 0; reader.Next(&ev); n++ {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case n == maxTraceRead:
			tr.Cut = fmt.Sprintf("%d events were read; what came later is not in the trace", n)
		case len(tr.Events) == maxTraceEvents:
			tr.Cut = fmt.Sprintf("the trace has %d events; trace one of them to see more", maxTraceEvents)
		}
		if tr.Cut != "" {
			tr.ReadTo = ev.Seq - 1
			return nil
		}
		causation, _ := ev.Headers.Get(abi.HeaderCausation)
		cause, ok := seqs[causation]
		if !ok {
			continue
		}
		child := TracedEvent{Event: ev.Clone(), Cause: cause}
		if by, at, ok := r.emitter(&child.Event); ok && at == cause {
			child.By = by
		}
		tr.Events = append(tr.Events, child)
		seqs[child.ID] = child.Seq
	}
	tr.ReadTo = reader.Position() - 1
	return reader.Err()
}

// judge finds out what became of events.
type judge struct {
	r     *Runtime
	known map[string]standing
}

// standing is how a subscriber stands.
type standing struct {
	lanes  []abi.Seq // their cursors
	parked []log.Parked
	timers map[abi.Seq]int // that wait, by the event that set them
}

func (j *judge) standing(name string) (standing, error) {
	if st, ok := j.known[name]; ok {
		return st, nil
	}
	cursors, err := j.r.store.Lanes(name)
	if err != nil || len(cursors) == 0 {
		return standing{}, err
	}
	st := standing{timers: map[abi.Seq]int{}}
	if st.parked, err = j.r.store.Parked(name); err != nil {
		return standing{}, err
	}
	for _, c := range cursors {
		st.lanes = append(st.lanes, c.Next)
	}
	if s := j.r.subscription(name); s != nil { // what it has read over need not be written yet
		for lane, s := range s.crew.all() {
			if lane < len(st.lanes) {
				st.lanes[lane] = max(st.lanes[lane], s.laneStatus().Cursor)
			}
		}
	}
	n := 0
	if err := j.r.store.Timers(name, 0, "", func(t log.Timer) bool {
		st.timers[t.Cause]++
		n++
		return n < maxTraceTimers
	}); err != nil {
		return standing{}, err
	}
	j.known[name] = st
	return st, nil
}

// deliveries adds to the event at i whom it concerned: the subscribers of now, and whoever
// emitted because of it.
func (j *judge) deliveries(tr *Trace, i int) error {
	ev := &tr.Events[i]
	emitted := map[string]int{}
	for k := range tr.Events {
		if child := &tr.Events[k]; child.Cause == ev.Seq && child.By != "" {
			emitted[child.By]++
		}
	}
	names := make([]string, 0, len(emitted))
	for name := range emitted {
		names = append(names, name)
	}
	for m := range j.r.interest.router.Match(ev.Topic, "") {
		names = append(names, m.Subscription.Value.name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		d := Delivery{Subscriber: name, Emitted: emitted[name]}
		if err := j.outcome(&d, &ev.Event); err != nil {
			return fmt.Errorf("what %s made of event %d: %w", name, ev.Seq, err)
		}
		ev.Deliveries = append(ev.Deliveries, d)
	}
	return nil
}

func (j *judge) outcome(d *Delivery, ev *abi.Event) error {
	st, err := j.standing(d.Subscriber)
	if err != nil {
		return err
	}
	if len(st.lanes) == 0 { // it was dropped, and what it emitted is left
		d.Outcome = Emitted
		return nil
	}
	cursor := st.lanes[partition(ev.Key, ev.Seq, len(st.lanes))]
	d.Outcome, d.Timers = Handled, st.timers[ev.Seq]
	if ev.Seq >= cursor {
		d.Outcome = NotReached
	}
	for _, p := range st.parked {
		switch {
		case p.First == ev.Seq && p.Key == ev.Key:
			d.Outcome, d.Attempts = Retried, p.Attempts
		case p.Key != "" && p.Key == ev.Key && p.First < ev.Seq && ev.Seq < cursor:
			d.Outcome = Blocked
		}
	}
	if d.Emitted > 0 {
		d.Outcome = Emitted
	}
	return j.r.store.DeadLetters(d.Subscriber, ev.Seq-1, func(l log.DeadLetter) bool {
		if l.Seq == ev.Seq {
			d.Outcome, d.Reason, d.Message, d.Attempts = Lettered, l.Reason, l.Message, l.Attempts
		}
		return false
	})
}

// Hops returns how many subscribers lie between the event and its root.
func (ev *TracedEvent) Hops() int { return delivery.Hops(&ev.Event) }
