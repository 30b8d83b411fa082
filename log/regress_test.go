package log_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// TestIndexEndsWithLog lets the stream index reach the disk before the events that it
// covers do, and takes the power away: versions go on where the log that is left ends.
func TestIndexEndsWithLog(t *testing.T) {
	fs := vfs.NewCrashableMem()
	opts := log.WithSizes(log.WithFS(log.Options{SyncEvery: time.Hour, VerifyEvery: -1}, reuseFS{fs}), 0, 1)
	l := open(t, "store", opts)
	appendOK(t, l, log.Durable, event("a", "k", "1"))
	appendOK(t, l, log.Accepted, event("a", "k", "2"), event("a", "other", "3"))
	if s, err := l.Stream("k"); err != nil || s.Version != 2 {
		t.Fatal(s, err)
	}
	if err := log.PersistIndex(l); err != nil {
		t.Fatal(err)
	}
	clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
	l = open(t, "store", log.WithFS(log.Options{VerifyEvery: -1}, reuseFS{clone}))
	equal(t, "head", l.Head(), abi.Seq(1))
	equal(t, "version", appendOK(t, l, log.Durable, event("a", "k", "2"))[0].Version, abi.Version(2))
	equal(t, "stream", readStream(t, l, "k", log.StreamOptions{}), "1:1 2:2")
	equal(t, "version of a lost stream", appendOK(t, l, log.Durable, event("a", "other", "3"))[0].Version, abi.Version(1))
}

// TestForkKeepsVersions forks a store whose oldest events were dropped: a stream of which no event
// is left goes on with its next version in the fork too.
func TestForkKeepsVersions(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "a"), log.Options{})
	appendOK(t, l, log.Durable, event("a", "early", "e1"), event("a", "early", "e2"))
	fill(t, l, 50)
	if report, err := l.Trim(ctx, 20, "test"); err != nil || report.To == 0 {
		t.Fatal(report, err)
	}
	at, err := l.Fork(ctx, filepath.Join(dir, "b"), 40)
	if err != nil {
		t.Fatal(err)
	}
	fork := open(t, filepath.Join(dir, "b"), log.Options{})
	equal(t, "head", fork.Head(), at)
	s, err := fork.Stream("early")
	if err != nil || s.Version != 2 {
		t.Errorf("the stream is at version %d, %v, want 2", s.Version, err)
	}
	equal(t, "next version", appendOK(t, fork, log.Durable, event("a", "early", "e3"))[0].Version, abi.Version(3))
}

// TestForkBelowFirst asks for forks at seqs that retention has dropped, or whose append it has cut.
func TestForkBelowFirst(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "a"), log.Options{})
	for i := range 10 {
		appendOK(t, l, log.Durable, event("a", "", fmt.Sprint(i, "a")), event("a", "", fmt.Sprint(i, "b")))
	}
	if _, err := l.Trim(ctx, 11, "test"); err != nil {
		t.Fatal(err)
	}
	equal(t, "first", l.First(), abi.Seq(11))
	for _, seq := range []abi.Seq{9, 10, 11} {
		at, err := l.Fork(ctx, filepath.Join(dir, fmt.Sprint("fork", seq)), seq)
		var refused *log.ForkError
		if !errors.As(err, &refused) || refused.Floor != 12 {
			t.Errorf("fork at %d: at %d, %v", seq, at, err)
		}
	}
	if at, err := l.Fork(ctx, filepath.Join(dir, "whole"), 12); err != nil || at != 12 {
		t.Errorf("fork at 12: at %d, %v", at, err)
	}
}

// TestDedupeAfterOldTwin publishes an id again that has left the window, and then once more.
func TestDedupeAfterOldTwin(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{DedupeWindow: 4})
	appendOK(t, l, log.Durable, event("a", "", "x"))
	emits := []abi.Event{event("a", "", ""), event("a", "", ""), event("a", "", ""), event("a", "", "")}
	if _, err := l.AppendIf(ctx, emits, log.Conditions{Producer: "p", Sequence: 1}, log.Durable); err != nil {
		t.Fatal(err)
	}
	second := appendOK(t, l, log.Durable, event("a", "", "x"))[0]
	equal(t, "beyond the window", second.Duplicate, false)
	appendOK(t, l, log.Durable, event("a", "", "1"), event("a", "", "2"), event("a", "", "3"))
	third := appendOK(t, l, log.Durable, event("a", "", "x"))[0]
	if !third.Duplicate || third.Seq != second.Seq {
		t.Errorf("an event of 3 events ago was appended again: %+v, the first was %+v", third, second)
	}
}

