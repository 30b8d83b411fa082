package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/rehearsal"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// Span says which events a rehearsal runs. Only those count that the new generation's
// patterns match, and that are not beyond the hop limit.
type Span struct {
	Last        int     // the last so many that the subscriber has dealt with; used where From is 0
	From, To    abi.Seq // from this seq to that one; To 0: to where the subscriber is
	DeadLetters bool    // its dead letters instead
}

// maxTries bounds the attempts of a rehearsal at an event; it does not wait in between.
const maxTries = 3

// maxWorse is after how many events that the new generation alone fails a rehearsal ends:
// the verdict is clear, and each may cost the new one its whole budget.
const maxWorse = rehearsal.MaxShown

// Shadow runs events on the present generation of a subscriber and on a module, changes
// nothing, and reports what came of it: whether the module would be refused, and every
// difference. A module that does not load gives a [*ManifestError], a name that is not in
// the manifest [ErrNotFound].
func (r *Runtime) Shadow(ctx context.Context, name string, wasm []byte, span Span) (rehearsal.Report, error) {
	r.shadowing.RLock()
	defer r.shadowing.RUnlock()
	s := r.subscription(name)
	if r.draining.Load() {
		return rehearsal.Report{}, ErrDraining
	}
	if s == nil {
		return rehearsal.Report{}, r.noSubscriber(name)
	}
	module, release, err := r.borrow(ctx, name, wasm)
	if err != nil {
		return rehearsal.Report{}, err
	}
	defer release()
	old := s.latest()
	spec := old.spec
	for _, wanted := range r.manifestNow().Subscribers { // its rules may differ from those of what goes on
		if wanted.Name == name {
			spec = wanted
		}
	}
	new := newGeneration(0, spec, module)
	new.version = old.version
	return r.rehearse(ctx, old, new, span)
}

// borrow loads a module that may never be in service. The caller releases it.
func (r *Runtime) borrow(ctx context.Context, subscriber string, wasm []byte) (*sandbox.Module, func(), error) {
	module := r.loadedModule(digestOf(wasm))
	if module != nil {
		return module, func() {}, nil
	}
	module, err := r.engine.Load(ctx, "of "+subscriber, wasm)
	if err != nil {
		return nil, nil, &ManifestError{Subscriber: subscriber, Err: err}
	}
	return module, func() { _ = module.Close(ctx) }, nil
}

// rehearse runs the events of a span on two generations of a subscriber.
func (r *Runtime) rehearse(ctx context.Context, old, new *generation, span Span) (rehearsal.Report, error) {
	if span.Last == 0 {
		span.Last = new.spec.Swap.Events
	}
	if err := r.store.Sync(ctx); err != nil { // what a report tells must not be taken back by a crash
		return rehearsal.Report{}, err
	}
	snapshot := r.store.Snapshot()
	defer snapshot.Close()
	events, err := r.program(new, span)
	if err != nil {
		return rehearsal.Report{}, err
	}
	defer events.close()
	base, basis, err := baseState(snapshot, old.spec.Name, old.version, events)
	if err != nil {
		return rehearsal.Report{}, err
	}
	var cost share // a rehearsal has one of its own: what it burns is not held against the subscriber
	a, b := r.newActor(old, base, &cost), r.newActor(new, base, &cost)
	defer a.close()
	defer b.close()
	c := rehearsal.New(rehearsal.Rules{Same: new.spec.Swap.Require != "", Base: base.value})
	cut := ""
	var ev abi.Event
	for events.next(&ev) {
		if err := ctx.Err(); err != nil {
			return rehearsal.Report{}, err
		}
		if r.draining.Load() {
			return rehearsal.Report{}, ErrDraining
		}
		c.Add(rehearsal.Event{Seq: uint64(ev.Seq), Topic: ev.Topic, Key: ev.Key}, a.handle(ctx, &ev), b.handle(ctx, &ev))
		if c.Worse() == maxWorse {
			cut = fmt.Sprintf("the new module has failed %d events that the present one handles", maxWorse)
			break
		}
	}
	if err := errors.Join(events.err(), base.err); err != nil {
		return rehearsal.Report{}, err
	}
	report := c.Report()
	report.Subscriber, report.Basis, report.Cut = new.spec.Name, basis, cut
	report.Old.Generation, report.Old.Module, report.Old.Digest = old.number, old.spec.Module, old.module.Digest()
	report.New.Module, report.New.Digest = new.spec.Module, new.module.Digest()
	return report, nil
}

