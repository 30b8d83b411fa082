package runtime

import (
	goruntime "runtime"
	"testing"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// resting is a lane that dealt with all below 5.
func resting() *subscription {
	s := &subscription{r: &Runtime{interest: newInterest()}, stirred: make(chan struct{}, 1), place: new(sandbox.Engine).NewPool(0).Place()}
	s.mu.status.Cursor = 5
	return s
}

// TestLateRest: a subscription that goes to rest after the follower looked for those to wake
// does not sleep: it would pass over events that concern it.
func TestLateRest(t *testing.T) {
	s := resting()
	s.r.interest.announced.Store(10)
	if !s.rest(t.Context(), 5, 0) || s.sleep.Load() != awake {
		t.Errorf("it is %d", s.sleep.Load())
	}
}

// TestDrowsy: what the follower passed before a subscription went to rest is not dealt with,
// until the subscription has looked itself. Else it would seem to have caught up, or its next
// gap to begin too late.
func TestDrowsy(t *testing.T) {
	s := resting()
	s.r.interest.announced.Store(10)
	s.r.interest.passed.Store(10)
	s.sleep.Store(drowsy)
	if at := s.laneStatus().Cursor; at != 5 {
		t.Errorf("its cursor is %d", at)
	}
	sweep([]*subscription{s}, 10)
	if s.sleep.Load() != drowsy || s.skip.Load() != 0 {
		t.Errorf("a sweep made it %d and lets it skip to %d", s.sleep.Load(), s.skip.Load())
	}
	s.stir()
	if s.sleep.Load() != awake || s.cleared != 0 || s.quiet.Load() != 0 || len(s.stirred) != 1 {
		t.Errorf("it is %d, all below %d dealt with, stirred %d times", s.sleep.Load(), s.cleared, len(s.stirred))
	}

	s.sleep.Store(asleep)
	if at := s.laneStatus().Cursor; at != 10 {
		t.Errorf("asleep, its cursor is %d", at)
	}
	s.mu.next = &generation{} // which may want what this one does not
	if at := s.laneStatus().Cursor; at != 5 {
		t.Errorf("with another generation offered, its cursor is %d", at)
	}
	s.stir()
	if s.sleep.Load() != awake || s.quiet.Load() != 10 {
		t.Errorf("it is %d, all below %d dealt with", s.sleep.Load(), s.quiet.Load())
	}
	if s.cleared != 0 {
		t.Errorf("the follower wrote what is the subscription's own: %d", s.cleared)
	}
}

// TestStirred: what did not concern a subscription while it was asleep is written down by itself,
// before it can take another generation or be reset, which forget it.
func TestStirred(t *testing.T) {
	for name, wake := range map[string]func(*subscription){
		"by the follower": (*subscription).stir,
		"by a job":        func(s *subscription) { go func() { _ = s.do(t.Context(), func() error { return nil }) }() },
	} {
		s := resting()
		s.r.interest.announced.Store(5)
		s.r.interest.passed.Store(5)
		done := make(chan bool)
		go func() { done <- s.rest(t.Context(), 5, 0) }()
		for s.sleep.Load() != asleep {
			goruntime.Gosched()
		}
		s.r.interest.announced.Store(10)
		s.r.interest.passed.Store(10)
		wake(s)
		if !<-done || s.sleep.Load() != awake || s.cleared != 10 {
			t.Errorf("%s: it is %d, all below %d dealt with", name, s.sleep.Load(), s.cleared)
		}
	}
}
