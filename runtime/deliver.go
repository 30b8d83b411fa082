package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// deliver carries out one order and says whether the subscription can go on. Without
// events to run it waits for some.
func (s *subscription) deliver(ctx context.Context, order delivery.Order) bool {
	feed := &feed{s: s, ctx: ctx, order: order, end: time.Now().Add(batchTime), keep: s.sampled(order.From)}
	s.buffers.causes = s.buffers.causes[:0]
	if feed.peek(); feed.held == nil && feed.tooFar == 0 {
		return s.idle(ctx)
	}
	if feed.held == nil { // the first event is beyond the hop limit: no run for it
		return s.settle(feed, sandbox.Result{})
	}
	snapshot := s.r.store.Snapshot()
	defer snapshot.Close()
	state := snapshot.State(s.name, stateVersion)
	if order.Fresh || (s.instance != nil && !s.instance.Usable()) {
		s.discard()
	}
	if s.instance == nil {
		if err := s.instantiate(ctx, state); err != nil {
			return s.broken(err)
		}
	}
	result := s.instance.Run(ctx, sandbox.Batch{Next: feed.next, State: state})
	if feed.keep {
		s.verify(ctx, state, feed.kept, result)
	}
	return s.settle(feed, result)
}

// idle writes the cursor where much was read over, and waits for an event.
func (s *subscription) idle(ctx context.Context) bool {
	if err := s.reader.Err(); err != nil {
		return s.stop(err)
	}
	at := s.reader.Position()
	s.machine.Finish(now(), delivery.Outcome{Reached: at})
	if at >= s.stored+cursorStep {
		if _, err := s.commit(&log.Commit{To: at}); err != nil {
			return s.refused(err)
		}
	}
	s.publishStatus()
	if at > s.r.store.Head() {
		return s.rest(ctx, at)
	}
	return true
}

// rest waits, with everything below at dealt with, for an event that concerns s.
func (s *subscription) rest(ctx context.Context, at abi.Seq) bool {
	s.idling.Store(true)
	if announced := s.r.interest.announced.Load(); announced > uint64(at) {
		// The follower may have looked before s was idle: what it announced may concern s, and
		// a sweep that found s idle since does not know.
		s.idling.Store(false)
		s.skip.Store(0)
		if announced == followerEnded {
			s.wait(ctx, func(ctx context.Context) { _ = s.r.store.Wait(ctx, at, false) })
		}
		return true
	}
	s.wait(ctx, func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-s.stirred:
		}
	})
	s.idling.Store(false)
	// A sweep that comes too late for this rest leaves a seq that the next one is beyond.
	to := abi.Seq(s.skip.Swap(0))
	if to <= at {
		return true
	}
	s.closeReader()
	s.machine.Finish(now(), delivery.Outcome{Reached: to})
	s.publishStatus()
	if _, err := s.commit(&log.Commit{To: to}); err != nil {
		return s.refused(err)
	}
	return true
}

// stop ends the subscription because of an error of the store, which no retry mends.
func (s *subscription) stop(err error) bool {
	s.setState(StateFailed, err.Error())
	s.r.opts.Logger.Error("the subscriber stopped", "subscriber", s.name, "error", err)
	return false
}

func (s *subscription) instantiate(ctx context.Context, state *log.State) error {
	instance, err := s.gen.module.Instantiate(ctx, s.sandboxConfig(), state)
	if err == nil {
		s.instance = instance
	}
	return err
}

func (s *subscription) sandboxConfig() sandbox.Config {
	config := s.gen.sandboxConfig()
	config.OnLog = s.guestLog
	return config
}

// sandboxConfig is what every instance of the generation gets.
func (g *generation) sandboxConfig() sandbox.Config {
	limits := g.spec.Limits
	return sandbox.Config{
		Subscriber: g.spec.Name, Grants: g.grants, Conf: g.spec.Config, Adopted: g.adopted,
		Limits: sandbox.Limits{Fuel: limits.Fuel, Time: limits.Time, Memory: limits.Memory, Emits: limits.Emits},
	}
}

