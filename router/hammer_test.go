package router_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/avx-platform/avxrt/router"
)

// history is what happened, with the times of a common clock: a subscription was there for
// certain from added to removing, and not there for certain before adding and after removed.
type history struct {
	clock atomic.Int64
	subs  [1 << 14]struct {
		pattern                          string
		group                            bool
		adding, added, removing, removed atomic.Int64
	}
	n atomic.Int64
}

var hammerPatterns = []string{"a.b", "a.*", "a.**", "*.b", "**", "a.**.b", "**.a.**.b", "x.y", "a.c", "$s.**"}

// TestHammer changes and matches at the same time and holds every match against the
// history: what was there all the time of the match is in it, what was there at no moment
// of it is not, nothing comes twice, and the order is that of registration.
func TestHammer(t *testing.T) {
	r := router.NewWith[int](router.Options{Cache: 8})
	h := &history{}
	var changing, matching sync.WaitGroup
	var stop atomic.Bool
	for w := range 2 {
		changing.Go(func() { h.change(t, r, rand.New(rand.NewPCG(uint64(w), 5))) })
	}
	for g := range 3 {
		matching.Go(func() {
			ask := askers(r)[g]
			for !stop.Load() && !t.Failed() {
				for _, topic := range []string{"a.b", "x.y", "$s.t", "a.b", "b"} {
					h.look(t, ask, topic)
				}
			}
		})
	}
	changing.Wait()
	stop.Store(true)
	matching.Wait()
}

// askers are the ways to ask.
func askers(r *router.Router[int]) []func(topic string) []router.Match[int] {
	handles := map[string]*router.Topic[int]{}
	return []func(topic string) []router.Match[int]{
		func(topic string) (out []router.Match[int]) {
			for m := range r.Match(topic, "k") {
				out = append(out, m)
			}
			return out
		},
		func(topic string) (out []router.Match[int]) {
			if handles[topic] == nil {
				handles[topic] = r.Topic(topic)
			}
			for m := range handles[topic].Match("k") {
				out = append(out, m)
			}
			return out
		},
		func(topic string) (out []router.Match[int]) {
			r.MatchBatch([]string{topic}, nil, func(_ int, m router.Match[int]) bool {
				out = append(out, m)
				return true
			})
			return out
		},
	}
}

func (h *history) change(t *testing.T, r *router.Router[int], rng *rand.Rand) {
	type live struct {
		id  int
		sub *router.Subscription[int]
	}
	var mine []live
	for range 6000 {
		if id := int(h.n.Add(1) - 1); rng.IntN(3) > 0 && id < len(h.subs) {
			s := &h.subs[id]
			s.pattern = hammerPatterns[rng.IntN(len(hammerPatterns))]
			s.group = rng.IntN(5) == 0
			p, _ := router.ParsePattern(s.pattern)
			s.adding.Store(h.clock.Add(1))
			var sub *router.Subscription[int]
			var err error
			if s.group {
				sub, err = r.Join("g", fmt.Sprint(id), id, p)
			} else {
				sub, err = r.Subscribe(id, p)
			}
			if err != nil {
				t.Error(err)
				return
			}
			s.added.Store(h.clock.Add(1))
			mine = append(mine, live{id, sub})
		}
		for limit := 1 + rng.IntN(40); len(mine) > limit; {
			i := rng.IntN(len(mine))
			s := &h.subs[mine[i].id]
			s.removing.Store(h.clock.Add(1))
			mine[i].sub.Unsubscribe()
			s.removed.Store(h.clock.Add(1))
			mine = append(mine[:i], mine[i+1:]...)
		}
	}
}

func (h *history) look(t *testing.T, ask func(string) []router.Match[int], topic string) {
	known := h.n.Load()
	begin := h.clock.Add(1)
	got := ask(topic)
	end := h.clock.Add(1)
	seen := map[int]bool{}
	last, groups := uint64(0), 0
	for _, m := range got {
		id := m.Subscription.Value
		s := &h.subs[id]
		if seen[id] || !reference(s.pattern, topic) {
			t.Errorf("%s: %d (%s) comes twice or does not match", topic, id, s.pattern)
		}
		seen[id] = true
		if s.adding.Load() > end || s.removed.Load() != 0 && s.removed.Load() < begin {
			t.Errorf("%s: %d (%s) was not there", topic, id, s.pattern)
		}
		if s.group {
			groups++
			continue
		}
		if m.Subscription.Ordinal() <= last {
			t.Errorf("%s: %d comes before an older one", topic, id)
		}
		last = m.Subscription.Ordinal()
	}
	grouped := false
	for id := range min(known, int64(len(h.subs))) {
		s := &h.subs[id]
		if added := s.added.Load(); added == 0 || added > begin || !reference(s.pattern, topic) {
			continue
		}
		if removing := s.removing.Load(); removing != 0 && removing < end {
			continue
		}
		if s.group {
			grouped = true
		} else if !seen[int(id)] {
			t.Errorf("%s: %d (%s) was there and is not in the match", topic, id, s.pattern)
		}
	}
	if groups > 1 || grouped && groups == 0 {
		t.Errorf("%s: %d members of the group got it", topic, groups)
	}
}
