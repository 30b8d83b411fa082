package runtime_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/runtime"
)

func partitioned(n int) string {
	return fmt.Sprintf("[plugins]\nwatch = false\n"+`
[[subscriber]]
name   = "probe"
module = "probe.wasm"
topics = ["do.*"]
emits  = ["out.*"]
retry  = { attempts = 3, backoff = "1ms..5ms" }
partitions = %d
`, n)
}

// TestPartitions: with several partitions every event is handled once, those of a key in order,
// and what all of them add to is right, while the number of partitions changes and runs
// that fail are mixed in. The state is that of one partition that nobody interrupted.
func TestPartitions(t *testing.T) {
	const events, keys = 3000, 16
	dir := t.TempDir()
	path := filepath.Join(dir, "avxrt.toml")
	r, end := openFile(t, dir, strings.TrimPrefix(partitioned(4), "[plugins]\nwatch = false\n"))
	counts := []int{4, 1, 3, 8, 2}
	for i := 0; i < events; {
		publishKeyed(t, r, troubled(i, events/10, keys)...)
		i += events / 10
		if err := os.WriteFile(path, []byte(partitioned(counts[i/(events/10)%len(counts)])), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
		if i == events/2 {
			end()
			r, end = openFile(t, dir, strings.TrimPrefix(partitioned(5), "[plugins]\nwatch = false\n"))
		}
	}
	settled(t, r)
	if got := state(t, r, "probe", "n")[""]; got != events {
		t.Errorf("n is %d, want %d", got, events)
	}
	last, seen := map[string]int{}, map[string]bool{}
	for _, line := range outputs(t, r) {
		var key string
		var i int
		if _, err := fmt.Sscanf(line, "%s %d", &key, &i); err != nil {
			t.Fatal(err)
		}
		if before, ok := last[key]; ok && i <= before {
			t.Errorf("key %s: %d came behind %d", key, i, before)
		}
		if seen[line] {
			t.Errorf("%s came twice", line)
		}
		last[key], seen[line] = i, true
	}
	if len(seen) != events {
		t.Errorf("%d events came out, want %d", len(seen), events)
	}
	s, err := r.Subscriber("probe")
	if err != nil || s.State != runtime.StateRunning {
		t.Errorf("%+v, %v", s, err)
	}
	t.Logf("%d runs were done again", s.Conflicts)

	calm, _ := openFile(t, t.TempDir(), strings.TrimPrefix(partitioned(1), "[plugins]\nwatch = false\n"))
	publishKeyed(t, calm, troubled(0, events, keys)...)
	settled(t, calm)
	if got, want := digest(t, r), digest(t, calm); got != want {
		t.Errorf("the state differs from that of a run without interruptions: %s, %s", got, want)
	}
}

// troubled returns keys and scripts of which some fail the first time.
func troubled(from, n, keys int) []string {
	var batch []string
	for i := from; i < from+n; i++ {
		script := fmt.Sprintf("add n 1;add c%d 1;emit out.x %d", i%keys, i)
		switch i % 97 {
		case 13:
			script = "traponce;" + script
		case 51:
			script = "failonce;" + script
		}
		batch = append(batch, fmt.Sprint("k", i%keys), script)
	}
	return batch
}

func digest(t *testing.T, r *runtime.Runtime) string {
	t.Helper()
	snapshot := r.Store().Snapshot()
	defer snapshot.Close()
	sum, err := snapshot.State("probe", 1).Digest()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
