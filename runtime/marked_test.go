package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// onLine calls a func for each line that a guest logs, while its event is being handled.
type onLine struct {
	slog.Handler
	fn func(line string)
}

// Handle is slog.Handler's.
func (h onLine) Handle(_ context.Context, r slog.Record) error {
	h.fn(r.Message)
	return nil
}

// Enabled is slog.Handler's.
func (h onLine) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// keyOf returns a key of a lane of two.
func keyOf(lane, n int) string {
	for i := 0; ; i++ {
		if key := fmt.Sprintf("k%d", i); runtime.Partition(key, 0, 2) == lane {
			if n--; n < 0 {
				return key
			}
		}
	}
}

// unclean makes the store of a node that was killed, with events for the probe, which has two lanes.
func unclean(t *testing.T, keyed ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := log.Open(filepath.Join(t.TempDir(), "log"), log.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var events []abi.Event
	for i := 0; i < len(keyed); i += 2 {
		events = append(events, abi.Event{Topic: "do.this", Key: keyed[i], Data: []byte(keyed[i+1])})
	}
	if _, err := store.Append(t.Context(), events, log.Durable); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Attach(t.Context(), log.Attachment{Subscriber: "probe", Next: 1}); err != nil {
		t.Fatal(err)
	}
	if err := store.SetLanes(t.Context(), "probe", 2, 1); err != nil {
		t.Fatal(err)
	}
	backup(t, store, dir)
	return dir
}

// backup leaves in dir what a crash now would leave.
func backup(t *testing.T, store *log.Log, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Error(err)
	}
	if _, err := store.Backup(context.Background(), filepath.Join(dir, "data", "log")); err != nil {
		t.Error(err)
	}
}

func lanesOf(dir string, n int, fn func(line string)) runtime.Options {
	text := fmt.Sprintf("[plugins]\nwatch = false\n%slimits = { time = \"20s\" }\npartitions = %d\n", patient, n)
	opts := runtime.Options{ManifestText: []byte(text), Dir: dir}
	if fn != nil {
		opts.Logger = slog.New(onLine{slog.DiscardHandler, fn})
	}
	return opts
}

// TestKilledBesideOthers kills a node while two partitions, which stand at one seq, are at their
// first events, and goes on with another number of them: what lies between those events, and is
// none's of the one that was at the later of them, is not passed over.
func TestKilledBesideOthers(t *testing.T) {
	first, second, third, other := keyOf(0, 0), keyOf(0, 1), keyOf(0, 2), keyOf(1, 0)
	dir := unclean(t, first, "log 1 here;emit out.x 1", second, "emit out.x 2", third, "emit out.x 3", other, "log 1 here;emit out.x 4", other, "emit out.x 5")
	copies := make([]string, 4)
	for i := range copies {
		copies[i] = t.TempDir()
	}
	var r *runtime.Runtime
	var mu sync.Mutex
	opened, done := make(chan struct{}), false
	opts := lanesOf(dir, 2, func(line string) {
		if line != "here" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if done {
			return
		}
		<-opened
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if rows, err := r.Store().Parked("probe"); err != nil || len(rows) == 2 { // both are under way
				break
			}
		}
		for _, to := range copies {
			backup(t, r.Store(), to)
		}
		done = true
	})
	opts.Modules = probeModules(t)
	var err error
	if r, err = runtime.Open(opts); err != nil {
		t.Fatal(err)
	}
	close(opened)
	runNode(t, r)
	settled(t, r)
	stop(t, r)
	for i, dir := range copies {
		t.Run(fmt.Sprintf("partitions=%d", i+1), func(t *testing.T) {
			opts := lanesOf(dir, i+1, nil)
			opts.Modules = probeModules(t)
			r := openWith(t, opts)
			eventually(t, func() bool {
				st, err := r.Subscriber("probe")
				return err == nil && st.LagEvents == 0 && st.BlockedKeys == 0
			})
			got := strings.Join(outputs(t, r), ", ")
			for n := 1; n <= 5; n++ {
				if strings.Count(got, fmt.Sprintf(" %d", n)) != 1 {
					t.Errorf("event %d did not come out once: %s", n, got)
				}
			}
			if got := letters(t, r); got != "" {
				t.Errorf("dead letters %s", got)
			}
		})
	}
}

// TestRefusedIsNotKilled: a run whose commit another partition's refused does not count as one that
// ended the process, whoever goes on with its event.
func TestRefusedIsNotKilled(t *testing.T) {
	key := keyOf(0, 0)
	dir := unclean(t, key, "log 1 here;add sum 1;emit out.x 1", key, "emit out.x 2")
	var r *runtime.Runtime
	opened := make(chan struct{})
	ctx, end := context.WithCancel(t.Context())
	defer end()
	opts := lanesOf(dir, 2, func(line string) {
		if line != "here" {
			return
		}
		<-opened
		snapshot := r.Store().Snapshot()
		since := snapshot.Number()
		snapshot.Close()
		lanes, err := r.Store().Lanes("probe")
		if err != nil {
			t.Error(err)
			return
		}
		at := lanes[1]
		_, err = r.Store().Commit(context.Background(), &log.Commit{
			Subscriber: "probe", Lane: 1, StateVersion: 1, From: at.Next, To: at.Next, Fence: at.Fence, Reads: &log.Reads{Since: since},
			Writes: []log.StateWrite{{Key: []byte("sum"), Value: []byte("5")}},
		}, log.Durable)
		if err != nil {
			t.Error(err)
		}
		end() // the run is the last
	})
	opts.Modules = probeModules(t)
	var err error
	if r, err = runtime.Open(opts); err != nil {
		t.Fatal(err)
	}
	close(opened)
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
	st, err := r.Subscriber("probe")
	rows, err2 := r.Store().Parked("probe")
	if err := errors.Join(err, err2); err != nil || st.Conflicts != 1 || len(rows) != 0 {
		t.Errorf("%d conflicts, rows %+v, %v; want one conflict and no row", st.Conflicts, rows, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	opts = lanesOf(dir, 3, nil)
	opts.Modules = probeModules(t)
	r = openWith(t, opts)
	settled(t, r)
	if got := strings.Join(outputs(t, r), ", "); got != key+" 1, "+key+" 2" {
		t.Errorf("emitted %s", got)
	}
}
