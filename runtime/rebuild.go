package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
)

const (
	// nearEvents is how close behind the lanes a rebuild must be before they wait for it: so
	// many events take some ten milliseconds.
	nearEvents = 1024

	// maxBuildFailed is after how many events that the new version gives up, of those that the
	// one in service has dealt with, a rebuild is refused: it is not these events' fault.
	maxBuildFailed = 100

	// rebuildLook is how often a rebuild looks again that waits for a blocked key.
	rebuildLook = 100 * time.Millisecond

	// lettersAhead bounds the dead letters that one step reads.
	lettersAhead = 1000

	// rebuildBatch is how many events a step handles, as in a run of the lanes.
	rebuildBatch = 256
)

// builder builds a version by handling again, in the order of the log, what the generation in
// service has dealt with: no dead letter, also none that was dropped, nothing that waits behind a
// blocked key, and nothing that an operator skipped. What the events emit is in the log already and is dropped.
type builder struct {
	c        *crew
	m        *stateMove
	at       log.StateBuild
	start    lastPerTopic
	instance *sandbox.Instance
	share    share // of the cores; its own, so that it takes nothing of the subscriber's
}

// cannotRebuild says why a version cannot be built from the log, "" if it can.
func (r *Runtime) cannotRebuild(gen *generation, v log.Versions) (reason string, err error) {
	name := gen.spec.Name
	began := v.Began
	if began == 0 { // attached by an older program
		history, err := r.store.Generations(name)
		if err != nil {
			return "", err
		}
		if len(history) == 0 || history[0].Number != 1 {
			return "it cannot be rebuilt, because it is not known with which event the subscriber began; export avx_migrate, or give the subscriber a new name", nil
		}
		began = history[0].Seq
	}
	head := r.store.Head() + 1
	err = r.store.Retained(began, head, func(gone log.Retained) bool {
		switch {
		case gone.Stream != "":
			reason = fmt.Sprintf("the stream of key %q was truncated", shorten(gone.Stream))
		case gone.Topics == "":
			reason = fmt.Sprintf("the events %d to %d left the log by retention", gone.From, gone.To)
		case overlaps(gone.Topics, gen.spec.Topics):
			reason = fmt.Sprintf("events of %s between %d and %d left the log by retention (%s)", gone.Topics, gone.From, gone.To, gone.Reason)
		}
		return reason == ""
	})
	if reason != "" {
		reason = "it cannot be rebuilt, because " + reason + "; export avx_migrate, or give the subscriber a new name"
	}
	return reason, err
}

// shorten keeps what a message needs of a key.
func shorten(key string) string {
	const most = 64
	if len(key) > most {
		return key[:most] + "…"
	}
	return key
}

func overlaps(pattern string, topics []router.Pattern) bool {
	p, err := router.ParsePattern(pattern)
	return err != nil || slices.ContainsFunc(topics, p.Overlaps)
}

// began is the first event of a rebuild.
func (r *Runtime) began(name string) (abi.Seq, error) {
	v, err := r.store.Versions(name)
	if err != nil || v.Began != 0 {
		return v.Began, err
	}
	history, err := r.store.Generations(name)
	if err != nil || len(history) == 0 {
		return 0, err
	}
	return history[0].Seq, nil
}

func (c *crew) newBuilder(ctx context.Context, m *stateMove) (*builder, error) {
	began, err := c.r.began(c.name)
	if err != nil {
		return nil, err
	}
	b := &builder{c: c, m: m}
	b.at, err = c.r.store.BeginBuild(ctx, c.name, log.StateBuild{
		Version: m.gen.version, Kind: log.BuildRebuild, Digest: m.gen.module.Digest(), Next: began,
	})
	if err != nil {
		return nil, err
	}
	if b.start.until, err = c.r.store.StartHead(c.name); err == nil && b.start.until != 0 {
		err = b.start.choose(ctx, c.r.store, m.gen)
	}
	m.note(&b.at, nil)
	return b, err
}

func (b *builder) close() {
	if b.instance != nil {
		_ = b.instance.Close(context.Background())
		b.instance = nil
	}
}

