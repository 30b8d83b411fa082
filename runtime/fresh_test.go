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
	for _, name := range []string{"analytics", "inventory", "email", "logging", "metrics", "audit", "notification"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wasm, err := fs.ReadFile(plugins.FS, name+".wasm")
			if err != nil {
				t.Fatal(err)
			}
			engine, err := sandbox.NewEngine(context.Background(), sandbox.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = engine.Close(context.Background()) })
			m, err := engine.Load(context.Background(), name, wasm)
			if err != nil {
				t.Fatal(err)
			}
			one, fresh := story(t, m, events, false), story(t, m, events, true)
			if diff := cmp.Diff(one, fresh); diff != "" {
				t.Errorf("one instance (-), a fresh one for each event (+)\n%.3000s", diff)
			}
			if len(one) < len(events) {
				t.Errorf("only %d things came of %d events", len(one), len(events))
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

// story returns what came of each event, and the state at the end.
func story(t *testing.T, m *sandbox.Module, events []abi.Event, fresh bool) (told []string) {
	t.Helper()
	state := memory{}
	var instance *sandbox.Instance
	for i := range events {
		if instance == nil {
			var err error
			if instance, err = m.Instantiate(context.Background(), sandbox.Config{
				Subscriber: "s", Grants: func(string) bool { return true }, Conf: freshConf,
				Limits: sandbox.Limits{Fuel: 10_000_000_000, Time: 1 << 40},
			}, state); err != nil {
				t.Fatal(err)
			}
		}
		given := false
		result := instance.Run(context.Background(), sandbox.Batch{State: state, Next: func() *abi.Event {
			if given {
				return nil
			}
			given = true
			ev := events[i]
			return &ev
		}})
		line := fmt.Sprintf("%d handled %d", i, result.Handled)
		if result.Trap != nil {
			t.Fatalf("event %d: %s", i, result.Trap.Message)
		}
		if result.Failure != nil {
			line += fmt.Sprintf(" failed %d %s", result.Failure.Code, result.Failure.Message)
		}
		for _, e := range result.Emits {
			line += fmt.Sprintf(" emitted %s %s %s", e.Event.Topic, e.Event.Key, e.Event.Data)
		}
		told = append(told, line)
		for _, w := range result.Writes {
			if w.Delete {
				delete(state, string(w.Key))
			} else {
				state[string(w.Key)] = string(w.Value)
			}
		}
		if fresh || !instance.Usable() {
			_ = instance.Close(context.Background())
			instance = nil
		}
	}
	if instance != nil {
		_ = instance.Close(context.Background())
	}
	for _, k := range slices.Sorted(maps.Keys(state)) {
		told = append(told, k+"="+state[k])
	}
	return told
}
