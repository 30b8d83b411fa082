package runtime_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/runtime"
)

// TestLimitsOfTheManifest: what the manifest says is what the guest meets.
func TestLimitsOfTheManifest(t *testing.T) {
	small := `limits = { time = "100ms", emits = 2, emit_bytes = "1KiB", state_bytes = "1KiB", log_lines = 2 }`
	r := openProbe(t, strings.Replace(probeManifest, `limits = { time = "100ms" }`, small, 1))
	do(t, r, "emits 5 x;set emitted 1", "bigset big 2000;set small 1", "log 5 hello", "bigemit 2000;set large 1")
	settled(t, r)
	for _, key := range []string{"emitted", "small", "large"} {
		if got := state(t, r, "probe", key); got[""] != 1 {
			t.Errorf("state of %s: %v", key, got)
		}
	}
	if got := state(t, r, "probe", "big"); len(got) != 0 {
		t.Errorf("a write over the limit is there: %v", got)
	}
	st := r.Subscribers()[0]
	if st.Emitted != 2 || st.LogDropped != 3 || st.DeadLetters != 0 {
		t.Errorf("%d emitted, %d log lines dropped, %d dead letters", st.Emitted, st.LogDropped, st.DeadLetters)
	}
}

// TestGuestThatNeverAsks: a guest that returns without asking for events, or without having
// taken the one that it was told of, is at fault; its subscriber does not run on the spot.
func TestGuestThatNeverAsks(t *testing.T) {
	for _, g := range hostile.Guests() {
		if g.Name != "never-asks" && g.Name != "small-buffer" {
			continue
		}
		r := openWith(t, runtime.Options{ManifestText: []byte(probeManifest), Dir: t.TempDir(), Modules: fstest.MapFS{"probe.wasm": {Data: g.Wasm}}})
		do(t, r, "x")
		faulty := func() bool {
			st, err := r.Subscriber("probe")
			return err != nil || st.Traps > 0 && (st.State == runtime.StateStopped || st.DeadLetters > 0)
		}
		deadline := time.Now().Add(time.Minute)
		for tick := time.NewTicker(2 * time.Millisecond); !faulty() && time.Now().Before(deadline); <-tick.C {
		}
		st, err := r.Subscriber("probe")
		if err != nil || !faulty() || st.Handled != 0 {
			t.Errorf("%s: %+v, %v", g.Name, st, err)
		}
		t.Logf("%s: %s %s, %d traps, dead letters: %s", g.Name, st.State, st.Reason, st.Traps, letters(t, r))
	}
}
