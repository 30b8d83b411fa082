package trial

import (
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// End is how an event ended.
type End string

// The ends.
const (
	Handled   End = "handled"       // what it staged is kept
	Retry     End = "retry"         // the guest asked for another attempt
	Rejected  End = "reject"        // the guest gave the event up: a dead letter
	Skipped   End = "skip"          // of no interest to the guest: nothing is kept
	Stopped   End = "stop"          // the guest asked to stop the subscriber
	Trapped   End = "trap"          // it broke off; what it staged is kept only if that was behind the event
	Unstarted End = "did not start" // _initialize or avx_init failed, and no event was given
)

// Outcome is what became of one event. It shares no memory with the guest.
type Outcome struct {
	End    End
	Reason string // why, in one line; "" if it was handled
	Again  bool   // it trapped on an instance that had served before, and this is the run after that

	Emits  []sandbox.Emit    // in order; one with a Due is a timer. None unless what it staged is kept
	Writes []Write           // the last one of each key, by key. None unless it was handled
	Reply  []byte            // nil if none
	Logs   []sandbox.LogLine // also of an event that failed, and of the start of a new instance

	Fuel    int64         // that the run of this event burnt
	Memory  int64         // bytes of linear memory behind it
	Took    time.Duration // by the clock, without making an instance
	Dropped int           // log lines over limits.log_lines

	Failure *sandbox.Failure // what the guest said; nil unless it failed the event
	Trap    *sandbox.Trap    // nil unless it trapped
}

// Write is one change of the state with what was there before.
type Write struct {
	sandbox.Write
	Before  []byte
	Existed bool // Before is what the key held; else it was not there
}

// outcomeOf translates the sandbox's result of one event.
func outcomeOf(result *sandbox.Result) Outcome {
	out := Outcome{
		End: Handled, Emits: result.Emits, Reply: result.Reply, Fuel: result.Fuel, Took: result.Elapsed, Dropped: result.Dropped,
		Failure: result.Failure, Trap: result.Trap,
	}
	switch {
	case out.Trap != nil && result.Handled > 0: // in what it did behind the event, which counts
		out.End, out.Reason = Trapped, "behind the event: "+out.Trap.Message
	case out.Trap != nil:
		out.End, out.Reason = Trapped, out.Trap.Message
	case out.Failure != nil:
		out.End, out.Reason = endOf(out.Failure.Code), out.Failure.Message
	}
	return out
}

// endOf is what a failure means for its event.
func endOf(code abi.FailCode) End {
	switch code {
	case abi.FailRetry:
		return Retry
	case abi.FailSkip:
		return Skipped
	case abi.FailStop:
		return Stopped
	}
	return Rejected
}
