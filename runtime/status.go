package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// State is what a subscriber is doing.
type State string

// The states.
const (
	StateRunning  State = "running"
	StateRetrying State = "retrying"  // an event waits for its next attempt
	StateMoving   State = "migrating" // it waits while its state becomes that of another version
	StatePaused   State = "paused"    // until an operator resumes it
	StateStopped  State = "stopped"   // until a new generation, or until it is resumed; Reason says why
	StateFailed   State = "failed"    // the store gave an error; until a restart
)

// SubscriberStatus is how one subscriber stands. Counters start at 0 with the process.
type SubscriberStatus struct {
	Name         string
	State        State
	Reason       string // why it is stopped, failed or retrying
	Problem      string // why the last new plan, or the module in the plugins folder, is refused; "" if none is
	OnTrial      bool   // an event that fails makes the generation before come back
	Topics       []string
	Module       string
	Digest       string
	Generation   int
	StateVersion uint32       // of the generation
	KeptVersion  uint32       // whose state is there for a roll back; 0: none
	Build        *BuildStatus // how far a change of the state version is; nil: none is under way
	Cursor       abi.Seq      // next seq that it has not dealt with
	Mark         abi.Seq      // below it, what it does is done again after a reset; 0: it was never reset
	Needs        abi.Seq      // the first that it may still run: below Cursor where a blocked key waits
	BlockedKeys  int          // keys whose first event waits for its next attempt, or for an operator
	Timers       int          // that wait
	PassedOver   int          // events that wait behind those
	Partitions   int          // that handle events now
	Conflicts    uint64       // runs of a partition that were done again because another one had changed what they read
	LagEvents    uint64       // seqs between the cursor and the head, wanted or not; 0 if none is wanted
	LagSeconds   float64      // age of the first event that concerns it and is not dealt with
	Handled      uint64
	Emitted      uint64
	Traps        uint64
	Failures     uint64 // verdicts of the guest itself
	Retries      uint64
	Skipped      uint64
	DeadLetters  uint64 // that it made
	Letters      int    // dead letters that there are
	Refused      uint64 // modules that a rehearsal refused
	RolledBack   uint64 // generations that failed on trial
	Lost         uint64 // events that left the log, because of its size, before they were handled
	ExecSeconds  float64
	Fuel         uint64    // burnt, see limits.fuel
	LogDropped   uint64    // log lines over limits.log_lines
	Verified     uint64    // runs that were done again for comparison
	Differences  uint64    // of those, how many came out otherwise
	MemoryBytes  int64     // of its instances' linear memory; those that were given back have none
	Since        time.Time // of the generation
}

// Status is how the node stands.
type Status struct {
	Node, Data     string
	Ready          bool
	NotReady       string // why
	ManifestError  string // why the last manifest was refused; "" if it was not
	Reloads        uint64 // plans adopted since the start
	RefusedReloads uint64
	ClockProblem   string // why timers and retention by age wait; "" if they do not
	Log            log.Metrics
	Instances      Instances
}

// Instances is how the node's instances stand.
type Instances struct {
	Held    int64  // bytes of memory, by all of them
	Bound   int64  // bytes above which idle ones are given back: plugins.idle_memory
	Idle    int    // that are kept for their subscribers
	Evicted uint64 // given back to keep the bound, since the start
}

// Status returns how the node stands.
func (r *Runtime) Status() Status {
	r.mu.Lock()
	st := Status{Node: r.mu.manifest.Node.ID, Data: r.mu.manifest.Node.Data, ManifestError: r.mu.problems[""]}
	r.mu.Unlock()
	st.Reloads, st.RefusedReloads = r.reloads.done.Load(), r.reloads.refused.Load()
	st.Log = r.store.Metrics()
	pool := r.pool.Stats()
	st.Instances = Instances{Held: pool.Held, Bound: pool.Bound, Idle: pool.Idle, Evicted: pool.Evicted}
	if err := r.store.ClockProblem(); err != nil {
		st.ClockProblem = err.Error()
	}
	switch {
	case r.draining.Load():
		st.NotReady = "the node is shutting down"
	case !r.running.Load():
		st.NotReady = "the node is starting"
	default:
		st.Ready = true
	}
	return st
}

// Subscribers returns how all subscribers stand, by name. If it says that none lags, that was so
// at one moment: they feed each other, so it looks again where the log grew meanwhile, unless the
// log never rests.
func (r *Runtime) Subscribers() []SubscriberStatus {
	for tries := 1; ; tries++ {
		head := r.store.Head()
		all := r.subscribersNow()
		lags := slices.ContainsFunc(all, func(s SubscriberStatus) bool { return s.LagEvents > 0 })
		if lags || r.store.Head() == head || tries == 10 {
			return all
		}
	}
}

