package runtime

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// TestEmitsOverResets lets a subscriber handle, block and give up events at random, while
// its cursor is moved to and fro, the number of its lanes is changed, and dead letters are redriven or dropped. Whatever the story, no id is
// emitted twice, and once everything was read again everything was emitted: exactly once,
// where no reset asked for more. One goroutine tells the stories: under the race detector a quarter
// of them, in make faults all.
func TestEmitsOverResets(t *testing.T) {
	seeds := uint64(40)
	if RaceEnabled {
		seeds = 10
	}
	for seed := range seeds {
		for _, most := range []int{1, 3} {
			t.Run(fmt.Sprintf("seed=%d/lanes=%d", seed, most), func(t *testing.T) {
				s := newResets(t, seed, most)
				for range 150 {
					s.step()
				}
				s.finish()
			})
		}
	}
}

// resets is one story: a store, and a subscriber that does by hand what the machine and its
// shell do.
type resets struct {
	t       *testing.T
	rng     *rand.Rand
	r       *Runtime
	lanes   int
	most    int            // lanes
	emitted map[string]int // by id
	count   map[abi.Seq]int
	again   bool // some reset asked for more
	calm    bool // everything succeeds
	story   []string
}

func newResets(t *testing.T, seed uint64, lanes int) *resets {
	l, err := log.Open(t.TempDir(), log.Options{VerifyEvery: -1, Ballast: -1, CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &resets{t: t, rng: rand.New(rand.NewPCG(seed, 1)), r: &Runtime{store: l}, lanes: lanes, most: lanes, emitted: map[string]int{}, count: map[abi.Seq]int{}}
	ctx := context.Background()
	_, err = l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1})
	s.check(err)
	if lanes > 1 {
		s.check(l.SetLanes(ctx, "s", lanes, 1))
	}
	s.publish(20)
	return s
}

func (s *resets) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v\n%v", err, s.story)
	}
}

func (s *resets) say(format string, args ...any) {
	s.story = append(s.story, fmt.Sprintf(format, args...))
}

func (s *resets) publish(n int) {
	events := make([]abi.Event, n)
	for i := range events {
		events[i] = abi.Event{Topic: "t", Source: "x", Key: []string{"", "a", "b", "c"}[s.rng.IntN(4)]}
	}
	_, err := s.r.store.Append(context.Background(), events, log.Accepted)
	s.check(err)
}

func (s *resets) step() {
	switch n := s.rng.IntN(40); {
	case n == 0:
		s.publish(1 + s.rng.IntN(3))
	case n <= 2:
		to := abi.Seq(1 + s.rng.IntN(int(s.r.store.Head()+1)))
		s.reset(to, s.rng.IntN(6) == 0)
	case n <= 5:
		s.redrive()
	case n == 6:
		s.drop()
	case n == 7 && s.most > 1:
		s.setLanes(1 + s.rng.IntN(s.most))
	default:
		s.handle(s.rng.IntN(s.lanes))
	}
}

func (s *resets) reset(to abi.Seq, reEmit bool) {
	s.say("reset to %d %v", to, reEmit)
	s.again = s.again || reEmit
	_, err := s.r.store.Reset(context.Background(), log.Reset{Subscriber: "s", To: to, ReEmit: reEmit, Lane: partition})
	s.check(err)
}

// place is a lane as it stands.
func (s *resets) place(lane int) position {
	at, err := s.r.position("s", lane, s.lanes)
	s.check(err)
	return at
}

func blockedAt(at position, ev *abi.Event) *log.Parked {
	for i := range at.parked {
		if p := &at.parked[i]; p.Key == ev.Key && (p.Key != "" || p.First == ev.Seq) {
			return p
		}
	}
	return nil
}

// handle does one thing in a lane, and says whether there was one.
func (s *resets) handle(lane int) bool {
	at := s.place(lane)
	if len(at.parked) > 0 && (s.rng.IntN(2) == 0 || at.Next > s.r.store.Head()) {
		s.handleBlocked(lane, at)
		return true
	}
	if at.Next > s.r.store.Head() {
		return false
	}
	ev, err := s.r.store.Event(at.Next)
	s.check(err)
	c := &log.Commit{To: ev.Seq + 1}
	if partition(ev.Key, ev.Seq, s.lanes) == lane && (ev.Key == "" || blockedAt(at, &ev) == nil) {
		if waits, held := s.run(c, at, &ev); waits {
			s.say("block %d %q, held %v", ev.Seq, ev.Key, held)
			c.Parked = []log.ParkedChange{{Parked: log.Parked{Key: ev.Key, First: ev.Seq, Version: ev.Version, Attempts: 1, Held: held}}}
		}
	}
	s.commit(lane, at, c)
	return true
}

