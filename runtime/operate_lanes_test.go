package runtime_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// TestOperateLanes does to a subscriber with four partitions what operators do: letters of a
// broken module are redriven on the fixed one while events come in, the state is rebuilt, and
// half of it is handled again. The total comes out right, and each event emits once.
func TestOperateLanes(t *testing.T) {
	dir := t.TempDir()
	node := func(module string) *runtime.Runtime {
		manifest := "[[subscriber]]\nname = \"ledger\"\nmodule = \"ledger.wasm\"\ntopics = [\"pay.*\"]\nemits = [\"ledger.*\"]\npartitions = 4\n"
		return openWith(t, runtime.Options{
			Dir: dir, ManifestText: []byte(manifest), Modules: fstest.MapFS{"ledger.wasm": {Data: ledgerModule(t, module)}},
		})
	}
	total, paid := int64(0), 0
	pay := func(r *runtime.Runtime, n int) {
		var events []abi.Event
		for range n {
			amount := int64(paid % 7)
			if paid%5 == 0 {
				amount = 100 + int64(paid)
			}
			events = append(events, abi.Event{Topic: "pay.in", Key: fmt.Sprint("k", paid%13), Data: fmt.Append(nil, amount)})
			paid++
			total += amount
		}
		if _, err := r.Publish(t.Context(), events, log.Accepted); err != nil {
			t.Fatal(err)
		}
	}
	r := node("broken")
	pay(r, 100)
	settled(t, r)
	letters, err := r.DeadLetters(t.Context(), "ledger", 0, 1000)
	if err != nil || len(letters) != 20 {
		t.Fatalf("%d dead letters, %v; want 20", len(letters), err)
	}
	stop(t, r)

	r = node("fixed")
	for i := range letters {
		pay(r, 3) // the partitions are at work
		out, err := r.Redrive(t.Context(), "ledger", letters[i].Seq, runtime.RedriveOptions{})
		if err != nil || out.Outcome != runtime.RedriveDone {
			t.Fatalf("redrive %d: %+v, %v", letters[i].Seq, out, err)
		}
	}
	check := func(when string) {
		t.Helper()
		settled(t, r)
		if got := state(t, r, "ledger", "total")[""]; got != total {
			t.Errorf("%s: the total is %d, want %d", when, got, total)
		}
		if left, err := r.DeadLetters(t.Context(), "ledger", 0, 10); err != nil || len(left) > 0 {
			t.Errorf("%s: %d dead letters, %v", when, len(left), err)
		}
		ids := map[string]bool{}
		reader := r.Store().NewReader(log.ReadOptions{Match: func(topic string) bool { return topic == "ledger.booked" }})
		defer reader.Close()
		var ev abi.Event
		for reader.Next(&ev) {
			if ids[ev.ID] {
				t.Errorf("%s: %s was emitted twice", when, ev.ID)
			}
			ids[ev.ID] = true
		}
		if len(ids) != paid {
			t.Errorf("%s: %d events were emitted, want %d", when, len(ids), paid)
		}
	}
	check("redriven")
	pay(r, 50)
	if _, err := r.Replay(t.Context(), "ledger"); err != nil { // in the middle of it
		t.Fatal(err)
	}
	pay(r, 50)
	check("rebuilt")
	if err := r.Pause(t.Context(), "ledger", ""); err != nil {
		t.Fatal(err)
	}
	pay(r, 10)
	plan, err := r.PlanReset(t.Context(), "ledger", runtime.ResetOptions{EmptyState: true})
	if err != nil || plan.Again != uint64(paid-10) || plan.Fresh != 10 || plan.Skipped != 0 {
		t.Errorf("the plan is %+v, %v; want %d again, 10 fresh", plan, err, paid-10)
	}
	if _, err := r.Reset(t.Context(), "ledger", runtime.ResetOptions{EmptyState: true}); err != nil {
		t.Fatal(err)
	}
	if err := r.Resume(t.Context(), "ledger"); err != nil {
		t.Fatal(err)
	}
	check("reset while it was paused")
}