// rebuild builds a version beside the lanes, which run, until it is close behind them; then
// it has them end. A refusal is in m; an error is not m's fault, and the next round tries again.
func (c *crew) rebuild(ctx context.Context, m *stateMove) {
	b, err := c.newBuilder(ctx, m)
	for err == nil && ctx.Err() == nil && m.wanted() && m.refusal() == "" && !m.ready.Load() {
		err = b.follow(ctx)
	}
	if b != nil {
		b.close()
	}
	if ctx.Err() != nil || !m.wanted() {
		return
	}
	if err != nil && !errors.Is(err, log.ErrBuildChanged) {
		m.refuse(err.Error())
	}
	m.ready.Store(err == nil || m.refusal() != "")
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.catchUp()
}

// follow does one step behind the lanes.
func (b *builder) follow(ctx context.Context) error {
	cursors, err := b.c.r.store.Lanes(b.c.name)
	if err != nil {
		return err
	}
	limit := cursors[0].Next
	for _, at := range cursors {
		limit = min(limit, at.Next)
	}
	if b.at.Next+nearEvents >= limit {
		b.m.ready.Store(true)
		return nil
	}
	waits, err := b.step(ctx, limit, false)
	b.m.note(&b.at, func(st *BuildStatus) { st.Target, st.WaitsFor = limit, waits })
	if waits != "" && err == nil {
		sleepUntil(ctx, now()+int64(rebuildLook))
	}
	return err
}

// rebuildTo builds the rest, up to where all lanes have ended.
func (c *crew) rebuildTo(ctx context.Context, m *stateMove, at abi.Seq) (log.StateBuild, error) {
	b, err := c.newBuilder(ctx, m)
	if err != nil {
		return log.StateBuild{}, err
	}
	defer b.close()
	for b.at.Next < at && err == nil && ctx.Err() == nil && m.wanted() && m.refusal() == "" {
		_, err = b.step(ctx, at, true)
		m.note(&b.at, func(st *BuildStatus) { st.Target, st.WaitsFor = at, "" })
	}
	return b.at, errors.Join(err, ctx.Err())
}

// standingOf is what the lanes have not dealt with below their cursors.
type standingOf struct {
	parked  map[string]abi.Seq // by key, the first that waits
	alone   map[abi.Seq]bool   // events without a key that wait
	letters map[abi.Seq]bool   // given up; also those that were dropped since
	skipped []log.Span         // by an operator
	until   abi.Seq            // nothing is known of events from here on
}

// gaveUp notes a letter, one of at most so many, and says whether more may matter.
func (st *standingOf) gaveUp(seq abi.Seq, most int) bool {
	if len(st.letters) == most {
		st.until = min(st.until, seq)
	}
	if seq < st.until {
		st.letters[seq] = true
	}
	return seq < st.until
}

// look reads what waits or was given up between a seq and another. The cursors were read
// before: what was handled meanwhile is then taken for waiting at worst, not the other way round.
func (b *builder) look(from, limit abi.Seq) (*standingOf, error) {
	store, name := b.c.r.store, b.c.name
	st := &standingOf{parked: map[string]abi.Seq{}, alone: map[abi.Seq]bool{}, letters: map[abi.Seq]bool{}, until: limit}
	parked, err := store.Parked(name)
	if err != nil {
		return nil, err
	}
	for _, p := range parked {
		if p.Key == "" {
			st.alone[p.First] = true
		} else {
			st.parked[p.Key] = p.First
		}
	}
	// A letter that is dropped in between is among the dropped, which are read last.
	err = store.DeadLetters(name, from-1, func(d log.DeadLetter) bool { return st.gaveUp(d.Seq, lettersAhead) })
	if err == nil {
		err = store.DroppedLetters(name, from-1, func(seq abi.Seq, _ log.LetterMore) bool { return st.gaveUp(seq, 2*lettersAhead) })
	}
	if err != nil {
		return nil, err
	}
	control, err := store.Control(name)
	for _, span := range control.Unhandled {
		span.To = min(span.To, control.Began) // from there on the cursor came by again
		if span.From < span.To && !span.Waits {
			st.skipped = append(st.skipped, span)
		}
	}
	return st, err
}

