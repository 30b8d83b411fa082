package log_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
)

// reuseFS works around two faults of the engine's test file system in this version: a
// recycled file is made anew.
type reuseFS struct{ vfs.FS }

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
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for done := 0; done < crashes; {
		fs := vfs.NewCrashableMem()
		h := &history{t: t, rng: rng}
		h.open(fs)
		for range 1 + rng.IntN(20) {
			h.step()
			if rng.IntN(3) == 0 {
				clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				h.check(clone)
				done++
			}
		}
		if err := h.l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// history is one store, and what was acknowledged.
type history struct {
	t       *testing.T
	rng     *rand.Rand
	l       *log.Log
	next    int
	durable int     // events that were acknowledged as durable, by count of ids
	cursor  abi.Seq // of the subscriber, as last committed
	counted int
}

func openOn(t *testing.T, fs vfs.FS) *log.Log {
	t.Helper()
	l, err := log.Open("db", log.WithFS(log.Options{CacheBytes: 1 << 20, SyncEvery: time.Hour}, reuseFS{fs}))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (h *history) open(fs vfs.FS) {
	h.l = openOn(h.t, fs)
	if _, err := h.l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		h.t.Fatal(err)
	}
	h.cursor = 1
}

// step appends some events, or lets the subscriber handle some: it counts them in its
// state, emits one event for each and files a dead letter for every fifth.
func (h *history) step() {
	d := log.Durability(h.rng.IntN(2))
	if h.rng.IntN(2) == 0 || h.cursor > h.l.Head() {
		var events []abi.Event
		for range 1 + h.rng.IntN(5) {
			events = append(events, event("in", "k", strconv.Itoa(h.next)))
			h.next++
		}
		appendOK(h.t, h.l, d, events...)
	} else {
		h.handle(d)
	}
	if d == log.Durable {
		h.durable = h.next
	}
}

func (h *history) handle(d log.Durability) {
	c := log.Commit{Subscriber: "s", StateVersion: 1, From: h.cursor, To: h.cursor}
	r := h.l.NewReader(log.ReadOptions{From: h.cursor})
	defer r.Close()
	var ev abi.Event
	for range 1 + h.rng.IntN(4) {
		if !r.Next(&ev) {
			break
		}
		c.To = ev.Seq + 1
		if ev.Topic != "in" {
			continue
		}
		h.counted++
		c.Emits = append(c.Emits, event("out", "", "s-"+ev.ID))
		if h.counted%5 == 0 {
			c.DeadLetters = append(c.DeadLetters, log.DeadLetter{Seq: ev.Seq, Reason: "trap", Time: time.Unix(1, 0)})
		}
	}
	c.Writes = []log.StateWrite{{Key: []byte("n"), Value: []byte(strconv.Itoa(h.counted))}}
	if _, err := h.l.Commit(ctx, &c, d); err != nil {
		h.t.Fatal(err)
	}
	h.cursor = c.To
}

// check opens what survived.
func (h *history) check(fs *vfs.MemFS) {
	h.t.Helper()
	l := openOn(h.t, fs)
	defer l.Close()
	cursor, err := l.Cursor("s")
	if err != nil {
		h.t.Fatal(err)
	}
	in, out, handled := 0, map[string]int{}, 0
	r := l.NewReader(log.ReadOptions{})
	defer r.Close()
	var ev abi.Event
	for want := abi.Seq(1); r.Next(&ev); want++ {
		if ev.Seq != want {
			h.t.Fatalf("seq %d follows %d", ev.Seq, want-1)
		}
		if ev.Topic == "out" {
			out[ev.ID]++
			continue
		}
		if ev.ID != strconv.Itoa(in) || int(ev.Version) != in+1 {
			h.t.Fatalf("event %s of version %d where %d was appended", ev.ID, ev.Version, in)
		}
		in++
		if ev.Seq < cursor.Next {
			handled++
		}
	}
	if err := r.Err(); err != nil {
		h.t.Fatal(err)
	}
	if in < h.durable {
		h.t.Fatalf("%d events survived, %d were acknowledged as durable", in, h.durable)
	}
	snap := l.Snapshot()
	defer snap.Close()
	n := 0
	if value, ok, err := snap.State("s", 1).Get([]byte("n")); err != nil {
		h.t.Fatal(err)
	} else if ok {
		n, _ = strconv.Atoi(string(value))
	}
	letters := 0
	if err := l.DeadLetters("s", 0, func(log.DeadLetter) bool { letters++; return true }); err != nil {
		h.t.Fatal(err)
	}
	if n != handled || len(out) != handled || letters != handled/5 {
		h.t.Fatalf("below the cursor %d are %d events; the state counts %d, %d were emitted, %d dead letters", cursor.Next, handled, n, len(out), letters)
	}
	for i := range handled {
		if out[fmt.Sprintf("s-%d", i)] != 1 {
			h.t.Fatalf("the emit of event %d is there %d times", i, out[fmt.Sprintf("s-%d", i)])
		}
	}
}
