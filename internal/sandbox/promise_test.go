package sandbox_test

import (
	"context"
	"maps"
	goruntime "runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// cutScripts are handlers that write, emit and read in many ways: twenty of them.
func cutScripts() []string {
	scripts := []string{
		"set a 1", "set a 1;set b 2", "add n 1;add n 2", "del k", "emit out.x one", "emit out.x one;emit out.y two;set z 1",
		"set a 1;del a;set a 2", "scan p/;set s 1", "emits 5 x", "get k;set l 3", "set a 1;fail 2 no", "set a 1;trap",
		"rand;set r 1", "log 3 hello;set l 1", "bigset big 5000", "conf greeting;set c 1", "now;emit out.t t",
		"set a 1;emit out.x y;set b 2;emit out.y z;add n 5", "grow 1;set g 1", "set a 1;return 3",
	}
	return scripts
}

// effects prints what a run staged.
func effects(r sandbox.Result) string {
	r.Failure, r.Trap, r.Reply = nil, nil, nil
	return printResult(r)
}

// TestTrapAtEveryFuel is P4: whatever the point at which a handler is cut off, the event
// before it is whole and of its own nothing is left.
func TestTrapAtEveryFuel(t *testing.T) {
	p := fault.Prove(t, "P4", "cuts of a handler, one at each unit of fuel", "a trap leaves no trace")
	m := load(t, newEngine(t), probe)
	state := memState{"k": "v", "p/1": "x", "p/2": "y"}
	const before = "set first 1"
	scripts := cutScripts()
	step := 40 / fault.Size(t, 40, 40) // every tenth cut in make test
	cuts, whole := 0, 0
	attempt := func(script string, fuel int64) (got sandbox.Result) {
		config := testConfig
		config.Limits.Fuel = fuel
		i, err := m.Instantiate(context.Background(), config, state)
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close(context.Background())
		return i.Run(context.Background(), sandbox.Batch{Next: feed(1, before, script), State: maps.Clone(state)})
	}
	for _, script := range scripts {
		full := attempt(script, 1_000_000_000)
		none := effects(sandbox.Result{Pulled: 2, Handled: 1, Writes: []sandbox.Write{{Key: []byte("first"), Value: []byte("1")}}})
		budget := full.Fuel
		for fuel := int64(1); fuel <= budget; fuel += int64(step) {
			r := attempt(script, fuel)
			cuts++
			switch got := effects(r); {
			case r.Trap != nil && r.Trap.Kind == sandbox.TrapFuel && r.Handled == 0:
				if len(r.Writes)+len(r.Emits) > 0 || r.Reply != nil {
					t.Fatalf("%q with %d fuel left %s", script, fuel, got)
				}
			case r.Trap != nil && r.Trap.Kind == sandbox.TrapFuel:
				if got != none && r.Handled == 1 {
					t.Fatalf("%q with %d fuel left %s, want %s", script, fuel, got, none)
				}
			default:
				whole++
				if got != effects(full) {
					t.Fatalf("%q with %d fuel came to %s, want %s", script, fuel, got, effects(full))
				}
			}
			if r.Fuel > 3*fuel+2*fuel/100+1000 {
				t.Fatalf("%q burnt %d of %d", script, r.Fuel, fuel)
			}
		}
	}
	p.Injected(cuts)
	t.Logf("%d cuts in %d handlers, %d came through", cuts, len(scripts), whole)
	// The planted breach: a host that keeps what a cut event staged would be found.
	broken := attempt(scripts[1], 1_000_000_000)
	broken.Handled = 1
	if effects(broken) != effects(sandbox.Result{Pulled: 2, Handled: 1, Writes: []sandbox.Write{{Key: []byte("first"), Value: []byte("1")}}}) {
		p.Breach()
	} else {
		t.Error("a trace would not be noticed")
	}
}

// TestLimitsHold is P10: no hostile guest gets more than its fuel, memory, table, log lines
// and emits, by our meters and by the system's.
func TestLimitsHold(t *testing.T) {
	p := fault.Prove(t, "P10", "hostile runs against meters and the system's counters", "a guest never uses more than its fuel, memory, table, log and emit limits")
	e := newEngine(t)
	rounds := fault.Size(t, 10, 100)
	runs := 0
	for range rounds {
		for _, g := range hostile.Guests() {
			if slices.Contains(g.Ends, "load") {
				continue
			}
			runs++
			limits := sandbox.Limits{Fuel: 3_000_000, Time: time.Minute, Memory: 14 << 20, LogLines: 10}
			lines := 0
			m, err := e.Load(context.Background(), g.Name, g.Wasm)
			if err != nil {
				t.Fatal(err)
			}
			config := testConfig
			config.Limits, config.OnLog = limits, func(sandbox.LogLine) { lines++ }
			cpu := processorTime(t)
			i := instantiate(t, m, config, memState{})
			r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "x"), State: memState{}})
			burnt := processorTime(t) - cpu
			const oneCall = 1 << 20 // the dearest host call pays behind its work
			if r.Fuel > limits.Fuel+limits.Fuel/100+oneCall {
				t.Errorf("%s burnt %d of %d fuel", g.Name, r.Fuel, limits.Fuel)
			}
			if burnt > 500*time.Millisecond && !raceEnabled {
				t.Errorf("%s used %v of processor time", g.Name, burnt)
			}
			if i.MemoryBytes() > limits.Memory {
				t.Errorf("%s has %d bytes of memory", g.Name, i.MemoryBytes())
			}
			if lines > limits.LogLines || len(r.Emits) > 256 {
				t.Errorf("%s logged %d lines, emitted %d", g.Name, lines, len(r.Emits))
			}
			_ = i.Close(context.Background())
			_ = m.Close(context.Background())
		}
	}
	p.Injected(runs)
	// The planted breach: the same guest under ten times the fuel is over the limit.
	for _, g := range hostile.Guests() {
		if g.Name == "loop" {
			if _, r := attack(t, e, g, sandbox.Limits{Fuel: 30_000_000}); r.Fuel > 3_000_000*2 {
				p.Breach()
			} else {
				t.Error("more fuel would not be noticed")
			}
		}
	}
}

