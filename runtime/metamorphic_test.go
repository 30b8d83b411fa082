package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// crash goes on from a copy of the store as it is now, which nobody closed.
func (v *versionSite) crash() {
	v.t.Helper()
	dir := v.t.TempDir()
	if _, err := v.r.Store().Backup(context.Background(), filepath.Join(dir, "log")); err != nil {
		v.t.Fatal(err)
	}
	stop(v.t, v.r)
	data := filepath.Join(v.dir, "data")
	if err := errors.Join(os.RemoveAll(data), os.Rename(dir, data)); err != nil {
		v.t.Fatal(err)
	}
	v.start()
}

// pause lets the subscriber run nothing while n events come.
func (v *versionSite) pause(n int) {
	v.t.Helper()
	err := v.r.Pause(context.Background(), "tally", "for a while")
	v.pay(n)
	if err := errors.Join(err, v.r.Resume(context.Background(), "tally")); err != nil {
		v.t.Fatal(err)
	}
}

// told is what the store has of the subscriber but for its state: what a failure needs to be explained.
func (v *versionSite) told() string {
	store := v.r.Store()
	lanes, err := store.Lanes("tally")
	control, err2 := store.Control("tally")
	versions, err3 := store.Versions("tally")
	parked, err4 := store.Parked("tally")
	text := ""
	err5 := store.DeadLetters("tally", 0, func(d log.DeadLetter) bool {
		text += fmt.Sprintf("dead letter %d: %s after %d: %s, replayed %v\n", d.Seq, d.Reason, d.Attempts, d.Message, d.Replayed)
		return true
	})
	return fmt.Sprintf("%slanes %+v\ncontrol %+v\nversions %+v\nblocked %+v\ngenerations %s\n%v", text, lanes, control, versions, parked, v.history(), errors.Join(err, err2, err3, err4, err5))
}

// TestInterruptedHistories lets one history be interrupted by swaps in every mode, changes of the
// state version there and back, crashes, restarts, pauses, replays and other numbers of partitions, and wants
// the state of a run without any of that, and each event emitted for once.
func TestInterruptedHistories(t *testing.T) {
	const chunks = 8
	for seed := range uint64(fault.Size(t, 120, 2000)) {
		t.Run(strconv.Itoa(int(seed)), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			// An event that two ends of the process met may be given up as what caused them; here nothing is.
			const retry = "retry = { attempts = 50, backoff = \"1ms..2ms\" }\n"
			v := newVersionSite(t, retry)
			version, module := 1, "tally"
			modules := map[int][]string{1: {"tally"}, 2: {"tally2", "tally2-migrates"}}
			story, partitions, swap := "", 1, `{ mode = "immediate" }`
			for range chunks {
				v.pay(50 + rng.IntN(100))
				if rng.IntN(3) > 0 { // else it is interrupted in the middle of them
					v.moved()
					v.settled()
				}
				what := rng.IntN(8)
				story += strconv.Itoa(what)
				switch what {
				case 0:
					v.crash()
				case 1:
					stop(t, v.r)
					v.start()
				case 2:
					v.pause(30)
				case 3:
					partitions = 1 + rng.IntN(4)
					v.extra = fmt.Sprintf("%spartitions = %d\nswap = %s\n", retry, partitions, swap)
					v.change(version, module)
				case 4:
					version = 3 - version
					module = modules[version][rng.IntN(len(modules[version]))]
					v.change(version, module)
				case 5: // while it comes to another version
					version = 3 - version
					module = modules[version][rng.IntN(len(modules[version]))]
					v.want(version, module)
					if err := v.r.Reload(context.Background()); err != nil {
						t.Fatal(err)
					}
					v.crash()
				case 6:
					if _, err := v.r.Reset(context.Background(), "tally", runtime.ResetOptions{EmptyState: true}); err != nil {
						t.Fatal(err)
					}
				case 7: // another module that does the same
					swap = []string{`{ mode = "immediate" }`, `{ mode = "shadow", events = 30 }`, `{ mode = "canary", events = 30 }`}[rng.IntN(3)]
					module, _, _ = strings.Cut(module, "+")
					module += "+" + strconv.Itoa(1+rng.IntN(9))
					v.extra = fmt.Sprintf("%spartitions = %d\nswap = %s\n", retry, partitions, swap)
					v.change(version, module)
				}
			}
			v.moved()
			v.settled()
			v.change(2, "tally2")
			v.pay(1)
			v.settled()
			if got, want := v.state(), freshState(t, v.n); got != want || v.status().StateVersion != 2 {
				t.Errorf("version %d, %s\ngot  %s\nwant %s", v.status().StateVersion, v.status().Problem, got, want)
			}
			v.once(v.n)
			if t.Failed() {
				t.Logf("story %s\n%s", story, v.told())
			}
		})
	}
}
