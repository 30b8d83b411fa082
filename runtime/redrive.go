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

// RedriveOptions say how dead letters are handled again.
type RedriveOptions struct {
	DryRun bool   // keep nothing, neither what comes of it nor that it was tried
	Module []byte // run this module, not the one in service; nil: that one
	Name   string // of the module, for messages
}

// Redriven is what came of one dead letter.
type Redriven struct {
	Seq      abi.Seq
	Outcome  RedriveOutcome
	Reason   string // why it failed, as in a dead letter
	Message  string
	Attempts int     // that it has used, this one included
	Emits    []Emits // what it emitted, by topic
	Timers   int     // timers that it set or cancelled
	Dropped  int     // emits that are in the log already, from before
	Writes   int     // keys of the state that it changed
	Fuel     int64
	Digest   string // the module that ran
}

// Emits is how many events of a topic were emitted.
type Emits struct {
	Topic  string
	Number int
}

// RedriveOutcome is how a dead letter's new attempt ended.
type RedriveOutcome string

// The outcomes.
const (
	RedriveDone    RedriveOutcome = "done"    // handled: what it did and the letter's end are one commit
	RedriveSkipped RedriveOutcome = "skipped" // the guest wants no more of it, and the letter is gone
	RedriveFailed  RedriveOutcome = "failed"  // the letter stays
)

// Redrive handles the dead letter at seq again: alone, on a fresh instance, between two
// runs of the subscriber. If that succeeds, its state and emits are committed together with
// the removal of the letter; the cursor stays. If not, the letter stays, with one attempt
// more. Either is on disk when it returns. It returns [ErrNotFound] if there is no such
// letter, [ErrInTurn] if the cursor was reset to below it, and a [*ManifestError] for a
// module that is refused.
func (r *Runtime) Redrive(ctx context.Context, subscriber string, seq abi.Seq, opts RedriveOptions) (Redriven, error) {
	s, err := r.attached(subscriber)
	if err != nil {
		return Redriven{}, err
	}
	var module *sandbox.Module
	if opts.Module != nil {
		if module, err = r.loadBytes(ctx, opts.Name, opts.Module); err != nil {
			return Redriven{}, &ManifestError{Subscriber: subscriber, Err: err}
		}
	}
	letter, err := r.findLetter(subscriber, seq)
	if err != nil {
		return Redriven{}, err
	}
	lanes := s.crew.all()
	s = lanes[partition(letter.Event.Key, seq, len(lanes))]
	var out Redriven
	for range redriveTries {
		err = s.do(ctx, func() error {
			a := attempt{s: s, module: module, dry: opts.DryRun}
			if a.module == nil {
				a.module = s.gen.module
			}
			err := a.run(ctx, seq)
			out = a.out
			return err
		})
		if !errors.Is(err, log.ErrConflict) {
			break
		}
	}
	return out, err
}

// redriveTries is how often a letter runs in vain because another partition was ahead of
// it: from the second time on they run one at a time, so that it gets its turn.
const redriveTries = 10

// findLetter returns one dead letter with its event, or [ErrNotFound].
func (r *Runtime) findLetter(subscriber string, seq abi.Seq) (d DeadLetter, err error) {
	found := false
	err = r.store.DeadLetters(subscriber, max(seq, 1)-1, func(row log.DeadLetter) bool {
		if found = row.Seq == seq; found {
			d.DeadLetter = row
		}
		return false
	})
	if err == nil && !found {
		err = fmt.Errorf("dead letter %d of subscriber %q: %w", seq, subscriber, ErrNotFound)
	}
	if err == nil {
		d.Event, err = r.letterEvent(&d.DeadLetter)
	}
	return d, err
}

// attempt is one dead letter being handled again.
type attempt struct {
	s      *subscription
	module *sandbox.Module
	dry    bool

	letter log.DeadLetter
	event  abi.Event
	result sandbox.Result
	commit log.Commit
	out    Redriven
}

func (a *attempt) run(ctx context.Context, seq abi.Seq) error {
	s := a.s
	if !a.dry && s.crew.rebuilding() { // it may be past this event
		return fmt.Errorf("dead letter %d of subscriber %q: %w", seq, s.name, ErrRebuilding)
	}
	if err := a.find(seq); err != nil {
		return err
	}
	a.out = Redriven{Seq: seq, Attempts: a.letter.Attempts + 1, Digest: a.module.Digest()}
	defer s.crew.turn()()
	if err := a.handle(ctx); err != nil {
		return err
	}
	a.commit.To = s.stored
	if err := a.judge(); err != nil || a.dry {
		return err
	}
	s.discard() // what it remembers of the state is old now
	err := s.settleNow(&a.commit)
	var version *log.VersionError
	if a.out.Outcome == RedriveDone && (errors.As(err, &version) || errors.Is(err, log.ErrStreamClosed)) {
		a.commit = log.Commit{To: s.stored}
		a.fail("conflict", err.Error(), 0)
		err = s.settleNow(&a.commit)
	}
	if errors.Is(err, log.ErrConflict) {
		s.crew.calm.left.Store(calmRuns)
	}
	if err == nil {
		s.r.opts.Logger.Info("a dead letter was redriven", "subscriber", s.name, "seq", uint64(seq), "outcome", string(a.out.Outcome),
			"reason", a.out.Reason, "message", a.out.Message, "attempts", a.out.Attempts, "digest", a.out.Digest)
	}
	return err
}