func (r *Runtime) subscribersNow() []SubscriberStatus {
	subs := r.subscriptions()
	all := make([]SubscriberStatus, len(subs))
	for i, s := range subs {
		all[i] = s.statusNow()
	}
	return all
}

// Subscriber returns how one subscriber stands, or [ErrNotFound].
func (r *Runtime) Subscriber(name string) (SubscriberStatus, error) {
	s := r.subscription(name)
	if s == nil {
		return SubscriberStatus{}, r.noSubscriber(name)
	}
	return s.statusNow(), nil
}

// laneStatus adds to the last published status of a lane what changes without its doing.
func (s *subscription) laneStatus() SubscriberStatus {
	passed, sleeps := abi.Seq(s.r.interest.passed.Load()), s.sleep.Load() == asleep
	s.mu.Lock()
	st, offered := s.mu.status, s.mu.next != nil
	s.mu.Unlock()
	st.MemoryBytes = s.place.MemoryBytes()
	if sleeps && !offered { // nothing below passed concerns it: it would have been woken before that was raised
		st.Cursor = max(st.Cursor, passed)
	}
	return st
}

// add adds what another lane of the subscriber did. A lane that does not run is what the subscriber is.
func (st *SubscriberStatus) add(o SubscriberStatus) {
	if st.State == StateRunning || o.State == StateFailed || o.State == StateStopped && st.State == StateRetrying {
		st.State, st.Reason = o.State, o.Reason
	}
	st.Cursor, st.Needs = min(st.Cursor, o.Cursor), min(st.Needs, o.Needs)
	st.BlockedKeys += o.BlockedKeys
	st.PassedOver += o.PassedOver
	st.Conflicts += o.Conflicts
	st.Handled += o.Handled
	st.Emitted += o.Emitted
	st.Traps += o.Traps
	st.Failures += o.Failures
	st.Retries += o.Retries
	st.Skipped += o.Skipped
	st.DeadLetters += o.DeadLetters
	st.Lost += o.Lost
	st.Refused += o.Refused
	st.RolledBack += o.RolledBack
	st.OnTrial = st.OnTrial || o.OnTrial
	st.ExecSeconds += o.ExecSeconds
	st.Fuel += o.Fuel
	st.Verified += o.Verified
	st.Differences += o.Differences
	st.MemoryBytes += o.MemoryBytes
}

// inherit takes over the counters of lanes that s and others replace.
func (s *subscription) inherit(old []*subscription) {
	var sum SubscriberStatus
	for _, o := range old {
		st := o.laneStatus()
		st.BlockedKeys, st.PassedOver, st.MemoryBytes = 0, 0, 0
		sum.add(st)
	}
	s.count(func(st *SubscriberStatus) {
		now := *st
		*st = sum
		st.State, st.Reason, st.Cursor, st.Needs = now.State, now.Reason, now.Cursor, now.Needs
		st.Name, st.Since, st.BlockedKeys, st.PassedOver = now.Name, now.Since, now.BlockedKeys, now.PassedOver
		st.Generation, st.Module, st.Digest, st.Topics, st.OnTrial = now.Generation, now.Module, now.Digest, now.Topics, now.OnTrial
		st.StateVersion = now.StateVersion
	})
}

