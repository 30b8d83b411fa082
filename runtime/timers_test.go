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

// fired lists the events of the log that timers brought, as "what +seconds since start".
func fired(t *testing.T, r *runtime.Runtime, start time.Time) string {
	t.Helper()
	var out []string
	reader := r.Store().NewReader(log.ReadOptions{})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) {
		if ev.Kind == abi.KindTimer {
			late := time.Duration(ev.Appended - ev.Time)
			if late < 0 || late > 50*time.Millisecond {
				t.Errorf("timer %s is due at %d and was appended at %d", ev.ID, ev.Time, ev.Appended)
			}
			out = append(out, fmt.Sprintf("%s +%v", ev.Data, time.Unix(0, ev.Time).Sub(start).Round(time.Second)))
		}
	}
	return strings.Join(out, ", ")
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
