package runtime

import (
	"fmt"

	"github.com/avx-platform/avxrt/abi"
)

// TopicGap is the topic of the control frame that tells a subscriber of events which left the
// log before it had read up to them. It is not in the log.
const TopicGap = "$sys.gap"

// gap is a range of seqs, both included.
type gap struct{ from, to abi.Seq }

// event returns what the subscriber is given in place of the events.
func (g gap) event(node string, now int64) abi.Event {
	return abi.Event{
		Seq: g.to, Kind: abi.KindControl, Topic: TopicGap, ID: fmt.Sprintf("gap:%d-%d", g.from, g.to), Source: node,
		Time: now, Appended: now, Data: fmt.Appendf(nil, `{"from":%d,"to":%d}`, g.from, g.to),
	}
}

// gapFrom returns what left the log from seq on, where s does not know that it wanted nothing
// of it; to is 0 if nothing did. before is where the run must end, or 0.
func (s *subscription) gapFrom(seq, before abi.Seq) gap {
	g := gap{max(seq, s.cleared), s.r.store.First() - 1}
	if before != 0 {
		g.to = min(g.to, before-1)
	}
	if g.from > g.to {
		return gap{}
	}
	if g.to == s.gap.to { // told before, in an attempt that moved the cursor to its end
		g.from = min(g.from, s.gap.from)
	}
	return g
}

// skipGap is called when the source, which stood at seq, has read on. It says whether the log
// has lost what lay between: then the control frame is held, or, since that must be the first
// of its run, the run ends.
func (f *feed) skipGap(seq, before abi.Seq) bool {
	g := f.s.gapFrom(seq, before)
	if g.to == 0 {
		return false
	}
	if f.given > 0 {
		f.turnBack(seq)
		return true
	}
	f.s.gap = g
	f.turnBack(g.to + 1)
	f.s.buffers.event = g.event(f.s.stamper.Source, now())
	f.held = &f.s.buffers.event
	return true
}

// lostEvent returns the control frame in place of an event at seq that waited by itself, for
// its next attempt, and left the log; or that frame again.
func (s *subscription) lostEvent(seq abi.Seq) *abi.Event {
	if s.gap.to != seq {
		s.gap = gap{seq, seq}
	}
	ev := s.gap.event(s.stamper.Source, now())
	return &ev
}
