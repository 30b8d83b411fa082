package runtime_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/runtime"
)

// TestTimerLimit: a subscriber that has as many timers waiting as limits.timers says can set no
// more, over a restart too, but those of a name that waits again; one that fired makes room.
func TestTimerLimit(t *testing.T) {
	text := strings.Replace(probeManifest, `limits = { time = "100ms" }`, `limits = { time = "20s", timers = 3 }`, 1)
	opts := runtime.Options{ManifestText: []byte(text), Dir: t.TempDir(), Modules: probeModules(t)}
	r := openWith(t, opts)
	waiting := func(want int, names string) {
		t.Helper()
		settled(t, r)
		st, err := r.Subscriber("probe")
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.Timers(context.Background(), "probe", 0, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, timer := range all {
			got = append(got, fmt.Sprintf("%s:%s", timer.Name, timer.Event.Data))
		}
		if st.Timers != want || len(all) != want || strings.Join(got, " ") != names {
			t.Errorf("%d timers, want %d: %q, want %q", st.Timers, want, got, names)
		}
	}
	do(t, r, "timer a 3600000 out.x one", "timer b 3700000 out.x one;timer b 3700000 out.x two;fail 2 no", "timer b 3700000 out.x two;later 3800000 out.x three")
	waiting(3, "a:one b:two :three")
	do(t, r, "later 3900000 out.x four", "timer c 3900000 out.x five", "timer a 3650000 out.x six;timer b 3950000 out.x seven")
	waiting(3, "a:six :three b:seven")
	stop(t, r)
	r = openWith(t, opts)
	do(t, r, "timer d 1000 out.x eight", "cancel a")
	waiting(2, ":three b:seven")
	do(t, r, "timer d 3600000 out.x nine")
	waiting(3, "d:nine :three b:seven")
	do(t, r, "timer d 1 out.x soon")
	eventually(t, func() bool { st, err := r.Subscriber("probe"); return err == nil && st.Timers == 2 })
	do(t, r, "timer e 3600000 out.x ten")
	waiting(3, "e:ten :three b:seven")
}
