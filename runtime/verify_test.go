package runtime_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/avx-platform/avxrt/runtime"
)

// TestVerify does every run twice: an honest guest shows no difference, one whose memory
// carries over from event to event does. Nothing is lost either way.
func TestVerify(t *testing.T) {
	r := openProbe(t, probeManifest+"verify = 1.0\n")
	do(t, r, "add n 1", "emit do.again add n 1", "rand;set r 1", "fail 2 no", "add n 1")
	settled(t, r)
	s, err := r.Subscriber("probe")
	if err != nil || s.Verified == 0 || s.Differences != 0 || state(t, r, "probe", "n")[""] != 3 {
		t.Errorf("%d verified, %d differ, n %d, %v", s.Verified, s.Differences, state(t, r, "probe", "n")[""], err)
	}

	if spent := runtime.Spent(r, "probe"); uint64(spent) < 20*s.Fuel {
		t.Errorf("the runs burnt %d, and the account says %d: the interpreter's time is nobody's", s.Fuel, spent)
	}

	wasm, err := os.ReadFile("../bench/peers/wasmarea/guests/ours.wasm") // its answer adds up over events
	if err != nil {
		t.Fatal(err)
	}
	remembers := strings.Replace(probeManifest, "probe.wasm", "remembers.wasm", 1) + "verify = 1.0\n"
	r = openWith(t, runtime.Options{ManifestText: []byte(remembers), Dir: t.TempDir(), Modules: fstest.MapFS{"remembers.wasm": {Data: wasm}}})
	for range 3 { // one run each
		do(t, r, "x")
		settled(t, r)
	}
	if s, err := r.Subscriber("probe"); err != nil || s.Differences == 0 || s.Handled != 3 {
		t.Errorf("%d verified, %d differ, %d handled, %v", s.Verified, s.Differences, s.Handled, err)
	}
}
