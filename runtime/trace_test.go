package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

const traceManifest = `
[[subscriber]]
name   = "one"
module = "probe.wasm"
topics = ["do.*"]
emits  = ["out.*"]
retry  = { attempts = 3, backoff = "1h..1h" }
partitions = 2

[[subscriber]]
name   = "two"
module = "probe.wasm"
topics = ["out.*"]
emits  = ["end.*", "out.*"]
`

// tell publishes one event and returns its seq.
func tell(t *testing.T, r *runtime.Runtime, ev abi.Event) abi.Seq {
	t.Helper()
	receipts, err := r.Publish(context.Background(), []abi.Event{ev}, log.Durable)
	if err != nil {
		t.Fatal(err)
	}
	return receipts[0].Seq
}

// traced prints a trace: per event its topic, who emitted it because of which, and what the
// subscribers made of it.
func traced(t *testing.T, r *runtime.Runtime, seq abi.Seq) string {
	t.Helper()
	tr, err := r.Trace(context.Background(), seq)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, ev := range tr.Events {
		fmt.Fprintf(&b, "%s by %q of %d, hops %d:", ev.Topic, ev.By, ev.Cause, ev.Hops())
		for _, d := range ev.Deliveries {
			fmt.Fprintf(&b, " %s %s", d.Subscriber, d.Outcome)
			if d.Emitted+d.Timers+d.Attempts > 0 {
				fmt.Fprintf(&b, " (%d, %d timers, %d attempts)", d.Emitted, d.Timers, d.Attempts)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestTrace asks for events that came to all ends that there are.
func TestTrace(t *testing.T) {
	r := openWith(t, runtime.Options{ManifestText: []byte(traceManifest), Dir: t.TempDir(), Modules: probeModules(t)})
	good := tell(t, r, abi.Event{Topic: "do.a", Key: "free", ID: "good", Data: []byte("emit out.a emit end.a x;later 3600000 out.b x")})
	fails := tell(t, r, abi.Event{Topic: "do.a", Key: "k", Data: []byte("fail 1 later")})
	behind := tell(t, r, abi.Event{Topic: "do.a", Key: "k", Data: []byte("add n 1")})
	poison := tell(t, r, abi.Event{Topic: "do.a", Key: "p", Data: []byte("emit out.c x;fail 2 no")})
	eventually(t, func() bool {
		s, err := r.Subscriber("two")
		return err == nil && s.LagEvents == 0 && strings.Contains(traced(t, r, poison), "dead letter") && strings.Contains(traced(t, r, fails), "retrying") &&
			strings.Contains(traced(t, r, behind), "blocked") && strings.Contains(traced(t, r, good), "end.a")
	})
	var wrote abi.Seq
	for seq := good; seq <= r.Store().Head(); seq++ {
		if ev, err := r.Store().Event(seq); err == nil && ev.Topic == "out.a" {
			wrote = seq
		}
	}
	for seq, want := range map[abi.Seq]string{
		good: fmt.Sprintf("do.a by \"\" of 0, hops 0: one emitted (1, 1 timers, 0 attempts)\n"+
			"out.a by \"one\" of %d, hops 1: two emitted (1, 0 timers, 0 attempts)\nend.a by \"two\" of %d, hops 2:\n", good, wrote),
		fails:  "do.a by \"\" of 0, hops 0: one retrying (0, 0 timers, 1 attempts)\n",
		behind: "do.a by \"\" of 0, hops 0: one blocked\n",
		poison: "do.a by \"\" of 0, hops 0: one dead letter (0, 0 timers, 1 attempts)\n",
	} {
		if got := traced(t, r, seq); got != want {
			t.Errorf("event %d\ngot  %swant %s", seq, got, want)
		}
	}
	for id, want := range map[string]abi.Seq{"good": good, fmt.Sprintf("one-%d-0", good): wrote} {
		if seq, err := r.Find(context.Background(), id); err != nil || seq != want {
			t.Errorf("the event %s is found at %d, %v, want %d", id, seq, err, want)
		}
	}
	if _, err := r.Find(context.Background(), "one-1-99"); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("an id that nobody has: %v", err)
	}
	tr, err := r.Trace(context.Background(), wrote)
	if err != nil || !tr.Whole || len(tr.Causes) != 1 || tr.Causes[0].Seq != good || tr.Causes[0].Subscriber != "one" {
		t.Errorf("how event %d came about: %+v, %v", wrote, tr.Causes, err)
	}
}

// TestTraceNotReached asks for an event that nobody has run on yet.
func TestTraceNotReached(t *testing.T) {
	r, err := runtime.Open(runtime.Options{ManifestText: []byte(traceManifest), Dir: t.TempDir(), Modules: probeModules(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	seq := tell(t, r, abi.Event{Topic: "do.a", Key: "k", Data: []byte("x")})
	if got, want := traced(t, r, seq), "do.a by \"\" of 0, hops 0: one not reached\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTraceCut asks for an event that caused more than a trace holds.
func TestTraceCut(t *testing.T) {
	r := openWith(t, runtime.Options{ManifestText: []byte(traceManifest), Dir: t.TempDir(), Modules: probeModules(t)})
	root := tell(t, r, abi.Event{Topic: "do.a", Data: []byte("emits 40 emits 40 x")})
	settled(t, r)
	tr, err := r.Trace(context.Background(), root)
	if err != nil || len(tr.Events) != 1000 || !strings.Contains(tr.Cut, "1000 events") || tr.ReadTo >= r.Store().Head() {
		t.Errorf("%d events, cut %q at %d of %d, %v", len(tr.Events), tr.Cut, tr.ReadTo, r.Store().Head(), err)
	}
}
