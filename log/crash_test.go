package log_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
)

// reuseFS works around faults of the engine's test file system in this version: a recycled
// file is made anew, and a link is a copy, since a link and a crash at once wait for each
// other for ever.
type reuseFS struct{ vfs.FS }

func (f reuseFS) Link(oldname, newname string) error {
	if _, err := f.FS.Stat(newname); err == nil {
		return &os.LinkError{Op: "link", Old: oldname, New: newname, Err: os.ErrExist}
	}
	err := vfs.Copy(f.FS, oldname, newname)
	if err != nil { // a link that fails leaves nothing
		_ = f.FS.Remove(newname)
	}
	return err
}

func (f reuseFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.FS.Remove(oldname); err != nil {
		return nil, err
	}
	return f.FS.Create(newname, category)
}

// TestPowerLoss appends and commits, takes the power away at random moments, where any
// part of what was not synced may survive, and checks after reopening: what was
// acknowledged as durable is there, seqs have no holes, and cursor, state, emits and dead
// letters of the subscriber agree.
func TestPowerLoss(t *testing.T) {
	crashes := fault.Size(t, 3000, 100_000)
	p := fault.Prove(t, "P2", "power losses", "an event acknowledged as durable survives power loss; cursor, state, emits and dead letters agree")
	once := fault.Prove(t, "P3", "power losses", "an event changes a subscriber's state, emits and dead letters exactly once")
	rng := p.Rand()
	for done := 0; done < crashes; {
		fs := vfs.NewCrashableMem()
		h := &history{rng: rng}
		if err := h.open(reuseFS{fs}); err != nil {
			t.Fatal(err)
		}
		for range 1 + rng.IntN(20) {
			if err := h.step(); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(3) == 0 {
				clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				if err := h.check(reuseFS{clone}); err != nil {
					t.Fatal(err)
				}
				p.Injected(1)
				once.Injected(1)
				done++
			}
		}
		if err := h.l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, fs := range map[string]func(vfs.FS) vfs.FS{
		"a disk that says synced and is not": func(fs vfs.FS) vfs.FS { return lyingFS{fs} },
	} {
		if findsBreach(rng, fs) {
			p.Breach()
		} else {
			t.Errorf("the test does not find %s", name)
		}
	}
	if findsSplit(rng) {
		once.Breach()
	} else {
		t.Error("the test does not find a cursor that is committed before the state")
	}
}

// findsSplit says whether the checks notice a subscriber whose cursor and state are two commits.
func findsSplit(rng *rand.Rand) bool {
	for range 200 {
		fs := vfs.NewCrashableMem()
		h := &history{rng: rng}
		if err := h.open(reuseFS{fs}); err != nil {
			return false
		}
		found := false
		h.between = func() {
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			found = found || h.check(reuseFS{clone}) != nil
		}
		for range 10 {
			if err := h.step(); err != nil {
				return false
			}
		}
		if err := h.l.Close(); err != nil {
			return false
		}
		if found {
			return true
		}
	}
	return false
}

// findsBreach says whether the checks notice a broken file system within some histories.
func findsBreach(rng *rand.Rand, broken func(vfs.FS) vfs.FS) bool {
	for range 50 {
		fs := vfs.NewCrashableMem()
		h := &history{rng: rng}
		if err := h.open(reuseFS{broken(fs)}); err != nil {
			return true
		}
		for range 10 {
			if err := h.step(); err != nil {
				return true
			}
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{RNG: rng})
		found := h.check(reuseFS{clone}) != nil
		if err := h.l.Close(); err != nil || found {
			return true
		}
	}
	return false
}

// lyingFS syncs nothing but what concerns folders.
type lyingFS struct{ vfs.FS }

func (f lyingFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return lyingFile{file}, err
}

type lyingFile struct{ vfs.File }

func (lyingFile) Sync() error                { return nil }
func (lyingFile) SyncData() error            { return nil }
func (lyingFile) SyncTo(int64) (bool, error) { return false, nil }

// history is one store, and what was acknowledged.
type history struct {
	rng     *rand.Rand
	opts    log.Options
	l       *log.Log
	next    int
	durable int     // events that were acknowledged as durable, by count of ids
	cursor  abi.Seq // of the subscriber, as last committed
	counted int
	between func() // the planted breach of P3: the cursor is a commit of its own, and this is called behind it
}

// crashOptions give a log a small index, so that its files are written all the time.
func crashOptions(fs vfs.FS) log.Options {
	return log.WithSizes(log.WithFS(log.Options{CacheBytes: 1 << 20, SyncEvery: time.Hour, VerifyEvery: -1}, fs), 0, 6)
}

func (h *history) open(fs vfs.FS) (err error) {
	if h.l, err = log.Open("db", crashOptions(fs)); err != nil {
		return err
	}
	h.cursor = 1
	_, err = h.l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1})
	return err
}

// step appends some events, or lets the subscriber handle some: it counts them in its
// state, emits one event for each, files a dead letter for every fifth, and blocks a key where
// it stands unless the count is a multiple of three.
func (h *history) step() error {
	d := log.Durability(h.rng.IntN(2))
	if h.rng.IntN(2) == 0 || h.cursor > h.l.Head() {
		var events []abi.Event
		for range 1 + h.rng.IntN(5) {
			events = append(events, event("in", "k", strconv.Itoa(h.next)))
			h.next++
		}
		if _, err := h.l.Append(ctx, events, d); err != nil {
			return err
		}
	} else if err := h.handle(d); err != nil {
		return err
	}
	if d == log.Durable {
		h.durable = h.next
	}
	return nil
}

