package delivery

import (
	"fmt"
	"slices"

	"github.com/avx-platform/avxrt/abi"
)

// Machine is the state of one subscription. It is for one goroutine.
type Machine struct {
	policy  Policy
	cursor  abi.Seq // next seq that is neither dealt with nor passed over
	wake    int64   // the log is not read before this time; 0: at once
	stopped string  // why nothing runs; "" if it does
	suspect trial   // the event at the cursor, if it failed
	earlier trial   // what suspect was when the last outcome came: a refused commit takes that outcome back
	struck  int     // what strikes was then
	before  abi.Seq // 0, or the event whose emits were in conflict: it must run alone
	strikes int     // events in a row that trapped for good
	faults  int     // runs in a row that failed without an event
	canary  canary  // whether the generation is on trial

	lines   lines
	active  *line    // what the last order runs; nil: the log at the cursor
	turn    bool     // a line's, if one is due: lines and the log alternate
	careful int      // events of the log that still run one by one, marked
	marked  []Parked // rows of events that ran so, to be taken out with the next verdict
	latest  *mark    // the row of the last order's event, if it was marked
}

// trial is an event that failed and has attempts left.
type trial struct {
	seq      abi.Seq
	attempts int
	trap     string // how it trapped last time; "" if it did not
}

// CarefulEvents is how many events behind the cursor run one by one, marked before, after
// an end of the process that was not clean: one of them may have caused it.
const CarefulEvents = 256

// Start is where a machine begins.
type Start struct {
	Cursor  abi.Seq
	Parked  []Parked // what the store holds
	Passed  []int    // of each of Parked, how many events wait behind the first; nil: as the machine knows
	Careful bool     // the process did not end cleanly
	Strikes int      // events in a row before the cursor that trapped for good, with the same module
}

// New returns a machine that begins at start.
func New(policy Policy, start Start) *Machine {
	m := &Machine{policy: policy.withDefaults(), strikes: start.Strikes}
	m.load(start)
	if start.Careful {
		m.careful = CarefulEvents
	}
	return m
}

// load makes the machine what the store says. An event that was marked where the cursor
// stood, and whose end nobody saw, has a line now, so the cursor goes behind it.
func (m *Machine) load(s Start) {
	m.cursor, m.before, m.wake, m.suspect = s.Cursor, 0, 0, trial{}
	known := m.lines.byID
	m.lines, m.active, m.marked = lines{}, nil, nil
	after := s.Cursor
	for i, p := range s.Parked {
		if m.latest != nil && p.id() == m.latest.id() {
			if !m.latest.line { // it ran from the log, and failed without ending the process
				m.marked = append(m.marked, p)
				continue
			}
			p.Attempts, p.Running = p.Attempts-1, m.latest.was
		}
		if p.Running && p.First > m.cursor { // an older program left the cursor behind: the log comes to it
			m.marked = append(m.marked, p)
			continue
		}
		l := m.lines.add(p)
		l.loaded = true
		switch before := known[p.id()]; {
		case s.Passed != nil:
			l.passed = s.Passed[i]
		case before != nil:
			l.passed = before.passed
		}
		m.lines.passed += l.passed
		if p.Running {
			after = max(after, p.First+1)
		}
	}
	m.cursor = after
}

// Order is what the shell shall do.
type Order struct {
	Run     bool
	From    abi.Seq // first seq to look at
	Max     int     // most events
	Before  abi.Seq // 0, or do not go to this seq or beyond
	Fresh   bool    // on an instance that has seen nothing
	Attempt uint32  // of the first event: 1, or more when it failed before
	Mark    bool    // commit Machine.Mark's row for the first event, durably, before it runs
	Wake    int64   // when to ask again though no event came; 0: only after an event or a new generation

	// Line says that the run is of a blocked key: of the events with the key Key from
	// version Version on whose seq is below Before, or, where Key is "", of the event at From alone.
	Line    bool
	Key     string
	Version abi.Version
}

