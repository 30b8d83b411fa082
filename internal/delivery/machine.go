package delivery

import (
	"fmt"

	"github.com/avx-platform/avxrt/abi"
)

// Machine is the state of one subscription. It is for one goroutine.
type Machine struct {
	policy  Policy
	cursor  abi.Seq // next seq that is not dealt with
	wake    int64   // not before this time; 0: at once
	stopped string  // why nothing runs; "" if it does
	suspect suspect // the event that failed last, until it is dealt with
	earlier suspect // what suspect was when the last outcome came: a refused commit takes that outcome back
	before  abi.Seq // 0, or the event whose emits were in conflict: it must run alone
	strikes int     // events in a row that trapped for good
	faults  int     // runs in a row that failed without an event
	canary  canary  // whether the generation is on trial
}

// suspect is an event under retry.
type suspect struct {
	seq      abi.Seq
	attempts int
	trap     string // how it trapped last time; "" if it did not
}

// New returns a machine that stands at cursor.
func New(policy Policy, cursor abi.Seq) *Machine {
	return &Machine{policy: policy.withDefaults(), cursor: cursor}
}

// Order is what the shell shall do.
type Order struct {
	Run     bool
	From    abi.Seq // first seq to look at
	Max     int     // most events
	Before  abi.Seq // 0, or do not go to this seq or beyond
	Fresh   bool    // on an instance that has seen nothing
	Attempt uint32  // of the first event: 1, or more when it failed before
	Wake    int64   // where Run is false: when to ask again; 0: only after a new generation
}

// Begin returns what to do at time now (unix nanoseconds).
func (m *Machine) Begin(now int64) Order {
	if m.stopped != "" {
		return Order{}
	}
	if now < m.wake {
		return Order{Wake: m.wake}
	}
	o := Order{Run: true, From: m.cursor, Max: m.policy.Batch, Attempt: 1}
	if m.suspect.seq == m.cursor && m.suspect.attempts > 0 {
		o.Max, o.Fresh, o.Attempt = 1, true, uint32(m.suspect.attempts)+1
	}
	if m.before > m.cursor {
		o.Before = m.before
	}
	return o
}

// Outcome is how a run went.
type Outcome struct {
	Handled int      // events acknowledged
	Reached abi.Seq  // the seq behind the last acknowledged or unwanted event; where Failure has an event, that event's seq
	Failure *Failure // why the run ended early; nil if it did not
}

// Failure is what stopped a run.
type Failure struct {
	Seq     abi.Seq      // the event; 0: the guest failed while no event was current
	Code    abi.FailCode // what the guest said; 0 unless Kind is Said
	Kind    FailureKind
	Message string
}

// FailureKind tells failures apart.
type FailureKind uint8

// The kinds.
const (
	Said     FailureKind = iota // the guest called fail
	Trapped                     // it broke, or declared itself broken
	TimedOut                    // it was stopped by the clock: never deterministic, so always tried again
	TooFar                      // the event is beyond the hop limit; the guest did not see it
	Clashed                     // an emit expected a version that its stream is not at
)

// Letter is a dead letter to be.
type Letter struct {
	Seq      abi.Seq
	Reason   string // "reject", "attempts", "trap", "timeout", "hops" or "conflict"
	Message  string
	Code     int
	Attempts int
}

// Verdict is what to commit: the cursor goes to To, together with all that the
// acknowledged events staged and the letter, if there is one.
type Verdict struct {
	To      abi.Seq
	Letter  *Letter
	Skipped bool // the failed event is passed over without a letter
	Retry   bool // the failed event will run again
	Discard bool // the instance must not be used again

	// RollBack says why the generation on trial must go, "" if it may stay. The failed event
	// is neither charged nor given up: it is the next one's. See [Machine.Watch].
	RollBack string
}

// Finish takes the outcome of the last order and returns what to commit. The machine goes
// on as if that commit succeeded.
func (m *Machine) Finish(now int64, o Outcome) Verdict {
	if o.Handled > 0 {
		m.strikes, m.faults = 0, 0
	}
	m.wake, m.earlier = 0, m.suspect
	m.moveTo(o.Reached)
	if why := m.canary.judge(&o); why != "" {
		return Verdict{To: m.cursor, Discard: true, RollBack: why}
	}
	switch f := o.Failure; {
	case f == nil:
		return Verdict{To: m.cursor}
	case f.Seq == 0:
		return m.charge(now, f)
	default:
		return m.judge(now, f)
	}
}

// moveTo sets the cursor and forgets a suspect that lies below it.
func (m *Machine) moveTo(seq abi.Seq) {
	m.cursor = max(m.cursor, seq)
	if m.suspect.seq < m.cursor {
		m.suspect = suspect{}
	}
	if m.before <= m.cursor {
		m.before = 0
	}
}

// charge counts a failure without event against the generation.
func (m *Machine) charge(now int64, f *Failure) Verdict {
	if m.faults++; m.faults >= faultsBeforeStop {
		m.stopped = fmt.Sprintf("the module failed %d times in a row without an event: %s", m.faults, f.Message)
	}
	m.wake = now + int64(m.policy.wait(m.cursor, m.faults))
	return Verdict{To: m.cursor, Discard: true}
}

