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
	n := &paidNode{t: t, dir: t.TempDir()}
	n.open("broken")
	n.pay(100)
	settled(t, n.r)
	letters, err := n.r.DeadLetters(t.Context(), "ledger", 0, 1000)
	if err != nil || len(letters) != 20 {
		t.Fatalf("%d dead letters, %v; want 20", len(letters), err)
	}
	n.open("fixed")
	for i := range letters {
		n.pay(3) // the partitions are at work
		out, err := n.r.Redrive(t.Context(), "ledger", letters[i].Seq, runtime.RedriveOptions{})
		if err != nil || out.Outcome != runtime.RedriveDone {
			t.Fatalf("redrive %d: %+v, %v", letters[i].Seq, out, err)
		}
	}
	n.check("redriven")
	n.pay(50)
	if _, err := n.r.Replay(t.Context(), "ledger"); err != nil { // in the middle of it
		t.Fatal(err)
	}
	n.pay(50)
	n.check("rebuilt")
	if err := n.r.Pause(t.Context(), "ledger", ""); err != nil {
		t.Fatal(err)
	}
	n.pay(10)
	plan, err := n.r.PlanReset(t.Context(), "ledger", runtime.ResetOptions{EmptyState: true})
	if err != nil || plan.Again != uint64(n.paid-10) || plan.Fresh != 10 || plan.Skipped != 0 {
		t.Errorf("the plan is %+v, %v; want %d again, 10 fresh", plan, err, n.paid-10)
	}
	if _, err := n.r.Reset(t.Context(), "ledger", runtime.ResetOptions{EmptyState: true}); err != nil {
		t.Fatal(err)
	}
	if err := n.r.Resume(t.Context(), "ledger"); err != nil {
		t.Fatal(err)
	}
	n.check("reset while it was paused")
}

// paidNode is a node with a ledger of four partitions, and what was paid in.
type paidNode struct {
	t     *testing.T
	dir   string
	r     *runtime.Runtime
	paid  int
	total int64
}

func (n *paidNode) open(module string) {
	if n.r != nil {
		stop(n.t, n.r)
	}
	manifest := "[[subscriber]]\nname = \"ledger\"\nmodule = \"ledger.wasm\"\ntopics = [\"pay.*\"]\nemits = [\"ledger.*\"]\npartitions = 4\n"
	n.r = openWith(n.t, runtime.Options{
		Dir: n.dir, ManifestText: []byte(manifest), Modules: fstest.MapFS{"ledger.wasm": {Data: ledgerModule(n.t, module)}},
	})
}

func (n *paidNode) pay(number int) {
	var events []abi.Event
	for range number {
		amount := int64(n.paid % 7)
		if n.paid%5 == 0 {
			amount = 100 + int64(n.paid)
		}
		events = append(events, abi.Event{Topic: "pay.in", Key: fmt.Sprint("k", n.paid%13), Data: fmt.Append(nil, amount)})
		n.paid++
		n.total += amount
	}
	if _, err := n.r.Publish(n.t.Context(), events, log.Accepted); err != nil {
		n.t.Fatal(err)
	}
}

// check holds what the ledger came to against what was paid.
func (n *paidNode) check(when string) {
	n.t.Helper()
	settled(n.t, n.r)
	if got := state(n.t, n.r, "ledger", "total")[""]; got != n.total {
		n.t.Errorf("%s: the total is %d, want %d", when, got, n.total)
	}
	if left, err := n.r.DeadLetters(n.t.Context(), "ledger", 0, 10); err != nil || len(left) > 0 {
		n.t.Errorf("%s: %d dead letters, %v", when, len(left), err)
	}
	ids := map[string]bool{}
	reader := n.r.Store().NewReader(log.ReadOptions{Match: func(topic string) bool { return topic == "ledger.booked" }})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) {
		if ids[ev.ID] {
			n.t.Errorf("%s: %s was emitted twice", when, ev.ID)
		}
		ids[ev.ID] = true
	}
	if len(ids) != n.paid {
		n.t.Errorf("%s: %d events were emitted, want %d", when, len(ids), n.paid)
	}
}
