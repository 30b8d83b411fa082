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
	feed := &feed{s: s, ctx: ctx, order: order, end: time.Now().Add(batchTime), keep: s.sampled(order.From), source: s.reader}
	if order.Line {
		line := s.openLine(order)
		defer line.close()
		feed.source, feed.line = line, line
	}
	s.buffers.causes = s.buffers.causes[:0]
	if feed.peek(); feed.held == nil && feed.tooFar == 0 {
		if order.Line || feed.halted {
			if err := feed.source.Err(); err != nil {
				return s.stop(err)
			}
			return s.settle(feed, sandbox.Result{})
		}
		return s.idle(ctx, order)
	}
	if order.Mark && feed.held != nil {
		if err := s.mark(feed.held); err != nil {
			return s.refused(err)
		}
	}
	if feed.held == nil { // the first event is beyond the hop limit: no run for it
		return s.settle(feed, sandbox.Result{})
	}
	defer s.crew.turn()()
	snapshot := s.r.store.Snapshot()
	defer snapshot.Close()
	state := snapshot.State(s.name, s.version)
	if order.Fresh {
		s.discard()
	}
	var reader sandbox.StateReader
	reader, feed.reads = s.watched(state, snapshot)
	result, err := s.onCore(ctx, state, s.batch(feed.next, reader))
	if err != nil {
		return s.broken(err)
	}
	if feed.keep {
		s.verify(ctx, state, feed.kept, result)
	}
	return s.settle(feed, result)
}

// idle writes the cursor where much was read over, and waits for an event.
func (s *subscription) idle(ctx context.Context, order delivery.Order) bool {
	if err := s.reader.Err(); err != nil {
		return s.stop(err)
	}
	at := s.short(s.reader.Position())
	verdict := s.machine.Finish(now(), delivery.Outcome{Reached: at})
	if at >= s.stored+cursorStep || len(verdict.Parked) > 0 {
		if _, err := s.commit(s.verdictCommit(verdict, nil)); err != nil {
			return s.refused(err)
		}
	}
	s.publishStatus()
	if at > s.r.store.Head() && !s.arrived() { // else others wait for it to end
		return s.rest(ctx, at, order.Wake)
	}
	return true
}

// rest waits, with everything below at dealt with, for an event that concerns s, or until
// the time wake, if it is not 0.
func (s *subscription) rest(ctx context.Context, at abi.Seq, wake int64) bool {
	if wake != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, time.Unix(0, wake))
		defer cancel()
	}
	s.place.Rest()
	s.buffers = runBuffers{} // else each subscriber keeps the events of its last run
	s.quiet.Store(0)
	s.sleep.Store(drowsy)
	if announced := s.r.interest.announced.Load(); announced > uint64(at) {
		s.sleep.Store(awake) // the follower may have looked before: what it announced may concern s
		if announced == followerEnded {
			s.wait(ctx, func(ctx context.Context) { _ = s.r.store.Wait(ctx, at, false) })
		}
		return true
	}
	if !s.sleep.CompareAndSwap(drowsy, asleep) {
		return true // stirred meanwhile
	}
	s.wait(ctx, func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-s.stirred:
		}
	})
	quiet := s.r.interest.passed.Load()
	if !s.sleep.CompareAndSwap(asleep, awake) { // somebody woke it, and said what was dealt with then
		quiet = s.quiet.Load()
	}
	s.cleared = max(s.cleared, abi.Seq(quiet))
	// A sweep that comes too late for this rest leaves a seq that the next one is beyond.
	to := s.short(abi.Seq(s.skip.Swap(0)))
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

// short returns seq, or where s ends if that comes before.
func (s *subscription) short(seq abi.Seq) abi.Seq {
	if s.until != 0 {
		return min(seq, s.until)
	}
	return seq
}

// stop ends the subscription because of an error of the store, which no retry mends.
func (s *subscription) stop(err error) bool {
	s.setState(StateFailed, err.Error())
	s.r.opts.Logger.Error("the subscriber stopped", "subscriber", s.name, "error", err)
	return false
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
		Subscriber: g.spec.Name, Grants: g.grants, Conf: g.spec.Config, Adopted: g.adopted, Limits: sandbox.Limits(limits),
	}
}

// broken reports a module that could not even be started to the machine.
func (s *subscription) broken(err error) bool {
	verdict := s.machine.Finish(now(), delivery.Outcome{
		Reached: s.machine.Cursor(), Failure: &delivery.Failure{Kind: delivery.Trapped, Message: err.Error()},
	})
	s.r.opts.Logger.Error("the module did not start", "subscriber", s.name, "module", s.gen.spec.Module, "error", err)
	s.count(func(st *SubscriberStatus) { st.Traps++ })
	return s.weigh(verdict, 0)
}

