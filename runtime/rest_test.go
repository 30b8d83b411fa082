package runtime

import (
	"testing"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// TestLateRest: a subscription that becomes idle after the follower looked for idle ones does
// not believe a sweep that finds it idle then. It would pass over events that concern it.
func TestLateRest(t *testing.T) {
	s := &subscription{r: &Runtime{interest: newInterest()}, stirred: make(chan struct{}, 1), place: new(sandbox.Engine).NewPool(0).Place()}
	s.r.interest.announced.Store(10)
	s.skip.Store(10) // the sweep came between idling and the look at announced
	if !s.rest(t.Context(), 5, 0) || s.idling.Load() || s.skip.Load() != 0 {
		t.Errorf("idling %v, skip %d", s.idling.Load(), s.skip.Load())
	}
}