// Begin returns what to do at time now (unix nanoseconds).
func (m *Machine) Begin(now int64) Order {
	m.active, m.latest = nil, nil
	m.remember()
	if m.stopped != "" {
		return Order{}
	}
	m.inTime(now)
	due := m.lines.first()
	if due != nil && due.next <= now && (m.turn || m.wake > now || m.full()) {
		return m.beginLine(due)
	}
	o := Order{}
	if due != nil {
		o.Wake = max(due.next, 1)
	}
	if now < m.wake {
		if o.Wake == 0 || m.wake < o.Wake {
			o.Wake = m.wake
		}
		return o
	}
	o.Run, o.From, o.Max, o.Attempt, o.Before = true, m.cursor, m.policy.Batch, 1, m.before
	if m.suspect.seq == m.cursor && m.suspect.attempts > 0 {
		o.Max, o.Fresh, o.Attempt = 1, true, uint32(m.suspect.attempts)+1
	}
	if m.careful > 0 {
		o.Max, o.Mark = 1, true
	}
	return o
}

// inTime lets nothing wait longer than the policy lets anything wait: what was to be tried at a
// time that a clock which was wrong then made up would wait until that time came.
func (m *Machine) inTime(now int64) {
	latest := now + int64(m.policy.Max)
	m.wake = min(m.wake, latest)
	if due := m.lines.first(); due == nil || due.next <= latest {
		return
	}
	for _, l := range m.lines.byID {
		if l.next > latest && !l.held {
			m.lines.wait(l, latest)
		}
	}
}

func (m *Machine) beginLine(l *line) Order {
	m.active = l
	o := Order{
		Run: true, Line: true, Key: l.key, Version: l.version, From: l.seq, Before: m.cursor,
		Max: m.policy.Batch, Attempt: uint32(l.attempts) + 1, Mark: l.running || m.careful > 0,
	}
	if l.attempts > 0 || l.alone || o.Mark {
		o.Max, o.Fresh = 1, l.attempts > 0
	}
	return o
}

// full says whether nothing more may wait beside the log.
func (m *Machine) full() bool { return len(m.lines.byID) >= MaxParked || m.lines.passed >= MaxPassed }

// Outcome is how a run went.
type Outcome struct {
	Handled int         // events acknowledged
	Reached abi.Seq     // the seq behind the last acknowledged or unwanted event; where Failure has an event, that event's seq; of a line at most the order's Before
	Version abi.Version // of a line: that of the event at Reached, or of the next one to look for
	Failure *Failure    // why the run ended early; nil if it did not
	Halted  bool        // Pass ended it
}

// Failure is what stopped a run.
type Failure struct {
	Seq     abi.Seq      // the event; 0: the guest failed while no event was current
	Key     string       // its key
	Version abi.Version  // its version in the stream of its key
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
	Killed                      // the process ended while the event ran
)

// Letter is a dead letter to be.
type Letter struct {
	Seq      abi.Seq
	Reason   string // "reject", "attempts", "trap", "timeout", "hops", "conflict" or "killed"
	Message  string
	Code     int
	Attempts int
}

// Verdict is what to commit: the cursor goes to To, together with all that the
// acknowledged events staged, the letter, if there is one, and the rows of blocked keys.
type Verdict struct {
	To      abi.Seq
	Letter  *Letter
	Parked  []ParkedChange
	Skipped abi.Seq // 0, or the event that is passed over without a letter
	Retry   bool    // the failed event will run again
	Discard bool    // the instance must not be used again

	// RollBack says why the generation on trial must go, "" if it may stay. The failed event
	// is neither charged nor given up: it is the next one's. See [Machine.Watch].
	RollBack string
}

// Finish takes the outcome of the last order and returns what to commit. The machine goes
// on as if that commit succeeded.
func (m *Machine) Finish(now int64, o Outcome) Verdict {
	m.remember()
	if o.Handled > 0 {
		m.strikes, m.faults = 0, 0
	}
	var v Verdict
	if m.active != nil {
		m.turn = false
		v = m.finishLine(now, o)
	} else {
		m.turn = true
		v = m.finishLog(now, o)
	}
	m.unmark(&v)
	v.To = m.cursor
	return v
}

