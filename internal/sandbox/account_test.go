package sandbox_test

import (
	"context"
	goruntime "runtime"
	"slices"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// hostileModule loads one of the hostile guests.
func hostileModule(t testing.TB, e *sandbox.Engine, name string) *sandbox.Module {
	t.Helper()
	for _, g := range hostile.Guests() {
		if g.Name == name {
			m, err := e.Load(context.Background(), name, g.Wasm)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatalf("there is no guest %s", name)
	return nil
}

// handleOne gives an instance an event that it must handle.
func handleOne(t testing.TB, i *sandbox.Instance) {
	t.Helper()
	if r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "x"), State: memState{}}); r.Trap != nil || r.Handled != 1 {
		t.Fatal(printResult(r))
	}
}

// TestStackBytes: a stack that calls made large is seen, and let go when it is too large.
func TestStackBytes(t *testing.T) {
	for name, e := range engines(t) {
		t.Run(name, func(t *testing.T) {
			i := instantiate(t, hostileModule(t, e, "recurse-300-and-return"), testConfig, memState{})
			before, bytes := i.StackBytes(), i.Bytes()
			handleOne(t, i)
			if grown := i.StackBytes() - before; grown <= 0 || i.Bytes() < bytes+grown {
				t.Errorf("after 300 calls into each other the stack grew by %d bytes and the account by %d: the engine calls it otherwise now", grown, i.Bytes()-bytes)
			}
			i = instantiate(t, hostileModule(t, e, "recurse-1800-and-return"), testConfig, memState{})
			handleOne(t, i)
			if got := i.StackBytes(); got > sandbox.StackKept {
				t.Errorf("a stack of %d bytes is kept", got)
			}
			handleOne(t, i) // on the stack that was made anew
		})
	}
}

// heap is what Go's heap holds.
func heap() int64 {
	var m goruntime.MemStats
	goruntime.GC()
	goruntime.GC()
	goruntime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestNothingPilesUp: an instance of a guest that handles its events, whatever it asks of the host for each, holds
// no more after many of them than after some.
func TestNothingPilesUp(t *testing.T) {
	for name, e := range engines(t) {
		for _, g := range hostile.Guests() {
			if !slices.Equal(g.Ends, []string{""}) {
				continue
			}
			t.Run(name+"/"+g.Name, func(t *testing.T) {
				m, err := e.Load(context.Background(), g.Name, g.Wasm)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close(context.Background())
				i := instantiate(t, m, testConfig, memState{"a": "b"})
				handle := func(events int) {
					for n := range events {
						if r := i.Run(context.Background(), sandbox.Batch{Next: feed(abi.Seq(n+1), "x"), State: memState{"a": "b"}}); r.Trap != nil {
							t.Fatal(printResult(r))
						}
						if !i.Usable() { // it failed the event, and is not used again
							_ = i.Close(context.Background())
							i = instantiate(t, m, testConfig, memState{"a": "b"})
						}
					}
				}
				handle(5)
				before := heap()
				handle(100)
				if grown := heap() - before; grown > 2<<20 {
					t.Errorf("after 100 events more the host holds %d KiB more", grown>>10)
				}
				goruntime.KeepAlive(i)
			})
		}
	}
}

// TestInstanceBytes: what instances are taken to hold of Go's heap is what they do, within a
// factor of two.
func TestInstanceBytes(t *testing.T) {
	e := newEngine(t)
	modules := map[string]*sandbox.Module{
		"C": load(t, e, probe), "Rust": load(t, e, "../../plugins/analytics.wasm"), "Go": load(t, e, "../../plugins/email.wasm"),
		"globals": hostileModule(t, e, "globals"), "references": hostileModule(t, e, "many-references"),
	}
	for name, m := range modules {
		t.Run(name, func(t *testing.T) {
			all := make([]*sandbox.Instance, 64)
			before := heap()
			for k := range all {
				var err error
				if all[k], err = m.Instantiate(context.Background(), testConfig, memState{}); err != nil {
					t.Fatal(err)
				}
			}
			held := (heap() - before) / int64(len(all))
			told := m.HeapBytes() + all[0].StackBytes()
			t.Logf("%d bytes of Go's heap, accounted for: %d; %d in all", held, told, all[0].Bytes())
			if held > told*5/4 || held < told/2 {
				t.Errorf("an instance holds %d bytes of Go's heap and is accounted for with %d", held, told)
			}
			for _, i := range all {
				_ = i.Close(context.Background())
			}
		})
	}
	if e.Held() != 0 || e.Mapped() != 0 || e.Watched() != 0 {
		t.Errorf("closed instances left %d bytes, %d bytes of address space, %d in the watchdog", e.Held(), e.Mapped(), e.Watched())
	}
}
