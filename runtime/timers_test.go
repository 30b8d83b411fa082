package runtime_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

const timerManifest = probeManifest + `
[[subscriber]]
name   = "ear"
module = "probe.wasm"
topics = ["out.*"]
`

// timerEvents returns the events of the log that timers brought.
func timerEvents(t *testing.T, r *runtime.Runtime) (events []abi.Event) {
	t.Helper()
	reader := r.Store().NewReader(log.ReadOptions{})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) {
		if ev.Kind == abi.KindTimer {
			events = append(events, ev)
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

// schedule prints events of timers as "what +time since start".
func schedule(events []abi.Event, start time.Time) string {
	var out []string
	for _, ev := range events {
		out = append(out, fmt.Sprintf("%s +%v", ev.Data, time.Unix(0, ev.Time).Sub(start).Round(time.Second)))
	}
	return strings.Join(out, ", ")
}

// fired is the schedule of the timers of a node that ran when they were due.
func fired(t *testing.T, r *runtime.Runtime, start time.Time) string {
	t.Helper()
	events := timerEvents(t, r)
	for _, ev := range events {
		if late := time.Duration(ev.Appended - ev.Time); late < 0 || late > 50*time.Millisecond {
			t.Errorf("timer %s is due at %d and was appended at %d", ev.ID, ev.Time, ev.Appended)
		}
	}
	return schedule(events, start)
}

// TestTimers lets a day pass: timers fire at their times, once, to whoever wants the topic;
// the next one of a name replaces the one before it.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := openProbe(t, timerManifest)
		do(t, r, "later 86400000 out.day setkind day", "timer n 3600000 out.n add old 1", "timer m 7200000 out.m add m 1", "later 5000 out.x add x 1")
		settled(t, r)
		do(t, r, "timer n 1800000 out.n add new 1;cancel m;cancel nobody")
		settled(t, r)
		time.Sleep(10 * time.Second)
		settled(t, r)
		if got, want := fired(t, r, start), "add x 1 +5s"; got != want {
			t.Errorf("after 10 s: %s, want %s", got, want)
		}
		time.Sleep(25 * time.Hour)
		settled(t, r)
		if got, want := fired(t, r, start), "add x 1 +5s, add new 1 +30m0s, setkind day +24h0m0s"; got != want {
			t.Errorf("after a day: %s, want %s", got, want)
		}
		if got := state(t, r, "ear", ""); len(got) != 3 || got["x"] != 1 || got["new"] != 1 || got["day"] != int64(abi.KindTimer) {
			t.Errorf("the subscriber of the topics has %v", got)
		}
		stop(t, r)
	})
}

// TestTimersOverRestart sets a timer, stops the node for longer than that, and starts it again.
func TestTimersOverRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		opts := runtime.Options{ManifestText: []byte(timerManifest), Dir: t.TempDir(), Modules: probeModules(t)}
		r := openWith(t, opts)
		do(t, r, "later 60000 out.x add x 1")
		settled(t, r)
		timers, err := r.Timers(context.Background(), "probe", 0, "", 10)
		if err != nil || len(timers) != 1 || timers[0].Event.Topic != "out.x" || timers[0].Due != start.Add(time.Minute).UnixNano() {
			t.Fatalf("the timers are %+v, %v", timers, err)
		}
		stop(t, r)
		time.Sleep(time.Hour)
		for range 2 {
			r = openWith(t, opts)
			time.Sleep(time.Second)
			settled(t, r)
			if got := state(t, r, "ear", "")["x"]; got != 1 {
				t.Fatalf("x is %d, want 1", got)
			}
			stop(t, r)
		}
	})
}

// TestTimerLoop lets a subscriber set the next timer whenever one fires. A second apart that
// is no loop; faster it ends at the hop limit.
func TestTimerLoop(t *testing.T) {
	const again = "do.again"
	for pause, stops := range map[string]bool{"1000": false, "100": true} {
		synctest.Test(t, func(t *testing.T) {
			r := openProbe(t, timerManifest)
			script := "add n 1"
			for range 2 * delivery.MaxHops {
				script = "later " + pause + " " + again + " " + script
			}
			do(t, r, script)
			settled(t, r)
			time.Sleep(time.Minute)
			settled(t, r)
			n := state(t, r, "probe", "n")[""]
			if got := letters(t, r); stops != strings.Contains(got, "hops after 1") || stops == (n == 1) {
				t.Errorf("every %s ms: dead letters %q, n is %d", pause, got, n)
			}
			stop(t, r)
		})
	}
}

// TestTimerOfClosedStream closes the stream of a timer's key: the timer is dropped, the others fire.
func TestTimerOfClosedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := openProbe(t, timerManifest)
		for _, key := range []string{"a", "b"} {
			ev := abi.Event{Topic: "do.it", Key: key, Data: []byte("later 5000 out.x add " + key + " 1")}
			if _, err := r.Publish(context.Background(), []abi.Event{ev}, log.Durable); err != nil {
				t.Fatal(err)
			}
		}
		settled(t, r)
		if err := r.Store().CloseStream(context.Background(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		settled(t, r)
		if got, want := fired(t, r, start), "add b 1 +5s"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if timers, err := r.Timers(context.Background(), "probe", 0, "", 10); err != nil || len(timers) > 0 {
			t.Errorf("left are %+v, %v", timers, err)
		}
		stop(t, r)
	})
}

// TestTimersHandledAgain resets a subscriber: what it set before is not set again, unless that
// is asked for, under an id of its own; a subscriber that is dropped takes its timers along.
func TestTimersHandledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		opts := runtime.Options{ManifestText: []byte(timerManifest), Dir: t.TempDir(), Modules: probeModules(t)}
		r := openWith(t, opts)
		do(t, r, "later 5000 out.x add x 1;timer n 3600000 out.y add y 1")
		settled(t, r)
		time.Sleep(10 * time.Second)
		settled(t, r)
		for _, again := range []bool{false, true} {
			if _, err := r.Reset(context.Background(), "probe", runtime.ResetOptions{To: runtime.Target{Seq: 1}, ReEmit: again}); err != nil {
				t.Fatal(err)
			}
			settled(t, r)
			time.Sleep(time.Second)
			settled(t, r)
			want := "add x 1 +5s"
			if again { // what is past fires at once, what is named replaces
				want += ", add x 1 +5s"
			}
			timers, err := r.Timers(context.Background(), "probe", 0, "", 10)
			if got := schedule(timerEvents(t, r), start); got != want || err != nil || len(timers) != 1 || timers[0].Name != "n" {
				t.Errorf("emitting again %v: fired %s, want %s; %d timers wait, %v", again, got, want, len(timers), err)
			}
		}
		tr := traced(t, r, 1)
		if !strings.Contains(tr, "out.x by \"probe\" of 1, hops 0") || strings.Count(tr, "by \"probe\"") != 2 {
			t.Errorf("the trace is\n%s", tr)
		}
		stop(t, r)
		opts.ManifestText = nil
		r = openWith(t, opts)
		if _, err := r.Drop(context.Background(), "probe"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if got := schedule(timerEvents(t, r), start); strings.Contains(got, "add y") {
			t.Errorf("a timer of a subscriber that was dropped fired: %s", got)
		}
		stop(t, r)
	})
}
