package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/internal/rehearsal"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// Bounds of what a trace works out.
const (
	maxTraceRuns    = 20_000           // of guests, those that lead to the state of then with them
	maxTraceTime    = 10 * time.Second // in all
	maxTraceChanges = 100              // keys of one delivery
)

// Handling is what handling an event took and changed, worked out by doing it again, on the
// state of then. Nothing of it is recorded as events are handled, so it costs nothing there.
type Handling struct {
	Unknown    string // why it could not be worked out; the rest is empty then
	Generation int    // that handled it
	Fuel       int64  // with a garbage collector a little more or less than then
	Took       time.Duration
	Changes    []Changed // of the state, by key
	More       int       // changes that are left out
	Differs    string    // what came of it now and did not then, "" if nothing
}

// Changed is one key of the state.
type Changed struct {
	Key, Before, After []byte // nil: it was, or is, not there
}

// TraceChanges is [Runtime.Trace] with [Delivery.Handling], for those that an event was handled
// or given up by. Guests run for that, and nothing of what they do is kept.
func (r *Runtime) TraceChanges(ctx context.Context, seq abi.Seq) (Trace, error) {
	r.shadowing.RLock()
	defer r.shadowing.RUnlock()
	if r.draining.Load() {
		return Trace{}, ErrDraining
	}
	tr, err := r.Trace(ctx, seq)
	if err != nil {
		return tr, err
	}
	snapshot := r.store.Snapshot()
	defer snapshot.Close()
	w := &workOut{r: r, snapshot: snapshot, runs: maxTraceRuns, end: time.Now().Add(maxTraceTime)}
	for i := range tr.Events {
		for k := range tr.Events[i].Deliveries {
			d := &tr.Events[i].Deliveries[k]
			if d.Outcome != Emitted && d.Outcome != Handled && d.Outcome != Lettered {
				continue
			}
			h := w.handling(ctx, d, &tr.Events[i].Event)
			if err := ctx.Err(); err != nil {
				return tr, err
			}
			d.Handling = &h
		}
	}
	return tr, nil
}

// workOut works out handlings within bounds.
type workOut struct {
	r        *Runtime
	snapshot *log.Snapshot
	share    share // of the cores
	runs     int
	end      time.Time
}

func (w *workOut) handling(ctx context.Context, d *Delivery, ev *abi.Event) Handling {
	h, err := w.again(ctx, d, ev)
	if err != nil {
		return Handling{Unknown: err.Error()}
	}
	return h
}

// again handles ev once more, after what its lane had handled since its last commit.
func (w *workOut) again(ctx context.Context, d *Delivery, ev *abi.Event) (h Handling, err error) {
	version, err := w.snapshot.Versions(d.Subscriber)
	if err != nil {
		return h, err
	}
	lanes, err := w.r.store.Lanes(d.Subscriber)
	if err != nil {
		return h, err
	}
	if len(lanes) == 0 {
		return h, ErrDetached
	}
	at := log.LaneOf{Lane: partition(ev.Key, ev.Seq, len(lanes)), Lanes: len(lanes)}
	then, err := w.snapshot.Before(d.Subscriber, version.Serving, at.Lane, ev)
	if err != nil {
		return h, err
	}
	gen, release, err := w.generation(ctx, d.Subscriber, then.Digest, version.Serving, ev.Seq)
	if err != nil {
		return h, err
	}
	defer release()
	base := newOverlay(w.snapshot.State(d.Subscriber, gen.version))
	for _, b := range then.Back {
		base.writes[string(b.Key)] = sandbox.Write{Key: b.Key, Value: b.Value, Delete: b.Delete}
	}
	a := w.r.newActor(gen, base, &w.share)
	defer a.close()
	if err := w.lead(ctx, a, at, &then, ev.Seq); err != nil {
		return h, err
	}
	before := newOverlay(base) // what a writes for ev itself is not in it
	maps.Copy(before.writes, a.state.writes)
	out := a.handle(ctx, ev)
	h.Generation, h.Fuel, h.Took = gen.number, out.Fuel, out.Took
	h.Differs = differs(d, &out)
	for _, write := range out.Writes {
		if len(h.Changes) == maxTraceChanges {
			h.More++
			continue
		}
		value, ok, err := before.Get(write.Key)
		if err != nil {
			return h, err
		}
		h.Changes = append(h.Changes, Changed{Key: write.Key, Before: present(value, ok), After: present(write.Value, !write.Delete)})
	}
	return h, nil
}

func present(value []byte, there bool) []byte {
	if !there {
		return nil
	}
	return append([]byte{}, value...)
}

// lead handles what a lane wanted of the events from where it stood to below seq.
func (w *workOut) lead(ctx context.Context, a *actor, at log.LaneOf, then *log.Before, below abi.Seq) error {
	reader := w.r.store.NewReader(log.ReadOptions{From: then.Next, Match: a.gen.match})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) && ev.Seq < below {
		if partition(ev.Key, ev.Seq, at.Lanes) != at.Lane || then.Held(&ev) {
			continue
		}
		if w.runs--; w.runs < 0 || time.Now().After(w.end) {
			return fmt.Errorf("too much for one trace: %d runs of guests, or %v, are the most; trace the event itself", maxTraceRuns, maxTraceTime)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if delivery.Hops(&ev) < delivery.MaxHops {
			a.handle(ctx, &ev)
		}
	}
	return reader.Err()
}

// differs holds what came of an event now against what is recorded.
func differs(d *Delivery, out *rehearsal.Outcome) string {
	if gone := out.End != rehearsal.Handled; gone != (d.Outcome == Lettered) {
		return strings.TrimSuffix(fmt.Sprintf("it ended as %s: %s", out.End, out.Message), ": ")
	}
	return ""
}

// generation returns the one that handled the event at seq with the module that has this digest, on
// this version of the state. The caller releases it.
func (w *workOut) generation(ctx context.Context, name, digest string, version uint32, seq abi.Seq) (*generation, func(), error) {
	s := w.r.subscription(name)
	if s == nil {
		return nil, nil, ErrDetached
	}
	history, err := w.r.store.Generations(name)
	if err != nil {
		return nil, nil, err
	}
	var at *log.Generation
	for i := range history {
		if g := &history[i]; g.Standing != log.Refused && g.Digest == digest && (at == nil || g.Seq <= seq) {
			at = g // a module may have been in service more than once
		}
	}
	switch {
	case at == nil:
		return nil, nil, errors.New("the generation that handled it is not remembered")
	case at.StateVersion != version:
		return nil, nil, fmt.Errorf("it was handled on state version %d, and the state has version %d now", at.StateVersion, version)
	}
	wasm, err := w.r.store.Module(at.Digest)
	if err != nil {
		return nil, nil, err
	}
	module, release, err := w.r.borrow(ctx, name, wasm)
	if err != nil {
		return nil, nil, err
	}
	g := newGeneration(at.Number, s.latest().spec, module)
	g.version = version
	return g, release, nil
}