// TestVersionsOfForgottenStreams makes the sequencer forget a stream right after it was appended to.
func TestVersionsOfForgottenStreams(t *testing.T) {
	const generation = 512
	l := open(t, t.TempDir(), log.WithHeads(log.Options{}, 2*generation))
	n := 0
	ask := func(streams int) { // about streams that do not exist
		for streams > 0 {
			c := log.Conditions{}
			for ; streams > 0 && len(c.Streams) < 1<<7; streams-- {
				c.Streams = append(c.Streams, log.Expected{Key: fmt.Sprint("none", n)})
				n++
			}
			if _, err := l.AppendIf(ctx, nil, c, log.Accepted); err != nil {
				t.Fatal(err)
			}
		}
	}
	appendOK(t, l, log.Durable, event("a", "", "0"))
	if err := log.PersistIndex(l); err != nil { // it now sleeps until there is more to do than this test does
		t.Fatal(err)
	}
	ask(generation - 1)
	appendOK(t, l, log.Durable, event("a", "k", "1"), event("a", "l", "2"))
	ask(generation + 1)
	equal(t, "version", appendOK(t, l, log.Durable, event("a", "k", "3"))[0].Version, abi.Version(2))
}

// TestMarkWithoutEngine opens a store of which only the head mark is left, or in which the
// engine does not know its files any more: nothing is deleted, unless that is accepted.
func TestMarkWithoutEngine(t *testing.T) {
	for _, all := range []bool{true, false} {
		dir := t.TempDir()
		l := open(t, dir, log.Options{})
		appendOK(t, l, log.Durable, event("a", "", "1"), event("a", "", "2"))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		names, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		left := map[string]bool{}
		for _, e := range names {
			if left[e.Name()] = true; e.Name() != "HEAD" && (all || strings.HasPrefix(e.Name(), "marker.manifest")) {
				delete(left, e.Name())
				if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
					t.Fatal(err)
				}
			}
		}
		l, err = log.Open(dir, log.Options{})
		var d *log.DamageError
		if err == nil {
			_ = l.Close()
		}
		if !errors.As(err, &d) || d.From != 1 || d.To != 2 {
			t.Fatalf("a store without its events was opened: %v", err)
		}
		for name := range left {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
		l = open(t, dir, log.Options{AcceptLoss: true})
		equal(t, "events", len(readAll(t, l, log.ReadOptions{Match: func(topic string) bool { return topic == "$sys.loss" }})), 1)
	}
}

// TestRedactAfterOpen redacts in a store that was just opened and whose index was read from disk.
func TestRedactAfterOpen(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, log.Options{})
	fill(t, l, 50)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, log.Options{})
	if _, err := l.Stream("k1"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Redact(ctx, 3, "test"); err != nil {
		t.Fatal(err)
	}
}

// TestTrimmedIsGone reads by seq what was dropped a moment ago.
func TestTrimmedIsGone(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	fill(t, l, 10)
	if _, err := l.Trim(ctx, 6, "test"); err != nil {
		t.Fatal(err)
	}
	if ev, err := l.Event(2); !errors.Is(err, log.ErrNotFound) {
		t.Errorf("event 2, below %d: %v, %v", l.First(), ev.ID, err)
	}
	equal(t, "duplicate", appendOK(t, l, log.Durable, event("t2", "k2", "2"))[0].Duplicate, false)
}

// TestAuditStays lets retention drop every topic but one: what says that an event was erased
// before stays with the event.
func TestAuditStays(t *testing.T) {
	at := time.Now()
	l := open(t, t.TempDir(), log.WithClock(log.Options{}, func() time.Time { at = at.Add(time.Second); return at }))
	appendOK(t, l, log.Durable, event("stays", "", "1"))
	others := log.Retention{Topics: []log.TopicRetention{
		{Pattern: "others", Match: func(topic string) bool { return topic != "stays" }, MaxAge: time.Nanosecond},
	}}
	for i := range 3 {
		appendOK(t, l, log.Durable, event("late", "", fmt.Sprint("late", i)))
		if _, err := l.Retain(ctx, others); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Redact(ctx, 1, "test"); err != nil {
			t.Fatal(err)
		}
	}
	verify(t, l)
}

// TestTailKeepsCount erases much of what is in memory again and again: the tail is as large
// as before.
func TestTailKeepsCount(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{TailBytes: 64 << 10})
	large := event("a", "", "")
	large.Data = make([]byte, 8<<10)
	for range 12 {
		seq := appendOK(t, l, log.Durable, large)[0].Seq
		if _, err := l.Redact(ctx, seq, "test"); err != nil {
			t.Fatal(err)
		}
	}
	chunks, bytes := log.TailSize(l)
	if chunks < 20 || bytes > 64<<10 {
		t.Errorf("%d chunks and %d bytes are in memory", chunks, bytes)
	}
}

