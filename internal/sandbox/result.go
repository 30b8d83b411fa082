package sandbox

import (
	"time"

	"github.com/avx-platform/avxrt/abi"
)

// Limits bound what one event may cost. Zero fields take the defaults.
type Limits struct {
	Fuel       int64         // about one for each instruction; default 1,000 million, some 300 ms
	Time       time.Duration // default 1 s; fuel is what stops a guest, this is for a store that is slow
	Memory     int64         // of an instance, bytes; default 16 MiB
	Depth      int           // of recursion, in units of a frame or more; default and most wasmbin's 1,900
	Emits      int           // default 256
	EmitBytes  int           // default 1 MiB
	StateBytes int           // keys and values written, and 64 for each write; default 4 MiB
	LogLines   int           // default 64; what is over is counted, not kept
	Timers     int           // of the subscriber that wait, see Batch.Timers; default 100,000
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Fuel, 1_000_000_000)
	orDefault(&l.Time, time.Second)
	orDefault(&l.Memory, 16<<20)
	orDefault(&l.Emits, 256)
	orDefault(&l.EmitBytes, abi.MaxBatchEmitBytes)
	orDefault(&l.StateBytes, 4<<20)
	orDefault(&l.LogLines, 64)
	orDefault(&l.Timers, 100_000)
	return l
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// StateReader is the committed state that a run reads through to.
type StateReader interface {
	// Get returns key's value, which the sandbox does not change.
	Get(key []byte) (value []byte, ok bool, err error)
	// Scan calls fn for the keys with prefix that lie above after, ascending, until fn says
	// false. What fn gets is valid during the call only.
	Scan(prefix, after []byte, fn func(key, value []byte) bool) error
}

// Batch is what one run gives to the guest.
type Batch struct {
	// Next returns the next event, nil if the run shall end. The event must stay as it is
	// until Next is called again.
	Next  func() *abi.Event
	State StateReader
	// ReadOnly makes writes and emits answer read-only.
	ReadOnly bool
	// Timers is how many timers of the subscriber wait already; above Limits.Timers a guest may
	// only set one again whose name HasTimer knows, which nil does not.
	Timers   int
	HasTimer func(name string) bool
}

// Result is what came of a run.
type Result struct {
	Pulled  int     // events that the guest was given
	Handled int     // events that it acknowledged: Pulled, or one less after a failure
	Emits   []Emit  // of the acknowledged events, in order
	Writes  []Write // of the acknowledged events: the last one of each key, by key
	Reply   []byte  // the last one given; nil if none
	Failure *Failure
	Trap    *Trap
	Elapsed time.Duration
	Fuel    int64 // burnt by the whole run
	Dropped int   // log lines over Limits.LogLines
}

// Emit is an event that the guest emitted. Topic, key, data, headers, content type and
// version are the guest's; the rest is for the host to fill in.
type Emit struct {
	Cause  int // which event of the run brought it forth, from 0
	Event  abi.Event
	Due    int64  // not 0: a timer, which becomes the event at this time (unix nanoseconds)
	Timer  string // its name; "": none
	Cancel bool   // no event: the timer of that name shall not fire
}

// Write sets or deletes one key of the state.
type Write struct {
	Key, Value []byte
	Delete     bool
}

// Failure is a verdict of the guest's own on the event Handled (from 0).
type Failure struct {
	Code    abi.FailCode
	Message string
}

// TrapKind sorts traps.
type TrapKind string

// The kinds of traps.
const (
	TrapWasm    TrapKind = "trap"    // unreachable, a division by zero, memory out of bounds, …
	TrapFuel    TrapKind = "fuel"    // over Limits.Fuel
	TrapDepth   TrapKind = "depth"   // calls nested too deeply
	TrapTimeout TrapKind = "timeout" // over Limits.Time
	TrapPointer TrapKind = "pointer" // a host function got a pointer outside of the memory
	TrapExit    TrapKind = "exit"    // the guest ended itself
	TrapHost    TrapKind = "host"    // the store could not be read
)

// Trap is a run that broke off at the event Handled (from 0), or outside of any event
// when Pulled equals Handled.
type Trap struct {
	Kind    TrapKind
	Message string // short, without a stack of the host
	Timeout bool   // Kind is TrapTimeout: it may go well another time
	Where   string // function and source line as far as the module tells, "" if it does not
	Fuel    int64  // that the event had burnt
}

// LogLine is a line that the guest wrote.
type LogLine struct {
	Level   int // 0 trace, 1 debug, 2 info, 3 warning, 4 error
	Message string
	Seq     abi.Seq // of the event in hand; 0 outside of one
}
