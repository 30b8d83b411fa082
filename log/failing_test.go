package log_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
)

// nth lets the n-th operation for which match says true fail with err.
func nth(n int64, err error, match func(errorfs.Op) bool) (*atomic.Int64, errorfs.Injector) {
	var count atomic.Int64
	return &count, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if match(op) && count.Add(1) == n {
			return err
		}
		return nil
	})
}

func isSync(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return true
	}
	return false
}

func isWrite(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate
}

// outcome of a history on a file system that fails once.
type outcome struct {
	opened bool
	fatal  string        // the reason with which the process would have ended
	err    error         // of the step that failed, if any
	count  *atomic.Int64 // operations seen
}

// runFailing runs the same short history on a file system whose n-th matching operation
// fails, and returns the history with what was acknowledged until then. A log that ended
// its process is left behind as it is.
func runFailing(fs vfs.FS, n int64, err error, match func(errorfs.Op) bool, seed uint64) (*history, outcome) {
	count, inject := nth(n, err, match)
	fatal := make(chan string, 1)
	opts := log.WithSizes(crashOptions(reuseFS{errorfs.Wrap(fs, inject)}), 256<<10, 8)
	opts.OnFatal = func(reason string) {
		fatal <- reason
		select {} // as good as the end of the process: nothing goes on from here
	}
	h := &history{rng: newRand(seed), opts: opts}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() { done <- o }()
		if h.l, o.err = log.Open("db", opts); o.err != nil {
			return
		}
		o.opened, h.cursor = true, 1
		if _, o.err = h.l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); o.err != nil {
			return
		}
		for i := 0; i < 24 && o.err == nil; i++ {
			if o.err = h.step(); o.err == nil && i%4 == 0 {
				big := event("big", fmt.Sprint(i), "")
				big.Data = make([]byte, 60_000)
				_, o.err = h.l.Append(ctx, one(big), log.Accepted)
			}
		}
	}()
	var o outcome
	select {
	case o = <-done:
	case o.fatal = <-fatal:
	}
	o.count = count
	return h, o
}

// TestSyncFails lets every single fsync of a history fail. After it nothing is
// acknowledged: the process ends with a reason, and what was acknowledged before is there
// when it starts again.
func TestSyncFails(t *testing.T) {
	most := fault.Size(t, 200, 5000)
	p := fault.Prove(t, "P7", "failed fsyncs", "after a failed fsync nothing is acknowledged; the process ends and starts clean")
	rng := p.Rand()
	for done := 0; done < most; {
		seed := rng.Uint64()
		for n := int64(1); done < most; n++ {
			fs := vfs.NewCrashableMem()
			h, o := runFailing(fs, n, errors.New("injected: fsync failed"), isSync, seed)
			if o.count.Load() < n {
				o.count.Store(math.MaxInt64 / 2) // what comes now does not fail any more
				closeHistory(t, h)
				break // the history has no n-th fsync
			}
			done++
			p.Injected(1)
			if o.opened && o.fatal == "" && errors.Is(o.err, log.ErrFailed) {
				t.Fatalf("fsync %d: the log failed without a reason", n)
			}
			if err := survived(h, fs); err != nil {
				t.Fatalf("history %d, fsync %d (fatal %q, error %v): %v", seed, n, o.fatal, o.err, err)
			}
		}
	}
	if findsBreach(rng, func(fs vfs.FS) vfs.FS { return lyingFS{fs} }) { // a failure that nobody is told of
		p.Breach()
	} else {
		t.Error("the test does not find an fsync that fails in silence")
	}
}

