package runtime_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// throng is a manifest of many subscribers, each with events of its own; every third has three
// partitions.
func throng(subscribers int, idleMemory string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[plugins]\nidle_memory = %q\n", idleMemory)
	for n := range subscribers {
		fmt.Fprintf(&b, "[[subscriber]]\nname = \"s%d\"\nmodule = \"probe.wasm\"\ntopics = [\"do.%d\"]\nemits = [\"out.*\"]\n", n, n)
		fmt.Fprintf(&b, "retry = { attempts = 3, backoff = \"1ms..2ms\" }\npartitions = %d\n", 1+n%3/2*2)
	}
	return b.String()
}

// throngEvents are what a throng is given: some trap, some fail at first, all emit.
func throngEvents(subscribers, each int) []abi.Event {
	var events []abi.Event
	for k := range each {
		for n := range subscribers {
			script := fmt.Sprintf("add n %d;get n;emit out.x %d.%d;set k%d v;scan k", k, n, k, k)
			switch (n + k) % 5 {
			case 1:
				script = "traponce;" + script
			case 2:
				script = "failonce;" + script
			}
			events = append(events, abi.Event{Topic: fmt.Sprintf("do.%d", n), Key: fmt.Sprint(k % 4), Data: []byte(script)})
		}
	}
	return events
}

// whatThrongDid tells the state of all subscribers and what they emitted.
func whatThrongDid(t *testing.T, r *runtime.Runtime, subscribers int) (told []string) {
	t.Helper()
	snapshot := r.Store().Snapshot()
	defer snapshot.Close()
	for n := range subscribers {
		digest, err := snapshot.State(fmt.Sprintf("s%d", n), 1).Digest()
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, fmt.Sprintf("s%d %v", n, digest))
	}
	reader := r.Store().NewReader(log.ReadOptions{From: 1})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) {
		if strings.HasPrefix(ev.Topic, "out.") {
			told = append(told, fmt.Sprintf("%s %s %s", ev.Topic, ev.Key, ev.Data))
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(told)
	return told
}

// TestIdleMemory: where the instances of a few subscribers fit, a hundred do the same as where
// all do, and hold no more than they may. Nothing is held once they have ended.
func TestIdleMemory(t *testing.T) {
	const subscribers, each = 100, 8
	var told [2][]string
	for n, bound := range []string{"64KiB", "1GiB"} {
		t.Run(bound, func(t *testing.T) {
			r := openProbe(t, throng(subscribers, bound))
			events := throngEvents(subscribers, each)
			for half := range 2 {
				if _, err := r.Publish(context.Background(), events[half*len(events)/2:(half+1)*len(events)/2], log.Durable); err != nil {
					t.Fatal(err)
				}
				settled(t, r)
			}
			st := r.Status().Instances
			switch {
			case n == 0 && (st.Held > st.Bound || st.Bound != 64<<10 || st.Evicted < subscribers-4 || st.Idle > 3):
				t.Errorf("a small bound: %+v", st)
			case n == 1 && (st.Evicted != 0 || st.Idle < subscribers || st.Held < subscribers*20<<10):
				t.Errorf("a bound that is never reached: %+v", st)
			}
			memory := 0
			for _, s := range r.Subscribers() {
				if s.Handled != each || s.DeadLetters != 0 {
					t.Errorf("%s handled %d events, %d dead letters", s.Name, s.Handled, s.DeadLetters)
				}
				if s.MemoryBytes > 0 {
					memory++
				}
			}
			if memory > st.Idle {
				t.Errorf("%d subscribers have memory, %d instances are there", memory, st.Idle)
			}
			told[n] = whatThrongDid(t, r, subscribers)
			if len(told[n]) != subscribers*(each+1) {
				t.Errorf("%d things came of it", len(told[n]))
			}
			stop(t, r)
			if st := r.Status().Instances; st.Held != 0 || st.Idle != 0 {
				t.Errorf("left behind: %+v", st)
			}
		})
	}
	if !slices.Equal(told[0], told[1]) {
		t.Error("what subscribers do depends on whether their instances are kept")
	}
}

// TestIdleMemoryIsReloaded: a new bound holds at once.
func TestIdleMemoryIsReloaded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "avxrt.toml")
	write := func(bound string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(throng(20, bound)+"[http]\nlisten = \"127.0.0.1:0\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("64MiB")
	r := openWith(t, runtime.Options{Manifest: path, Modules: probeModules(t), PollEvery: time.Hour})
	if _, err := r.Publish(context.Background(), throngEvents(20, 4), log.Durable); err != nil {
		t.Fatal(err)
	}
	settled(t, r)
	if st := r.Status().Instances; st.Idle < 20 || st.Held < 20*20<<10 {
		t.Fatalf("%+v", st)
	}
	write("64KiB")
	if err := r.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if st := r.Status().Instances; st.Bound != 64<<10 || st.Held > st.Bound || st.Idle > 3 {
		t.Errorf("%+v", st)
	}
}
