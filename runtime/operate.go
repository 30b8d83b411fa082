package runtime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/log"
)

// Pause makes a subscriber run nothing from the next event boundary on, also after a
// restart, until [Runtime.Resume]. Its events wait in the log; age retention waits for it.
// reason is shown in its status. It returns [ErrNotFound], or [ErrDetached] if the
// subscriber is not in the manifest.
func (r *Runtime) Pause(ctx context.Context, name, reason string) error {
	return r.pause(ctx, name, true, reason)
}

// Resume lets a subscriber that is paused, or was stopped, go on at its cursor.
func (r *Runtime) Resume(ctx context.Context, name string) error {
	return r.pause(ctx, name, false, "")
}

func (r *Runtime) pause(ctx context.Context, name string, paused bool, reason string) error {
	s, err := r.attached(name)
	if err != nil {
		return err
	}
	s.crew.moving.Lock()
	defer s.crew.moving.Unlock()
	if err := r.store.Pause(ctx, name, paused, reason); err != nil {
		return err
	}
	for _, lane := range s.crew.all() {
		err := lane.do(ctx, func() error {
			lane.past.Paused, lane.past.Reason = paused, reason
			if !paused {
				lane.machine.Adopt(policy(lane.gen.spec))
			}
			lane.publishStatus()
			return nil
		})
		if err != nil && !errors.Is(err, errChanging) { // who comes next reads it from the store
			return err
		}
	}
	r.opts.Logger.Info("the subscriber was paused or resumed", "subscriber", name, "paused", paused, "reason", reason)
	return nil
}

// attached returns the subscriber of the manifest, or an error that says what it is.
func (r *Runtime) attached(name string) (*subscription, error) {
	if s := r.subscription(name); s != nil {
		return s, nil
	}
	_, err := r.store.Cursor(name)
	switch {
	case err == nil:
		return nil, fmt.Errorf("subscriber %q: %w", name, ErrDetached)
	case errors.Is(err, log.ErrNotFound):
		return nil, r.noSubscriber(name)
	}
	return nil, err
}

// Target is where a reset moves a cursor to.
type Target struct {
	Seq    abi.Seq   // the next event to handle; 0: see below
	Time   time.Time // the first event that was appended at or after this; zero: see below
	Latest bool      // behind the last event; else the first event that the log still has
}

// ParseTarget reads "earliest", "latest", "seq:<n>" or "time:<RFC 3339>".
func ParseTarget(text string) (Target, error) {
	kind, value, _ := strings.Cut(text, ":")
	switch {
	case text == "earliest":
		return Target{}, nil
	case text == "latest":
		return Target{Latest: true}, nil
	case kind == "seq":
		if n, err := strconv.ParseUint(value, 10, 64); err == nil && n > 0 {
			return Target{Seq: abi.Seq(n)}, nil
		}
	case kind == "time":
		if t, err := time.Parse(time.RFC3339, value); err == nil {
			return Target{Time: t}, nil
		}
	}
	return Target{}, fmt.Errorf("%q is no place in the log; use earliest, latest, seq:<n> or time:<RFC 3339>", text)
}

// seq returns the seq that t means; 0 is behind the head when the reset is made.
func (t Target) seq(store *log.Log) (abi.Seq, error) {
	switch {
	case t.Latest:
		return 0, nil
	case t.Seq != 0:
		if t.Seq > store.Head()+1 {
			return 0, fmt.Errorf("event %d: %w; the log ends at %d", t.Seq, ErrNotFound, store.Head())
		}
		return t.Seq, nil
	case !t.Time.IsZero():
		return store.SeqAtTime(nanos(t.Time))
	}
	return max(store.First(), 1), nil
}

// ResetOptions say how a subscriber is reset.
type ResetOptions struct {
	To         Target
	ReEmit     bool // what it emits for events that it handled before counts again, with ids of their own
	EmptyState bool // it begins with no state; else what it writes goes onto what is there
}

