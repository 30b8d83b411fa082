package log_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
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

// timerLog is a log with one subscriber and a clock that the test moves.
type timerLog struct {
	*log.Log
	now    time.Time
	cursor abi.Seq
}

func openTimers(t *testing.T, dir string) *timerLog {
	t.Helper()
	tl := &timerLog{now: time.Now(), cursor: 1}
	l, err := log.Open(dir, log.WithClock(log.Options{VerifyEvery: -1}, func() time.Time { return tl.now }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	tl.Log = l
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	return tl
}

// set commits timers: id@seconds, name=id@seconds, or -name to cancel.
func (tl *timerLog) set(t *testing.T, timers ...string) {
	t.Helper()
	c := log.Commit{Subscriber: "s", StateVersion: 1, From: tl.cursor, To: tl.cursor}
	for _, text := range timers {
		var tc log.TimerChange
		if tc.Name, tc.Cancel = strings.CutPrefix(text, "-"); !tc.Cancel {
			name, rest, named := strings.Cut(text, "=")
			if !named {
				name, rest = "", text
			}
			id, seconds, _ := strings.Cut(rest, "@")
			d, err := time.ParseDuration(seconds)
			if err != nil {
				t.Fatal(err)
			}
			tc = log.TimerChange{Name: name, Due: tl.now.Add(d).UnixNano(), Cause: 7, Event: event("late", "k", id)}
			tc.Event.Data = []byte("secret of " + id)
		}
		c.Timers = append(c.Timers, tc)
	}
	if _, err := tl.Commit(ctx, &c, log.Accepted); err != nil {
		t.Fatal(err)
	}
}

// fire appends what is due and returns the ids, in the order of the log.
func (tl *timerLog) fire(t *testing.T) string {
	t.Helper()
	due, err := tl.DueTimers(100)
	if err != nil {
		t.Fatal(err)
	}
	if len(due) == 0 {
		return ""
	}
	receipts, err := tl.Fire(ctx, due)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range receipts {
		ids = append(ids, r.ID)
	}
	return strings.Join(ids, " ")
}

func pendingTimers(t *testing.T, l *log.Log) string {
	t.Helper()
	var ids []string
	if err := l.Timers("s", 0, "", func(tm log.Timer) bool {
		ids = append(ids, strings.TrimPrefix(tm.Name+"="+tm.Event.ID, "="))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(ids, " ")
}

// TestTimers sets, replaces and cancels timers, and fires them in the order of time and id.
func TestTimers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	tl := openTimers(t, dir)
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	tl.set(t, "b@2s", "a@2s", "n=c@1s", "m=d@3s")
	tl.set(t, "n=e@10s", "m=f@20s", "-m", "o=g@1s", "o=h@5s", "-nobody")
	check("pending", pendingTimers(t, tl.Log), "a b o=h n=e")
	check("too early", tl.fire(t), "")
	tl.now = tl.now.Add(5 * time.Second)
	check("due", tl.fire(t), "a b h")
	check("again", tl.fire(t), "")
	if err := tl.Close(); err != nil {
		t.Fatal(err)
	}
	tl = openTimers(t, dir)
	check("after a restart", pendingTimers(t, tl.Log), "n=e")
	if due, ok := tl.NextTimer(); !ok || due > tl.now.Add(10*time.Second).UnixNano() {
		t.Errorf("the next timer is at %d, %v", due, ok)
	}
	tl.set(t, "n=i@0s")
	check("replaced", tl.fire(t), "i")
	if _, ok := tl.NextTimer(); ok {
		if tl.fire(t); pendingTimers(t, tl.Log) != "" {
			t.Error("a timer is left")
		}
	}
	ev, err := tl.Event(4)
	if err != nil || ev.ID != "i" || ev.Topic != "late" || string(ev.Data) != "secret of i" {
		t.Errorf("the fired event is %+v, %v", ev, err)
	}
}

// TestTimerRace fires what another commit took out after it was read.
func TestTimerRace(t *testing.T) {
	tl := openTimers(t, filepath.Join(t.TempDir(), "db"))
	tl.set(t, "n=a@0s", "b@0s")
	due, err := tl.DueTimers(100)
	if err != nil {
		t.Fatal(err)
	}
	tl.set(t, "-n")
	if _, err := tl.Fire(ctx, due); !errors.Is(err, log.ErrTimerChanged) {
		t.Fatalf("got %v, want ErrTimerChanged", err)
	}
	if tl.Head() != 0 {
		t.Fatal("a refused firing left events")
	}
	if got := tl.fire(t); got != "b" {
		t.Fatalf("fired %q, want b", got)
	}
}

// TestForkTimers forks before timers fired, were replaced and were set.
func TestForkTimers(t *testing.T) {
	dir := t.TempDir()
	tl := openTimers(t, filepath.Join(dir, "db"))
	grow := func() abi.Seq {
		r, err := tl.Append(ctx, []abi.Event{event("in", "", "")}, log.Durable)
		if err != nil {
			t.Fatal(err)
		}
		return r[0].Seq
	}
	grow()
	tl.set(t, "n=a@0s", "b@0s")
	at := grow()
	grow() // a commit without emits belongs to the event before it
	tl.set(t, "n=c@0s")
	tl.fire(t)
	grow()
	tl.set(t, "d@0s")
	for seq, want := range map[abi.Seq]string{at: "n=a b", tl.Head(): "d"} {
		fork := filepath.Join(dir, fmt.Sprint("fork", seq))
		if _, err := tl.Fork(ctx, fork, seq); err != nil {
			t.Fatal(err)
		}
		l, err := log.Open(fork, log.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := sorted(pendingTimers(t, l)); got != sorted(want) {
			t.Errorf("fork at %d has the timers %q, want %q", seq, got, want)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func sorted(words string) string {
	list := strings.Fields(words)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// TestRedactTimers erases what a redacted event left in timers: those that it set, and the
// record of its own.
func TestRedactTimers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	tl := openTimers(t, dir)
	for range 7 {
		if _, err := tl.Append(ctx, []abi.Event{event("in", "", "")}, log.Durable); err != nil {
			t.Fatal(err)
		}
	}
	tl.set(t, "fired@0s")
	tl.set(t, "waits@1h") // set by event 7, too
	tl.fire(t)
	if report, err := tl.Redact(ctx, 8, "test"); err != nil || !report.Found || report.Copies != 1 {
		t.Fatalf("%+v, %v; want one copy, in an undo record", report, err)
	}
	if report, err := tl.Redact(ctx, 7, "test"); err != nil || report.Copies != 1 {
		t.Fatalf("%+v, %v; want the timer that waits", report, err)
	}
	if err := tl.Timers("s", 0, "", func(tm log.Timer) bool {
		if len(tm.Event.Data) > 0 {
			t.Errorf("timer %s still says %q", tm.Event.ID, tm.Event.Data)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if err := tl.Close(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"secret of fired", "secret of waits"} {
		if found(t, dir, []byte(secret)) {
			t.Errorf("%q is still in the files", secret)
		}
	}
}

// TestClockStops moves the wall clock by more than an hour: timers and retention by age
// wait, appends do not, until the clock is accepted.
func TestClockStops(t *testing.T) {
	for _, jump := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		tl := openTimers(t, filepath.Join(t.TempDir(), "db"))
		tl.set(t, "a@1s")
		tl.now = tl.now.Add(jump)
		var clock *log.ClockError
		if _, err := tl.DueTimers(10); !errors.As(err, &clock) || clock.Drift.Round(time.Minute) != jump {
			t.Fatalf("after %v: %v", jump, err)
		}
		if _, err := tl.Append(ctx, []abi.Event{event("in", "", "")}, log.Durable); err != nil {
			t.Fatal(err)
		}
		if report, err := tl.Retain(ctx, log.Retention{MaxAge: time.Minute, Force: true}); err != nil || !strings.Contains(report.Refused, "avxrt clock accept") {
			t.Fatalf("retention: %+v, %v", report, err)
		}
		tl.AcceptClock()
		want := "a"
		if jump < 0 {
			want = ""
		}
		if got := tl.fire(t); got != want {
			t.Errorf("after %v, accepted: fired %q, want %q", jump, got, want)
		}
	}
}

// TestTimerOnce sets, replaces and fires timers, takes the power away at random moments, and
// checks after reopening and firing all that is left: each timer that a surviving commit set
// fired exactly once, and none that one replaced.
func TestTimerOnce(t *testing.T) {
	crashes := fault.Size(t, 2000, 50_000)
	p := fault.Prove(t, "P3", "power losses among timers", "a durable timer fires exactly once")
	rng := p.Rand()
	for done := 0; done < crashes; {
		n, err := timerHistory(rng, false)
		if err != nil {
			t.Fatal(err)
		}
		p.Injected(n)
		done += n
	}
	for range 200 {
		if _, err := timerHistory(rng, true); err != nil {
			p.Breach()
			return
		}
	}
	t.Error("the test does not find a firing that is two commits")
}

// timerHistory runs one history with power losses; apart plants the breach that an event is
// appended first and its timer taken out afterwards.
func timerHistory(rng *rand.Rand, apart bool) (crashes int, err error) {
	fs := vfs.NewCrashableMem()
	l, err := log.Open("db", crashOptions(reuseFS{fs}))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		return 0, err
	}
	crash := func() error {
		crashes++
		return timersAgree(reuseFS{fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})})
	}
	for step := range 5 + rng.IntN(20) {
		if rng.IntN(2) == 0 {
			err = setSome(l, rng, step)
		} else {
			err = fireSome(l, apart, crash)
		}
		if err == nil && rng.IntN(3) == 0 {
			err = crash()
		}
		if err != nil {
			return crashes, err
		}
	}
	return crashes, nil
}

// setSome commits a timer, named or not, and an event set.<id> that tells of it.
func setSome(l *log.Log, rng *rand.Rand, step int) error {
	c := log.Commit{Subscriber: "s", StateVersion: 1, From: 1, To: 1}
	for i := range 1 + rng.IntN(3) {
		name, id := "", fmt.Sprintf("%d-%d", step, i)
		if rng.IntN(2) == 0 {
			name = "n"
		}
		due := time.Now().Add(-time.Duration(rng.IntN(1000)) * time.Second)
		c.Timers = append(c.Timers, log.TimerChange{Name: name, Due: due.UnixNano(), Event: event("fired", "", id)})
		told := event("set", name, "set-"+id)
		c.Emits = append(c.Emits, told)
	}
	_, err := l.Commit(ctx, &c, log.Durability(rng.IntN(2)))
	return err
}

func fireSome(l *log.Log, apart bool, between func() error) error {
	due, err := l.DueTimers(3)
	if err != nil || len(due) == 0 {
		return err
	}
	if !apart {
		_, err = l.Fire(ctx, due)
		return err
	}
	var events []abi.Event
	for _, t := range due {
		events = append(events, t.Event)
	}
	if _, err := l.Append(ctx, events, log.Durable); err != nil {
		return err
	}
	return errors.Join(between(), l.DropTimers(ctx, due))
}

// timersAgree opens what survived, fires what is left, and compares the log's events.
func timersAgree(fs vfs.FS) (err error) {
	l, err := log.Open("db", crashOptions(fs))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	for {
		due, err := l.DueTimers(100)
		if err != nil {
			return err
		}
		if len(due) == 0 {
			break
		}
		if _, err := l.Fire(ctx, due); err != nil {
			return err
		}
	}
	open, fired := map[string]bool{}, map[string]int{} // what should fire or have; what did
	named := ""                                        // waits under the name
	r := l.NewReader(log.ReadOptions{})
	defer r.Close()
	var ev abi.Event
	for r.Next(&ev) {
		id, set := strings.CutPrefix(ev.ID, "set-")
		switch {
		case set && ev.Key == "n":
			if named != "" {
				delete(open, named)
			}
			named, open[id] = id, true
		case set:
			open[id] = true
		default:
			fired[ev.ID]++
			if ev.ID == named {
				named = ""
			}
		}
	}
	for id := range open {
		if fired[id] != 1 {
			return fmt.Errorf("timer %s fired %d times", id, fired[id])
		}
		delete(fired, id)
	}
	if len(fired) > 0 {
		return fmt.Errorf("these fired although they were replaced: %v", fired)
	}
	return r.Err()
}

// TestTimerLanes lets the lanes of a subscriber set the timer of one name at once: in the end
// there is one.
func TestTimerLanes(t *testing.T) {
	const lanes, rounds = 8, 30
	tl := openTimers(t, filepath.Join(t.TempDir(), "db"))
	if err := tl.SetLanes(ctx, "s", lanes, 1); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for lane := range lanes {
		wg.Go(func() {
			for i := range rounds {
				change := log.TimerChange{Name: "n", Due: int64(1 + i), Event: event("late", "", fmt.Sprint(lane, "-", i))}
				c := log.Commit{Subscriber: "s", StateVersion: 1, Lane: lane, From: 1, To: 1, Fence: 1, Timers: []log.TimerChange{change}}
				if _, err := tl.Commit(ctx, &c, log.Durable); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := strings.Fields(pendingTimers(t, tl.Log)); len(got) != 1 {
		t.Errorf("%d timers have the name: %v", len(got), got)
	}
}