// dealt says whether the lanes have dealt with an event; waits that they will.
func (st *standingOf) dealt(ev *abi.Event) (dealt, waits bool) {
	if first, blocked := st.parked[ev.Key]; ev.Key != "" && blocked && first <= ev.Seq || ev.Key == "" && st.alone[ev.Seq] {
		return false, true
	}
	if st.letters[ev.Seq] || delivery.Hops(ev) >= delivery.MaxHops {
		return false, false
	}
	for _, span := range st.skipped {
		if span.Holds(ev.Key, ev.Seq, partition) {
			return false, false
		}
	}
	return true, false
}

// step handles one batch of events below limit. halted says that the lanes have ended: what
// waits will be handled by them after the change, and is passed over.
func (b *builder) step(ctx context.Context, limit abi.Seq, halted bool) (waits string, err error) {
	r := b.c.r
	if r.store.First() > b.at.Next {
		b.m.refuse(fmt.Sprintf("events that it needs left the log by retention: it is at event %d, the log begins at %d", b.at.Next, r.store.First()))
		return "", nil
	}
	st, err := b.look(b.at.Next, limit)
	if err != nil {
		return "", err
	}
	snapshot := r.store.Snapshot()
	defer snapshot.Close()
	state := snapshot.State(b.c.name, b.m.gen.version)
	run := &rebuildRun{b: b, st: st, halted: halted, end: time.Now().Add(batchTime), next: b.at.Next}
	run.reader = r.store.NewReader(log.ReadOptions{From: b.at.Next, Match: b.m.gen.match})
	defer run.reader.Close()
	if !run.peek() {
		return run.waits, errors.Join(run.reader.Err(), b.commit(ctx, log.BuildStep{}, run.next, 0, 0))
	}
	result, started := b.onCore(ctx, state, run.give)
	if !started {
		return "", nil
	}
	if err := run.reader.Err(); err != nil {
		return "", err
	}
	return run.waits, b.settle(ctx, run, &result)
}

// onCore runs a batch, on a new instance where there is none that can be used, and says whether
// there was one.
func (b *builder) onCore(ctx context.Context, state sandbox.StateReader, next func() *abi.Event) (result sandbox.Result, started bool) {
	t := coreTime{cores: b.c.r.cores, share: &b.share}
	t.begin()
	defer t.end()
	if b.instance == nil || !b.instance.Usable() {
		b.close()
		instance, err := t.instantiate(ctx, b.m.gen.module, b.m.gen.sandboxConfig(), state)
		if err != nil {
			b.m.refuse("the module did not start: " + err.Error())
			return result, false
		}
		b.instance = instance
	}
	return t.run(ctx, b.instance, sandbox.Batch{Next: next, State: state}), true
}

// settle commits what a run handled, and then deals with the event that it failed.
func (b *builder) settle(ctx context.Context, run *rebuildRun, result *sandbox.Result) error {
	next := run.next
	if result.Handled < len(run.given) {
		next = run.given[result.Handled].Seq
	}
	if err := b.commit(ctx, log.BuildStep{Writes: writes(result.Writes)}, next, result.Handled, 0); err != nil {
		return err
	}
	switch {
	case result.Failure == nil && result.Trap == nil:
		return nil
	case result.Handled == len(run.given):
		b.m.refuse(fmt.Sprintf("the module failed outside of any event: %s", saidBy(result)))
		return nil
	}
	b.close()
	return b.alone(ctx, &run.given[result.Handled], result)
}

func saidBy(result *sandbox.Result) string {
	if result.Trap != nil {
		return result.Trap.Message
	}
	return result.Failure.Message
}

// alone handles an event that failed again, on fresh instances, and gives it up if it must.
func (b *builder) alone(ctx context.Context, ev *abi.Event, result *sandbox.Result) error {
	snapshot := b.c.r.store.Snapshot()
	defer snapshot.Close()
	a := b.c.r.newActor(b.m.gen, newOverlay(snapshot.State(b.c.name, b.m.gen.version)), &b.share)
	defer a.close()
	for attempt := 2; attempt <= maxTries && again(result, attempt); attempt++ {
		a.close()
		next, err := a.run(ctx, ev, attempt)
		if err != nil {
			b.m.refuse("the module did not start: " + err.Error())
			return nil
		}
		result = &next
	}
	done := result.Failure == nil && result.Trap == nil && result.Handled == 1
	skipped := result.Failure != nil && result.Failure.Code == abi.FailSkip
	if done || skipped {
		s := log.BuildStep{}
		if done {
			s.Writes = writes(result.Writes)
		}
		return b.commit(ctx, s, ev.Seq+1, 1, 0)
	}
	return b.fail(ctx, ev, result)
}

