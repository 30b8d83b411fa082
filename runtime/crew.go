package runtime

import (
	"context"
	"hash/fnv"
	"sync"
	"sync/atomic"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// crew is the lanes of one subscriber, one for each of its partitions. A lane is a
// subscription with a cursor, a machine and an instance of its own, and reads the events
// whose keys are its partition's. State belongs to the subscriber: commits of a lane say what they read,
// and the log refuses those that another lane got ahead of.
type crew struct {
	r     *Runtime
	name  string
	lanes []*subscription // guarded by Runtime.mu
	want  int             // how many there shall be; guarded by Runtime.mu

	move    *stateMove // to another state version, nil: none is wanted; guarded by Runtime.mu
	unbuild bool       // what was built for one that nobody wants any more is to be dropped; guarded by Runtime.mu

	news struct {
		sync.Mutex
		refused refused // what was last refused, while the plugins folder has it
	}
	share share // of the cores

	// Held while cursors are moved other than by a commit: by an operator, or to change the
	// number of lanes. It comes before Runtime.mu.
	moving sync.Mutex

	// While left is above 0 the lanes run one at a time: they were in each other's way.
	calm struct {
		sync.Mutex
		left atomic.Int32
	}
}

// calmRuns is how many runs the lanes do one at a time after one of them was refused twice
// in a row: long enough for what they fight over to be written, short enough to try again soon.
const calmRuns = 64

// newCrew makes the lanes that the store has cursors for. The caller holds Runtime.mu, or
// is about to open it.
func (r *Runtime) newCrew(gen *generation, places []position) *crew {
	c := &crew{r: r, name: gen.spec.Name, want: gen.spec.Partitions}
	for lane, at := range places {
		c.lanes = append(c.lanes, newSubscription(c, lane, len(places), gen, at))
	}
	if c.want != len(c.lanes) {
		c.catchUp()
	}
	return c
}

// places attaches a subscriber and returns where its lanes stand; nil if they run already.
// Where they stand together, and are not as many as they shall be, that is put right.
func (r *Runtime) places(ctx context.Context, spec *manifest.Subscriber, next abi.Seq) ([]position, error) {
	if _, err := r.store.Attach(ctx, log.Attachment{Subscriber: spec.Name, Next: next, KeepHead: spec.Start.Kind == manifest.StartLastPerTopic, StateVersion: uint32(spec.StateVersion)}); err != nil {
		return nil, err
	}
	if r.subscription(spec.Name) != nil {
		return nil, nil
	}
	cursors, err := r.store.Lanes(spec.Name)
	if err != nil {
		return nil, err
	}
	lanes := len(cursors)
	if lanes != spec.Partitions && together(cursors) {
		lanes = spec.Partitions
		if err := r.store.SetLanes(ctx, spec.Name, lanes, cursors[0].Next); err != nil {
			return nil, err
		}
	}
	return r.positions(spec.Name, lanes)
}

// positions returns where the lanes of a subscriber stand.
func (r *Runtime) positions(name string, lanes int) ([]position, error) {
	all := make([]position, lanes)
	for lane := range all {
		var err error
		if all[lane], err = r.position(name, lane, lanes); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func together(cursors []log.Cursor) bool {
	for _, c := range cursors {
		if c.Next != cursors[0].Next {
			return false
		}
	}
	return true
}

// partition returns which of n an event belongs to. Events without a key have no order to
// keep and are dealt out by seq.
func partition(key string, seq abi.Seq, n int) int {
	if n == 1 {
		return 0
	}
	if key == "" {
		return int(uint64(seq) % uint64(n))
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum64() % uint64(n))
}

// mine says whether an event belongs to the lane.
func (s *subscription) mine(ev *abi.Event) bool { return partition(ev.Key, ev.Seq, s.lanes) == s.lane }

// all returns the lanes.
func (c *crew) all() []*subscription {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.lanes
}

// offer hands a new generation to all lanes. The caller holds Runtime.mu.
func (c *crew) offer(next *generation) {
	for _, s := range c.lanes {
		s.offer(next)
	}
	if c.want = next.spec.Partitions; c.want != len(c.lanes) {
		c.catchUp()
	}
}

// end makes all lanes finish. The caller holds Runtime.mu.
func (c *crew) end() {
	c.want = 0
	for _, s := range c.lanes {
		s.end()
	}
}

// catchUp makes the lanes end where the foremost of them stands, so that others can take over
// there. The caller holds Runtime.mu.
func (c *crew) catchUp() {
	for _, s := range c.lanes {
		s.halt()
	}
}

// run runs the lanes until ctx ends or the subscriber is taken out. Where their number
// changes, the present ones go on to the highest of their cursors, and new ones begin there.
func (c *crew) run(ctx context.Context) {
	for {
		c.round(ctx)
		if ctx.Err() != nil {
			return
		}
		again, err := c.change(ctx)
		if err != nil {
			c.r.opts.Logger.Error("the partitions were not changed", "subscriber", c.name, "error", err)
		}
		if !again {
			return
		}
	}
}

// round runs the lanes, and the building of another state version beside them, until all
// lanes have ended.
func (c *crew) round(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var lanes, beside sync.WaitGroup
	if m, _ := c.movable(); m != nil && m.kind == moveRebuild && !m.ready.Load() {
		beside.Go(func() { c.rebuild(ctx, m) })
	}
	for _, s := range c.all() {
		lanes.Go(func() { s.run(ctx) })
	}
	lanes.Wait()
	cancel()
	beside.Wait()
}

// change brings the lanes, none of which runs, a step towards their wanted number, and says whether they are to run again.
func (c *crew) change(ctx context.Context) (again bool, err error) {
	if m, unbuild := c.movable(); m != nil || unbuild {
		if c.failed() {
			return false, nil
		}
		if did, err := c.moveState(ctx); did || err != nil {
			return did, err
		}
	}
	c.moving.Lock()
	defer c.moving.Unlock()
	c.r.mu.Lock()
	want, lanes := c.want, c.lanes
	c.r.mu.Unlock()
	if want == 0 || want == len(lanes) && !parted(lanes) {
		return false, nil // taken out, or failed
	}
	cursors, err := c.r.store.Lanes(c.name)
	if err != nil {
		return false, err
	}
	if want != len(lanes) && !together(cursors) {
		if c.failed() {
			return false, nil
		}
		return true, c.meet(cursors)
	}
	if want == len(lanes) { // changed back meanwhile
		c.resume()
		return true, nil
	}
	if err := c.r.store.SetLanes(ctx, c.name, want, cursors[0].Next); err != nil {
		return false, err
	}
	return true, c.replace(want, nil)
}

// resume lets the lanes, which ended for something that nobody wants any more, run on.
func (c *crew) resume() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	for _, s := range c.lanes {
		s.resume(0)
	}
	if c.due() {
		c.catchUp()
	}
}

// due says whether the lanes are to end, so that others can take over: what was asked while
// they were being made or made to run is not lost. The caller holds Runtime.mu.
func (c *crew) due() bool {
	return c.want != len(c.lanes) || c.unbuild || c.move != nil && c.move.ready.Load()
}

// failed says whether one of the lanes ended because of an error of the store.
func (c *crew) failed() bool {
	for _, s := range c.all() {
		if s.laneStatus().State == StateFailed {
			return true
		}
	}
	return false
}

// replace makes new lanes where the old ones stopped, with the generation gen, or if that is
// nil the present one.
func (c *crew) replace(n int, gen *generation) error {
	places, err := c.r.positions(c.name, n)
	if err != nil {
		return err
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	old := c.lanes
	had := old[0].latest()
	if gen == nil {
		gen = had
	}
	c.lanes = nil
	for lane, at := range places {
		s := newSubscription(c, lane, n, gen, at)
		if gen != had {
			s.machine.Adopt(policy(gen.spec)) // what waits gets its next attempt at once
		}
		c.lanes = append(c.lanes, s)
		if err := c.r.interest.want(s, gen.spec.Topics); err != nil {
			return err
		}
	}
	c.lanes[0].inherit(old)
	for _, s := range old {
		c.r.interest.forget(s)
	}
	if have := c.r.mu.subs[c.name]; have != nil && have.crew == c {
		c.r.mu.subs[c.name] = c.lanes[0]
	}
	switch {
	case c.want == 0: // taken out meanwhile
		c.end()
	case c.due(): // or changed again
		c.catchUp()
	}
	return nil
}

// parted says whether the lanes were made to end so that others can take over.
func parted(lanes []*subscription) bool {
	for _, s := range lanes {
		s.mu.Lock()
		parted := s.mu.halted || s.until != 0
		s.mu.Unlock()
		if parted {
			return true
		}
	}
	return false
}

// turn waits, while the lanes run one at a time, until it is s's; the func ends it.
func (c *crew) turn() (end func()) {
	if c.calm.left.Load() <= 0 {
		return func() {}
	}
	c.calm.Lock()
	c.calm.left.Add(-1)
	return c.calm.Unlock
}

// recorder notes what a run reads of the state.
type recorder struct {
	state *log.State
	reads log.Reads
}

// watched returns how a run reads state, and, where other lanes may change it meanwhile,
// what it will have read; else nil.
func (s *subscription) watched(state *log.State, snapshot *log.Snapshot) (sandbox.StateReader, *log.Reads) {
	if s.lanes == 1 {
		return state, nil
	}
	r := &recorder{state: state, reads: log.Reads{Since: snapshot.Number()}}
	return r, &r.reads
}

// Get is sandbox.StateReader's.
func (r *recorder) Get(key []byte) (value []byte, ok bool, err error) {
	r.reads.Keys = append(r.reads.Keys, string(key))
	return r.state.Get(key)
}

// Scan is sandbox.StateReader's.
func (r *recorder) Scan(prefix, after []byte, fn func(key, value []byte) bool) error {
	read := log.Range{Prefix: string(prefix), After: string(after)}
	err := r.state.Scan(prefix, after, func(key, value []byte) bool {
		if fn(key, value) {
			return true
		}
		read.Last = string(key)
		return false
	})
	r.reads.Ranges = append(r.reads.Ranges, read)
	return err
}