func (h *history) handle(d log.Durability) error {
	c := log.Commit{Subscriber: "s", StateVersion: 1, From: h.cursor, To: h.cursor}
	r := h.l.NewReader(log.ReadOptions{From: h.cursor})
	defer r.Close()
	counted := h.counted
	var ev abi.Event
	for range 1 + h.rng.IntN(4) {
		if !r.Next(&ev) {
			break
		}
		c.To = ev.Seq + 1
		if ev.Topic != "in" {
			continue
		}
		counted++
		c.Emits = append(c.Emits, event("out", "", "s-"+ev.ID))
		if counted%5 == 0 {
			c.DeadLetters = append(c.DeadLetters, log.DeadLetter{Seq: ev.Seq, Reason: "trap", Time: time.Unix(1, 0)})
		}
	}
	c.Writes = []log.StateWrite{{Key: []byte("n"), Value: []byte(strconv.Itoa(counted))}}
	c.Parked = []log.ParkedChange{{Parked: log.Parked{Key: "k", First: c.To, Attempts: counted}, Gone: counted%3 == 0}}
	if h.between != nil {
		if _, err := h.l.Commit(ctx, &log.Commit{Subscriber: "s", StateVersion: 1, From: c.From, To: c.To}, log.Durable); err != nil {
			return err
		}
		h.between()
		c.From = c.To
	}
	if _, err := h.l.Commit(ctx, &c, d); err != nil {
		return err
	}
	h.cursor, h.counted = c.To, counted
	return nil
}

// check opens what survived and says what is wrong with it.
func (h *history) check(fs vfs.FS) error {
	l, err := log.Open("db", crashOptions(fs))
	if err != nil {
		return err
	}
	if err := errors.Join(h.compare(l), l.Close()); err != nil {
		return err
	}
	return nil
}

func (h *history) compare(l *log.Log) error {
	cursor, err := l.Cursor("s")
	if err != nil {
		return err
	}
	in, out, handled := 0, map[string]int{}, 0
	var stream []string
	r := l.NewReader(log.ReadOptions{Borrow: true})
	defer r.Close()
	var ev abi.Event
	for want := abi.Seq(1); r.Next(&ev); want++ {
		if ev.Seq != want {
			return fmt.Errorf("seq %d follows %d", ev.Seq, want-1)
		}
		if ev.Key == "k" {
			stream = append(stream, fmt.Sprintf("%d:%d", ev.Version, ev.Seq))
		}
		if ev.Topic == "out" {
			out[strings.Clone(ev.ID)]++
			continue
		}
		if ev.Topic != "in" {
			continue
		}
		if ev.ID != strconv.Itoa(in) || int(ev.Version) != in+1 {
			return fmt.Errorf("event %s of version %d where %d was appended", ev.ID, ev.Version, in)
		}
		in++
		if ev.Seq < cursor.Next {
			handled++
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	if in < h.durable {
		return fmt.Errorf("%d events survived, %d were acknowledged as durable", in, h.durable)
	}
	return errors.Join(compareStream(l, stream), h.compareSubscriber(l, cursor, handled, out))
}

// compareStream checks that the stream of key k, which the index finds, is the one in the log.
func compareStream(l *log.Log, want []string) error {
	r, err := l.ReadStream("k", log.StreamOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	var got []string
	var ev abi.Event
	for r.Next(&ev) {
		got = append(got, fmt.Sprintf("%d:%d", ev.Version, ev.Seq))
	}
	if r.Err() != nil || !slices.Equal(got, want) {
		return fmt.Errorf("the stream is %v, in the log it is %v: %v", got, want, r.Err())
	}
	return nil
}

// compareSubscriber checks what the subscriber has made of the events below its cursor.
func (h *history) compareSubscriber(l *log.Log, cursor log.Cursor, handled int, out map[string]int) error {
	snap := l.Snapshot()
	defer snap.Close()
	n := 0
	if value, ok, err := snap.State("s", 1).Get([]byte("n")); err != nil {
		return err
	} else if ok {
		n, _ = strconv.Atoi(string(value))
	}
	letters := 0
	if err := l.DeadLetters("s", 0, func(log.DeadLetter) bool { letters++; return true }); err != nil {
		return err
	}
	if n != handled || len(out) != handled || letters != handled/5 {
		return fmt.Errorf("below the cursor %d are %d events; the state counts %d, %d were emitted, %d dead letters", cursor.Next, handled, n, len(out), letters)
	}
	if parked, err := l.Parked("s"); err != nil {
		return err
	} else if blocked := handled%3 != 0; blocked != (len(parked) == 1) || blocked && (parked[0].Attempts != handled || parked[0].First > cursor.Next) {
		return fmt.Errorf("with %d events handled and the cursor at %d these keys are blocked: %+v", handled, cursor.Next, parked)
	}
	for i := range handled {
		if out[fmt.Sprintf("s-%d", i)] != 1 {
			return fmt.Errorf("the emit of event %d is there %d times", i, out[fmt.Sprintf("s-%d", i)])
		}
	}
	return nil
}
