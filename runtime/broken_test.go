package runtime_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// TestBrokenOverRestarts: a module that traps on everything is held to be broken after some events.
// A restart gives it one more try, and charges no more events for it; a restart is no new module.
func TestBrokenOverRestarts(t *testing.T) {
	dir := t.TempDir()
	begin := func() *runtime.Runtime {
		return openWith(t, runtime.Options{ManifestText: []byte(patient), Dir: dir, Modules: probeModules(t)})
	}
	letters := func(r *runtime.Runtime) int {
		t.Helper()
		eventually(t, func() bool { st, err := r.Subscriber("probe"); return err == nil && st.State == runtime.StateStopped })
		all, err := r.DeadLetters(context.Background(), "probe", 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	r := begin()
	var events []abi.Event
	for i := range 200 {
		events = append(events,
			abi.Event{Topic: "do.this", Key: fmt.Sprint("k", i%20), Data: []byte("add n 1;trap")},
			abi.Event{Topic: "nobody.wants", Data: []byte("x")})
	}
	if _, err := r.Publish(context.Background(), events, log.Durable); err != nil {
		t.Fatal(err)
	}
	const charged = delivery.BreakAfter - 1
	if got := letters(r); got != charged {
		t.Fatalf("%d dead letters before it is held to be broken, want %d", got, charged)
	}
	for restart := 1; restart <= 2; restart++ {
		stop(t, r)
		r = begin()
		if got := letters(r); got != charged {
			t.Errorf("%d dead letters after restart %d, want %d", got, restart, charged)
		}
	}
	if err := r.Resume(context.Background(), "probe"); err != nil { // who resumes it wants more
		t.Fatal(err)
	}
	eventually(t, func() bool { return letters(r) == 2*charged })
}
