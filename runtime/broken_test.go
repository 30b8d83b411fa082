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

// TestBrokenWithNothingKept: that a module is held to be broken is known after a restart also where
// its policy keeps nothing of the events that it gave up, with partitions, and however much that
// does not concern it lies between.
func TestBrokenWithNothingKept(t *testing.T) {
	for name, more := range map[string]string{
		"one lane": "on_poison = \"skip\"\n", "two": "on_poison = \"skip\"\npartitions = 2\n",
	} {
		t.Run(name, func(t *testing.T) { brokenWithNothingKept(t, patient+more) })
	}
}

func brokenWithNothingKept(t *testing.T, manifest string) {
	dir := t.TempDir()
	begin := func() *runtime.Runtime {
		return openWith(t, runtime.Options{ManifestText: []byte(manifest), Dir: dir, Modules: probeModules(t)})
	}
	stopped := func(r *runtime.Runtime) (cursors []abi.Seq) {
		t.Helper()
		eventually(t, func() bool { st, err := r.Subscriber("probe"); return err == nil && st.State == runtime.StateStopped })
		lanes, err := r.Store().Lanes("probe")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range lanes {
			cursors = append(cursors, c.Next)
		}
		return cursors
	}
	r := begin()
	var events []abi.Event
	for i := range 400 {
		events = append(events, abi.Event{Topic: "do.this", Key: fmt.Sprint("k", i%20), Data: []byte("trap")}, abi.Event{Topic: "nobody.wants"})
	}
	if _, err := r.Publish(context.Background(), events, log.Durable); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { // all lanes are, each at its event: that is tried twice, and the first time moves the cursor there
		lanes, err := r.Store().Lanes("probe")
		if err != nil {
			t.Fatal(err)
		}
		st, err := r.Subscriber("probe")
		return err == nil && st.Skipped == uint64(len(lanes)*(delivery.BreakAfter-1)) && st.Traps == uint64(2*len(lanes)*delivery.BreakAfter)
	})
	cursors := stopped(r)
	for restart := 1; restart <= 2; restart++ {
		stop(t, r)
		r = begin()
		if got := stopped(r); fmt.Sprint(got) != fmt.Sprint(cursors) {
			t.Errorf("after restart %d the cursors are %v, want %v", restart, got, cursors)
		}
	}
}

// TestStoppedOverRestarts: a subscriber that stopped at an event stands there after a restart, too;
// nothing behind it is handled, and nothing is given up.
func TestStoppedOverRestarts(t *testing.T) {
	for name, script := range map[string]string{"by its policy": "fail 2 no", "by its own word": fmt.Sprintf("fail %d enough", abi.FailStop)} {
		dir := t.TempDir()
		opts := runtime.Options{ManifestText: []byte(patient + "on_poison = \"stop\"\n"), Dir: dir, Modules: probeModules(t)}
		for run := range 3 {
			r := openWith(t, opts)
			if run == 0 {
				do(t, r, "add n 1", "add n 10;"+script, "add n 100")
			}
			var st runtime.SubscriberStatus
			eventually(t, func() (ok bool) {
				var err error
				st, err = r.Subscriber("probe")
				return err == nil && st.State == runtime.StateStopped
			})
			if n := state(t, r, "probe", "n")[""]; n != 1 || st.Cursor != 2 || st.Letters != 0 || st.Reason == "" {
				t.Errorf("%s, run %d: the state is %d, %+v", name, run, n, st)
			}
			stop(t, r)
		}
	}
}