// statusNow returns how the subscriber stands whose lane s is.
func (s *subscription) statusNow() SubscriberStatus {
	lanes := s.crew.all()
	st := lanes[0].laneStatus()
	lanes[0].lag(&st)
	st.Partitions = len(lanes)
	for _, lane := range lanes[1:] {
		o := lane.laneStatus()
		lane.lag(&o)
		st.add(o)
		st.LagEvents, st.LagSeconds = max(st.LagEvents, o.LagEvents), max(st.LagSeconds, o.LagSeconds)
	}
	st.Timers = s.r.store.TimersOf(s.name)
	if n, err := s.r.store.LetterCount(s.name); err == nil {
		st.Letters = n
	}
	if versions, err := s.r.store.Versions(s.name); err == nil {
		st.KeptVersion = versions.Kept
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if move := s.crew.move; move != nil {
		build := move.statusNow()
		if st.Build = &build; build.Halted {
			st.State, st.Reason = StateMoving, fmt.Sprintf("state version %d, %d commits so far", build.Version, build.Commits)
		}
	}
	if st.Problem = s.r.mu.problems[s.name]; st.Problem == "" {
		st.Problem = s.crew.problem()
	}
	return st
}

// count changes the status's counters.
func (s *subscription) count(change func(*SubscriberStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.mu.status)
}

func (s *subscription) setState(state State, reason string) {
	s.count(func(st *SubscriberStatus) { st.State, st.Reason = state, reason })
}

// publishStatus copies what others may see of the goroutine's own.
func (s *subscription) publishStatus() {
	state, reason := StateRunning, ""
	if s.past.Paused {
		state, reason = StatePaused, s.past.Reason
	} else if stopped := s.machine.Stopped(); stopped != "" {
		state, reason = StateStopped, stopped
	} else if seq := s.machine.Retrying(); seq != 0 {
		state, reason = StateRetrying, fmt.Sprintf("event %d waits for its next attempt", seq)
	}
	gen := s.gen
	s.count(func(st *SubscriberStatus) {
		if st.State != StateFailed {
			st.State, st.Reason = state, reason
		}
		st.Cursor, st.Needs = s.machine.Cursor(), s.machine.Needs()
		st.BlockedKeys, st.PassedOver = s.machine.Waiting()
		st.Mark = s.past.Mark
		st.OnTrial = gen.onTrial()
		if st.Generation != gen.number {
			st.Generation, st.Module, st.Digest, st.StateVersion = gen.number, gen.spec.Module, gen.module.Digest(), gen.version
			st.Topics, st.Since = patternTexts(gen.spec), time.Unix(0, gen.adopted)
		}
	})
}

func patternTexts(spec manifest.Subscriber) []string {
	texts := make([]string, len(spec.Topics))
	for i, p := range spec.Topics {
		texts[i] = p.String()
	}
	return texts
}

// account adds a settled run to the figures.
func (s *subscription) account(o delivery.Outcome, v delivery.Verdict, result sandbox.Result) {
	s.count(func(st *SubscriberStatus) {
		st.Handled += uint64(o.Handled)
		st.Emitted += uint64(len(result.Emits))
		st.ExecSeconds += result.Elapsed.Seconds()
		st.Fuel += uint64(max(result.Fuel, 0))
		st.LogDropped += uint64(result.Dropped)
		if f := o.Failure; f != nil {
			switch f.Kind {
			case delivery.Trapped, delivery.TimedOut:
				st.Traps++
			case delivery.Said:
				st.Failures++
			}
		}
		if v.Retry {
			st.Retries++
		}
		if v.Skipped != 0 {
			st.Skipped++
		}
		if v.Letter != nil {
			st.DeadLetters++
		}
	})
	s.publishStatus()
	s.sayLetter(v)
	if stopped := s.machine.Stopped(); stopped != "" {
		s.r.opts.Logger.Error("the subscriber stopped", "subscriber", s.name, "reason", stopped, "generation", s.gen.number)
	}
}

// sayLetter logs the dead letter of a verdict, if there is one.
func (s *subscription) sayLetter(v delivery.Verdict) {
	if v.Letter != nil {
		s.r.opts.Logger.Warn("dead letter", "subscriber", s.name, "seq", uint64(v.Letter.Seq), "reason", v.Letter.Reason,
			"message", v.Letter.Message, "attempts", v.Letter.Attempts, "generation", s.gen.number)
	}
}

// guestLevels maps the levels of the contract (0 trace … 4 error) to slog's.
var guestLevels = [...]slog.Level{slog.LevelDebug - 4, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// guestLog passes a line of the guest on.
func (s *subscription) guestLog(line sandbox.LogLine) {
	level := guestLevels[min(max(line.Level, 0), len(guestLevels)-1)]
	s.r.opts.Logger.Log(context.Background(), level, line.Message, "subscriber", s.name, "seq", uint64(line.Seq), "generation", s.gen.number, "guest", true)
}

// sameSpec says whether two specs ask for the same behaviour. How a module goes into service
// is no part of it.
func sameSpec(a, b manifest.Subscriber) bool {
	if !slices.Equal(patternTexts(a), patternTexts(b)) {
		return false
	}
	a.Topics, b.Topics = nil, nil
	a.Swap, a.SHA256 = b.Swap, b.SHA256
	return reflect.DeepEqual(a, b)
}

// StateEntry is one key of a subscriber's state.
type StateEntry struct{ Key, Value []byte }

// State returns up to limit entries of a subscriber's state whose keys begin with prefix
// and lie above after, ascending, as of a moment that is on disk. It returns [ErrNotFound]
// for a name that was never attached; a subscriber that was taken out of the manifest
// still has its state.
func (r *Runtime) State(ctx context.Context, name, prefix, after string, limit int) ([]StateEntry, error) {
	if _, err := r.store.Cursor(name); err != nil {
		if errors.Is(err, log.ErrNotFound) {
			return nil, r.noSubscriber(name)
		}
		return nil, err
	}
	snapshot := r.store.Snapshot()
	defer snapshot.Close()
	if err := r.store.Sync(ctx); err != nil { // what is shown must not be taken back by a crash
		return nil, err
	}
	versions, err := snapshot.Versions(name)
	if err != nil {
		return nil, err
	}
	var entries []StateEntry
	err = snapshot.State(name, versions.Serving).Scan([]byte(prefix), []byte(after), func(k, v []byte) bool {
		if len(entries) == limit {
			return false
		}
		entries = append(entries, StateEntry{slices.Clone(k), slices.Clone(v)})
		return true
	})
	return entries, err
}
