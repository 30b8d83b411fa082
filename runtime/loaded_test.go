package runtime_test

import (
	"context"
	goruntime "runtime"
	"testing"

	"github.com/avx-platform/avxrt/runtime"
)

// TestLoadedModules: modules that nothing uses any more leave the memory, and can be brought
// back all the same.
func TestLoadedModules(t *testing.T) {
	w := newSwapSite(t, `{ mode = "immediate" }`)
	one := func() {
		before := w.status().Handled
		publishKeyed(t, w.r, "k", "")
		eventually(t, func() bool { return w.status().Handled > before })
	}
	const swaps = 50
	for n := range swaps {
		if err := w.swap(probe(t, 3+n)); err != nil {
			t.Fatal(err)
		}
		one()
	}
	if history, err := w.r.Generations("probe"); err != nil || len(history) != swaps+1 {
		t.Fatalf("there are %d generations: %v", len(history), err)
	}
	eventually(t, func() bool {
		goruntime.GC()
		return runtime.LoadedModules(w.r) <= 2 // in service, and what a lane or plan still holds
	})
	if d, err := w.r.Rollback(context.Background(), "probe", 1); err != nil || !d.Deployed {
		t.Fatalf("%+v, %v", d, err)
	}
	one()
}
