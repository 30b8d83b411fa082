package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/runtime"
)

// The bounds of P18 for one manifest.
const (
	parseTime  = 50 * time.Millisecond
	parseBytes = 32 << 20
)

// breakManifest damages a manifest the way editors, disks and enemies do.
func breakManifest(rng *rand.Rand, text string) string {
	b := []byte(text)
	cut := rng.IntN(len(b))
	switch rng.IntN(9) {
	case 0:
		return text[:cut]
	case 1:
		for range 1 + rng.IntN(8) {
			b[rng.IntN(len(b))] = byte(rng.UintN(256))
		}
	case 2:
		lines := strings.Split(text, "\n")
		i := rng.IntN(len(lines))
		return strings.Join(append(lines[:i], lines[i+1:]...), "\n")
	case 3:
		return text + text[cut:]
	case 4:
		return text[:cut] + strings.Repeat([]string{"[", "{ a = ", "a.", "[[", `"""`, "# "}[rng.IntN(6)], 1+rng.IntN(20_000)) + text[cut:]
	case 5:
		return text[:cut] + string(bytes.Repeat([]byte{byte(rng.UintN(256))}, rng.IntN(1<<20))) + text[cut:]
	case 6:
		return strings.Replace(text, []string{"probe.wasm", "do.*", "5ms", "16MiB", "attempts"}[rng.IntN(5)], []string{"../x.wasm", "a.*b", "-1s", "99TiB", "atempts", ""}[rng.IntN(6)], 1)
	case 7:
		return text + fmt.Sprintf("[[subscriber]]\nname = %q\nmodule = \"none.wasm\"\ntopics = [\"x\"]\n", fmt.Sprint("s", rng.IntN(10)))
	default:
		return text + fmt.Sprintf("%s = %d\n", strings.Repeat("k", 1+rng.IntN(100)), rng.IntN(100))
	}
	return string(b)
}

// running is what a plan made of the node: whom it has, and under which rules. The number of the generation is not part of it: the
// same plan read again is another generation, which a lane takes when it comes to it.
func running(r *runtime.Runtime) string {
	var out []string
	for _, s := range r.Subscribers() {
		out = append(out, fmt.Sprint(s.Name, s.Topics, s.Module, s.Digest, s.Partitions, runtime.SpecText(r, s.Name)))
	}
	return strings.Join(out, "\n")
}

// TestBrokenManifests gives a node that delivers thousands of damaged manifests: each is
// refused or is valid, what runs stays as it was after a refusal, and none takes more time
// or memory than it may. A valid change that one takes for a refused one is the planted breach.
func TestBrokenManifests(t *testing.T) {
	p := fault.Prove(t, "P18", "damaged manifests", "a broken manifest never changes what runs, and costs at most 50 ms and 32 MiB")
	rng := p.Rand()
	const good = "[plugins]\nwatch = false\n" + patient + `limits = { fuel = "50M", time = "250ms", memory = "16MiB", emits = 256 }
config = { a = "b" }
`
	dir := t.TempDir()
	r, _ := openFile(t, dir, strings.TrimPrefix(good, "[plugins]\nwatch = false\n"))
	path := filepath.Join(dir, "avxrt.toml")
	reload := func(text string) error {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return r.Reload(context.Background())
	}
	count, valid, sent := fault.Size(t, 2000, 100_000), 0, 0
	for range count {
		text := breakManifest(rng, good)
		costs(t, text, dir)
		publishKeyed(t, r, "k", "add n 1")
		sent++
		if rng.IntN(4) == 0 {
			settled(t, r) // or the event is handled while the next manifest is looked at
		}
		before := running(r)
		if _, err := manifest.Parse([]byte(text), dir, func(string) (string, bool) { return "", false }); err == nil {
			settled(t, r) // what is valid may well want other topics
		}
		if err := reload(text); err == nil {
			valid++
			if err := reload(good); err != nil {
				t.Fatalf("the good manifest is refused after %q: %v", text, err)
			}
			eventually(t, func() bool { return running(r) == before })
		} else if after := running(r); after != before {
			t.Fatalf("a refused manifest changed what runs\n%s\nfrom\n%s\nto\n%s", text, before, after)
		}
	}
	p.Injected(count - valid)
	settled(t, r)
	if got := state(t, r, "probe", "n")[""]; got != int64(sent) {
		t.Errorf("%d events were handled, want %d", got, sent)
	}
	for from, to := range map[string]string{"do.*": "do.**", "50M": "51M", "attempts = 3": "attempts = 4", `a = "b"`: `a = "c"`} {
		before := running(r)
		if err := reload(strings.Replace(good, from, to, 1)); err != nil || !strings.Contains(good, from) {
			t.Fatalf("%s for %s: %v", to, from, err)
		}
		eventually(t, func() bool { return running(r) != before })
	}
	p.Breach()
}

// costs holds a manifest against the bounds. Time is the best of some, for the machine has others to serve.
func costs(t *testing.T, text, dir string) {
	t.Helper()
	best, used := time.Hour, uint64(0)
	for try := 0; try < 20 && (try == 0 || best > parseTime && !raceEnabled); try++ {
		var before, after goruntime.MemStats
		goruntime.ReadMemStats(&before)
		start := time.Now()
		_, _ = manifest.Parse([]byte(text), dir, func(string) (string, bool) { return "", false })
		best = min(best, time.Since(start))
		goruntime.ReadMemStats(&after)
		used = after.TotalAlloc - before.TotalAlloc
	}
	if best > parseTime && !raceEnabled || used > parseBytes {
		t.Errorf("parsing took %v and %d bytes: %.200q…", best, used, text)
	}
}

// TestBlankManifest: a manifest of no bytes, which is what a reader sees while an editor writes it
// anew, takes no subscriber out of service; one that says nothing in words does.
func TestBlankManifest(t *testing.T) {
	dir := t.TempDir()
	r, _ := openFile(t, dir, patient)
	path := filepath.Join(dir, "avxrt.toml")
	for _, c := range []struct {
		text string
		left int
	}{{"", 1}, {"# none for now\n", 0}} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := r.Reload(context.Background())
		if left := len(r.Subscribers()); left != c.left || (err == nil) != (left == 0) {
			t.Errorf("after %q there are %d subscribers, want %d: %v", c.text, left, c.left, err)
		}
	}
}
