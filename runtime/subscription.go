package runtime

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
)

// batchTime is the slice after which a run ends at the next event, so that a commit never
// waits long and a swap or shutdown finds an end soon.
const batchTime = 20 * time.Millisecond

// cursorStep is how far a subscriber may read over events that it does not want before
// its cursor is written; after a crash so many are looked at again.
const cursorStep = 4096

// generation is one module in service for one subscriber under one set of rules.
type generation struct {
	number  int
	version uint32 // of the state that it runs on
	spec    manifest.Subscriber
	module  *sandbox.Module
	adopted int64
	match   func(topic string) bool
	grants  func(topic string) bool
	trial   *trial // nil: it is not watched
}

// subscription delivers to one subscriber. Its goroutine owns everything but what mu guards.
type subscription struct {
	r       *Runtime
	crew    *crew
	name    string
	lane    int // of lanes
	lanes   int
	reruns  int     // in a row, because another lane was ahead
	until   abi.Seq // 0, or where it ends so that others can take over
	stamper delivery.Stamper

	gen     *generation // in service
	machine *delivery.Machine
	reader  *log.Reader
	place   *sandbox.Place // of its instance, which may be gone after any run
	fence   uint64
	version uint32  // of the state
	stored  abi.Seq // the cursor as committed
	past    past    // what it dealt with before, and whether it is paused
	buffers runBuffers
	start   lastPerTopic
	gap     gap // that it was told of last

	wants   *router.Subscription[*subscription] // what wakes it; guarded by Runtime.mu
	sleep   atomic.Int32                        // awake, or it waits for an event that concerns it: drowsy, asleep; see interest
	stirred chan struct{}                       // ends that wait
	skip    atomic.Uint64                       // a seq up to which it has nothing to read, see sweep
	behind  probe                               // the first event that it has yet to handle, see lag
	quiet   atomic.Uint64                       // where the follower was when it woke it: nothing below concerned it in this sleep; 0 where another did
	cleared abi.Seq                             // a seq below which nothing concerned it while it was asleep, see gapFrom

	mu struct {
		sync.Mutex
		next   *generation // offered, not yet in service
		ended  bool        // taken out of the manifest
		halted bool        // others are to take over
		jobs   []*job      // to be done at the next event boundary
		absent error       // why no goroutine will do them; nil if one does, or will once Run is called
		wake   func()      // ends the wait of the goroutine
		status SubscriberStatus
	}
}

// runBuffers are reused from run to run.
type runBuffers struct {
	event  abi.Event
	causes []abi.Event // given in this run, in order
}

func newSubscription(c *crew, lane, lanes int, gen *generation, at position) *subscription {
	r := c.r
	s := &subscription{
		r: r, crew: c, name: c.name, gen: gen, lane: lane, lanes: lanes, fence: at.Fence, version: at.version, stored: at.Next, past: at.past,
		stirred: make(chan struct{}, 1), place: r.pool.Place(),
	}
	s.stamper = delivery.Stamper{Subscriber: s.name, Source: "/avxrt/" + s.nodeID()}
	start := at.start(!r.store.Clean())
	start.Passed = r.passedOver(gen, at)
	if at.Digest == gen.module.Digest() {
		start.Strikes = at.Strikes
	}
	s.machine = delivery.New(policy(gen.spec), start)
	s.mu.status = SubscriberStatus{Name: s.name, Since: time.Now()}
	s.publishStatus()
	return s
}

// nodeID needs the runtime's lock or a runtime that is being opened: both callers have one.
func (s *subscription) nodeID() string { return s.r.mu.manifest.Node.ID }

func newGeneration(number int, spec manifest.Subscriber, module *sandbox.Module) *generation {
	return &generation{
		number: number, version: uint32(spec.StateVersion), spec: spec, module: module, adopted: now(),
		match: matcher(spec.Topics), grants: granter(spec.Emits),
	}
}

// granter tells what a subscriber may emit: valid topics that its grants match.
func granter(patterns []router.Pattern) func(topic string) bool {
	granted := matcher(patterns)
	return func(topic string) bool { return granted(topic) && router.CheckTopic(topic) == nil }
}

func policy(spec manifest.Subscriber) delivery.Policy {
	h := fnv.New64a()
	_, _ = h.Write([]byte(spec.Name))
	return delivery.Policy{
		Attempts: spec.Retry.Attempts, Min: spec.Retry.Min, Max: spec.Retry.Max,
		OnPoison: delivery.Poison(spec.OnPoison), Seed: h.Sum64(),
	}
}

// offer hands over a new generation; the goroutine takes it at the next event boundary.
func (s *subscription) offer(next *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.next = next
	if s.mu.wake != nil {
		s.mu.wake()
	}
}

// latest returns the newest generation, in service or not.
func (s *subscription) latest() *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.next != nil {
		return s.mu.next
	}
	return s.gen
}

// halt makes the goroutine finish at the next event boundary, to be resumed or replaced.
func (s *subscription) halt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.halted = true
	if s.mu.wake != nil {
		s.mu.wake()
	}
}

// resume takes halt back, and makes the goroutine, which does not run, end at until.
func (s *subscription) resume(until abi.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.halted, s.until = false, until
}

// end makes the goroutine finish at the next event boundary. Cursor and state stay.
func (s *subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.ended = true
	if s.mu.wake != nil {
		s.mu.wake()
	}
}

