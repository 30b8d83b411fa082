package runtime_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/runtime"
)

// TestStartPlaces begins new subscribers at the places of the log that a manifest can name. A
// restart, and what it names then, changes nothing: a subscriber begins once.
func TestStartPlaces(t *testing.T) {
	dir := t.TempDir()
	r := openWith(t, runtime.Options{Dir: dir})
	for n := 1; n < 1_000_000; n *= 10 { // six events, each a batch of its own and so with a time of its own
		do(t, r, fmt.Sprint("add n ", n))
	}
	fourth, err := r.Event(4)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, r)
	at := time.Unix(0, fourth.Appended).UTC().Format(time.RFC3339Nano)
	manifest := func(start string) []byte {
		text := ""
		for i, place := range []string{"earliest", "latest", "seq:3", "time:" + at} {
			if start != "" {
				place = start
			}
			text += fmt.Sprintf("[[subscriber]]\nname = \"s%d\"\nmodule = \"probe.wasm\"\ntopics = [\"do.*\"]\nstart = %q\npartitions = %d\n", i, place, 1+i%2)
		}
		return []byte(text)
	}
	want := []int64{1111111, 1000000, 1111100, 1111000}
	for run, start := range []string{"", "", "earliest", "latest"} {
		r := openWith(t, runtime.Options{ManifestText: manifest(start), Dir: dir, Modules: probeModules(t)})
		if run == 0 {
			do(t, r, "add n 1000000")
		}
		settled(t, r)
		for i, n := range want {
			if got := state(t, r, fmt.Sprint("s", i), "n")[""]; got != n {
				t.Errorf("run %d: s%d came to %d, want %d", run, i, got, n)
			}
		}
		stop(t, r)
	}
}

// TestFarTimes: a time beyond what nanoseconds count is still before, or behind, everything.
func TestFarTimes(t *testing.T) {
	r := openProbe(t, patient)
	do(t, r, "add n 1", "add n 1")
	settled(t, r)
	for text, want := range map[string]abi.Seq{"time:9999-01-01T00:00:00Z": 3, "time:2400-01-01T00:00:00Z": 3, "time:1500-01-01T00:00:00Z": 1, "time:1971-01-01T00:00:00Z": 1} {
		to, err := runtime.ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := r.PlanReset(t.Context(), "probe", runtime.ResetOptions{To: to})
		if err != nil || plan.To != want {
			t.Errorf("%s leads to %d, %v; want %d", text, plan.To, err, want)
		}
	}
}
