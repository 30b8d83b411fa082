package runtime

import (
	"context"
	"os"
	goruntime "runtime"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/rehearsal"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// TestRehearsalWaitsForACore: guests of a rehearsal take a core as others do, and pay for it with
// what they burn, their start included.
func TestRehearsalWaitsForACore(t *testing.T) {
	wasm, err := os.ReadFile("../internal/sandbox/testdata/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	engine, err := sandbox.NewEngine(context.Background(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	module, err := engine.Load(context.Background(), "probe", wasm)
	if err != nil {
		t.Fatal(err)
	}
	r := &Runtime{cores: newFair(1)}
	var other, cost share
	r.cores.begin(&other)
	a := r.newActor(newGeneration(1, manifest.Subscriber{Name: "probe"}, module), nil, &cost)
	defer a.close()
	done := make(chan rehearsal.Outcome, 1)
	go func() {
		done <- a.handle(context.Background(), &abi.Event{Seq: 1, Topic: "in", Data: []byte("log 1 x")})
	}()
	waits := func() bool {
		r.cores.mu.Lock()
		defer r.cores.mu.Unlock()
		return r.cores.waiting.Len() == 1
	}
	for !waits() {
		select {
		case out := <-done:
			t.Fatalf("it ran while another guest had the only core: %+v", out)
		default:
			goruntime.Gosched()
		}
	}
	r.cores.end(&other, 1000)
	out := <-done
	if out.End != rehearsal.Handled {
		t.Fatalf("%+v", out)
	}
	if burnt := cost.last; burnt < out.Fuel || burnt != out.Fuel+a.instance.StartFuel() || out.Fuel == 0 {
		t.Errorf("%d fuel was charged, %d burnt for the event, %d at the start", burnt, out.Fuel, a.instance.StartFuel())
	}
}