// ResetPlan is what a reset does, or did.
type ResetPlan struct {
	From, To    abi.Seq // the cursor before and after; the lowest, where partitions have their own
	Again       uint64  // events that concern it, were dealt with before and will be handled again
	Fresh       uint64  // events that concern it and come after those
	Skipped     uint64  // events that concern it and will not be handled
	DeadLetters int     // of those that are handled again: they leave as they succeed
	BlockedKeys int     // that are freed, because their events are handled again or skipped
	Run         uint64  // of the emits that count again; 0: what it emitted before is not appended again
	EmptyState  bool
}

// PlanReset says what [Runtime.Reset] would do now, and changes nothing. It reads the log
// from the lower of both cursors on, so it may take a while; ctx ends it.
func (r *Runtime) PlanReset(ctx context.Context, name string, opts ResetOptions) (ResetPlan, error) {
	s, err := r.attached(name)
	if err != nil {
		return ResetPlan{}, err
	}
	lanes, err := r.store.Lanes(name)
	if err != nil {
		return ResetPlan{}, err
	}
	at, err := r.position(name, 0, 1) // all blocked keys
	if err != nil {
		return ResetPlan{}, err
	}
	plan := ResetPlan{From: at.Next, EmptyState: opts.EmptyState}
	last := at.Next
	for _, c := range lanes {
		plan.From, last = min(plan.From, c.Next), max(last, c.Next)
	}
	if plan.To, err = opts.To.seq(r.store); err != nil {
		return plan, err
	}
	if plan.To == 0 {
		plan.To = r.store.Head() + 1
	}
	if opts.ReEmit && plan.To < max(at.past.Mark, last) {
		plan.Run = at.past.Run + 1
	}
	for _, p := range at.parked {
		if plan.To > lanes[partition(p.Key, p.First, len(lanes))].Next || p.First >= plan.To {
			plan.BlockedKeys++
		}
	}
	err = r.store.DeadLetters(name, plan.To-1, func(d log.DeadLetter) bool {
		if d.Seq < last {
			plan.DeadLetters++
		}
		return d.Seq < last
	})
	if err != nil {
		return plan, err
	}
	return plan, r.countReset(ctx, s, lanes, &plan)
}

// countReset counts the events that a reset concerns.
func (r *Runtime) countReset(ctx context.Context, s *subscription, lanes []log.Cursor, plan *ResetPlan) error {
	match := matcher(s.latest().spec.Topics)
	reader := r.store.NewReader(log.ReadOptions{From: min(plan.From, plan.To), Borrow: true, Match: match})
	defer reader.Close()
	var ev abi.Event
	for n := 0; reader.Next(&ev); n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		behind := ev.Seq < lanes[partition(ev.Key, ev.Seq, len(lanes))].Next
		switch {
		case ev.Seq < plan.To && !behind:
			plan.Skipped++
		case ev.Seq < plan.To:
		case behind:
			plan.Again++
		default:
			plan.Fresh++
		}
	}
	return reader.Err()
}

// Reset moves the cursor of a subscriber, durably, and returns what that does. Events that
// it handled before are handled again, with [abi.FlagReplay]: they change the state, and
// what they emit is checked and dropped, unless opts.ReEmit. What was a dead letter, or
// waited, never brought anything forth, so its emits count. A subscriber that was stopped
// goes on, one that is paused stays so.
func (r *Runtime) Reset(ctx context.Context, name string, opts ResetOptions) (ResetPlan, error) {
	plan, err := r.PlanReset(ctx, name, opts)
	if err != nil {
		return plan, err
	}
	s, err := r.attached(name)
	if err != nil {
		return plan, err
	}
	to := plan.To
	if opts.To.Latest {
		to = 0
	}
	s.crew.moving.Lock()
	defer s.crew.moving.Unlock()
	plan.To, err = r.store.Reset(ctx, log.Reset{
		Subscriber: name, To: to, ReEmit: opts.ReEmit, EmptyState: opts.EmptyState, Lane: partition,
	})
	if err != nil {
		return plan, err
	}
	// From now on no commit of a run that began before is taken; a lane that has none to make must be told.
	for _, lane := range s.crew.all() {
		if err := lane.do(ctx, lane.restart); err != nil && !errors.Is(err, errChanging) {
			return plan, err
		}
	}
	r.opts.Logger.Info("the cursor was reset", "subscriber", name, "from", uint64(plan.From), "to", uint64(plan.To), "run", plan.Run, "empty_state", plan.EmptyState)
	return plan, nil
}

