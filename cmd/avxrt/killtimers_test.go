package main_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/log"
)

const killTimersManifest = `
[plugins]
watch = false
[[subscriber]]
name   = "probe"
module = "probe.wasm"
topics = ["do.*"]
emits  = ["out.*"]
retry  = { attempts = 1000 }

[[subscriber]]
name   = "ear"
module = "probe.wasm"
topics = ["out.*"]
retry  = { attempts = 1000 }
`

// TestKillTimers kills the real program while timers are set and fire, again and again on one
// store: in the end each event has led to one timer, each timer to one event, and each of
// those was counted once.
func TestKillTimers(t *testing.T) {
	kills := fault.Size(t, 50, 1000)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	manifest, data := filepath.Join(dir, "avxrt.toml"), filepath.Join(dir, "data")
	wasm := readFile(t, "../../internal/sandbox/testdata/probe.wasm")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "plugins"), 0o700), os.WriteFile(filepath.Join(dir, "plugins", "probe.wasm"), wasm, 0o600),
		os.WriteFile(manifest, []byte(killTimersManifest), 0o600)); err != nil {
		t.Fatal(err)
	}
	for kill := range kills {
		n := start(t, manifest, data)
		var events []abi.Event
		for i := range 20 {
			script := fmt.Sprintf("later %d out.x add x 1", rng.IntN(100))
			events = append(events, abi.Event{Topic: "do.it", ID: fmt.Sprint(kill, "-", i), Source: "/kill", ContentType: "text/plain", Data: []byte(script)})
		}
		if _, err := n.client.Publish(context.Background(), events, "durable"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(1+rng.IntN(120)) * time.Millisecond)
		n.kill(t)
	}
	n := start(t, manifest, data)
	n.idle(t)
	until(t, "all timers have fired", func() bool {
		timers, err := n.client.Timers(context.Background(), "probe", wire.Timer{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(timers) == 0
	})
	n.idle(t)
	x, err := n.numbers("ear", "x")
	if err != nil || x[""] != int64(20*kills) {
		t.Errorf("%d firings were counted, %v; want %d", x[""], err, 20*kills)
	}
	n.drain(t)
	l, err := log.Open(filepath.Join(data, "log"), log.Options{VerifyEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fired := map[string]int{}
	r := l.NewReader(log.ReadOptions{Match: func(topic string) bool { return topic == "out.x" }})
	defer r.Close()
	var ev abi.Event
	for r.Next(&ev) {
		fired[ev.ID]++
	}
	for id, times := range fired {
		if times != 1 {
			t.Errorf("the timer %s fired %d times", id, times)
		}
	}
	if len(fired) != 20*kills {
		t.Errorf("%d timers fired, want %d", len(fired), 20*kills)
	}
}
