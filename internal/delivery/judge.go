package delivery

import "github.com/avx-platform/avxrt/abi"

// charge counts a failure without event against the generation.
func (m *Machine) charge(now int64, f *Failure) Verdict {
	if m.faults++; m.faults >= faultsBeforeStop {
		m.stop("the module failed %d times in a row without an event: %s", m.faults, f.Message)
	}
	wait := now + int64(m.policy.wait(m.cursor, m.faults))
	if m.active != nil {
		m.lines.wait(m.active, wait)
	} else {
		m.wake = wait
	}
	return Verdict{Discard: true}
}

// trial returns the one of the event that the last order ran.
func (m *Machine) trial(seq abi.Seq) *trial {
	t := &m.suspect
	if m.active != nil {
		t = &m.active.trial
	}
	if t.seq != seq {
		*t = trial{seq: seq}
	}
	return t
}

// judge decides about the event that failed.
func (m *Machine) judge(now int64, f *Failure) Verdict {
	t := m.trial(f.Seq)
	t.attempts++
	if m.active != nil {
		m.active.version = f.Version
	}
	switch f.Kind {
	case TooFar:
		return m.poison(f, "hops")
	case Trapped:
		return m.judgeTrap(now, f, t)
	case TimedOut:
		return m.later(now, f, "timeout")
	case Killed:
		return m.poison(f, "killed")
	case Clashed:
		// At once, because the stream's head may have moved on; the run that clashed left nothing behind.
		if t.attempts < m.policy.Attempts {
			return m.again(now)
		}
		if why := m.canary.clash(f.Seq, f.Message); why != "" {
			*t = trial{seq: f.Seq}
			v := m.again(now)
			v.RollBack = why
			return v
		}
		return m.poison(f, "conflict")
	}
	switch {
	case f.Code == abi.FailRetry:
		return m.later(now, f, "attempts")
	case f.Code == abi.FailSkip:
		m.passOver(f)
		return Verdict{Skipped: f.Seq, Discard: true}
	case f.Code == abi.FailStop:
		m.stop("the module asked to stop at event %d: %s", f.Seq, f.Message)
		return Verdict{Discard: true}
	}
	return m.poison(f, "reject")
}

// judgeTrap gives the event one more run at once; the same trap again is final.
func (m *Machine) judgeTrap(now int64, f *Failure, t *trial) Verdict {
	same := t.trap == f.Message
	t.trap = f.Message
	if !same && t.attempts < max(m.policy.Attempts, 2) {
		return m.again(now)
	}
	if m.strikes++; m.strikes >= BreakAfter {
		m.stop("the module trapped on %d events in a row, last on %d: %s", m.strikes, f.Seq, f.Message)
		return Verdict{Discard: true}
	}
	return m.poison(f, "trap")
}

// again runs the event again at once.
func (m *Machine) again(now int64) Verdict {
	if m.active != nil {
		m.lines.wait(m.active, now)
	}
	return Verdict{Retry: true, Discard: true}
}

// later tries the event again after a wait, if it has attempts left. Its key is blocked
// for so long, and the log goes on; with too many blocked ones the log waits too.
func (m *Machine) later(now int64, f *Failure, reason string) Verdict {
	t := m.trial(f.Seq)
	if t.attempts >= m.policy.Attempts {
		return m.poison(f, reason)
	}
	next := now + int64(m.policy.wait(f.Seq, t.attempts))
	v := Verdict{Retry: true, Discard: true}
	switch {
	case m.active != nil:
		m.lines.wait(m.active, next)
	case m.full():
		m.wake = next
	default:
		v.Parked = append(v.Parked, m.park(Parked{Key: f.Key, First: f.Seq, Version: f.Version, Attempts: t.attempts, Next: next}))
	}
	return v
}

// park blocks the key of an event of the log, which goes on behind it.
func (m *Machine) park(p Parked) ParkedChange {
	l := m.lines.add(p)
	m.moveTo(p.First + 1)
	return l.row()
}

// poison gives the event up.
func (m *Machine) poison(f *Failure, reason string) Verdict {
	v, t := Verdict{Discard: true}, m.trial(f.Seq)
	attempts := t.attempts
	switch m.policy.OnPoison {
	case Stop:
		m.stop("event %d failed for good (%s): %s", f.Seq, reason, f.Message)
		return v
	case Skip:
		v.Skipped = f.Seq
	default:
		v.Letter = &Letter{Seq: f.Seq, Reason: reason, Message: f.Message, Code: int(f.Code), Attempts: attempts}
	}
	switch {
	case m.policy.OnPoison != Block:
		m.passOver(f)
	case m.active != nil:
		m.active.held = true
		m.lines.wait(m.active, m.active.next)
	case m.full():
		m.stop("event %d failed for good (%s), and with %d blocked keys no more can wait: redrive or drop dead letters", f.Seq, reason, len(m.lines.byID))
		return Verdict{Discard: true}
	default:
		v.Parked = append(v.Parked, m.park(Parked{Key: f.Key, First: f.Seq, Version: f.Version, Attempts: attempts, Held: true}))
	}
	return v
}

// passOver goes behind the event that failed.
func (m *Machine) passOver(f *Failure) {
	if m.active != nil {
		m.active.pass(f.Seq, f.Version)
		m.lines.wait(m.active, 0)
		return
	}
	m.moveTo(f.Seq + 1)
}
