package sandbox

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// fuelSlice is how much fuel a guest gets at a time. Native code cannot be preempted, and a
// garbage collection waits for it, so a slice must be short: some 30 µs of ordinary code,
// about 2 ms of the slowest that we know how to write (every load missing all caches).
const fuelSlice = 100_000

// initFuel bounds _initialize and avx_init: a Go guest's runtime takes a few million.
const initFuel = 500_000_000

// meter grants fuel to one instance and keeps account of it. What is left of the present
// slice is in a global of the guest, above the depth that is left; see package wasmbin.
type meter struct {
	counter api.MutableGlobal
	depth   uint64 // at the start of a run

	limit int64 // of the event in hand
	left  int64 // of limit, not granted yet
	debt  int64 // of the host call in hand
	spent int64 // of the run, before the event in hand
	fresh bool  // an event begins when the host call ends

	maxTime time.Duration
	since   time.Time // when time was first looked at in this event; zero: not yet

	// beat counts slices and runs, for the watchdog, which also looks at the seq in hand.
	beat    atomic.Uint64
	running atomic.Bool
}

// fuelLeft reads the fuel of a counter, and replaced sets it.
func fuelLeft(counter uint64) int64 { return int64(counter) >> wasmbin.FuelShift }

func withFuel(counter uint64, fuel int64) uint64 {
	return uint64(fuel)<<wasmbin.FuelShift | counter&wasmbin.DepthMask
}

// begin starts a run: the guest is outside of any event, with the whole depth.
func (m *meter) begin(limit int64, maxTime time.Duration) {
	m.limit, m.maxTime = limit, maxTime
	m.spent, m.debt, m.fresh, m.since = 0, 0, false, time.Time{}
	m.left = limit
	if m.counter != nil { // else the guest asks for its first slice
		grant := min(limit, fuelSlice)
		m.left -= grant
		m.counter.Set(withFuel(m.depth, grant))
	}
	m.beat.Add(1)
	m.running.Store(true)
}

func (m *meter) end() { m.running.Store(false) }

// used is the fuel of the event in hand so far.
func (m *meter) used() int64 {
	if m.counter == nil {
		return 0
	}
	return m.limit - m.left - fuelLeft(m.counter.Get())
}

// settle ends a host call: it begins the next event's account if the call was for that,
// and charges the call.
func (i *Instance) settle() {
	m := &i.meter
	if !m.fresh {
		i.pay()
		return
	}
	x := m.counter.Get()
	m.spent += m.limit - m.left - fuelLeft(x)
	fuel := min(m.limit, fuelSlice)
	m.left, m.fresh, m.since = m.limit-fuel, false, time.Time{}
	fuel -= m.debt
	m.debt = 0
	m.counter.Set(withFuel(x, fuel))
	if fuel < 0 {
		i.grant()
	}
}

// pay charges what the host call in hand owes so far.
func (i *Instance) pay() {
	m := &i.meter
	if m.debt == 0 {
		return
	}
	x := m.counter.Get()
	fuel := fuelLeft(x) - m.debt
	m.debt = 0
	m.counter.Set(withFuel(x, fuel))
	if fuel < 0 {
		i.grant()
	}
}

// owe adds to the price of the host call in hand.
func (i *Instance) owe(fuel int) { i.meter.debt += int64(fuel) }

// oweBytes adds the price of copying n bytes.
func (i *Instance) oweBytes(n int) { i.meter.debt += int64(n) / bytesPerFuel }

// How many bytes a unit of fuel pays for.
const (
	bytesPerFuel       = 16
	logBytesPerFuel    = 2
	randomBytesPerFuel = 2
)

// hostRefill is what the rewritten guest calls when its counter is below zero.
func (i *Instance) hostRefill([]uint64) {
	i.meter.beat.Add(1)
	i.grant()
}

// grant gives the next slice, or ends the run where depth, fuel or time are used up.
func (i *Instance) grant() {
	m := &i.meter
	x := m.counter.Get()
	if x&depthUnderflow != 0 {
		i.trap(TrapDepth, "calls are nested too deeply (limits.depth); use a loop, or smaller functions")
	}
	i.checkTime()
	need := -fuelLeft(x)
	if need > m.left {
		i.trap(TrapFuel, fmt.Sprintf("the limit of %d fuel for one event is used up; raise limits.fuel or make the handler cheaper", m.limit))
	}
	give := min(m.left, need+fuelSlice)
	m.left -= give
	m.counter.Set(withFuel(x, give-need))
}

const depthUnderflow = 1 << (wasmbin.FuelShift - 1)

// checkTime looks at the wall clock: at the end of each slice and behind host calls that
// read the store. The first look of an event, at most a slice behind its begin, starts the
// clock, so that short events do not pay for one.
func (i *Instance) checkTime() {
	m := &i.meter
	now := time.Now()
	if m.since.IsZero() {
		m.since = now
		return
	}
	if now.Sub(m.since) > m.maxTime {
		i.trap(TrapTimeout, fmt.Sprintf("stopped after %v; raise limits.time or make the handler faster", m.maxTime))
	}
}