// again says whether an event that failed gets another attempt.
func again(result *sandbox.Result, attempt int) bool {
	if f := result.Failure; f != nil {
		return f.Code == abi.FailRetry
	}
	return result.Trap != nil && (result.Trap.Timeout || attempt == 2)
}

// fail gives an event up that the version in service has dealt with. It blocks nothing, for
// what came behind it was dealt with, too.
func (b *builder) fail(ctx context.Context, ev *abi.Event, result *sandbox.Result) error {
	spec := &b.m.gen.spec
	letter := log.DeadLetter{Seq: ev.Seq, Attempts: maxTries, Digest: b.m.gen.module.Digest(), Time: time.Now(), Reason: "trap"}
	stop := spec.OnPoison == "stop"
	switch f, t := result.Failure, result.Trap; {
	case f != nil:
		letter.Reason, letter.Message, letter.Code = reasonOf(f.Code), f.Message, int(f.Code)
		stop = stop || f.Code == abi.FailStop
	case t != nil:
		letter.Message = t.Message
		if t.Timeout {
			letter.Reason = "timeout"
		}
	default:
		letter.Reason, letter.Message = "reject", "the guest did not take the event"
	}
	if stop || b.at.Failed >= maxBuildFailed {
		b.m.refuse(fmt.Sprintf("event %d, which the version in service has dealt with, fails: %s: %s (and %d before it)", ev.Seq, letter.Reason, letter.Message, b.at.Failed))
		return nil
	}
	s := log.BuildStep{}
	if spec.OnPoison != "skip" {
		s.Letters = []log.DeadLetter{letter}
	}
	return b.commit(ctx, s, ev.Seq+1, 0, 1)
}

// commit makes a step of the build durable as others are: with the next sync.
func (b *builder) commit(ctx context.Context, s log.BuildStep, next abi.Seq, events, failed int) error {
	if next == b.at.Next && len(s.Writes)+len(s.Letters) == 0 {
		return nil
	}
	s.To = b.at
	s.To.Next = next
	s.To.Events += uint64(events)
	s.To.Failed += uint64(failed)
	s.To.Keys += uint64(len(s.Writes))
	return b.c.r.stepBuild(ctx, b.c.name, &b.at, s)
}

// rebuildRun gives the events of one batch.
type rebuildRun struct {
	b      *builder
	st     *standingOf
	halted bool
	end    time.Time
	reader *log.Reader
	event  abi.Event
	held   *abi.Event
	given  []abi.Event
	next   abi.Seq // behind what was given or passed over
	waits  string
}

// peek reads on to the next event of the batch and says whether there is one.
func (u *rebuildRun) peek() bool {
	for u.held == nil && u.waits == "" {
		if u.next >= u.st.until || !u.reader.Next(&u.event) || u.event.Seq >= u.st.until {
			u.next = max(u.next, min(u.st.until, u.reader.Position()))
			return false
		}
		ev := &u.event
		dealt, waits := u.st.dealt(ev)
		switch {
		case waits && !u.halted:
			u.next, u.waits = ev.Seq, fmt.Sprintf("event %d, which waits for its next attempt or behind one of its key", ev.Seq)
			return false
		case dealt && u.b.start.wants(ev):
			u.held = ev
		}
		u.next = ev.Seq + 1
	}
	return u.held != nil
}

// give is the sandbox's source.
func (u *rebuildRun) give() *abi.Event {
	if len(u.given) == rebuildBatch || len(u.given) > 0 && time.Now().After(u.end) {
		if u.held != nil {
			u.next = u.held.Seq
		}
		return nil
	}
	if !u.peek() {
		return nil
	}
	ev := u.held.Clone()
	u.held = nil
	ev.Attempt, ev.Flags = 1, ev.Flags|abi.FlagReplay
	u.given = append(u.given, ev)
	return &u.given[len(u.given)-1]
}
