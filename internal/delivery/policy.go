package delivery

import (
	"math/rand/v2"
	"time"

	"github.com/avx-platform/avxrt/abi"
)

// Poison says what becomes of an event after its last attempt.
type Poison string

// The policies.
const (
	Park  Poison = "park"  // it becomes a dead letter and the next event runs
	Block Poison = "block" // it becomes a dead letter, and its key waits until that is driven again or dropped
	Skip  Poison = "skip"  // it is counted and nothing is kept
	Stop  Poison = "stop"  // the subscription stops at it
)

// Policy is how one subscription deals with failure.
type Policy struct {
	Batch    int           // most events of one run; default 256
	Attempts int           // how often an event is tried that fails by time-out or asks for a retry; default 5
	Min, Max time.Duration // bounds of the wait between attempts; default 100 ms and 30 s
	OnPoison Poison        // default Park
	Seed     uint64        // of the jitter
}

// BreakAfter is how many events in a row may trap for good before the guest, not the
// events, is held to be broken.
const BreakAfter = 32

// faultsBeforeStop is how often in a row a guest may fail without an event being current.
const faultsBeforeStop = 5

func (p Policy) withDefaults() Policy {
	if p.Batch == 0 {
		p.Batch = 256
	}
	if p.Attempts == 0 {
		p.Attempts = 5
	}
	if p.Min == 0 {
		p.Min = 100 * time.Millisecond
	}
	if p.Max == 0 {
		p.Max = 30 * time.Second
	}
	if p.OnPoison == "" {
		p.OnPoison = Park
	}
	return p
}

// wait returns how long to wait after the attempt-th attempt (from 1) at seq: twice as
// long each time, between Min and Max, less up to a quarter so that subscribers that
// failed together do not come back together. It depends on nothing but its arguments.
func (p Policy) wait(seq abi.Seq, attempt int) time.Duration {
	d := p.Min
	for i := 1; i < attempt && d < p.Max; i++ {
		d *= 2
	}
	d = min(d, p.Max)
	jitter := rand.New(rand.NewPCG(p.Seed^uint64(seq), uint64(attempt)))
	return d - time.Duration(jitter.Int64N(int64(d)/4+1))
}