// judge decides about the event that failed.
func (m *Machine) judge(now int64, f *Failure) Verdict {
	if m.suspect.seq != f.Seq {
		m.suspect = suspect{seq: f.Seq}
	}
	m.suspect.attempts++
	switch f.Kind {
	case TooFar:
		return m.poison(f, "hops")
	case Trapped:
		return m.judgeTrap(f)
	case TimedOut:
		return m.later(now, f, "timeout")
	case Clashed:
		return m.judgeClash(f)
	}
	switch {
	case f.Code == abi.FailRetry:
		return m.later(now, f, "attempts")
	case f.Code == abi.FailSkip:
		m.moveTo(f.Seq + 1)
		return Verdict{To: m.cursor, Skipped: true, Discard: true}
	case f.Code == abi.FailStop:
		m.stopped = "the module asked to stop at event " + fmt.Sprint(f.Seq) + ": " + f.Message
		return Verdict{To: m.cursor, Discard: true}
	}
	return m.poison(f, "reject")
}

// judgeTrap gives the event one more run at once; the same trap again is final.
func (m *Machine) judgeTrap(f *Failure) Verdict {
	again := m.suspect.trap == f.Message
	m.suspect.trap = f.Message
	if !again && m.suspect.attempts < max(m.policy.Attempts, 2) {
		return Verdict{To: m.cursor, Retry: true, Discard: true}
	}
	if m.strikes++; m.strikes >= BreakAfter {
		m.stopped = fmt.Sprintf("the module trapped on %d events in a row, last on %d: %s", m.strikes, f.Seq, f.Message)
		return Verdict{To: m.cursor, Discard: true}
	}
	return m.poison(f, "trap")
}

// judgeClash runs the event again at once, alone, because the stream's head may have
// moved on; the run that clashed left nothing behind.
func (m *Machine) judgeClash(f *Failure) Verdict {
	if m.suspect.attempts >= m.policy.Attempts {
		if why := m.canary.clash(f.Seq, f.Message); why != "" {
			m.suspect = suspect{}
			return Verdict{To: m.cursor, Discard: true, RollBack: why}
		}
		return m.poison(f, "conflict")
	}
	return Verdict{To: m.cursor, Retry: true, Discard: true}
}

// later tries the event again after a wait, if it has attempts left.
func (m *Machine) later(now int64, f *Failure, reason string) Verdict {
	if m.suspect.attempts >= m.policy.Attempts {
		return m.poison(f, reason)
	}
	m.wake = now + int64(m.policy.wait(f.Seq, m.suspect.attempts))
	return Verdict{To: m.cursor, Retry: true, Discard: true}
}

// poison gives the event up.
func (m *Machine) poison(f *Failure, reason string) Verdict {
	v := Verdict{Discard: true}
	switch m.policy.OnPoison {
	case Stop:
		m.stopped = fmt.Sprintf("event %d failed for good (%s): %s", f.Seq, reason, f.Message)
		v.To = m.cursor
		return v
	case Skip:
		v.Skipped = true
	default:
		v.Letter = &Letter{Seq: f.Seq, Reason: reason, Message: f.Message, Code: int(f.Code), Attempts: m.suspect.attempts}
	}
	m.moveTo(f.Seq + 1)
	v.To = m.cursor
	return v
}

// Clash tells the machine that the commit of the last run was refused because an emit of
// the event at seq expected another version, and that cursor is still the committed one.
// What lay before the event runs again without it, then it runs alone.
func (m *Machine) Clash(now int64, cursor, seq abi.Seq, message string) Verdict {
	m.cursor = cursor
	if seq > cursor {
		m.before = seq
		return Verdict{To: cursor, Retry: true, Discard: true}
	}
	return m.judge(now, &Failure{Seq: seq, Kind: Clashed, Message: message})
}

// Refused tells the machine that its last verdict was not committed and where the cursor
// is. The run that led to it costs nobody an attempt.
func (m *Machine) Refused(cursor abi.Seq) {
	m.cursor, m.before, m.wake, m.suspect = cursor, 0, 0, m.earlier
}

// Adopt starts a new generation under a new policy: what stood against the old one is
// forgotten, the attempts that an event has used are not.
func (m *Machine) Adopt(policy Policy) {
	m.policy, m.canary = policy.withDefaults(), canary{}
	m.stopped, m.wake, m.strikes, m.faults = "", 0, 0, 0
	m.suspect.trap = ""
}

// Cursor returns the next seq that is not dealt with.
func (m *Machine) Cursor() abi.Seq { return m.cursor }

// Stopped returns why nothing runs, "" if the subscription is alive.
func (m *Machine) Stopped() string { return m.stopped }

// Retrying returns the event that waits for another attempt, 0 if there is none.
func (m *Machine) Retrying() abi.Seq {
	if m.suspect.attempts > 0 && m.suspect.seq == m.cursor {
		return m.suspect.seq
	}
	return 0
}