// TestWriteFails lets every single write and creation of a file find the disk full. The
// ballast is given up, events are refused or taken, and nothing that was acknowledged is lost.
func TestWriteFails(t *testing.T) {
	most := fault.Size(t, 500, 20_000)
	p := fault.Prove(t, "P6", "writes that find the disk full", "a full disk refuses events, keeps reads working, recovers without a restart, and loses nothing")
	rng := p.Rand()
	for done := 0; done < most; {
		seed := rng.Uint64()
		for n := int64(1); done < most; n++ {
			fs := vfs.NewCrashableMem()
			h, o := runFailing(fs, n, syscall.ENOSPC, isWrite, seed)
			if o.count.Load() < n {
				o.count.Store(math.MaxInt64 / 2) // what comes now does not fail any more
				closeHistory(t, h)
				break
			}
			done++
			p.Injected(1)
			if o.opened && o.fatal == "" {
				// It goes on without being started again.
				if o.err != nil && !errors.Is(o.err, log.ErrDiskFull) {
					t.Fatalf("history %d, write %d: %v", seed, n, o.err)
				}
				if _, err := h.l.Append(ctx, one(event("after", "k", "after")), log.Durable); err != nil {
					t.Fatalf("history %d, write %d: it does not go on: %v", seed, n, err)
				}
				if s, err := h.l.Stream("k"); err != nil || s.Version == 0 {
					t.Fatalf("history %d, write %d: the stream index does not go on: %+v, %v", seed, n, s, err)
				}
				o.count.Store(math.MaxInt64 / 2)
				closeHistory(t, h)
			}
			if err := survived(h, fs); err != nil {
				t.Fatalf("history %d, write %d (fatal %q, error %v): %v", seed, n, o.fatal, o.err, err)
			}
		}
	}
	if findsBreach(rng, func(fs vfs.FS) vfs.FS { return lyingFS{fs} }) {
		p.Breach()
	} else {
		t.Error("the test does not find writes that are lost in silence")
	}
}

func closeHistory(t *testing.T, h *history) {
	t.Helper()
	if h.l != nil {
		if err := h.l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// survived takes the power away and checks what is left, where the store had been made.
func survived(h *history, fs *vfs.MemFS) error {
	clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: h.rng.IntN(101), RNG: h.rng})
	if h.durable == 0 {
		return nil
	}
	return h.check(reuseFS{clone})
}