// remember notes what a commit that is refused takes back, before an outcome changes it.
func (m *Machine) remember() { m.earlier, m.struck = m.suspect, m.strikes }

func (m *Machine) finishLog(now int64, o Outcome) Verdict {
	m.wake, m.careful = 0, max(0, m.careful-o.Handled)
	m.moveTo(o.Reached)
	why := m.canary.judge(&o)
	switch f := o.Failure; {
	case why != "":
		return Verdict{Discard: true, RollBack: why}
	case f == nil && o.Halted:
		m.wake = now + int64(m.policy.Max)
		if l := m.lines.first(); l != nil {
			m.wake = min(m.wake, max(l.next, now))
		}
		return Verdict{}
	case f == nil:
		return Verdict{}
	case f.Seq == 0:
		return m.charge(now, f)
	default:
		return m.judge(now, f)
	}
}

// finishLine ends a run of the active line: behind what was handled, and, if the end of
// what was passed over is reached, with the line.
func (m *Machine) finishLine(now int64, o Outcome) Verdict {
	l := m.active
	if o.Reached > l.seq {
		l.trial, l.version = trial{seq: o.Reached}, o.Version
	}
	var v Verdict
	why := ""
	if o.Failure == nil || o.Failure.Kind != Killed || !l.foreign {
		why = m.canary.judge(&o)
	}
	switch f := o.Failure; {
	case why != "":
		if f.Kind == Killed { // by the generation that goes
			l.trial, l.running = trial{seq: l.seq}, false
		}
		m.lines.wait(l, now)
		v = Verdict{Discard: true, RollBack: why}
	case f == nil:
		m.lines.wait(l, now)
	case f.Seq == 0:
		v = m.charge(now, f)
	default:
		v = m.judge(now, f)
	}
	l.running = l.running && m.stopped != ""
	if l.done(m.cursor) {
		m.lines.remove(l)
		v.Parked = append(v.Parked, ParkedChange{Parked: Parked{Key: l.key, First: l.began}, Gone: true})
	} else {
		v.Parked = append(v.Parked, l.row())
	}
	return v
}

// unmark takes out the rows of events that ran marked, unless the verdict has them again.
func (m *Machine) unmark(v *Verdict) {
	for _, p := range m.marked {
		again := slices.ContainsFunc(v.Parked, func(c ParkedChange) bool { return c.id() == p.id() })
		if !again {
			v.Parked = append(v.Parked, ParkedChange{Parked: p, Gone: true})
		}
	}
	m.marked = nil
}

// Condemned returns the verdict on an event that ended the process too often, if there is
// one. The shell commits it like any other.
func (m *Machine) Condemned(now int64) (Verdict, bool) {
	var worst *line
	for _, l := range m.lines.byID {
		if l.running && l.attempts >= m.policy.Attempts && (worst == nil || l.seq < worst.seq) {
			worst = l
		}
	}
	if worst == nil || m.stopped != "" {
		return Verdict{}, false
	}
	m.active = worst
	m.remember()
	worst.attempts-- // judge counts it
	f := &Failure{Seq: worst.seq, Key: worst.key, Version: worst.version, Kind: Killed, Message: "the process ended while this event was handled"}
	v := m.finishLine(now, Outcome{Reached: worst.seq, Failure: f})
	m.active, v.To = nil, m.cursor
	return v, true
}

// moveTo sets the cursor and forgets a suspect that lies below it.
func (m *Machine) moveTo(seq abi.Seq) {
	m.cursor = max(m.cursor, seq)
	if m.suspect.seq < m.cursor {
		m.suspect = trial{}
	}
	if m.before <= m.cursor {
		m.before = 0
	}
}

