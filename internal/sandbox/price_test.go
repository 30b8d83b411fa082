package sandbox_test

import (
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// slowestFuel is the most time that a unit of fuel may buy, whatever it is spent on: then a
// slice of 100,000, which is the longest that a garbage collection waits for a guest, takes
// a millisecond at most. Ordinary code takes a quarter of a nanosecond.
const slowestFuel = 10 * time.Nanosecond

// TestFuelBoundsTime: no guest gets much more time for its fuel than another, whether it
// computes or lets the host work.
func TestFuelBoundsTime(t *testing.T) {
	if raceEnabled {
		t.Skip("times mean nothing under the race detector")
	}
	e := newEngine(t)
	const burn = 40_000_000
	for _, g := range hostile.Guests() {
		if g.Ends[0] != "fuel" || len(g.Ends) > 1 {
			continue
		}
		best := time.Hour
		for try := 0; try < 5 && best > burn*slowestFuel; try++ { // the machine has others to serve
			before := processorTime(t)
			_, r := attack(t, e, g, sandbox.Limits{Fuel: burn, Time: time.Minute})
			if r.Fuel < burn {
				t.Fatalf("%s: %s", g.Name, printResult(r))
			}
			// What the process used is no less than what the guest did: it stands in where the
			// clock ran on while others were served.
			best = min(best, r.Elapsed, processorTime(t)-before)
		}
		t.Logf("%s: %.2f ns a unit", g.Name, float64(best)/burn)
		if best > burn*slowestFuel {
			t.Errorf("%s: %d fuel bought %v", g.Name, burn, best)
		}
	}
}