// TestLossOnFullDisk accepts a loss where the disk is full: the store is opened, the loss is
// told in the log, and what is left can be read.
func TestLossOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, log.Options{})
	appendOK(t, l, log.Durable, event("a", "", "1"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "HEAD")); err != nil {
		t.Fatal(err)
	}
	l, err := log.Open(dir, log.Options{AcceptLoss: true, MinFree: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "events", readAll(t, l, log.ReadOptions{})[1][:11], "2 $sys.loss")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestIndexOnFullDisk lets the stream index find the disk full once: it goes on when there is room.
func TestIndexOnFullDisk(t *testing.T) {
	var full atomic.Bool
	fs := fullFS{vfs.NewMem(), &full}
	l := open(t, "db", log.WithSizes(log.WithFS(log.Options{VerifyEvery: -1, MinFree: -1}, reuseFS{fs}), 0, 4))
	full.Store(true)
	for i := range 8 {
		appendOK(t, l, log.Durable, event("a", fmt.Sprint("k", i), fmt.Sprint(i)))
	}
	_, _ = l.Stream("k1")
	full.Store(false)
	for i := range 8 {
		appendOK(t, l, log.Durable, event("a", fmt.Sprint("k", i), fmt.Sprint(i, "b")))
	}
	equal(t, "stream", readStream(t, l, "k1", log.StreamOptions{}), "1:1 2:1b")
	if err := log.PersistIndex(l); err != nil {
		t.Fatal(err)
	}
	equal(t, "stream", readStream(t, l, "k1", log.StreamOptions{}), "1:1 2:1b")
}

// fullFS is a disk without room for files of the stream index.
type fullFS struct {
	vfs.FS
	full *atomic.Bool
}

func (f fullFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if f.full.Load() && strings.HasSuffix(name, "streams.ingest") {
		return nil, &os.PathError{Op: "create", Path: name, Err: syscall.ENOSPC}
	}
	return f.FS.Create(name, category)
}

// TestMergedEpochKeepsStreams lets the filter of an epoch, as it was read before retention
// merged others into it, come too late: the streams of the others are still found.
func TestMergedEpochKeepsStreams(t *testing.T) {
	l := open(t, t.TempDir(), log.WithSizes(log.Options{}, 0, 1))
	appendOK(t, l, log.Durable, event("a", "early", "e1"), event("a", "early", "e2"))
	if err := log.PersistIndex(l); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 5)
	if err := log.PersistIndex(l); err != nil {
		t.Fatal(err)
	}
	late := log.ReadFilters(l)
	if _, err := l.Trim(ctx, l.Head(), "test"); err != nil {
		t.Fatal(err)
	}
	late()
	s, err := l.Stream("early")
	equal(t, "version", fmt.Sprint(s.Version, err), "2 <nil>")
}

// TestTooLargeRequest appends more at once than the engine takes: it is said what is too
// large, and the engine does not panic.
func TestTooLargeRequest(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	events := make([]abi.Event, 400)
	data := make([]byte, abi.MaxEventBytes-1000)
	for i := range events {
		events[i] = abi.Event{Topic: "a", Data: data}
	}
	_, err := l.Append(ctx, events, log.Durable)
	var e *log.EventError
	if !errors.As(err, &e) || e.Index != -1 || e.Field != "size" {
		t.Errorf("got %v", err)
	}
}

// TestRetryUnderConditions: an append under conditions whose answer was lost is answered
// with its first receipts, not with the conflict that it made itself.
func TestRetryUnderConditions(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	c := log.Conditions{Streams: []log.Expected{{Key: "k", Version: log.NoStream}, {Key: "other", Version: log.NoStream}}}
	events := []abi.Event{event("a", "k", "1"), event("a", "k", "2")}
	if _, err := l.AppendIf(ctx, events, c, log.Durable); err != nil {
		t.Fatal(err)
	}
	appendOK(t, l, log.Durable, event("a", "other", "3"))
	r, err := l.AppendIf(ctx, events, c, log.Durable)
	if err != nil || r[1].Seq != 2 || !r[0].Duplicate || !r[1].Duplicate {
		t.Errorf("the retry: %+v, %v", r, err)
	}
	var conflict *log.VersionError
	if _, err := l.AppendIf(ctx, append(events, event("a", "k", "4")), c, log.Durable); !errors.As(err, &conflict) {
		t.Errorf("a retry with one event more: %v", err)
	}
}

// TestTruncatedStreamWaits: retention leaves truncated events that a subscriber has yet to handle.
func TestTruncatedStreamWaits(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	for i := range 3 {
		appendOK(t, l, log.Durable, event("a", "k", fmt.Sprint(i)))
	}
	if err := l.TruncateStream(ctx, "k", 3); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		hold    abi.Seq
		dropped int
	}{{1, 0}, {600, 2}, {600, 0}} {
		r, err := l.Retain(ctx, log.Retention{Hold: step.hold})
		if err != nil || r.Events != step.dropped {
			t.Errorf("with a cursor at %d: %+v, %v; want %d events dropped", step.hold, r, err, step.dropped)
		}
	}
	equal(t, "what is left", len(readAll(t, l, log.ReadOptions{Match: func(topic string) bool { return topic == "a" }})), 1)
}

// TestBoots: every opening has a number of its own.
func TestBoots(t *testing.T) {
	dir := t.TempDir()
	for want := uint64(1); want < 4; want++ {
		l := open(t, dir, log.Options{})
		equal(t, "boot", l.Boot(), want)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