// Clash tells the machine that the commit of the last run was refused because an emit of
// the event at seq expected another version, and what the store holds. What lay before the
// event runs again without it, then it runs alone.
func (m *Machine) Clash(now int64, held Start, f Failure) Verdict {
	line, suspect := m.active, m.earlier
	m.strikes = m.struck
	m.load(held)
	switch {
	case line != nil:
		if m.active = m.lines.byID[line.id()]; m.active == nil {
			return Verdict{To: m.cursor, Discard: true} // somebody took the row out
		}
		if m.active.alone = true; f.Seq > m.active.seq {
			m.lines.wait(m.active, now)
			return Verdict{To: m.cursor, Retry: true, Discard: true}
		}
	case f.Seq > m.cursor:
		m.before = f.Seq
		return Verdict{To: m.cursor, Retry: true, Discard: true}
	default:
		m.suspect = suspect
	}
	f.Kind = Clashed
	var v Verdict
	if m.active != nil {
		v = m.finishLine(now, Outcome{Reached: m.active.seq, Failure: &f})
	} else {
		v = m.judge(now, &f)
	}
	m.unmark(&v)
	v.To = m.cursor
	return v
}

// Refused tells the machine that its last verdict was not committed and what the store
// holds. The run that led to it costs nobody an attempt: it returns the rows to write, at the
// cursor that the store holds, so that the next start does not take it for one that ended the process.
func (m *Machine) Refused(held Start) []ParkedChange {
	suspect := m.earlier
	m.strikes = m.struck
	m.load(held)
	if suspect.seq == m.cursor {
		m.suspect = suspect
	}
	var rows []ParkedChange
	for _, p := range m.marked {
		rows = append(rows, ParkedChange{Parked: p, Gone: true})
	}
	if m.latest != nil && m.latest.line {
		if l := m.lines.byID[m.latest.id()]; l != nil {
			rows = append(rows, l.row())
		}
	}
	return rows
}

// Adopt starts a new generation under a new policy: what stood against the old one is
// forgotten, the attempts that an event has used are not. What waits for its next attempt
// gets it at once.
func (m *Machine) Adopt(policy Policy) {
	m.policy, m.canary = policy.withDefaults(), canary{}
	m.stopped, m.wake, m.strikes, m.faults = "", 0, 0, 0
	m.suspect.trap = ""
	for _, l := range m.lines.byID {
		l.trap, l.foreign = "", l.running
		if !l.held {
			m.lines.wait(l, 0)
		}
	}
}

// Careful says whether events of the log still run one by one, because the process did not end
// cleanly. Who makes another machine for the same subscription begins it so, too.
func (m *Machine) Careful() bool { return m.careful > 0 }

// Cursor returns the next seq that is neither dealt with nor passed over.
func (m *Machine) Cursor() abi.Seq { return m.cursor }

// Stopped returns why nothing runs, "" if the subscription is alive.
func (m *Machine) Stopped() string { return m.stopped }

// Strikes returns how many events in a row trapped for good. It is written down with the cursor,
// so that the next machine begins with it ([Start.Strikes]).
func (m *Machine) Strikes() int { return m.strikes }

// Retrying returns the event that waits for another attempt longest, 0 if there is none.
func (m *Machine) Retrying() abi.Seq {
	if m.suspect.attempts > 0 && m.suspect.seq == m.cursor {
		return m.suspect.seq
	}
	var first abi.Seq
	for _, l := range m.lines.byID {
		if l.attempts > 0 && !l.held && (first == 0 || l.seq < first) {
			first = l.seq
		}
	}
	return first
}

// Waiting returns how many keys are blocked, and how many events were passed over for
// that since the machine began.
func (m *Machine) Waiting() (keys, passed int) { return len(m.lines.byID), m.lines.passed }

// Needs returns the lowest seq that may still run: the cursor, or an event that waits
// behind a blocked key below it.
func (m *Machine) Needs() abi.Seq {
	first := m.cursor
	for _, l := range m.lines.byID {
		first = min(first, l.seq)
	}
	return first
}

// stop ends the subscription until a new generation comes.
func (m *Machine) stop(format string, args ...any) { m.stopped = fmt.Sprintf(format, args...) }
