package runtime_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

const lateManifest = `
[[subscriber]]
name   = "late"
module = "probe.wasm"
topics = ["do.*"]
start  = "last-per-topic"
partitions = %d
`

// TestLastPerTopic begins with the youngest event of each topic, also where the node ended
// between the adoption and the first run, and goes on with all that follow.
func TestLastPerTopic(t *testing.T) {
	for _, partitions := range []int{1, 4} {
		dir := t.TempDir()
		publish := func(r *runtime.Runtime, script string, topics ...string) {
			t.Helper()
			var events []abi.Event
			for i, topic := range topics {
				events = append(events, abi.Event{Topic: topic, Key: fmt.Sprint("k", i), Data: []byte(fmt.Sprintf(script, topic))})
			}
			if _, err := r.Publish(context.Background(), events, log.Durable); err != nil {
				t.Fatal(err)
			}
		}
		r := openWith(t, runtime.Options{Dir: dir})
		publish(r, "add %s/old 1", "do.a", "do.b", "do.a", "other.x", "do.c")
		publish(r, "add %s/last 1", "do.b", "other.x")
		publish(r, "add %s/last 1", "do.a", "do.c")
		stop(t, r)

		opts := runtime.Options{ManifestText: fmt.Appendf(nil, lateManifest, partitions), Dir: dir, Modules: probeModules(t)}
		adopted, err := runtime.Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		publish(adopted, "add %s/later 1", "do.a", "do.a", "do.d", "do.c")
		if err := adopted.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r = openWith(t, opts)
			settled(t, r)
			want := map[string]int64{"do.a/last": 1, "do.b/last": 1, "do.c/last": 1, "do.a/later": 2, "do.c/later": 1, "do.d/later": 1}
			if got := state(t, r, "late", ""); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("with %d partitions: got %v, want %v", partitions, got, want)
			}
			stop(t, r)
		}
		r = openWith(t, opts)
		if _, err := r.Reset(context.Background(), "late", runtime.ResetOptions{To: runtime.Target{Seq: 1}, EmptyState: true}); err != nil {
			t.Fatal(err)
		}
		settled(t, r)
		if got := state(t, r, "late", ""); got["do.a/old"] != 2 || got["do.b/old"] != 1 || got["do.b/last"] != 1 {
			t.Errorf("with %d partitions, after a reset to the beginning: got %v, want all events", partitions, got)
		}
		stop(t, r)
	}
}
