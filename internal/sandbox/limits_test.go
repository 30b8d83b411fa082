package sandbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// TestEachLimit goes over each limit, and holds what a guest is told or how it ends: codes
// that guests and operators rely on.
func TestEachLimit(t *testing.T) {
	e := newEngine(t)
	m := load(t, e, probe)
	const emitted = " emit(0 out.many key=x)"
	tests := []struct {
		name         string
		limits       sandbox.Limits
		script, want string
	}{
		{"fuel", sandbox.Limits{Fuel: 100_000}, "loop", "handled 0/1 trap(fuel the limit of 100000 fuel for one event is used up; raise limits.fuel or make the handler cheaper)"},
		{"time", sandbox.Limits{Time: 20 * time.Millisecond}, "loop", "handled 0/1 trap(timeout stopped after 20ms; raise limits.time or make the handler faster)"},
		{"memory", sandbox.Limits{Memory: 6 << 20}, "grow 10;grow 100", "handled 1/1 reply(67 -1)"},
		{"emits", sandbox.Limits{Emits: 2}, "emits 3 x", "handled 1/1" + emitted + emitted + " reply(-5)"},
		{"emit bytes", sandbox.Limits{EmitBytes: 250}, "emits 3 x", "handled 1/1" + emitted + emitted + " reply(-5)"},
		{"one emit", sandbox.Limits{EmitBytes: 1 << 10}, "bigemit 2000", "handled 1/1 reply(-3)"},
		{"state bytes", sandbox.Limits{StateBytes: 150}, "set a 1;set b 2;set c 3", "handled 1/1 set(a=1) set(b=2) reply(0 0 -5)"},
		{"state bytes of deletes", sandbox.Limits{StateBytes: 150}, "del a;del b;del c", "handled 1/1 del(a) del(b) reply(0 0 -5)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := testConfig
			config.Limits = tt.limits
			i := instantiate(t, m, config, memState{})
			if got := printResult(i.Run(context.Background(), sandbox.Batch{Next: feed(1, tt.script), State: memState{}})); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	t.Run("log lines", func(t *testing.T) {
		config := testConfig
		config.Limits.LogLines = 2
		var lines []string
		config.OnLog = func(l sandbox.LogLine) { lines = append(lines, l.Message) }
		i := instantiate(t, m, config, memState{})
		r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "log 5 a", "log 1 b"), State: memState{}})
		if got := strings.Join(lines, "; "); got != "a; a … further lines of this event are dropped (limits.log_lines); b" || r.Dropped != 3 {
			t.Errorf("%q, %d dropped", got, r.Dropped)
		}
	})
	t.Run("depth", func(t *testing.T) {
		burnt := map[int]int64{}
		for _, depth := range []int{0, 16, 100, 1900} {
			for _, g := range hostile.Guests() {
				if g.Name != "recurse" {
					continue
				}
				_, r := attack(t, e, g, sandbox.Limits{Depth: depth})
				if r.Trap == nil || r.Trap.Kind != sandbox.TrapDepth || !strings.Contains(r.Trap.Message, "limits.depth") {
					t.Errorf("depth %d: %s", depth, printResult(r))
				}
				burnt[depth] = r.Fuel
			}
		}
		if burnt[16] >= burnt[100] || burnt[100] >= burnt[1900] || burnt[0] != burnt[1900] {
			t.Errorf("fuel burnt by depth: %v", burnt)
		}
	})
}

// TestTrapBeforeTheFirstFuel: an event that could not even be given has burnt nothing of its own.
func TestTrapBeforeTheFirstFuel(t *testing.T) {
	e := newEngine(t)
	for _, g := range hostile.Guests() {
		if g.Name != "bad-frame-pointer" {
			continue
		}
		m, err := e.Load(context.Background(), g.Name, g.Wasm)
		if err != nil {
			t.Fatal(err)
		}
		i := instantiate(t, m, testConfig, memState{})
		r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "x", "y"), State: memState{}})
		if r.Trap == nil || r.Trap.Kind != sandbox.TrapPointer || r.Handled != 1 || r.Trap.Fuel != 0 || r.Fuel == 0 {
			t.Errorf("%s, %d fuel of %d", printResult(r), r.Trap.Fuel, r.Fuel)
		}
	}
}