// TestExitCode runs a child whose disk fails: it ends with code 75, and the store opens again.
func TestExitCode(t *testing.T) {
	if dir := os.Getenv("AVXRT_TEST_CHILD_DIR"); dir != "" {
		syncs, inject := nth(20, errors.New("injected: fsync failed"), isSync)
		syncs.Store(-1000) // those of a new store do not count
		l, err := log.Open(dir, log.WithFS(log.Options{}, errorfs.Wrap(vfs.Default, inject)))
		syncs.Store(0)
		for i := 0; err == nil; i++ {
			if _, err = l.Append(ctx, one(event("a", "", fmt.Sprint(i))), log.Durable); err == nil {
				fmt.Println("acknowledged", i)
			}
		}
		fmt.Println("went on after", err)
		os.Exit(1)
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestExitCode$")
	cmd.Env = append(os.Environ(), "AVXRT_TEST_CHILD_DIR="+dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != log.ExitTryAgain {
		t.Fatalf("the child ended with %v, want code %d:\n%s", err, log.ExitTryAgain, out)
	}
	l := open(t, dir, log.Options{})
	if acked := strings.Count(string(out), "acknowledged"); int(l.Head()) < acked || acked == 0 {
		t.Errorf("%d events were acknowledged, %d are there", acked, l.Head())
	}
}

// quotaFS is a disk of a few MiB.
type quotaFS struct {
	vfs.FS
	free *atomic.Int64
}

func (f quotaFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: uint64(max(f.free.Load(), 0)), TotalBytes: 64 << 20}, nil
}

func (f quotaFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return quotaFile{file, f.free}, err
}

type quotaFile struct {
	vfs.File
	free *atomic.Int64
}

func (f quotaFile) Write(p []byte) (int, error) {
	if f.free.Add(-int64(len(p))) < 0 {
		f.free.Add(int64(len(p)))
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

// TestDiskFull fills a small disk and empties it again: events are refused in time with
// the right error, reads go on, and events are taken again without a restart.
func TestDiskFull(t *testing.T) {
	rounds := fault.Size(t, 3, 50)
	p := fault.Prove(t, "P6", "full disks", "a full disk refuses new events within 100 ms, keeps reads working, and recovers without a restart")
	var free atomic.Int64
	free.Store(24 << 20)
	var full, freed atomic.Int64
	l, err := log.Open("db", log.WithFS(log.Options{
		MinFree: 4 << 20, Ballast: 1 << 20, SyncEvery: time.Millisecond, VerifyEvery: -1,
		Observer: log.Observer{DiskFull: func(uint64) { full.Add(1) }, DiskFreed: func(uint64) { freed.Add(1) }},
		OnFatal:  func(reason string) { t.Error("the process would have ended: ", reason) },
	}, quotaFS{vfs.NewMem(), &free}))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	ev := event("a", "k", "")
	ev.Data = make([]byte, 50_000)
	for range rounds {
		took, err := refusal(l, ev)
		if !errors.Is(err, log.ErrDiskFull) || took > 100*time.Millisecond {
			t.Fatalf("refused with %v after %v", err, took)
		}
		if _, err := l.Commit(ctx, &log.Commit{Subscriber: "s", From: 1, To: 1}, log.Durable); !errors.Is(err, log.ErrDiskFull) {
			t.Fatalf("a commit: %v", err)
		}
		if got := len(readAll(t, l, log.ReadOptions{})); got != int(l.Head()-l.First())+1 {
			t.Fatalf("%d of %d events can be read", got, l.Head()-l.First()+1)
		}
		if !l.Metrics().DiskFull {
			t.Error("the metrics do not say so")
		}
		// Retention makes room: it must not need any.
		if r, err := l.Trim(ctx, l.Head()-10, "room is needed"); err != nil || r.To == 0 {
			t.Fatalf("trim on a full disk: %+v, %v", r, err)
		}
		free.Add(20 << 20)
		if _, err := l.Append(ctx, one(ev), log.Durable); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		p.Injected(1)
	}
	if full.Load() != int64(rounds) || freed.Load() != int64(rounds) {
		t.Errorf("the observer was told %d times of a full disk and %d times of room, want %d", full.Load(), freed.Load(), rounds)
	}
	if reason := withoutGate(&free, ev); strings.Contains(reason, log.ErrDiskFull.Error()) {
		t.Errorf("without the gate events are refused all the same: %s", reason)
	} else {
		p.Breach()
	}
}

// refusal appends until that is refused, and returns the error and how long it took: the
// shortest of some refusals, since the machine may be busy with something else.
func refusal(l *log.Log, ev abi.Event) (took time.Duration, err error) {
	for err == nil {
		start := time.Now()
		_, err = l.Append(ctx, one(ev), log.Durable)
		took = time.Since(start)
	}
	for try := 0; try < 50 && (try < 4 || took > 100*time.Millisecond); try++ {
		start := time.Now()
		if _, again := l.Append(ctx, one(ev), log.Durable); again == nil {
			return 0, errors.New("refused once, and taken then without more room")
		}
		took = min(took, time.Since(start))
	}
	return took, err
}

// withoutGate is the planted breach: the engine then gets the error of the disk, and does
// not pass it on. It returns how that ends.
func withoutGate(free *atomic.Int64, ev abi.Event) string {
	free.Store(1 << 20)
	broken := make(chan string, 1)
	opts := log.WithFS(log.Options{MinFree: -1, Ballast: -1, VerifyEvery: -1, OnFatal: func(reason string) {
		broken <- reason
		select {}
	}}, quotaFS{vfs.NewMem(), free})
	go func() {
		l, err := log.Open("db", opts)
		for err == nil {
			_, err = l.Append(ctx, one(ev), log.Durable)
		}
		broken <- err.Error()
	}()
	return <-broken
}

// TestSecondProcess: a store belongs to one process.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, log.Options{})
	if _, err := log.Open(dir, log.Options{}); !errors.Is(err, log.ErrLocked) {
		t.Errorf("a second opening: %v", err)
	}
}
