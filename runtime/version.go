package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/log"
)

// moveKind is how a subscriber comes to another version of its state.
type moveKind string

// The kinds.
const (
	moveMigrate moveKind = "migrate" // the module turns a copy of the state into its own
	moveRebuild moveKind = "rebuild" // it handles again what the present one has handled, beside it
	moveReturn  moveKind = "return"  // the version before comes back with the state that it had
)

// stateMove is a change of a subscriber's state version that is wanted. Until it is done the
// present generation goes on, or waits; if it fails nothing has changed.
type stateMove struct {
	kind  moveKind
	gen   *generation // that comes; it gets its number at the end
	wasm  []byte      // of its module, to be kept
	cause string
	trial bool

	failed int    // the generation whose trial failed, which is why the one before it comes back; 0: none did
	reason string // why

	ready atomic.Bool // the lanes are to end for it

	mu struct {
		sync.Mutex
		gone    bool // nobody wants it any more
		refused string
		status  BuildStatus
	}
}

// BuildStatus is how far a change of the state version is.
type BuildStatus struct {
	Version  uint32  // that is being built
	Kind     string  // migrate, rebuild or return
	Halted   bool    // the subscriber waits for it
	Next     abi.Seq // of a rebuild: the next event to handle
	Target   abi.Seq // of a rebuild: where the version in service is
	Events   uint64  // of a rebuild: handled so far
	Failed   uint64  // of a rebuild: given up so far
	Keys     uint64  // written so far
	Commits  uint64  // so far, those before a restart too
	WaitsFor string  // what a rebuild waits for, "" if for nothing
}

func (m *stateMove) same(o *stateMove) bool {
	return m != nil && o != nil && m.kind == o.kind && m.gen.version == o.gen.version && m.trial == o.trial &&
		m.gen.module.Digest() == o.gen.module.Digest() && sameSpec(m.gen.spec, o.gen.spec)
}

// wanted says whether the move is still to be made.
func (m *stateMove) wanted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.mu.gone
}

func (m *stateMove) giveUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.gone = true
}

// refuse says why the version is dropped.
func (m *stateMove) refuse(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.refused = reason
}

func (m *stateMove) refusal() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.refused
}

// note publishes how far a build is.
func (m *stateMove) note(b *log.StateBuild, change func(*BuildStatus)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := &m.mu.status
	st.Version, st.Kind = m.gen.version, string(m.kind)
	if b != nil {
		st.Next, st.Events, st.Failed, st.Keys, st.Commits = b.Next, b.Events, b.Failed, b.Keys, b.Commits
	}
	if change != nil {
		change(st)
	}
}

func (m *stateMove) statusNow() BuildStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.status
}

// offerMove makes m what the crew is to do; nil: nothing. The caller holds Runtime.mu.
func (c *crew) offerMove(m *stateMove) {
	if c.move.same(m) {
		return
	}
	if c.move != nil {
		c.move.giveUp()
		c.unbuild = true
	}
	if c.move = m; m == nil && !c.unbuild {
		return
	}
	if m != nil {
		m.note(nil, nil)
		m.ready.Store(m.kind != moveRebuild)
		c.r.opts.Logger.Info("the state version is to change", "subscriber", c.name, "kind", string(m.kind),
			"from", c.lanes[0].latest().version, "to", m.gen.version, "digest", m.gen.module.Digest())
	}
	c.catchUp()
}

// pendingMove returns what is to be done to the state, nil if nothing is, and whether what was built for
// something else is to be dropped first.
func (c *crew) pendingMove() (m *stateMove, unbuild bool) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	m, unbuild, c.unbuild = c.move, c.unbuild, false
	return m, unbuild
}

// moveState brings a change of the state version a step on. None of the lanes runs. It says
// whether it did anything, after which they are to run again.
func (c *crew) moveState(ctx context.Context) (did bool, err error) {
	m, unbuild := c.pendingMove()
	if unbuild {
		if err := c.r.store.DropBuild(ctx, c.name); err != nil {
			return false, err
		}
	}
	if m == nil || !m.ready.Load() {
		if !unbuild && c.resized() {
			return false, nil // the lanes are to be as many as they shall be, which need not wait
		}
		return true, c.again(nil)
	}
	if reason := m.refusal(); reason != "" {
		return true, c.refuseMove(ctx, m, reason)
	}
	cursors, err := c.r.store.Lanes(c.name)
	if err != nil {
		return false, err
	}
	if m.kind != moveReturn && !together(cursors) {
		return true, c.meet(cursors)
	}
	m.note(nil, func(st *BuildStatus) { st.Halted = true })
	err = c.perform(ctx, m, cursors[0].Next)
	if ctx.Err() != nil {
		return true, nil
	}
	m.note(nil, func(st *BuildStatus) { st.Halted = false })
	switch reason := m.refusal(); {
	case reason != "":
		return true, c.refuseMove(ctx, m, reason)
	case errors.Is(err, log.ErrBuildChanged) || errors.Is(err, log.ErrFenced) || !m.wanted():
		m.ready.Store(m.kind != moveRebuild) // an operator was there; what is still wanted begins anew
		return true, c.again(nil)
	case err != nil:
		return true, c.refuseMove(ctx, m, err.Error())
	}
	return true, nil
}