// processorTime is what this process has used.
func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// collect collects garbage again and again until done, and returns the 99th of a hundred
// times that it took, the longest, and how many there were. That is what a guest can hold
// up: a collection waits for it when it stops everybody, and when it looks at its stack.
func collect(done *atomic.Bool) (p99, longest time.Duration, n int) {
	var took []time.Duration
	for !done.Load() {
		start := time.Now()
		goruntime.GC()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	if len(took) == 0 {
		return 0, 0, 0
	}
	return took[len(took)*99/100], took[len(took)-1], len(took)
}

// TestCollectionWhileBurning: while a guest burns its whole budget, a garbage collection
// takes no longer than beside a loop in Go, or 3 ms.
func TestCollectionWhileBurning(t *testing.T) {
	m := load(t, newEngine(t), probe)
	config := testConfig
	config.Limits = sandbox.Limits{Fuel: 2_000_000_000, Time: time.Minute}
	beside := func(work func()) (p99, longest time.Duration, n int) {
		var done atomic.Bool
		go func() { defer done.Store(true); work() }()
		return collect(&done)
	}
	burn := func() {
		i := instantiate(t, m, config, memState{})
		if r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "loop"), State: memState{}}); r.Trap == nil || r.Trap.Kind != sandbox.TrapFuel {
			t.Errorf("it ended with %s", printResult(r))
		}
	}
	within, tries := false, 6
	if raceEnabled {
		tries = 1 // whose times mean nothing
	}
	for try := 0; try < tries && !within; try++ { // who else uses the machine holds up both alike, but not at once
		native, _, _ := beside(func() { spin(500 * time.Millisecond) })
		guest, longest, n := beside(burn)
		t.Logf("%d collections beside the guest, 99 of 100 took at most %v, the longest %v; beside a loop in Go %v", n, guest, longest, native)
		within = guest <= max(3*time.Millisecond, 2*native)
	}
	if !within && !raceEnabled {
		t.Error("collections wait for the guest")
	}
	// The same loop without fuel shows that the test can fail.
	bare := time.Duration(0)
	for try := 0; try < 3*tries && bare < 20*time.Millisecond; try++ { // the machine may not let us collect meanwhile
		_, bare, _ = beside(unmeteredLoop(t, 400_000_000))
	}
	if bare < 20*time.Millisecond && !raceEnabled { // which slows the collections, not the guest
		t.Errorf("without fuel a collection took %v only", bare)
	}
}

// spin keeps one processor busy in Go.
func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// unmeteredLoop returns a guest that counts to n on the engine as it is, without fuel.
func unmeteredLoop(t testing.TB, n int) func() {
	wasm := []byte("\x00asm\x01\x00\x00\x00\x01\x05\x01\x60\x01\x7f\x00\x03\x02\x01\x00\x07\x05\x01\x01f\x00\x00" +
		"\x0a\x10\x01\x0e\x00\x03\x40\x20\x00\x41\x01\x6b\x22\x00\x0d\x00\x0b\x0b")
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	t.Cleanup(func() { _ = r.Close(ctx) })
	m, err := r.Instantiate(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := m.ExportedFunction("f").Call(ctx, uint64(n)); err != nil {
			t.Error(err)
		}
	}
}