// find reads the letter and its event.
func (a *attempt) find(seq abi.Seq) error {
	d, err := a.s.r.findLetter(a.s.name, seq)
	if err != nil {
		return err
	}
	a.letter, a.event = d.DeadLetter, d.Event
	if a.s.machine.Awaits(a.event.Key, seq) {
		return fmt.Errorf("dead letter %d of subscriber %q: %w", seq, a.s.name, ErrInTurn)
	}
	return nil
}

// handle runs the event; whatever the guest does wrong is in the result.
func (a *attempt) handle(ctx context.Context) error {
	s := a.s
	if delivery.Hops(&a.event) >= delivery.MaxHops {
		a.result.Failure = &sandbox.Failure{Message: tooManyHops}
		return nil
	}
	ev := a.event
	ev.Attempt, ev.Flags = uint32(a.out.Attempts), abi.FlagRedelivered
	if a.letter.Replayed {
		ev.Flags |= abi.FlagReplay
	}
	snapshot := s.r.store.Snapshot()
	defer snapshot.Close()
	var state sandbox.StateReader
	state, a.commit.Reads = s.watched(snapshot.State(s.name, s.version), snapshot)
	t := coreTime{cores: s.r.cores, share: &s.crew.share}
	t.begin()
	defer t.end()
	instance, err := t.instantiate(ctx, a.module, s.sandboxConfig(), state)
	if err != nil {
		a.result.Trap = &sandbox.Trap{Message: err.Error()}
		return nil
	}
	a.result = t.run(ctx, instance, s.batch(once(&ev), state))
	return instance.Close(ctx)
}

const tooManyHops = "the event is beyond the hop limit: whatever handles it feeds the loop; drop the letter"

// judge fills in what came of it and what to commit.
func (a *attempt) judge() error {
	a.out.Fuel = max(a.result.Fuel, 0)
	switch f := a.result.Failure; {
	case f != nil && f.Code == abi.FailSkip:
		a.out.Outcome = RedriveSkipped
		a.settle()
		return nil
	case f != nil && f.Message == tooManyHops && f.Code == 0:
		a.fail("hops", f.Message, 0)
		return nil
	case f != nil:
		a.fail(reasonOf(f.Code), f.Message, int(f.Code))
		return nil
	case a.result.Trap != nil && a.result.Trap.Kind == sandbox.TrapHost:
		return errors.New(a.result.Trap.Message) // not the event's fault
	case a.result.Trap != nil && a.result.Trap.Timeout:
		a.fail("timeout", a.result.Trap.Message, 0)
		return nil
	case a.result.Trap != nil:
		a.fail("trap", a.result.Trap.Message, 0)
		return nil
	case a.result.Handled == 0:
		a.fail("reject", "the guest did not take the event", 0)
		return nil
	}
	a.out.Outcome, a.out.Writes = RedriveDone, len(a.result.Writes)
	if a.letter.Replayed {
		a.out.Dropped, a.result.Emits = len(a.result.Emits), nil
	}
	a.commit.Writes = writes(a.result.Writes)
	a.settle()
	return a.emits()
}

// reasonOf is the reason of a dead letter that the guest itself failed.
func reasonOf(code abi.FailCode) string {
	switch code {
	case abi.FailRetry:
		return "attempts"
	case abi.FailStop:
		return "stop"
	}
	return "reject"
}

// emits stamps what the event brought forth.
func (a *attempt) emits() error {
	at := map[string]int{}
	for i := range a.result.Emits {
		e := &a.result.Emits[i]
		emit := e.Event
		if err := a.s.stamper.StampRun(a.letter.Run, &a.event, &emit, i); err != nil {
			return fmt.Errorf("stamp emit %d of event %d: %w", i, a.event.Seq, err)
		}
		if e.Due != 0 || e.Cancel {
			a.commit.Timers = append(a.commit.Timers, timerChange(e, &a.event, emit))
			a.out.Timers++
			continue
		}
		a.commit.Emits = append(a.commit.Emits, emit)
		n, ok := at[emit.Topic]
		if !ok {
			n = len(a.out.Emits)
			at[emit.Topic] = n
			a.out.Emits = append(a.out.Emits, Emits{Topic: emit.Topic})
		}
		a.out.Emits[n].Number++
	}
	return nil
}

// settle takes out the letter, and frees the key that waits for it.
func (a *attempt) settle() {
	a.commit.Settled = []abi.Seq{a.letter.Seq}
	if !a.dry {
		a.commit.Parked = release(a.s.machine, a.commit.Settled)
	}
}

// fail keeps the letter with one attempt more.
func (a *attempt) fail(reason, message string, code int) {
	a.out.Outcome, a.out.Reason, a.out.Message = RedriveFailed, reason, message
	a.out.Emits, a.out.Timers, a.out.Writes = nil, 0, 0
	d := a.letter
	d.Tries = append(d.Tries, log.Try{Time: d.Time, Reason: d.Reason, Message: d.Message, Digest: d.Digest})
	d.Tries = d.Tries[max(0, len(d.Tries)-log.MaxTries):]
	d.Reason, d.Message, d.Code, d.Attempts = reason, message, code, a.out.Attempts
	d.Digest, d.Time, d.Fuel = a.module.Digest(), time.Now(), fuelOfLast(&a.result)
	a.commit.DeadLetters = []log.DeadLetter{d}
}
