package runtime_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/shop"
	"github.com/avx-platform/avxrt/plugins"
)

// memory is a state that is not on disk.
type memory map[string]string

func (m memory) Get(key []byte) ([]byte, bool, error) {
	v, ok := m[string(key)]
	return []byte(v), ok, nil
}

func (m memory) Scan(prefix, after []byte, fn func(key, value []byte) bool) error {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(k, string(prefix)) && k > string(after) && !fn([]byte(k), []byte(m[k])) {
			break
		}
	}
	return nil
}

// TestFreshInstances gives each shipped guest the same events twice: to one instance, and
// to a new instance for each. State, emits and failures are the same: what a guest keeps in
// its memory is a cache.
func TestFreshInstances(t *testing.T) {
	var events []abi.Event
	for i, ev := range shop.Generate(shop.Options{Seed: 5, Orders: 60, Requests: 60, Poison: true}) {
		events = append(events, abi.Event{
			Seq: abi.Seq(i + 1), Topic: ev.Topic, Key: ev.Key, ID: ev.ID, Source: ev.Source, Time: ev.Time.UnixNano(), Data: ev.Data, Attempt: 1,
		})
	}
	files, err := fs.Glob(plugins.FS, "*.wasm")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d modules are shipped, %v", len(files), err)
	}
	engine, err := sandbox.NewEngine(context.Background(), sandbox.Options{CacheDir: sharedCache(), CompileCommand: compileCommand(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	for _, file := range files {
		name := strings.TrimSuffix(file, ".wasm")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wasm, err := fs.ReadFile(plugins.FS, file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := engine.Load(context.Background(), name, wasm)
			if err != nil {
				t.Fatal(err)
			}
			events := events
			if raceEnabled && len(wasm) > 1<<20 { // it takes a program in Go long to start, for each event
				events = events[:len(events)/4]
			}
			one, fresh := story(t, m, events, false), story(t, m, events, true)
			if diff := cmp.Diff(one, fresh); diff != "" {
				t.Errorf("one instance (-), a fresh one for each event (+)\n%.3000s", diff)
			}
			if len(one) < len(events) {
				t.Errorf("only %d things came of %d events", len(one), len(events))
			}
			if timers := slices.ContainsFunc(one, func(line string) bool { return strings.Contains(line, " timer ") }); name == "notification" && !timers {
				t.Error("no timer fired, so none was compared")
			}
		})
	}
}

// freshConf is the config of every guest; none reads what is another's.
var freshConf = map[string]string{
	"opening_stock": "500", "low_stock": "50", "http.request.completed.to": "ops@shop.test", "http.request.completed.when": "status=503",
	"rules": "slow,all", "slow.topic": "http.request.completed", "slow.channel": "sms", "slow.to": "{route}", "slow.text": "{duration_us} {user}",
	"slow.when": "status=200", "slow.throttle": "2/1d", "slow.digest": "true",
	"all.topic": "orders.*", "all.channel": "chat", "all.to": "#orders", "all.text": "{order} {country} {lines}", "checkpoint": "10",
}

// telling is a guest that is given events one by one, and what came of them.
type telling struct {
	t        *testing.T
	module   *sandbox.Module
	fresh    bool // a new instance for each
	instance *sandbox.Instance
	state    memory
	timers   map[string]sandbox.Emit // by name
	told     []string
}

// story returns what came of each event, and of the timers that these set, and the state at the end.
func story(t *testing.T, m *sandbox.Module, events []abi.Event, fresh bool) []string {
	t.Helper()
	w := &telling{t: t, module: m, fresh: fresh, state: memory{}, timers: map[string]sandbox.Emit{}}
	for i := range events {
		w.fire(events[i].Time, events[i].Seq)
		w.give(events[i])
	}
	w.fire(1<<62, events[len(events)-1].Seq)
	w.close()
	for _, k := range slices.Sorted(maps.Keys(w.state)) {
		w.told = append(w.told, k+"="+w.state[k])
	}
	return w.told
}

// fire gives the timers that are due, in the order of (due, name).
func (w *telling) fire(now int64, seq abi.Seq) {
	for {
		next := ""
		for name, e := range w.timers {
			if have := w.timers[next]; e.Due <= now && (next == "" || e.Due < have.Due || e.Due == have.Due && name < next) {
				next = name
			}
		}
		if next == "" {
			return
		}
		ev := w.timers[next].Event
		ev.Kind, ev.Time, ev.Seq, ev.ID, ev.Source, ev.Attempt = abi.KindTimer, w.timers[next].Due, seq, "timer-"+next, "/avxrt/test", 1
		delete(w.timers, next)
		w.give(ev)
	}
}

// give lets the guest handle an event.
func (w *telling) give(ev abi.Event) {
	w.t.Helper()
	if w.instance == nil {
		var err error
		if w.instance, err = w.module.Instantiate(context.Background(), sandbox.Config{
			Subscriber: "s", Grants: func(string) bool { return true }, Conf: freshConf,
			Limits: sandbox.Limits{Fuel: 10_000_000_000, Time: 1 << 40},
		}, w.state); err != nil {
			w.t.Fatal(err)
		}
	}
	line := fmt.Sprint(ev.Seq)
	if ev.Kind == abi.KindTimer {
		line += " timer " + ev.ID
	}
	result := w.instance.Run(context.Background(), sandbox.Batch{
		State: w.state, Timers: len(w.timers), HasTimer: func(name string) bool { _, ok := w.timers[name]; return ok }, Next: once(ev),
	})
	if result.Trap != nil {
		w.t.Fatalf("event %s: %s", line, result.Trap.Message)
	}
	line += fmt.Sprintf(" handled %d", result.Handled)
	if result.Failure != nil {
		line += fmt.Sprintf(" failed %d %s", result.Failure.Code, result.Failure.Message)
	}
	for _, e := range result.Emits {
		line += fmt.Sprintf(" emitted %s %s %s %d %d %q %v", e.Event.Topic, e.Event.Key, e.Event.Data, e.Event.Version, e.Due, e.Timer, e.Cancel)
		for k, v := range e.Event.Headers.All() {
			line += " " + k + ":" + v
		}
		switch {
		case e.Cancel:
			delete(w.timers, e.Timer)
		case e.Due != 0:
			name := e.Timer
			if name == "" {
				name = fmt.Sprint("unnamed ", len(w.told))
			}
			e.Event = e.Event.Clone()
			w.timers[name] = e
		}
	}
	w.told = append(w.told, line)
	for _, change := range result.Writes {
		if change.Delete {
			delete(w.state, string(change.Key))
		} else {
			w.state[string(change.Key)] = string(change.Value)
		}
	}
	if w.fresh || !w.instance.Usable() {
		w.close()
	}
}

func (w *telling) close() {
	if w.instance != nil {
		_ = w.instance.Close(context.Background())
		w.instance = nil
	}
}

// once gives one event.
func once(ev abi.Event) func() *abi.Event {
	given := false
	return func() *abi.Event {
		if given {
			return nil
		}
		given = true
		return &ev
	}
}