// meet makes the lanes end where the foremost of them stands.
func (c *crew) meet(cursors []log.Cursor) error {
	until := cursors[0].Next
	for _, at := range cursors {
		until = max(until, at.Next)
	}
	for lane, s := range c.all() {
		if lane < len(cursors) && (s.stored != cursors[lane].Next || s.fence != cursors[lane].Fence) {
			if err := s.restart(); err != nil { // an operator moved the cursor after it had ended
				return err
			}
		}
		s.resume(until)
	}
	return nil
}

// resized says whether there shall be more or fewer lanes.
func (c *crew) resized() bool {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.want != len(c.lanes)
}

// again replaces the lanes by ones that begin with what the store holds, with the generation
// gen, or the present one if that is nil.
func (c *crew) again(gen *generation) error { return c.replace(len(c.all()), gen) }

// refuseMove gives a version up: the present generation goes on, and the file is not tried
// again until it, or the manifest, is another one.
func (c *crew) refuseMove(ctx context.Context, m *stateMove, reason string) error {
	g := log.Generation{Digest: m.gen.module.Digest(), Module: m.gen.spec.Module, Cause: m.cause, StateVersion: m.gen.version,
		Reason: fmt.Sprintf("state version %d (%s): %s", m.gen.version, m.kind, reason)}
	err := errors.Join(c.r.noteRefusal(ctx, c.name, g), c.r.store.DropBuild(ctx, c.name))
	c.refuse(g.Digest, refusalText(&g))
	c.r.opts.Logger.Error("a state version was refused, the old one goes on", "subscriber", c.name, "version", m.gen.version, "kind", string(m.kind), "reason", reason)
	m.ready.Store(false) // it is over
	err = errors.Join(err, c.again(nil))
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.lanes[0].count(func(st *SubscriberStatus) { st.Refused++ })
	if c.move == m {
		c.move = nil
	}
	return err
}

// perform makes the change, with the lanes at a seq, and gives them their new generation. A
// refusal is in m, not in the error.
func (c *crew) perform(ctx context.Context, m *stateMove, at abi.Seq) error {
	var history []log.Generation
	var build log.StateBuild
	var err error
	if _, err = c.r.store.SaveModule(ctx, m.wasm); err != nil {
		return err
	}
	switch m.kind {
	case moveMigrate:
		build, err = c.migrate(ctx, m)
	case moveRebuild:
		build, err = c.rebuildTo(ctx, m, at)
	}
	c.r.switching.Lock()
	defer c.r.switching.Unlock()
	if err != nil || m.refusal() != "" || !m.wanted() {
		return err
	}
	if m.kind == moveReturn {
		at, history, err = c.r.store.ReturnState(ctx, log.StateReturn{Subscriber: c.name, Version: m.gen.version, Revision: c.revision(m, at), Lane: partition})
	} else {
		history, err = c.r.store.SwitchState(ctx, log.StateSwitch{Subscriber: c.name, Build: build, At: at, Revision: c.revision(m, at)})
	}
	if err != nil {
		return err
	}
	return c.arrive(m, at, history)
}

// revision is what the generations become.
func (c *crew) revision(m *stateMove, at abi.Seq) log.Revision {
	g := log.Generation{
		Digest: m.gen.module.Digest(), Module: m.gen.spec.Module, Cause: m.cause, Standing: log.InService, Seq: at, StateVersion: m.gen.version,
	}
	if wanted := uint32(m.gen.spec.StateVersion); wanted != m.gen.version {
		g.Wanted = wanted
	}
	if m.failed == 0 {
		return successor(c.name, g)
	}
	g.Reason = fmt.Sprintf("generation %d failed", m.failed)
	return log.Revision{Subscriber: c.name, Change: func(history []log.Generation) []log.Generation {
		replaceServing(history)
		for i := range history {
			if history[i].Number == m.failed {
				history[i].Standing, history[i].Reason = log.RolledBack, m.reason
			}
		}
		return append(history, g)
	}}
}

// arrive puts the generation that a move brought into service, on the new state.
func (c *crew) arrive(m *stateMove, at abi.Seq, history []log.Generation) error {
	gen := m.gen
	gen.number = history[len(history)-1].Number
	c.r.mu.Lock()
	if m.trial {
		gen.trial = newTrial(gen.spec.Swap.Events, c.lanes[0].latest().overtake())
	}
	lanes := len(c.lanes)
	if c.want != 0 {
		c.want = gen.spec.Partitions
	}
	c.r.mu.Unlock()
	st := m.statusNow()
	c.r.opts.Logger.Info("new state version in service", "subscriber", c.name, "version", gen.version, "kind", string(m.kind), "generation", gen.number,
		"seq", uint64(at), "events", st.Events, "keys", st.Keys, "failed", st.Failed, "digest", gen.module.Digest())
	m.ready.Store(false) // it is done
	err := c.replace(lanes, gen)
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if c.move == m { // last: who sees no move under way shall see the new generation
		c.move = nil
	}
	return err
}