// pending says whether the goroutine should come to an event boundary.
func (s *subscription) pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.called()
}

// called is pending for those who hold mu.
func (s *subscription) called() bool {
	return s.mu.next != nil || s.mu.ended || s.mu.halted || len(s.mu.jobs) > 0
}

// take puts an offered generation into service and says whether the subscription goes on.
func (s *subscription) take() bool {
	s.mu.Lock()
	next, ended := s.mu.next, s.mu.ended || s.mu.halted
	if next != nil && !ended {
		s.gen, s.mu.next = next, nil
	}
	s.mu.Unlock()
	if ended {
		return false
	}
	if next != nil {
		s.discard()
		s.closeReader()
		s.cleared = 0 // for its topics, which may be others
		s.machine.Adopt(policy(next.spec))
		s.publishStatus()
		s.r.opts.Logger.Info("new generation in service", "subscriber", s.name, "generation", next.number,
			"module", next.spec.Module, "digest", next.module.Digest(), "seq", uint64(s.machine.Cursor()))
	}
	return true
}

// run is the goroutine of the subscription.
func (s *subscription) run(ctx context.Context) {
	defer s.release()
	s.begin()
	for ctx.Err() == nil && s.take() && !s.arrived() {
		if s.work() {
			continue
		}
		if s.past.Paused {
			s.publishStatus()
			s.wait(ctx, func(ctx context.Context) { <-ctx.Done() })
			continue
		}
		if !s.attend(ctx) {
			continue
		}
		if v, condemned := s.machine.Condemned(now()); condemned {
			if !s.condemn(v) {
				return
			}
			continue
		}
		order := s.machine.Begin(now())
		if !order.Run {
			s.publishStatus()
			s.wait(ctx, func(ctx context.Context) { sleepUntil(ctx, order.Wake) })
			continue
		}
		if err := s.chooseStart(ctx); err != nil {
			if ctx.Err() == nil {
				s.stop(err)
			}
			return
		}
		if !order.Line {
			s.open(order.From)
		}
		if !s.deliver(ctx, order) {
			return
		}
	}
}

// arrived says whether s is where others are to take over.
func (s *subscription) arrived() bool { return s.until != 0 && s.machine.Cursor() >= s.until }

// wait calls block with a context that also ends when a generation is offered or the
// subscription is taken out.
func (s *subscription) wait(ctx context.Context, block func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.called() {
		s.mu.Unlock()
		return
	}
	s.mu.wake = cancel
	s.mu.Unlock()
	block(ctx)
	s.mu.Lock()
	s.mu.wake = nil
	s.mu.Unlock()
}

// sleepUntil returns at the given time (unix nanoseconds; 0: never) or when ctx ends.
func sleepUntil(ctx context.Context, wake int64) {
	if wake == 0 {
		<-ctx.Done()
		return
	}
	timer := time.NewTimer(time.Duration(wake - now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// open makes the reader stand at from.
func (s *subscription) open(from abi.Seq) {
	if s.reader != nil && s.reader.Position() == from {
		return
	}
	s.closeReader()
	s.reader = s.r.store.NewReader(log.ReadOptions{From: from, Match: s.gen.match})
}

func (s *subscription) closeReader() {
	if s.reader != nil {
		_ = s.reader.Close()
		s.reader = nil
	}
}

// discard throws the instance away; state is in the log, so nothing is lost.
func (s *subscription) discard() { s.place.Clear() }

// release ends the goroutine: what was read over is written down, handles are closed.
func (s *subscription) release() {
	defer s.leave()
	if cursor := s.machine.Cursor(); cursor > s.stored {
		if _, err := s.commit(&log.Commit{To: cursor}); err != nil && !errors.Is(err, log.ErrFenced) {
			s.r.opts.Logger.Error("the cursor was not written at the end; a few events will be looked at again", "subscriber", s.name, "error", err)
		}
	}
	s.discard()
	s.closeReader()
	s.publishStatus()
}

// diskPause is how long a commit waits for a full disk or a full queue before it tries again.
const diskPause = 250 * time.Millisecond

// commit completes c with what every commit of this subscription carries and applies it.
// While the disk is full or the log is busy it waits: the events stay where they are.
func (s *subscription) commit(c *log.Commit) ([]log.Receipt, error) {
	return s.commitAs(c, log.Accepted)
}

func (s *subscription) commitAs(c *log.Commit, d log.Durability) ([]log.Receipt, error) {
	c.Subscriber, c.Lane, c.StateVersion = s.name, s.lane, s.version
	c.From, c.Fence, c.Digest = s.stored, s.fence, s.gen.module.Digest()
	c.Strikes = s.machine.Strikes()
	receipts, err := s.r.store.Commit(context.Background(), c, d)
	for (errors.Is(err, log.ErrDiskFull) || errors.Is(err, log.ErrBusy)) && !s.r.draining.Load() {
		reason := err.Error()
		s.count(func(st *SubscriberStatus) { st.Reason = "waits to commit: " + reason })
		time.Sleep(diskPause)
		if receipts, err = s.r.store.Commit(context.Background(), c, d); err == nil {
			s.count(func(st *SubscriberStatus) { st.Reason = "" })
		}
	}
	if err == nil {
		s.stored = c.To
	}
	return receipts, err
}