// baseState returns the state from which both run: that of the last commit before the first
// event, with what was between them added to the events, or else that of now.
func baseState(snapshot *log.Snapshot, name string, version uint32, events *program) (*overlay, string, error) {
	base := newOverlay(snapshot.State(name, version))
	if events.letters != nil {
		return base, "the state of now, which their own neighbours may have changed since", nil
	}
	if len(events.lanes) > 1 { // each has a cursor of its own, so there was no moment when all stood before an event
		return base, "the state of now, for both alike, because it has several partitions", nil
	}
	at, back, err := snapshot.Rewind(name, version, events.from)
	if errors.Is(err, log.ErrNotFound) {
		return base, "the state of now, for both alike, because that of then is not kept", nil
	}
	if err != nil {
		return nil, "", err
	}
	for _, w := range back {
		base.writes[string(w.Key)] = sandbox.Write{Key: w.Key, Value: w.Value, Delete: w.Delete}
	}
	if events.from == events.to { // there is nothing to go back for
		return base, fmt.Sprintf("the state as of seq %d", at), nil
	}
	events.from = at
	return base, fmt.Sprintf("the state as of seq %d", at), nil
}

// program is the events of a rehearsal, in order.
type program struct {
	r        *Runtime
	match    func(topic string) bool
	from, to abi.Seq // of the log; to is the first seq behind them
	lanes    []log.Cursor
	ahead    bool // beyond the cursors, too
	letters  []abi.Event
	reader   *log.Reader
}

// program finds the events of a span.
func (r *Runtime) program(g *generation, span Span) (*program, error) {
	lanes, err := r.store.Lanes(g.spec.Name)
	if err != nil {
		return nil, err
	}
	p := &program{r: r, match: g.match, from: span.From, lanes: lanes}
	for _, c := range lanes {
		p.to = max(p.to, c.Next)
	}
	switch {
	case span.DeadLetters:
		letters, err := r.DeadLetters(context.Background(), g.spec.Name, 0, span.Last)
		p.letters = make([]abi.Event, 0, len(letters))
		for i := range letters {
			if ev := &letters[i].Event; delivery.Hops(ev) < delivery.MaxHops {
				p.letters = append(p.letters, *ev)
			}
		}
		return p, err
	case span.From != 0:
		if span.To != 0 {
			p.to, p.ahead = min(span.To, r.store.Head())+1, true
		}
		return p, nil
	}
	p.from = p.to
	back := r.store.NewReader(log.ReadOptions{From: p.to - 1, Backward: true, Match: p.match, Borrow: true})
	defer back.Close()
	var ev abi.Event
	for n := 0; p.to > 1 && n < span.Last && back.Next(&ev); {
		if p.dealtWith(&ev) {
			p.from = ev.Seq
			n++
		}
	}
	return p, back.Err()
}

// dealtWith says whether the lane of an event is behind it. A lane that never had an event may
// stand at the beginning of the log for ever, so one does not speak for all.
func (p *program) dealtWith(ev *abi.Event) bool {
	return ev.Seq < p.lanes[partition(ev.Key, ev.Seq, len(p.lanes))].Next
}

// next gives the next event.
func (p *program) next(ev *abi.Event) bool {
	if p.letters != nil {
		if len(p.letters) == 0 {
			return false
		}
		*ev, p.letters = p.letters[0], p.letters[1:]
		return true
	}
	if p.reader == nil {
		p.reader = p.r.store.NewReader(log.ReadOptions{From: p.from, Match: p.match})
	}
	for p.reader.Next(ev) && ev.Seq < p.to {
		if delivery.Hops(ev) < delivery.MaxHops && (p.ahead || p.dealtWith(ev)) {
			return true
		}
	}
	return false
}

func (p *program) err() error {
	if p.reader == nil {
		return nil
	}
	return p.reader.Err()
}

func (p *program) close() {
	if p.reader != nil {
		_ = p.reader.Close()
	}
}

// actor is one generation in a rehearsal: what it writes it sees, and nobody else does.
type actor struct {
	gen      *generation
	state    *overlay
	instance *sandbox.Instance
	cores    *fair
	share    *share
}

func (r *Runtime) newActor(g *generation, base *overlay, cost *share) *actor {
	return &actor{gen: g, state: newOverlay(base), cores: r.cores, share: cost}
}