// handleBlocked runs the first event that waits behind a blocked key.
func (s *resets) handleBlocked(lane int, at position) {
	p := at.parked[s.rng.IntN(len(at.parked))]
	if p.Held {
		return
	}
	c := &log.Commit{To: at.Next, Parked: []log.ParkedChange{{Parked: p}}}
	row := &c.Parked[0]
	for seq := p.First; ; seq++ {
		if seq >= at.Next || p.Key == "" && seq > p.First {
			row.Gone = true
			break
		}
		ev, err := s.r.store.Event(seq)
		s.check(err)
		if ev.Key != p.Key {
			continue
		}
		if waits, held := s.run(c, at, &ev); waits && !held {
			return // it waits on
		} else if held {
			row.First, row.Version, row.Held = ev.Seq, ev.Version, true
			break
		}
		if row.First, row.Version = ev.Seq+1, ev.Version+1; p.Key == "" {
			row.Parked, row.Gone = p, true
		}
		break
	}
	s.commit(lane, at, c)
}

// run handles ev: it succeeds, is given up, or, where it says so, waits; held is one that is given
// up and whose key waits for an operator.
func (s *resets) run(c *log.Commit, at position, ev *abi.Event) (waits, held bool) {
	switch n := s.rng.IntN(10); {
	case s.calm || n < 6:
		e := at.past.emission(ev)
		s.emit(ev.Seq, e)
		c.Settled = at.past.settled([]abi.Event{*ev}, 0)
	case n < 8:
		e := at.past.emission(ev)
		s.say("give up %d %+v", ev.Seq, e)
		c.DeadLetters = []log.DeadLetter{{Seq: ev.Seq, Reason: "trap", LetterMore: log.LetterMore{Replayed: e.dropped, Run: e.run}}}
		held = n == 7
		return held, held
	default:
		return true, false
	}
	return false, false
}

// released returns the row of the key that is held at the event, which is dealt with.
func released(at position, ev *abi.Event) (rows []log.ParkedChange) {
	if p := blockedAt(at, ev); p != nil && p.Held && p.First == ev.Seq {
		free := log.Parked{Key: p.Key, First: p.First + 1, Version: p.Version + 1}
		if p.Key == "" {
			free = *p
		}
		rows = append(rows, log.ParkedChange{Parked: free, Gone: p.Key == ""})
	}
	return rows
}

func (s *resets) emit(seq abi.Seq, e emission) {
	s.say("handle %d %+v", seq, e)
	if e.dropped {
		return
	}
	id := fmt.Sprintf("%d-%d", e.run, seq)
	if s.emitted[id]++; s.emitted[id] > 1 {
		s.t.Fatalf("%s was emitted twice:\n%v", id, s.story)
	}
	s.count[seq]++
}

func (s *resets) commit(lane int, at position, c *log.Commit) {
	c.Subscriber, c.Lane, c.From, c.Fence = "s", lane, at.Next, at.Fence
	_, err := s.r.store.Commit(context.Background(), c, log.Accepted)
	s.check(err)
}

// redrive handles the first dead letter whose turn does not come.
func (s *resets) redrive() bool {
	var letters []log.DeadLetter
	s.check(s.r.store.DeadLetters("s", 0, func(d log.DeadLetter) bool { letters = append(letters, d); return true }))
	for _, d := range letters {
		ev, err := s.r.store.Event(d.Seq)
		s.check(err)
		lane := partition(ev.Key, ev.Seq, s.lanes)
		at := s.place(lane)
		if p := blockedAt(at, &ev); ev.Seq >= at.Next || p != nil && p.First <= ev.Seq && !(p.Held && p.First == ev.Seq) {
			continue
		}
		s.say("redrive")
		s.emit(d.Seq, emissionOf(&d.LetterMore))
		s.commit(lane, at, &log.Commit{To: at.Next, Settled: []abi.Seq{d.Seq}, Parked: released(at, &ev)})
		return true
	}
	return false
}

// setLanes lets the lanes run on to the foremost of them and gives the subscriber n there.
func (s *resets) setLanes(n int) {
	s.say("%d lanes, which meet", n)
	until := abi.Seq(0)
	for lane := range s.lanes {
		until = max(until, s.place(lane).Next)
	}
	for lane := range s.lanes {
		for s.place(lane).Next < until {
			s.handle(lane)
		}
	}
	s.check(s.r.store.SetLanes(context.Background(), "s", n, until))
	s.lanes = n
}

// drop takes out one of the dead letters, whether its turn comes or not.
func (s *resets) drop() {
	var letters []log.DeadLetter
	s.check(s.r.store.DeadLetters("s", 0, func(d log.DeadLetter) bool { letters = append(letters, d); return true }))
	if len(letters) == 0 {
		return
	}
	d := letters[s.rng.IntN(len(letters))]
	s.say("drop %d", d.Seq)
	ev, err := s.r.store.Event(d.Seq)
	s.check(err)
	lane := partition(ev.Key, ev.Seq, s.lanes)
	at := s.place(lane)
	s.commit(lane, at, &log.Commit{To: at.Next, Dropped: []log.DeadLetter{d}, Parked: released(at, &ev)})
}

// finish reads everything again and lets all of it succeed.
func (s *resets) finish() {
	s.calm = true
	s.reset(1, false)
	for lane := range s.lanes {
		for s.handle(lane) {
		}
	}
	for s.redrive() {
	}
	for seq := abi.Seq(1); seq <= s.r.store.Head(); seq++ {
		if n := s.count[seq]; n == 0 || n > 1 && !s.again {
			s.t.Fatalf("event %d was emitted %d times:\n%v", seq, n, s.story)
		}
	}
}