// settle asks the machine what the result means and commits its verdict.
func (s *subscription) settle(feed *feed, result sandbox.Result) bool {
	outcome := s.outcome(feed, result)
	verdict := s.machine.Finish(now(), outcome)
	if verdict.Discard {
		s.discard()
	}
	s.past.prune(&result, s.buffers.causes)
	c := s.verdictCommit(verdict, &result)
	c.Writes, c.Reads = writes(result.Writes), feed.reads
	c.Settled = s.past.settled(s.buffers.causes[:result.Handled], verdict.Skipped)
	causes, err := s.emits(c, result)
	if err != nil {
		return s.stop(err)
	}
	if c.To > s.stored || len(c.Writes)+len(c.Emits)+len(c.Parked)+len(c.DeadLetters)+len(c.Timers)+len(c.Settled) > 0 {
		if _, err := s.commit(c); err != nil {
			return s.clash(causes, err)
		}
		s.reruns = 0
	}
	s.past.forget(c.Settled)
	s.account(outcome, verdict, result)
	return s.weigh(verdict, outcome.Handled)
}

// outcome translates the sandbox's result.
func (s *subscription) outcome(feed *feed, result sandbox.Result) delivery.Outcome {
	o := delivery.Outcome{Handled: result.Handled, Halted: feed.halted}
	o.Reached, o.Version = feed.reached(result.Handled)
	failure := func(kind delivery.FailureKind, message string) {
		o.Failure = &delivery.Failure{Kind: kind, Message: message}
		if result.Pulled > result.Handled {
			ev := &s.buffers.causes[result.Handled]
			o.Reached, o.Version = ev.Seq, ev.Version
			o.Failure.Seq, o.Failure.Key, o.Failure.Version = ev.Seq, ev.Key, ev.Version
		}
	}
	switch {
	case result.Failure != nil:
		failure(delivery.Said, result.Failure.Message)
		o.Failure.Code = result.Failure.Code
	case result.Trap != nil:
		kind := delivery.Trapped
		if result.Trap.Timeout {
			kind = delivery.TimedOut
		}
		failure(kind, result.Trap.Message)
	case feed.tooFar != 0 && feed.held == nil && result.Handled == len(s.buffers.causes):
		ev := &s.buffers.event // it was read last
		o.Reached, o.Version = ev.Seq, ev.Version
		o.Failure = &delivery.Failure{
			Seq: ev.Seq, Key: ev.Key, Version: ev.Version, Kind: delivery.TooFar,
			Message: s.r.tooFar(ev),
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

// emits stamps what the run emitted into c, timers apart, and returns the cause of each emit.
func (s *subscription) emits(c *log.Commit, result sandbox.Result) ([]*abi.Event, error) {
	causes := make([]*abi.Event, 0, len(result.Emits))
	c.Emits = make([]abi.Event, 0, len(result.Emits))
	index, last := 0, -1
	for i := range result.Emits {
		e := &result.Emits[i]
		if e.Cause != last {
			index, last = 0, e.Cause
		}
		ev, cause := e.Event, &s.buffers.causes[e.Cause]
		if err := s.stamper.StampRun(s.past.emission(cause).run, cause, &ev, index); err != nil {
			return nil, fmt.Errorf("stamp emit %d of event %d: %w", index, cause.Seq, err)
		}
		index++
		if e.Due != 0 || e.Cancel {
			c.Timers = append(c.Timers, timerChange(e, cause, ev))
			continue
		}
		c.Emits = append(c.Emits, ev)
		causes = append(causes, cause)
	}
	return causes, nil
}

// verdictCommit returns what a verdict alone asks to commit; result is of the run that led
// to it, nil if there was none.
func (s *subscription) verdictCommit(v delivery.Verdict, result *sandbox.Result) *log.Commit {
	c := &log.Commit{To: v.To, Parked: parkedRows(v.Parked)}
	if v.Letter != nil {
		c.DeadLetters = []log.DeadLetter{s.letter(v.Letter, result)}
	}
	return c
}

// letter completes a dead letter; result is of the run that led to it, nil if there was none.
func (s *subscription) letter(l *delivery.Letter, result *sandbox.Result) log.DeadLetter {
	d := log.DeadLetter{
		Seq: l.Seq, Reason: l.Reason, Message: l.Message, Code: l.Code, Attempts: l.Attempts,
		Digest: s.gen.module.Digest(), Time: time.Now(), LetterMore: s.letterMore(l.Seq, result),
	}
	if l.Seq == s.gap.to { // the control frame, which is in no log
		d.Event = s.lostEvent(l.Seq)
	}
	return d
}

// clash deals with a commit that was refused: nothing of the run was kept.
func (s *subscription) clash(causes []*abi.Event, err error) bool {
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
	at, readErr := s.r.position(s.name, s.lane, s.lanes)
	if readErr != nil {
		return s.stop(readErr)
	}
	cause := causes[index]
	verdict := s.machine.Clash(now(), at.start(false), delivery.Failure{Seq: cause.Seq, Key: cause.Key, Version: cause.Version, Message: err.Error()})
	if verdict.Letter == nil && len(verdict.Parked) == 0 && verdict.To == s.stored {
		return s.weigh(verdict, 0)
	}
	if verdict.Letter != nil {
		s.count(func(st *SubscriberStatus) { st.DeadLetters++ })
	}
	if _, err := s.commit(s.verdictCommit(verdict, nil)); err != nil {
		return s.refused(err)
	}
	s.sayLetter(verdict)
	return s.weigh(verdict, 0)
}

// refused deals with a commit that did not fit: after a fence, or where another lane was
// ahead, what the store holds is read again.
func (s *subscription) refused(err error) bool {
	switch {
	case errors.Is(err, log.ErrConflict):
		s.count(func(st *SubscriberStatus) { st.Conflicts++ })
		if s.reruns++; s.reruns >= 2 {
			s.crew.calm.left.Store(calmRuns)
		}
	case !errors.Is(err, log.ErrFenced):
		return s.stop(err)
	}
	at, err := s.r.position(s.name, s.lane, s.lanes)
	if err != nil {
		return s.stop(err)
	}
	if s.fence != at.Fence {
		s.moved()
	}
	s.stored, s.fence, s.version, s.past = at.Next, at.Fence, at.version, at.past
	rows := parkedRows(s.machine.Refused(at.start(false)))
	s.discard()
	s.closeReader()
	if len(rows) > 0 {
		if _, err := s.commit(&log.Commit{To: s.stored, Parked: rows}); err != nil {
			return s.refused(err)
		}
	}
	return true
}

// feed gives the events of one run to the sandbox, one at a time.
type feed struct {
	s      *subscription
	ctx    context.Context
	order  delivery.Order
	source source
	line   *lineReader // the source, if the run is of a blocked key
	end    time.Time
	held   *abi.Event // read but not given yet
	given  int
	keep   bool        // the run will be verified
	kept   []abi.Event // copies of what was given, if it will
	tooFar abi.Seq     // the event behind those given, if it is beyond the hop limit
	halted bool        // too much waits beside the log
	reads  *log.Reads  // what the run read; nil where the subscriber has one lane
}

// peek reads the next event of the run unless one is held already.
func (f *feed) peek() {
	s := f.s
	for f.held == nil && f.tooFar == 0 && !f.halted {
		before := f.before()
		if before != 0 && f.source.Position() >= before {
			return
		}
		ev, at := &s.buffers.event, f.source.Position()
		more := f.source.Next(ev)
		if !f.order.Line && f.skipGap(at, before) || !more {
			return
		}
		if before != 0 && ev.Seq >= before {
			f.turnBack(before)
			return
		}
		if !s.start.wants(ev) {
			continue
		}
		pass := delivery.Give
		switch {
		case f.order.Line:
		case !s.mine(ev):
			continue
		default:
			pass = s.machine.Pass(ev.Key)
		}
		switch {
		case pass == delivery.Over:
		case pass == delivery.Halt:
			f.halted = true
			f.turnBack(ev.Seq)
		case delivery.Hops(ev) >= delivery.MaxHops:
			f.tooFar = ev.Seq
		default:
			f.held = ev
		}
	}
}

// before returns the seq at which a run of the log must end, 0 if there is none.
func (f *feed) before() abi.Seq {
	switch before, until := f.order.Before, f.s.until; {
	case f.order.Line:
		return 0 // its source knows
	case until != 0 && (before == 0 || until < before):
		return until
	default:
		return before
	}
}

// turnBack makes the reader of the log, which read too far, stand at seq.
func (f *feed) turnBack(seq abi.Seq) {
	f.s.closeReader()
	f.s.open(seq)
	f.source = f.s.reader
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
	if s.past.emission(ev).dropped {
		ev.Flags |= abi.FlagReplay
	}
	f.given++
	s.buffers.causes = append(s.buffers.causes, *ev)
	if f.keep {
		f.kept = append(f.kept, cloneEvent(ev))
	}
	return ev
}

// reached returns the seq behind what the run dealt with, and in a line its version.
func (f *feed) reached(handled int) (abi.Seq, abi.Version) {
	next := &f.s.buffers.event
	switch {
	case handled < len(f.s.buffers.causes):
		next = &f.s.buffers.causes[handled]
	case f.held != nil || f.tooFar != 0:
	case f.line != nil:
		return f.line.at, f.line.version
	default:
		return f.s.short(f.source.Position()), 0
	}
	return next.Seq, next.Version
}
