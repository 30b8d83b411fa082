package log_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
)

// attempt is one append that expected a version.
type attempt struct {
	began, ended time.Time
	want         abi.Version // it wanted to become this version
	have         abi.Version // if it was refused: what the stream was at
	ok           bool
}

// TestLinearizable lets many writers race for the versions of one stream and checks the
// history against the register "version": there must be one order of all attempts, each
// at a moment between its beginning and its end, that explains every answer. Versions
// rise by one with every success, so that order is known, and the check is exact.
func TestLinearizable(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	const writers, each = 8, 200
	var mu sync.Mutex
	var all []attempt
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			guess := abi.Version(0)
			for i := range each {
				a := attempt{want: guess + 1, began: time.Now()}
				ev := abi.Event{Topic: "a", Key: "k", ID: fmt.Sprint(w, "-", i), Source: "s", Version: a.want}
				_, err := l.Append(ctx, one(ev), log.Durability(i%2))
				a.ended = time.Now()
				var ve *log.VersionError
				switch {
				case err == nil:
					a.ok, guess = true, a.want
				case errors.As(err, &ve):
					a.have, guess = ve.Have, ve.Have
				default:
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, a)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if problem := linearizable(all); problem != "" {
		t.Error(problem)
	}
	// The breach: a stale answer.
	all = append(all, attempt{began: time.Now(), ended: time.Now(), want: 9, have: 1})
	if linearizable(all) == "" {
		t.Error("the check does not notice a stale answer")
	}
}

// linearizable says what contradicts an order, "" if nothing does.
func linearizable(all []attempt) string {
	byVersion := map[abi.Version]attempt{}
	for _, a := range all {
		if !a.ok {
			continue
		}
		if _, twice := byVersion[a.want]; twice {
			return fmt.Sprintf("version %d was given twice", a.want)
		}
		byVersion[a.want] = a
	}
	// Each success lies behind the beginning of every lower one: the latest beginning so far.
	var latest time.Time
	earliest := make([]time.Time, len(byVersion)+1) // version v was reached after this moment
	for v := abi.Version(1); int(v) <= len(byVersion); v++ {
		a, ok := byVersion[v]
		if !ok {
			return fmt.Sprintf("version %d is missing", v)
		}
		if a.began.After(latest) {
			latest = a.began
		}
		if a.ended.Before(latest) {
			return fmt.Sprintf("version %d was given before a lower one was asked for", v)
		}
		earliest[v] = latest
	}
	// A version is left before the end of every higher success.
	left := make([]time.Time, len(byVersion)+1)
	for v := len(byVersion); v > 0; v-- {
		left[v-1] = byVersion[abi.Version(v)].ended
		if v < len(byVersion) && left[v].Before(left[v-1]) {
			left[v-1] = left[v]
		}
	}
	for _, a := range all {
		if a.ok {
			continue
		}
		if int(a.have) < len(byVersion) && left[a.have].Before(a.began) {
			return fmt.Sprintf("an answer said version %d after version %d was acknowledged", a.have, a.have+1)
		}
		if a.have > 0 && (int(a.have) > len(byVersion) || a.ended.Before(earliest[a.have])) {
			return fmt.Sprintf("an answer said version %d before it was asked for", a.have)
		}
	}
	return ""
}

// TestClockJumps lets the wall clock jump about while events are appended, duplicates are
// sent and retention by age runs: nothing is reordered, lost, taken twice or expires.
func TestClockJumps(t *testing.T) {
	jumps := fault.Size(t, 500, 10_000)
	p := fault.Prove(t, "P24", "jumps of the clock", "clock jumps do not reorder, lose, duplicate or expire events")
	same := func(o log.Options) log.Options { return o }
	if err := clockJumps(p.Rand(), jumps, same, p.Injected); err != nil {
		t.Error(err)
	}
	// One jump in five leads to a new latest time with a chance of a half at least, so 200
	// jumps without one do not happen.
	if err := clockJumps(p.Rand(), 200, log.WithWallAge, func(int) {}); err == nil {
		t.Error("the test does not notice that events expire")
	} else {
		p.Breach()
	}
}

// clockJumps runs with options that change may have broken, and tells injected of each jump.
func clockJumps(rng *rand.Rand, jumps int, change func(log.Options) log.Options, injected func(int)) error {
	var mu sync.Mutex
	var offset time.Duration
	fs := vfs.NewCrashableMem()
	opts := log.WithClock(change(crashOptions(reuseFS{fs})), func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(offset)
	})
	l, err := log.Open("db", opts)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	n := 0
	for range jumps {
		mu.Lock()
		switch rng.IntN(5) {
		case 0:
			offset += time.Duration(rng.Int64N(int64(365 * 24 * time.Hour)))
		case 1:
			offset -= time.Duration(rng.Int64N(int64(365 * 24 * time.Hour)))
		case 2:
			offset += time.Duration(rng.Int64N(int64(2 * time.Hour)))
		case 3:
			offset = 0
		case 4: // decades, to and fro: together more than 64 bits of nanoseconds
			offset = time.Duration(20-40*rng.IntN(2)) * 365 * 24 * time.Hour
		}
		mu.Unlock()
		for range 1 + rng.IntN(3) {
			again := max(n-1-rng.IntN(10), 0)
			r, err := l.Append(ctx, []abi.Event{event("a", "k", fmt.Sprint(n)), event("a", "k", fmt.Sprint(again))}, log.Accepted)
			if err != nil {
				return err
			}
			if r[0].Duplicate || !r[1].Duplicate || int(r[0].Version) != n+1 {
				return fmt.Errorf("event %d: %+v", n, r)
			}
			n++
		}
		if _, err := l.Retain(ctx, log.Retention{MaxAge: time.Hour}); err != nil {
			return err
		}
		injected(1)
	}
	return inOrder(l, n)
}