// broken reports a module that could not even be started to the machine.
func (s *subscription) broken(err error) bool {
	verdict := s.machine.Finish(now(), delivery.Outcome{
		Reached: s.machine.Cursor(), Failure: &delivery.Failure{Kind: delivery.Trapped, Message: err.Error()},
	})
	s.r.opts.Logger.Error("the module did not start", "subscriber", s.name, "module", s.gen.spec.Module, "error", err)
	s.count(func(st *SubscriberStatus) { st.Traps++ })
	return s.weigh(verdict)
}

// settle asks the machine what the result means and commits its verdict.
func (s *subscription) settle(feed *feed, result sandbox.Result) bool {
	outcome := s.outcome(feed, result)
	from := s.machine.Cursor()
	verdict := s.machine.Finish(now(), outcome)
	if verdict.Discard {
		s.discard()
	}
	c := &log.Commit{To: verdict.To, Writes: writes(result.Writes)}
	causes, err := s.emits(c, result)
	if err != nil {
		return s.stop(err)
	}
	if verdict.Letter != nil {
		c.DeadLetters = []log.DeadLetter{s.letter(verdict.Letter)}
	}
	if c.To > s.stored || len(c.Writes) > 0 || len(c.Emits) > 0 {
		if _, err := s.commit(c); err != nil {
			return s.clash(from, causes, err)
		}
	}
	s.account(outcome, verdict, result)
	return s.weigh(verdict)
}

// outcome translates the sandbox's result.
func (s *subscription) outcome(feed *feed, result sandbox.Result) delivery.Outcome {
	o := delivery.Outcome{Handled: result.Handled, Reached: feed.reached(result.Handled)}
	failing := func() abi.Seq {
		if result.Pulled > result.Handled {
			o.Reached = s.buffers.causes[result.Handled].Seq
			return o.Reached
		}
		return 0
	}
	switch {
	case result.Failure != nil:
		o.Failure = &delivery.Failure{Seq: failing(), Kind: delivery.Said, Code: result.Failure.Code, Message: result.Failure.Message}
	case result.Trap != nil:
		kind := delivery.Trapped
		if result.Trap.Timeout {
			kind = delivery.TimedOut
		}
		o.Failure = &delivery.Failure{Seq: failing(), Kind: kind, Message: result.Trap.Message}
	case result.Pulled == 0 && feed.held != nil:
		o.Failure = &delivery.Failure{Kind: delivery.Trapped, Message: "avx_run returned and did not take the event that waits"}
	case feed.tooFar != 0 && feed.held == nil && result.Handled == len(s.buffers.causes):
		o.Reached = feed.tooFar
		o.Failure = &delivery.Failure{
			Seq: feed.tooFar, Kind: delivery.TooFar,
			Message: fmt.Sprintf("more than %d subscribers lie between this event and its root", delivery.MaxHops),
		}
	}
	return o
}

func writes(staged []sandbox.Write) []log.StateWrite {
	out := make([]log.StateWrite, len(staged))
	for i, w := range staged {
		out[i] = log.StateWrite{Key: w.Key, Value: w.Value, Delete: w.Delete}
	}
	return out
}

// emits stamps what the run emitted into c and returns the cause of each emit.
func (s *subscription) emits(c *log.Commit, result sandbox.Result) ([]abi.Seq, error) {
	causes := make([]abi.Seq, len(result.Emits))
	c.Emits = make([]abi.Event, len(result.Emits))
	index, last := 0, -1
	for i := range result.Emits {
		e := &result.Emits[i]
		if e.Cause != last {
			index, last = 0, e.Cause
		}
		c.Emits[i] = e.Event
		cause := &s.buffers.causes[e.Cause]
		if err := s.stamper.Stamp(cause, &c.Emits[i], index); err != nil {
			return nil, fmt.Errorf("stamp emit %d of event %d: %w", index, cause.Seq, err)
		}
		causes[i] = cause.Seq
		index++
	}
	return causes, nil
}

