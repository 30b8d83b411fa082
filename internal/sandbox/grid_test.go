package sandbox_test

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// gridMemory is the memory of the guests that walk the grid.
const gridMemory = 2 << 16

// edges are the values at which pointers and lengths go wrong: about 0, the size of the memory, and the
// ends of signed and unsigned numbers.
var edges = []uint64{
	0, 1, 7, 96, gridMemory - 1, gridMemory, gridMemory + 1,
	1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<32 - 2, 1<<32 - 1,
}

// plainValue is what the other parameters have meanwhile: a place in memory, and a length that fits.
const plainValue = 64

// allHostFunctions are all that a guest can import, ours and WASI's.
func allHostFunctions(t *testing.T) map[string][2]string {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	t.Cleanup(func() { _ = rt.Close(ctx) })
	b := rt.NewHostModuleBuilder(wasi_snapshot_preview1.ModuleName)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
	wasi, err := b.Compile(ctx)
	if err != nil {
		t.Fatal(err)
	}
	letters := func(types []api.ValueType) string {
		text := ""
		for _, typ := range types {
			text += map[api.ValueType]string{api.ValueTypeI32: "i", api.ValueTypeI64: "l"}[typ]
		}
		return text
	}
	all := sandbox.HostFunctions()
	for name, f := range wasi.ExportedFunctions() {
		all[wasi_snapshot_preview1.ModuleName+"."+name] = [2]string{letters(f.ParamTypes()), letters(f.ResultTypes())}
	}
	return all
}

// TestBadPointers gives every host function, of the contract and of WASI, the 12 edge values in
// each two of its parameters: it answers or traps, in time, and the host goes on. Of those that take
// a pointer, each of ours finds the bad ones.
func TestBadPointers(t *testing.T) {
	e := newEngine(t)
	all := allHostFunctions(t)
	if len(all) < 55 {
		t.Fatalf("%d functions only", len(all))
	}
	calls := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		module, function, _ := strings.Cut(name, ".")
		m, err := e.Load(context.Background(), name, hostile.Caller(module, function, all[name][0], all[name][1], gridMemory>>16))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		g := grid{t: t, name: name, module: m, params: len(all[name][0]), traps: map[sandbox.TrapKind]int{}}
		g.walk()
		calls += g.calls
		if params := all[name][0]; module == abi.Module && params != "" && g.traps[sandbox.TrapPointer] == 0 {
			t.Errorf("%s never trapped on a bad pointer", name)
		}
		_ = m.Close(context.Background())
	}
	t.Logf("%d calls of %d functions", calls, len(all))
	nothingLeft(t, e)
}

// grid walks one function.
type grid struct {
	t      *testing.T
	name   string
	module *sandbox.Module
	params int
	i      *sandbox.Instance
	calls  int
	traps  map[sandbox.TrapKind]int
}

func (g *grid) walk() {
	values := make([]uint64, g.params)
	for k := range values {
		values[k] = plainValue
	}
	g.call(values)
	for a := range values {
		for b := range a + 1 {
			for _, x := range edges {
				for _, y := range edges {
					values[a], values[b] = x, y // a == b: the value alone
					g.call(values)
				}
			}
			values[a], values[b] = plainValue, plainValue
		}
	}
	if g.i != nil {
		_ = g.i.Close(context.Background())
	}
}

func (g *grid) call(values []uint64) {
	state := memState{"k": "v"}
	if g.i == nil || !g.i.Usable() {
		if g.i != nil {
			_ = g.i.Close(context.Background())
		}
		var err error
		if g.i, err = g.module.Instantiate(context.Background(), testConfig, state); err != nil {
			g.t.Fatal(err)
		}
	}
	r := callWith(g.i, state, values)
	g.calls++
	if r.Elapsed > 10*time.Second && !raceEnabled {
		g.t.Errorf("%s(%v) took %v", g.name, values, r.Elapsed)
	}
	if r.Trap == nil {
		return
	}
	g.traps[r.Trap.Kind]++
	if strings.ContainsAny(r.Trap.Message, "\n\t") || strings.Contains(r.Trap.Message, "goroutine") || strings.Contains(r.Trap.Message, "wazero") {
		g.t.Fatalf("%s(%v): the trap shows the host's inside: %q", g.name, values, r.Trap.Message)
	}
	if strings.Contains(r.Trap.Message, "runtime error") {
		g.t.Errorf("%s(%v): the host itself broke: %s", g.name, values, r.Trap.Message)
	}
}

// callWith lets a caller call its function.
func callWith(i *sandbox.Instance, state memState, values []uint64) sandbox.Result {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, v)
	}
	ev, given := abi.Event{Seq: 1, Topic: hostile.CallerTopic, Data: data, Time: 1, Attempt: 1}, 0
	return i.Run(context.Background(), sandbox.Batch{State: state, Next: func() *abi.Event {
		if given++; given > 2 { // the second one is for next itself
			return nil
		}
		return &ev
	}})
}

// TestPriceOfEveryCall: whatever numbers a guest gives to a host function, the fuel that it pays
// is worth the time that the call takes.
func TestPriceOfEveryCall(t *testing.T) {
	const memory = 192 << 16
	e := newEngine(t)
	all := allHostFunctions(t)
	values := []uint64{0, memory / 8, memory / 2}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		module, function, _ := strings.Cut(name, ".")
		m, err := e.Load(context.Background(), name, hostile.Caller(module, function, all[name][0], all[name][1], memory>>16))
		if err != nil {
			t.Fatal(err)
		}
		params := make([]uint64, len(all[name][0]))
		for a := range params {
			for b := range a + 1 {
				for _, x := range values {
					for _, y := range values {
						for k := range params {
							params[k] = x
						}
						params[a], params[b] = y, x
						overpaid(t, name, m, params)
					}
				}
			}
		}
		_ = m.Close(context.Background())
	}
}

// overpaid checks one call: the quickest of many, because others use the machine too.
func overpaid(t *testing.T, name string, m *sandbox.Module, params []uint64) {
	t.Helper()
	least, fuel := time.Hour, int64(0)
	// A call that is paid by nothing may take as long as the end of an event that fails, on the
	// slowest of machines; copying the largest of the values takes several times that.
	limit := func() time.Duration { return 150*time.Microsecond + time.Duration(fuel)*10 }
	for try := 0; try < 50 && least > limit() && (try == 0 || !raceEnabled); try++ {
		i, err := m.Instantiate(context.Background(), testConfig, memState{})
		if err != nil {
			t.Fatal(err)
		}
		r := callWith(i, memState{"k": "v"}, params)
		least, fuel = min(least, r.Elapsed), r.Fuel
		_ = i.Close(context.Background())
	}
	if least > limit() && !raceEnabled {
		t.Errorf("%s%v takes %v and costs %d fuel", name, params, least, fuel)
	}
}