func (a *actor) close() {
	if a.instance != nil {
		_ = a.instance.Close(context.Background())
		a.instance = nil
	}
}

// handle runs one event, with the attempts that it has in service but without the waits.
func (a *actor) handle(ctx context.Context, ev *abi.Event) rehearsal.Outcome {
	stumbled := ""
	for attempt := 1; ; attempt++ {
		out, again := a.try(ctx, ev, attempt)
		if !again || attempt == maxTries {
			out.Stumbled = stumbled
			return out
		}
		if stumbled == "" && out.End != rehearsal.TimedOut {
			stumbled = string(out.End) + ": " + out.Message
		}
	}
}

// try runs one attempt and says whether there should be another one.
func (a *actor) try(ctx context.Context, ev *abi.Event, attempt int) (out rehearsal.Outcome, again bool) {
	result, err := a.run(ctx, ev, attempt)
	if err != nil {
		return rehearsal.Outcome{End: rehearsal.Trapped, Message: err.Error()}, false
	}
	out = outcomeOf(&result)
	switch {
	case result.Failure != nil:
		a.close()
		return out, result.Failure.Code == abi.FailRetry
	case result.Trap != nil:
		a.close()
		return out, result.Trap.Timeout || attempt == 1
	}
	for _, w := range result.Writes {
		a.state.writes[string(w.Key)] = w
	}
	return out, false
}

// run gives the event alone to the instance.
func (a *actor) run(ctx context.Context, ev *abi.Event, attempt int) (sandbox.Result, error) {
	given := *ev
	given.Attempt, given.Left = uint32(attempt), 0
	if attempt > 1 {
		given.Flags |= abi.FlagRedelivered
	}
	return a.onCore(ctx, sandbox.Batch{State: a.state, Next: once(&given)})
}

// onCore runs a batch, on a new instance if there is none, once the rehearsal may have a core.
func (a *actor) onCore(ctx context.Context, b sandbox.Batch) (sandbox.Result, error) {
	t := coreTime{cores: a.cores, share: a.share}
	t.begin()
	defer t.end()
	if a.instance == nil {
		var err error
		if a.instance, err = t.instantiate(ctx, a.gen.module, a.gen.sandboxConfig(), a.state); err != nil {
			return sandbox.Result{}, err
		}
	}
	return t.run(ctx, a.instance, b), nil
}

// outcomeOf translates the sandbox's result of one event.
func outcomeOf(result *sandbox.Result) rehearsal.Outcome {
	out := rehearsal.Outcome{End: rehearsal.Handled, Fuel: result.Fuel, Took: result.Elapsed.Round(time.Microsecond)}
	switch f, t := result.Failure, result.Trap; {
	case f != nil && f.Code == abi.FailSkip:
		return out // it is dealt with, and nothing of it is kept
	case f != nil:
		out.End, out.Message, out.Code = rehearsal.Failed, f.Message, int(f.Code)
		return out
	case t != nil:
		out.End, out.Message, out.Kind = rehearsal.Trapped, t.Message, string(t.Kind)
		if t.Timeout {
			out.End = rehearsal.TimedOut
		}
		out.OverLimit = slices.Contains([]sandbox.TrapKind{sandbox.TrapFuel, sandbox.TrapTimeout, sandbox.TrapDepth}, t.Kind)
		return out
	case result.Handled == 0:
		out.End, out.Message = rehearsal.Trapped, "it returned without taking the event"
		return out
	}
	for i := range result.Emits {
		ev := &result.Emits[i].Event
		out.Emits = append(out.Emits, rehearsal.Emit{
			Topic: ev.Topic, Key: ev.Key, ContentType: ev.ContentType, Version: uint64(ev.Version), Time: ev.Time,
			Headers: headerText(ev.Headers), Data: ev.Data,
		})
	}
	for _, w := range result.Writes {
		out.Writes = append(out.Writes, rehearsal.Write{Key: w.Key, Value: w.Value, Delete: w.Delete})
	}
	return out
}

func headerText(h abi.Headers) string {
	text := ""
	for k, v := range h.All() {
		if text != "" {
			text += " "
		}
		text += k + "=" + v
	}
	return text
}

// manifestNow returns the manifest that was adopted last.
func (r *Runtime) manifestNow() *manifest.Manifest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.manifest
}

// reasons joins why a rehearsal refuses.
func reasons(report rehearsal.Report) string { return strings.Join(report.Reasons, "; ") }