func (s *subscription) letter(l *delivery.Letter) log.DeadLetter {
	return log.DeadLetter{
		Seq: l.Seq, Reason: l.Reason, Message: l.Message, Code: l.Code, Attempts: l.Attempts,
		Digest: s.gen.module.Digest(), Time: time.Now(),
	}
}

// clash deals with a commit that was refused: nothing of the run was kept.
func (s *subscription) clash(from abi.Seq, causes []abi.Seq, err error) bool {
	s.discard()
	s.closeReader()
	var version *log.VersionError
	var closed *log.StreamClosedError
	index := 0
	switch {
	case errors.As(err, &version):
		index = version.Index
	case errors.As(err, &closed):
		index = closed.Index
	default:
		return s.refused(err)
	}
	verdict := s.machine.Clash(now(), from, causes[index], err.Error())
	if verdict.Letter == nil && verdict.To == from {
		return s.weigh(verdict)
	}
	c := &log.Commit{To: verdict.To}
	if verdict.Letter != nil {
		c.DeadLetters = []log.DeadLetter{s.letter(verdict.Letter)}
		s.count(func(st *SubscriberStatus) { st.DeadLetters++ })
	}
	if _, err := s.commit(c); err != nil {
		return s.refused(err)
	}
	return true
}

// refused deals with a commit that did not fit: after a fence the cursor is read again.
func (s *subscription) refused(err error) bool {
	if !errors.Is(err, log.ErrFenced) {
		return s.stop(err)
	}
	cursor, err := s.r.store.Cursor(s.name)
	if err != nil {
		return s.stop(err)
	}
	s.stored, s.fence = cursor.Next, cursor.Fence
	s.machine.Refused(cursor.Next)
	s.discard()
	s.closeReader()
	return true
}

// feed gives the events of one run to the sandbox, one at a time.
type feed struct {
	s      *subscription
	ctx    context.Context
	order  delivery.Order
	end    time.Time
	held   *abi.Event // read but not given yet
	given  int
	keep   bool        // the run will be verified
	kept   []abi.Event // copies of what was given, if it will
	tooFar abi.Seq     // the event behind those given, if it is beyond the hop limit
}

// peek reads the next event of the run unless one is held already.
func (f *feed) peek() {
	s := f.s
	if f.held != nil || f.tooFar != 0 {
		return
	}
	if f.order.Before != 0 && s.reader.Position() >= f.order.Before {
		return
	}
	if !s.reader.Next(&s.buffers.event) {
		return
	}
	ev := &s.buffers.event
	if f.order.Before != 0 && ev.Seq >= f.order.Before {
		s.closeReader() // it read too far; the next run opens one at the cursor
		s.open(f.order.Before)
		return
	}
	if delivery.Hops(ev) >= delivery.MaxHops {
		f.tooFar = ev.Seq
		return
	}
	f.held = ev
}

// next is the sandbox's source: nil ends the run.
func (f *feed) next() *abi.Event {
	s := f.s
	if f.given >= f.order.Max || f.ctx.Err() != nil {
		return nil
	}
	if f.given > 0 && (time.Now().After(f.end) || s.pending()) {
		return nil
	}
	f.peek()
	if f.held == nil {
		return nil
	}
	ev := f.held
	f.held = nil
	ev.Attempt, ev.Left = 1, uint32(f.order.Max-f.given-1)
	if f.given == 0 && f.order.Attempt > 1 {
		ev.Attempt, ev.Flags = f.order.Attempt, ev.Flags|abi.FlagRedelivered
	}
	f.given++
	s.buffers.causes = append(s.buffers.causes, *ev)
	if f.keep {
		f.kept = append(f.kept, cloneEvent(ev))
	}
	return ev
}

// reached returns the seq behind what the run dealt with.
func (f *feed) reached(handled int) abi.Seq {
	switch {
	case f.held != nil:
		return f.held.Seq
	case f.tooFar != 0:
		return f.tooFar
	case handled < len(f.s.buffers.causes):
		return f.s.buffers.causes[handled].Seq
	}
	return f.s.reader.Position()
}