// inOrder checks that the events 0 to n-1 are there, in their order, with rising times.
func inOrder(l *log.Log, n int) error {
	r := l.NewReader(log.ReadOptions{Borrow: true, Match: func(topic string) bool { return topic == "a" }})
	defer r.Close()
	var ev abi.Event
	var before int64
	i := 0
	for ; r.Next(&ev); i++ {
		if ev.ID != fmt.Sprint(i) || ev.Appended <= before {
			return fmt.Errorf("event %q of time %d at place %d behind time %d", ev.ID, ev.Appended, i, before)
		}
		before = ev.Appended
	}
	if i != n {
		return fmt.Errorf("%d of %d events are there: %v", i, n, r.Err())
	}
	return nil
}

// TestSameBytes runs one history under different options, interrupted by crashes and
// reopenings at different places: readers see the same bytes at the end.
func TestSameBytes(t *testing.T) {
	var want string
	for variant := range 24 {
		rng := newRand(uint64(variant))
		fs := vfs.NewCrashableMem()
		opts := func() log.Options {
			o := crashOptions(reuseFS{fs})
			o.TailBytes = []int64{1, 4096, 32 << 20}[rng.IntN(3)]
			o.UndoBytes = []int64{-1, 1, 64 << 20}[rng.IntN(3)]
			return log.WithClock(log.WithSizes(o, []uint64{256 << 10, 32 << 20}[rng.IntN(2)], []int{1, 50, 1 << 20}[rng.IntN(3)]), func() time.Time { return time.Unix(1, 0) })
		}
		h := &history{rng: newRand(99)} // the same steps every time
		var err error
		if h.l, err = log.Open("db", opts()); err != nil {
			t.Fatal(err)
		}
		h.cursor = 1
		if _, err := h.l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
			t.Fatal(err)
		}
		for range 80 {
			if err := h.step(); err != nil {
				t.Fatal(err)
			}
			if variant == 0 || rng.IntN(12) > 0 {
				continue
			}
			if err := h.l.Sync(ctx); err != nil {
				t.Fatal(err)
			}
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			if err := h.l.Close(); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(2) == 0 {
				fs = clone
			}
			if h.l, err = log.Open("db", opts()); err != nil {
				t.Fatal(err)
			}
		}
		got, err := dump(h.l)
		if err != nil {
			t.Fatal(err)
		}
		got += readStream(t, h.l, "k", log.StreamOptions{})
		if want == "" {
			want = got
		}
		if got != want {
			t.Fatalf("variant %d:\n%s\nwant:\n%s", variant, got, want)
		}
		if err := h.l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIndexFromScratch compares the stream index as it grew, over crashes and reopenings,
// with one that is built from the log alone.
func TestIndexFromScratch(t *testing.T) {
	fs := vfs.NewCrashableMem()
	rng := newRand(5)
	l, err := log.Open("db", log.WithSizes(crashOptions(reuseFS{fs}), 1<<20, 9))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		appendOK(t, l, log.Durable, event("a", fmt.Sprint("k", rng.IntN(12)), ""), event("b", fmt.Sprint("k", rng.IntN(12)), ""))
		if i%40 == 39 {
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			fs = clone
			if l, err = log.Open("db", log.WithSizes(crashOptions(reuseFS{fs}), 1<<20, 9)); err != nil {
				t.Fatal(err)
			}
		}
	}
	grown, err := log.Postings(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := log.DropIndex("db", reuseFS{fs}); err != nil {
		t.Fatal(err)
	}
	if l, err = log.Open("db", log.WithSizes(crashOptions(reuseFS{fs}), 1<<20, 1<<20)); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	scratch, err := log.Postings(l)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(grown, scratch) {
		t.Errorf("grown:\n%s\nfrom scratch:\n%s", strings.Join(grown, "\n"), strings.Join(scratch, "\n"))
	}
}