// restart makes s go on from what the store holds.
func (s *subscription) restart() error {
	at, err := s.r.position(s.name, s.lane, s.lanes)
	if err != nil {
		return err
	}
	s.moved()
	s.stored, s.fence, s.version, s.past = at.Next, at.Fence, at.version, at.past
	s.machine = delivery.New(policy(s.gen.spec), at.start(s.machine.Careful()))
	s.discard()
	s.closeReader()
	s.publishStatus()
	return nil
}

// Replay rebuilds the state of a subscriber: it begins with none, at the first event that
// the log still has, and emits nothing that it emitted before.
func (r *Runtime) Replay(ctx context.Context, name string) (ResetPlan, error) {
	return r.Reset(ctx, name, ResetOptions{EmptyState: true})
}

// Dropped is what a subscriber left behind.
type Dropped struct {
	StateKeys, DeadLetters, BlockedKeys, Timers int
}

// Drop forgets a subscriber that was taken out of the manifest: cursor, state, dead letters,
// blocked keys and timers. One that gets its name later is new. It returns [ErrAttached] while the
// manifest has it, and [ErrNotFound] if the store has nothing of it.
func (r *Runtime) Drop(ctx context.Context, name string) (Dropped, error) {
	r.planning.Lock() // no plan may attach it meanwhile
	defer r.planning.Unlock()
	if r.subscription(name) != nil {
		return Dropped{}, fmt.Errorf("subscriber %q: %w", name, ErrAttached)
	}
	if strings.HasPrefix(name, goCursor) {
		return Dropped{}, r.noSubscriber(name)
	}
	d, err := r.store.DropSubscriber(ctx, name)
	if errors.Is(err, log.ErrNotFound) {
		return Dropped{}, r.noSubscriber(name)
	}
	if err == nil {
		r.opts.Logger.Info("the subscriber was dropped", "subscriber", name, "state_keys", d.StateKeys, "dead_letters", d.DeadLetters)
	}
	return Dropped(d), err
}

// DetachedSubscriber is one that the manifest has no more.
type DetachedSubscriber struct {
	Name        string
	Cursor      abi.Seq
	Digest      string // the module that committed last
	Since       time.Time
	StateKeys   int
	DeadLetters int
	BlockedKeys int
}

// Detached returns the subscribers that were taken out of the manifest and not dropped, by
// name. [Runtime.Drop] is for them.
func (r *Runtime) Detached() ([]DetachedSubscriber, error) {
	var all []DetachedSubscriber
	err := r.store.Attached(func(name string, c log.Cursor) bool {
		if r.subscription(name) == nil && !strings.HasPrefix(name, goCursor) {
			all = append(all, DetachedSubscriber{Name: name, Cursor: c.Next, Digest: c.Digest, Since: c.Time})
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	snapshot := r.store.Snapshot()
	defer snapshot.Close()
	for i := range all {
		d := &all[i]
		versions, err := snapshot.Versions(d.Name)
		if err != nil {
			return nil, err
		}
		if err := snapshot.State(d.Name, versions.Serving).Scan(nil, nil, func(_, _ []byte) bool { d.StateKeys++; return true }); err != nil {
			return nil, err
		}
		if err := r.store.DeadLetters(d.Name, 0, func(log.DeadLetter) bool { d.DeadLetters++; return true }); err != nil {
			return nil, err
		}
		parked, err := r.store.Parked(d.Name)
		if err != nil {
			return nil, err
		}
		d.BlockedKeys = len(parked)
	}
	return all, nil
}