// tooBusy is how late a victim beside a loop in Go may be for its lateness to say anything.
const tooBusy = 60 * time.Millisecond

// TestNeighbours is P9: a victim at a steady pace beside each hostile guest, on both engines.
// A guest that computes takes a processor, so the measure is a victim beside a loop in Go.
func TestNeighbours(t *testing.T) {
	p := fault.Prove(t, "P9", "hostile guests beside a victim", "no running module can stop another: a neighbour's p99 stays below twice itself, or 2 ms more, as beside a busy loop in Go")
	victim := load(t, newEngine(t), probe)
	all := engines(t)
	guests := hostile.Guests()
	rounds := fault.Size(t, 20, 2000) // of two guests each, on both engines
	// What a victim suffers depends on who else uses the machine, so the measure is taken
	// again where a limit is passed, and the guest has some tries.
	calm := func() time.Duration {
		worst := time.Duration(0)
		for range 3 {
			worst = max(worst, victimP99(t, victim, 100, func() { spin(10 * time.Millisecond) }))
		}
		return worst
	}
	limitOf := func(calm time.Duration) time.Duration {
		if calm > tooBusy {
			t.Skipf("this machine is too busy to measure: p99 %v beside a loop in Go", calm)
		}
		return max(2*calm, calm+2*time.Millisecond)
	}
	base := calm()
	for n := range rounds {
		for k := range 2 {
			g := guests[(n*2+k)*7%len(guests)]
			for name, e := range all {
				m, err := e.Load(context.Background(), g.Name, g.Wasm)
				if err != nil || slices.Contains(g.Ends, "load") {
					continue
				}
				p99 := victimP99(t, victim, 100, func() { runOnce(t, m) })
				for try := 0; try < 3 && p99 > limitOf(base) && !raceEnabled; try++ {
					base = max(base, calm())
					p99 = min(p99, victimP99(t, victim, 100, func() { runOnce(t, m) }))
				}
				if p99 > limitOf(base) && !raceEnabled {
					t.Errorf("beside %s (%s): p99 %v, beside a busy loop %v", g.Name, name, p99, base)
				}
				p.Injected(1)
				_ = m.Close(context.Background())
			}
		}
	}
	limit := limitOf(base)
	t.Logf("beside a busy loop: p99 %v", base)
	// The planted breach: a guest without fuel, while garbage is collected.
	unmetered := unmeteredLoop(t, int(limit.Milliseconds()+20)*10_000_000)
	p99 := time.Duration(0)
	for try := 0; try < 3 && p99 <= limit; try++ {
		p99 = victimP99(t, victim, 12, func() {
			go goruntime.GC()
			unmetered()
		})
	}
	if p99 > limit {
		p.Breach()
	} else if !raceEnabled {
		t.Errorf("a guest without fuel was not noticed: p99 %v", p99)
	}
}

// runOnce gives a hostile guest one event.
func runOnce(t *testing.T, m *sandbox.Module) {
	config := testConfig
	config.Limits = sandbox.Limits{Fuel: 4_000_000, Time: time.Second}
	if raceEnabled {
		config.Limits.Fuel /= 10 // the interpreter would take seconds for each victim
	}
	i, err := m.Instantiate(context.Background(), config, memState{})
	if err != nil {
		t.Error(err)
		return
	}
	defer i.Close(context.Background())
	i.Run(context.Background(), sandbox.Batch{Next: feed(1, "some data"), State: memState{}})
}

// victimP99 gives a victim an event each millisecond while the neighbour runs, and returns
// how late the answers were.
func victimP99(t *testing.T, m *sandbox.Module, events int, neighbour func()) time.Duration {
	t.Helper()
	i, err := m.Instantiate(context.Background(), testConfig, memState{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close(context.Background())
	var stop atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !stop.Load() && neighbour != nil {
			neighbour()
		}
	}()
	var late []time.Duration
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := range events {
		due := <-tick.C
		r := i.Run(context.Background(), sandbox.Batch{Next: feed(abi.Seq(n+1), "set a 1"), State: memState{}})
		if r.Trap != nil {
			t.Fatal(printResult(r))
		}
		late = append(late, time.Since(due))
	}
	stop.Store(true)
	<-ended
	slices.Sort(late)
	return late[max(events*99/100-1, 0)]
}
