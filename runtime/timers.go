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

// timerChange is what an emit that is a timer, or cancels one, asks of the log. ev is the
// emit as it was stamped.
func timerChange(e *sandbox.Emit, cause *abi.Event, ev abi.Event) log.TimerChange {
	ev.Time, ev.Kind = e.Due, abi.KindTimer
	return log.TimerChange{Name: e.Timer, Due: e.Due, Cause: cause.Seq, Event: ev, Cancel: e.Cancel}
}

const (
	// fireBatch is how many timers are fired in one batch.
	fireBatch = 256
	// clockLook is how often the wall clock is looked at while no timer is due: one that was
	// set forward makes timers late by no more than this.
	clockLook = 10 * time.Second
	// fireAgain is how long a firing waits that the store refused.
	fireAgain = time.Second
)

// fireAlways appends the events of timers when they are due, until ctx ends.
func (r *Runtime) fireAlways(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failed := false // and that was said
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.store.TimersChanged():
		}
		again, err := r.fire(ctx)
		if ctx.Err() != nil {
			return
		}
		r.clockSeen(r.store.ClockProblem())
		var clock *log.ClockError
		if errors.As(err, &clock) {
			err = nil
		}
		if err != nil && !failed {
			r.opts.Logger.Error("timers that are due do not fire; they are tried again every second", "error", err)
		}
		failed = err != nil
		timer.Reset(again)
	}
}

// fire appends what is due and returns when to look again.
func (r *Runtime) fire(ctx context.Context) (again time.Duration, err error) {
	for ctx.Err() == nil {
		due, err := r.store.DueTimers(fireBatch)
		if err != nil {
			return fireAgain, err
		}
		if len(due) == 0 {
			break
		}
		for i := range due {
			waited := time.Duration(now() - due[i].Set)
			if err := delivery.Rested(&due[i].Event, waited); err != nil {
				return fireAgain, fmt.Errorf("timer %q of %q: %w", due[i].Event.ID, due[i].Subscriber, err)
			}
		}
		_, err = r.store.Fire(ctx, due)
		var closed *log.StreamClosedError
		switch {
		case errors.As(err, &closed):
			err = r.dropTimer(ctx, due[closed.Index])
		case errors.Is(err, log.ErrTimerChanged):
			err = nil // a run replaced or cancelled one since it was read
		}
		if err != nil {
			return fireAgain, err
		}
	}
	next, ok := r.store.NextTimer()
	if !ok {
		return clockLook, nil
	}
	return min(max(time.Duration(next-now()), 0), clockLook), nil
}

// dropTimer takes out a timer whose event can never be appended.
func (r *Runtime) dropTimer(ctx context.Context, t log.Timer) error {
	err := r.store.DropTimers(ctx, []log.Timer{t})
	if errors.Is(err, log.ErrTimerChanged) {
		return nil
	}
	if err == nil {
		r.opts.Logger.Error("a timer was dropped: the stream of its key was closed", "subscriber", t.Subscriber, "timer", t.Name,
			"id", t.Event.ID, "topic", t.Event.Topic, "key", t.Event.Key, "due", time.Unix(0, t.Due))
	}
	return err
}

// clockSeen says in the log when the wall clock is no longer believed, and when it is again.
func (r *Runtime) clockSeen(problem error) {
	stopped := problem != nil
	if err := r.store.RememberClock(context.Background()); err != nil {
		r.opts.Logger.Warn("that the clock is, or is not, believed was not written down", "error", err)
	}
	if r.clockStopped.Swap(stopped) == stopped {
		return
	}
	if stopped {
		r.opts.Logger.Error("timers and retention by age stopped", "reason", problem)
	} else {
		r.opts.Logger.Info("timers and retention by age go on")
	}
}

// AcceptClock makes the node believe the wall clock as it is now: timers and retention by
// age go on by it, however far it jumped.
func (r *Runtime) AcceptClock() {
	r.store.AcceptClock()
	if err := r.store.RememberClock(context.Background()); err != nil {
		r.opts.Logger.Error("the word of an operator about the clock was not written down; a restart asks again", "error", err)
	}
	r.opts.Logger.Warn("an operator accepted the wall clock", "now", time.Now())
}

// Timers returns up to limit timers of a subscriber that come after the one with this due
// time and id (0 and "": from the first), by time and id. It returns [ErrNotFound] for a
// name that was never attached.
func (r *Runtime) Timers(ctx context.Context, subscriber string, due int64, id string, limit int) ([]log.Timer, error) {
	if _, err := r.store.Cursor(subscriber); err != nil {
		return nil, r.noSubscriber(subscriber)
	}
	var all []log.Timer
	err := r.store.Timers(subscriber, due, id, func(t log.Timer) bool {
		if len(all) == limit {
			return false
		}
		all = append(all, t)
		return true
	})
	if err != nil {
		return nil, err
	}
	return all, r.store.Sync(ctx) // what is shown must not be taken back by a crash
}

// batch is what a run of the subscriber is given.
func (s *subscription) batch(next func() *abi.Event, state sandbox.StateReader) sandbox.Batch {
	return sandbox.Batch{Next: next, State: state, Timers: s.r.store.TimersOf(s.name), HasTimer: func(name string) bool {
		has, err := s.r.store.HasTimer(s.name, name)
		return err == nil && has
	}}
}
