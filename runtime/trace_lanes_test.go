package runtime_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// TestTraceChangesOfPartitions works out what each event changed of a sum that four partitions add
// to, in an order that nobody chose: the steps, laid end to end, lead from nothing to the sum. Where
// events waited for others of their key the trace says so, and what came before and after is known.
func TestTraceChangesOfPartitions(t *testing.T) {
	w := newSwapSiteOf(t, 4, `{ mode = "immediate" }`)
	sum, waited := addInPartitions(t, w)
	if got := state(t, w.r, "probe", "n")[""]; got != sum {
		t.Fatalf("the sum is %d, want %d", got, sum)
	}
	var steps [][2]int64
	known, unknown := 0, 0
	for seq := abi.Seq(1); seq <= w.r.Store().Head(); seq++ {
		tr, err := w.r.TraceChanges(context.Background(), seq)
		if err != nil {
			t.Fatal(err)
		}
		h := tr.Events[0].Deliveries[0].Handling
		switch {
		case h == nil:
			t.Fatalf("event %d is %s", seq, tr.Events[0].Deliveries[0].Outcome)
		case h.Unknown != "":
			if unknown++; !waited[tr.Events[0].Key] || !strings.Contains(h.Unknown, "had to wait") {
				t.Errorf("event %d of %s: %s", seq, tr.Events[0].Key, h.Unknown)
			}
			continue
		case h.Differs != "":
			t.Errorf("event %d: %s", seq, h.Differs)
		}
		known++
		for _, c := range h.Changes {
			if string(c.Key) != "n" {
				continue
			}
			before, _ := strconv.ParseInt(string(c.Before), 10, 64)
			after, err := strconv.ParseInt(string(c.After), 10, 64)
			var own int64
			if _, scan := fmt.Sscanf(string(tr.Events[0].Data), "add n %d;", &own); err != nil || scan != nil || after-before != own {
				t.Errorf("event %d %q changed n from %q to %q", seq, tr.Events[0].Data, c.Before, c.After)
			}
			steps = append(steps, [2]int64{before, after})
		}
	}
	slices.SortFunc(steps, func(a, b [2]int64) int { return int(a[0] - b[0]) })
	gap := int64(0)
	for i, s := range steps {
		if i > 0 && s[0] < steps[i-1][1] {
			t.Errorf("two events are said to have made the same step: %v, %v", steps[i-1], s)
		}
		gap += s[1] - s[0]
	}
	if known < 200 || unknown == 0 || gap > sum {
		t.Errorf("%d are known, %d not; the steps make %d of %d", known, unknown, gap, sum)
	}
}

// addInPartitions has events of nine keys add to one sum, over a swap, and returns it with the keys whose
// events did not all run in the order of the log.
func addInPartitions(t *testing.T, w *swapSite) (sum int64, waited map[string]bool) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 0))
	waited = map[string]bool{}
	for round := range 12 {
		var batch []abi.Event
		for i := range 20 {
			n := 1 + rng.Int64N(50)
			ev := abi.Event{Topic: "do.this", Key: fmt.Sprint("k", rng.IntN(9)), Data: fmt.Appendf(nil, "add n %d;add own 1", n)}
			if i == 0 && round%2 == 1 {
				ev.Data = append(ev.Data, ";failonce"...)
				waited[ev.Key] = true
			}
			sum += n
			batch = append(batch, ev)
		}
		if _, err := w.r.Publish(context.Background(), batch, log.Accepted); err != nil {
			t.Fatal(err)
		}
		if round%4 == 0 {
			settled(t, w.r)
		}
		if round == 6 {
			if err := w.swap(probe(t, 3)); err != nil {
				t.Fatal(err)
			}
		}
	}
	settled(t, w.r)
	return sum, waited
}
