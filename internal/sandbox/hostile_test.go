package sandbox_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

func engines(t testing.TB) map[string]*sandbox.Engine {
	out := map[string]*sandbox.Engine{}
	for name, opts := range map[string]sandbox.Options{"compiler": sharedCache(t), "interpreter": {Interpreter: true}} {
		e, err := sandbox.NewEngine(context.Background(), opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close(context.Background()) })
		out[name] = e
	}
	return out
}

// attack runs one hostile guest on one event and says how it ended.
func attack(t testing.TB, e *sandbox.Engine, g hostile.Guest, limits sandbox.Limits) (end string, result sandbox.Result) {
	t.Helper()
	m, err := e.Load(context.Background(), g.Name, g.Wasm)
	if err != nil {
		return "load: " + err.Error(), result
	}
	defer m.Close(context.Background())
	config := testConfig
	config.Limits = limits
	i, err := m.Instantiate(context.Background(), config, memState{})
	if err != nil {
		return "load: " + err.Error(), result
	}
	defer i.Close(context.Background())
	result = i.Run(context.Background(), sandbox.Batch{Next: feed(1, "some data"), State: memState{"a": "b"}})
	if result.Trap == nil {
		return "", result
	}
	return string(result.Trap.Kind), result
}

// TestHostileGuests: every one ends within its fuel, for the reason it should, the same on
// both engines, and for the same fuel. Under the race detector, which makes the interpreter thirty
// times slower and finds nothing in its one goroutine, they have a quarter of the fuel.
func TestHostileGuests(t *testing.T) {
	engines := engines(t)
	burn := int64(fault.Size(t, 20, 20)) * 1_000_000
	if raceEnabled {
		burn /= 4
	}
	for _, g := range hostile.Guests() {
		t.Run(g.Name, func(t *testing.T) {
			fuel, kinds := map[string]int64{}, map[string]string{}
			for name, e := range engines {
				limits := sandbox.Limits{Fuel: burn, Time: time.Minute}
				if name == "interpreter" && slices.Contains(g.Ends, "load") {
					continue // what an instance may burn at its start takes the interpreter ten seconds
				}
				start := time.Now()
				end, result := attack(t, e, g, limits)
				took := time.Since(start)
				kind, _, _ := strings.Cut(end, ":")
				if !slices.Contains(g.Ends, kind) {
					t.Errorf("%s: ended %q after %v, want %v", name, end, took, g.Ends)
				}
				if name == "compiler" && result.Elapsed > 20*time.Second {
					t.Errorf("it ran for %v", result.Elapsed)
				}
				if result.Trap != nil && (strings.ContainsAny(result.Trap.Message, "\n\t") || strings.Contains(result.Trap.Message, "goroutine")) {
					t.Errorf("%s: the trap shows the host's inside: %q", name, result.Trap.Message)
				}
				fuel[name], kinds[name] = result.Fuel, kind
				t.Logf("%s: %q, %d fuel, %v", name, end, result.Fuel, took)
			}
			if len(fuel) == 2 && (fuel["compiler"] != fuel["interpreter"] || kinds["compiler"] != kinds["interpreter"]) {
				t.Errorf("the engines differ: fuel %v, ends %v", fuel, kinds)
			}
		})
	}
}
