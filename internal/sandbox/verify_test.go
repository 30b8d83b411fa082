package sandbox_test

import (
	"context"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// eventsOf are the events that feed gives.
func eventsOf(first abi.Seq, scripts ...string) []abi.Event {
	next := feed(first, scripts...)
	var events []abi.Event
	for ev := next(); ev != nil; ev = next() {
		events = append(events, *ev)
	}
	return events
}

// TestVerify: what depends on events and state alone is the same on a fresh instance of the
// interpreter; what the guest's memory remembers is found out.
func TestVerify(t *testing.T) {
	ctx := context.Background()
	e := newEngine(t)
	honest := load(t, e, probe)
	i := instantiate(t, honest, testConfig, memState{"a": "1"})
	scripts := []string{"get a;set b 2", "emit out.x y;rand;add a 3", "scan p/;fail 2 no"}
	for first := abi.Seq(1); first < 3; first++ {
		r := i.Run(ctx, sandbox.Batch{Next: feed(first, scripts...), State: memState{"a": "1"}})
		if difference, err := honest.Verify(ctx, testConfig, memState{"a": "1"}, eventsOf(first, scripts...), r); err != nil || difference != "" {
			t.Fatalf("an honest run differs: %q, %v", difference, err)
		}
		if difference, err := honest.Verify(ctx, testConfig, memState{"a": "2"}, eventsOf(first, scripts...), r); err != nil || difference == "" {
			t.Errorf("another state is not noticed: %v", err)
		}
		i = instantiate(t, honest, testConfig, memState{"a": "1"}) // a failure ends an instance
	}
	remembering := load(t, e, "../../bench/peers/wasmarea/guests/ours.wasm") // it adds up over events
	m := instantiate(t, remembering, testConfig, memState{})
	for round, want := range []string{"", "the replies differ"} {
		r := m.Run(ctx, sandbox.Batch{Next: feed(1, "x"), State: memState{}})
		if got, err := remembering.Verify(ctx, testConfig, memState{}, eventsOf(1, "x"), r); err != nil || got != want {
			t.Errorf("round %d: %q, %v, want %q", round, got, err, want)
		}
	}
}
