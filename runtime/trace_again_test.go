package runtime_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/runtime"
)

// changesOf prints what the first subscriber's handling of an event did.
func changesOf(t *testing.T, r *runtime.Runtime, seq abi.Seq) string {
	t.Helper()
	tr, err := r.TraceChanges(context.Background(), seq)
	if err != nil {
		t.Fatal(err)
	}
	d := tr.Events[0].Deliveries[0]
	h := d.Handling
	switch {
	case h == nil:
		return string(d.Outcome)
	case h.Unknown != "":
		return "unknown: " + h.Unknown
	}
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s by %d", d.Outcome, h.Generation)
	if h.Fuel <= 0 {
		b.WriteString(" without fuel")
	}
	for _, c := range h.Changes {
		fmt.Fprintf(b, " %s:%s>%s", c.Key, c.Before, c.After)
	}
	return b.String() + h.Differs
}

// TestTraceChanges works out what an event changed, in the middle of a batch, of an earlier
// generation, and of one that failed; and says where it cannot.
func TestTraceChanges(t *testing.T) {
	w := newSwapSite(t, `{ mode = "immediate" }`)
	do(t, w.r, "add n 1", "add n 2;add m 7", "add n 4", "fail 2 no", "del m")
	settled(t, w.r)
	want := map[abi.Seq]string{
		1: "handled by 1 n:>1", 2: "handled by 1 m:>7 n:1>3", 3: "handled by 1 n:3>7", 4: "dead letter by 1", 5: "handled by 1 m:7>",
	}
	check := func() {
		t.Helper()
		for seq, text := range want {
			if got := changesOf(t, w.r, seq); got != text {
				t.Errorf("event %d: %s, want %s", seq, got, text)
			}
		}
	}
	before := storeDigest(t, w.r)
	check()
	if storeDigest(t, w.r) != before {
		t.Error("a trace changed the store")
	}
	if err := w.swap(probe(t, 2)); err != nil {
		t.Fatal(err)
	}
	do(t, w.r, "add n 100")
	settled(t, w.r)
	want[6] = "handled by 2 n:7>107"
	check()
	if _, err := w.r.Reset(context.Background(), "probe", runtime.ResetOptions{To: runtime.Target{Seq: 3}}); err != nil {
		t.Fatal(err)
	}
	settled(t, w.r)
	if got := changesOf(t, w.r, 2); !strings.HasPrefix(got, "unknown: ") {
		t.Errorf("before a reset: %s", got)
	}
}
