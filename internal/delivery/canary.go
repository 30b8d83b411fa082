package delivery

import (
	"fmt"

	"github.com/avx-platform/avxrt/abi"
)

// canary watches the first events of a generation. While it does, no event is given up and
// none is charged: the first that fails is left to the generation that comes back.
type canary struct {
	left int // events that must still go well; 0: nobody is watched
}

// judge takes the outcome of a run and says why the generation must go, "" if it may stay.
// Events that went well before the failing one count, so a failure behind the last watched
// event is an ordinary one. An event beyond the hop limit says nothing about the guest,
// which did not see it, and one that it skips is dealt with.
func (c *canary) judge(o *Outcome) string {
	watched := c.left > 0
	c.left = max(c.left-o.Handled, 0)
	switch f := o.Failure; {
	case !watched || c.left == 0 || f == nil || f.Kind == TooFar:
		return ""
	case f.Kind == Said && f.Code == abi.FailSkip:
		return ""
	case f.Seq == 0:
		return "it failed without an event: " + f.Message
	case f.Kind == Said:
		return fmt.Sprintf("it failed event %d with code %d: %s", f.Seq, f.Code, f.Message)
	case f.Kind == Killed:
		return fmt.Sprintf("event %d ended the process: %s", f.Seq, f.Message)
	case f.Kind == TimedOut:
		return fmt.Sprintf("event %d took too long: %s", f.Seq, f.Message)
	default:
		return fmt.Sprintf("it trapped at event %d: %s", f.Seq, f.Message)
	}
}

// clash says why the generation must go after the last attempt at a conflict.
func (c *canary) clash(seq abi.Seq, message string) string {
	if c.left == 0 {
		return ""
	}
	return fmt.Sprintf("what it emits for event %d is in conflict: %s", seq, message)
}

// Watch makes the next events a trial of the generation that was adopted last: if one of
// them fails, the verdict is to roll back. 0 ends a trial.
func (m *Machine) Watch(events int) { m.canary.left = events }

// Watching says whether the trial goes on. It ends by events that went well, by
// [Machine.Watch] and by [Machine.Adopt].
func (m *Machine) Watching() bool { return m.canary.left > 0 }