// wantedVersion is the state version that a module is to run on: what the manifest says, or,
// where that module was brought back by hand, what it had, until the manifest says another one.
func wantedVersion(spec *manifest.Subscriber, history []log.Generation, digest string) uint32 {
	if good := lastGood(history); good != nil && good.Digest == digest && good.Wanted == uint32(spec.StateVersion) {
		return good.StateVersion
	}
	return uint32(spec.StateVersion)
}

// chooseMove decides how a subscriber comes to another version of its state. What it has goes
// on until then.
func (r *Runtime) chooseMove(ctx context.Context, c choice, present *generation, history []log.Generation, running bool, by change) (choice, error) {
	looked := by.subscriber == c.spec.Name
	if g := refusal(history, c.wanted, c.version); g != nil && !looked {
		return c.keep(present, running, refusalText(g)), nil
	}
	if c.module == nil {
		var err error
		if c.module, err = r.loadBytes(ctx, c.spec.Module, c.wasm); err != nil {
			return r.unloadable(ctx, c, present, running, err)
		}
	}
	versions, err := r.store.Versions(c.spec.Name)
	if err != nil {
		return c, err
	}
	gen := newGeneration(0, c.spec, c.module)
	gen.version = c.version
	m := &stateMove{kind: moveRebuild, gen: gen, wasm: c.wasm, cause: c.cause, trial: c.spec.Swap.Mode == manifest.SwapCanary}
	switch {
	case versions.Kept == c.version:
		m.kind, m.trial = moveReturn, false
	case c.module.Migrates() && c.version > present.version:
		m.kind = moveMigrate
	default:
		reason, err := r.cannotRebuild(gen, versions)
		if err != nil {
			return c, err
		}
		if reason != "" {
			return r.refuseVersion(ctx, c, present, running, reason)
		}
	}
	c = c.keep(present, running, "")
	c.move = m
	return c, nil
}

// refuseVersion remembers that a state version cannot be had.
func (r *Runtime) refuseVersion(ctx context.Context, c choice, present *generation, running bool, reason string) (choice, error) {
	g := log.Generation{Digest: c.wanted, Module: c.spec.Module, Cause: c.cause, Reason: reason, StateVersion: c.version}
	if err := r.noteRefusal(ctx, c.spec.Name, g); err != nil {
		return c, err
	}
	c = c.keep(present, running, refusalText(&g))
	c.fresh = true
	return c, nil
}

// DropKeptState drops the state of the version before the present one, which a roll back
// would need, and returns which that was and how many keys it had. It returns [ErrNotFound]
// where none is kept.
func (r *Runtime) DropKeptState(ctx context.Context, name string) (version uint32, keys int, err error) {
	if _, err := r.attached(name); err != nil {
		return 0, 0, err
	}
	version, keys, err = r.store.DropKept(ctx, name)
	if err == nil {
		r.opts.Logger.Info("the state of an older version was dropped", "subscriber", name, "version", version, "keys", keys)
	}
	return version, keys, err
}

// movable is pendingMove without taking note that what was built is to be dropped.
func (c *crew) movable() (m *stateMove, unbuild bool) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.move, c.unbuild
}

// rebuilding says whether another version is being built from the events.
func (c *crew) rebuilding() bool {
	m, _ := c.movable()
	return m != nil && m.kind == moveRebuild
}

// returnState brings the generation from before a trial back with the state that it had: what
// failed ran on another version.
func (c *crew) returnState(failed, came *generation, reason string) {
	c.r.opts.Logger.Error("a generation failed on trial and is rolled back with its state version", "subscriber", c.name, "generation", failed.number,
		"module", failed.spec.Module, "version", failed.version, "back_to", came.version, "reason", reason)
	c.refuse(failed.module.Digest(), refusalText(&log.Generation{
		Module: failed.spec.Module, Digest: failed.module.Digest(), Standing: log.RolledBack, Reason: reason}))
	wasm, err := c.r.store.Module(came.module.Digest())
	if err != nil { // it is being run, so the store has it
		c.r.opts.Logger.Error("a roll back failed", "subscriber", c.name, "error", err)
		return
	}
	failed.trial.mu.Lock()
	failed.trial.mu.came = came
	failed.trial.mu.Unlock()
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.lanes[0].count(func(st *SubscriberStatus) { st.RolledBack++ })
	if c.want != 0 && c.lanes[0].latest() == failed {
		c.offerMove(&stateMove{kind: moveReturn, gen: came, wasm: wasm, cause: CauseAutomatic, failed: failed.number, reason: reason})
	}
}

// checkVersion refuses a subscriber whose state is there with another version, while no module
// that could go on with it is.
func (r *Runtime) checkVersion(c *choice) error {
	_, err := r.store.Cursor(c.spec.Name)
	if errors.Is(err, log.ErrNotFound) {
		return nil // it is a new one
	}
	versions, readErr := r.store.Versions(c.spec.Name)
	if err = errors.Join(err, readErr); err == nil && versions.Serving != c.version {
		err = fmt.Errorf("its state has version %d, and the store has no module for that any more; run one with state_version = %d first", versions.Serving, versions.Serving)
	}
	return err
}
