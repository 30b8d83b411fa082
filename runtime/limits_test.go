package runtime_test

import (
	"strings"
	"testing"
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
