package log_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// fill appends events 1 to n in small groups over a few keys and topics.
func fill(t testing.TB, l *log.Log, n int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		appendOK(t, l, log.Accepted, event(fmt.Sprintf("t%d", i%3), fmt.Sprintf("k%d", i%5), fmt.Sprint(i)))
	}
	if err := l.Sync(ctx); err != nil {
		t.Fatal(err)
	}
}

func readStream(t testing.TB, l *log.Log, key string, opts log.StreamOptions) string {
	t.Helper()
	r, err := l.ReadStream(key, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []string
	var ev abi.Event
	for r.Next(&ev) {
		if ev.Key != key {
			t.Fatalf("event %d of key %q in the stream of %q", ev.Seq, ev.Key, key)
		}
		out = append(out, fmt.Sprintf("%d:%s", ev.Version, ev.ID))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestConditions(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	appendOK(t, l, log.Durable, event("a", "k", "1"), event("a", "k", "2"))
	for _, c := range []struct {
		expected log.Expected
		holds    bool
	}{
		{log.Expected{Key: "k", Version: 2}, true}, {log.Expected{Key: "k", Version: 1}, false},
		{log.Expected{Key: "k", Version: log.NoStream}, false}, {log.Expected{Key: "k", Version: log.StreamExists}, true},
		{log.Expected{Key: "new", Version: log.NoStream}, true}, {log.Expected{Key: "new", Version: log.StreamExists}, false},
	} {
		_, err := l.AppendIf(ctx, one(event("a", "", "")), log.Conditions{Streams: []log.Expected{c.expected}}, log.Accepted)
		var ve *log.VersionError
		if (err == nil) != c.holds || err != nil && (!errors.As(err, &ve) || ve.Index != -1) {
			t.Errorf("%+v: %v", c.expected, err)
		}
	}
}

// TestProducer repeats appends of a producer, also after the store was opened again.
func TestProducer(t *testing.T) {
	dir := t.TempDir()
	batch := []abi.Event{event("a", "k", "1"), event("a", "", "2")}
	c := log.Conditions{Producer: "p", Sequence: 7}
	for round := range 3 {
		l := open(t, dir, log.Options{})
		r, err := l.AppendIf(ctx, batch, c, log.Durable)
		equal(t, "receipts", fmt.Sprint(r, err), fmt.Sprintf("[{1 1 1 durable %v} {2 2 0 durable %v}] <nil>", round > 0, round > 0))
		var pe *log.ProducerError
		if _, err = l.AppendIf(ctx, batch, log.Conditions{Producer: "p", Sequence: 6}, log.Durable); !errors.As(err, &pe) || pe.Last != 7 {
			t.Errorf("an older sequence: %v", err)
		}
		if _, err = l.AppendIf(ctx, batch[:1], c, log.Durable); !errors.As(err, &pe) {
			t.Errorf("the same sequence for something else: %v", err)
		}
		equal(t, "head", l.Head(), 2)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStreams reads streams both ways from memory, from the index and from both, closes
// and truncates them, and keeps snapshots.
func TestStreams(t *testing.T) {
	for _, postings := range []int{1, 7, 1 << 20} {
		l := open(t, t.TempDir(), log.WithSizes(log.Options{TailBytes: 1}, 1<<20, postings))
		fill(t, l, 23)
		equal(t, "stream", readStream(t, l, "k2", log.StreamOptions{}), "1:2 2:7 3:12 4:17 5:22")
		equal(t, "from 3", readStream(t, l, "k2", log.StreamOptions{From: 3}), "3:12 4:17 5:22")
		equal(t, "backward", readStream(t, l, "k2", log.StreamOptions{Backward: true}), "5:22 4:17 3:12 2:7 1:2")
		equal(t, "backward from 2", readStream(t, l, "k2", log.StreamOptions{Backward: true, From: 2}), "2:7 1:2")
		equal(t, "unknown", readStream(t, l, "nobody", log.StreamOptions{}), "")
		s, err := l.Stream("k3")
		equal(t, "stream k3", fmt.Sprint(s, err), "{k3 5 0 false} <nil>")
		if err := errors.Join(l.TruncateStream(ctx, "k2", 4), l.CloseStream(ctx, "k3")); err != nil {
			t.Fatal(err)
		}
		equal(t, "truncated", readStream(t, l, "k2", log.StreamOptions{}), "4:17 5:22")
		equal(t, "truncated, backward", readStream(t, l, "k2", log.StreamOptions{Backward: true}), "5:22 4:17")
		equal(t, "closed", readStream(t, l, "k3", log.StreamOptions{}), "")
		if _, err := l.Append(ctx, one(event("a", "k3", "x")), log.Durable); !errors.Is(err, log.ErrStreamClosed) {
			t.Errorf("append to a closed stream: %v", err)
		}
		if err := errors.Join(l.SaveSnapshot(ctx, "k2", 2, []byte("two")), l.SaveSnapshot(ctx, "k2", 4, []byte("four"))); err != nil {
			t.Fatal(err)
		}
		version, data, err := l.LatestSnapshot("k2", 3)
		equal(t, "snapshot", fmt.Sprint(version, string(data), err), "2two<nil>")
		if err := l.SaveSnapshot(ctx, "k2", 9, nil); !errors.Is(err, log.ErrNotFound) {
			t.Errorf("a snapshot of the future: %v", err)
		}
		report, err := l.Retain(ctx, log.Retention{})
		equal(t, "swept", fmt.Sprint(report.Events, err), "8 <nil>")
		r := l.NewReader(log.ReadOptions{})
		var ev abi.Event
		n := 0
		for r.Next(&ev) {
			n++
		}
		equal(t, "left in the log", fmt.Sprint(n, r.Holes(), r.Err(), r.Close()), "17 8 <nil> <nil>") // and two audit events
		verify(t, l)
	}
}

func verify(t testing.TB, l *log.Log) {
	t.Helper()
	report, err := l.Verify(ctx, nil)
	if err != nil || len(report.Damage) > 0 {
		t.Fatalf("verification: %+v, %v", report.Damage, err)
	}
}

func TestBackward(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{TailBytes: 1})
	fill(t, l, 9)
	equal(t, "backward", len(readAll(t, l, log.ReadOptions{Backward: true})), 9)
	equal(t, "backward from 3", readAll(t, l, log.ReadOptions{Backward: true, From: 3}), []string{"3 t0 k3@1 3", "2 t2 k2@1 2", "1 t1 k1@1 1"})
	equal(t, "of one topic", readAll(t, l, log.ReadOptions{Backward: true, Match: func(s string) bool { return s == "t0" }})[0], "9 t0 k4@2 9")
}

// TestTrim drops the beginning of a log and what it leaves: copies in dead letters, heads
// of streams, deduplication.
func TestTrim(t *testing.T) {
	dir := t.TempDir()
	opts := log.WithSizes(log.Options{TailBytes: 1}, 1<<20, 4)
	l := open(t, dir, opts)
	fill(t, l, 30)
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	letters := []log.DeadLetter{{Seq: 3, Reason: "trap", Time: time.Unix(1, 0)}, {Seq: 25, Reason: "trap", Time: time.Unix(1, 0)}}
	if _, err := l.Commit(ctx, &log.Commit{Subscriber: "s", From: 1, To: 31, DeadLetters: letters}, log.Durable); err != nil {
		t.Fatal(err)
	}
	report, err := l.Trim(ctx, 21, "test")
	if err != nil || report.From != 1 || report.To != 20 || report.Copied != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	for range 2 {
		equal(t, "first", l.First(), 21)
		all := readAll(t, l, log.ReadOptions{})
		equal(t, "the rest", fmt.Sprint(len(all), all[0]), "1121 t0 k1@5 21")
		equal(t, "stream", readStream(t, l, "k1", log.StreamOptions{}), "5:21 6:26")
		if _, err := l.Event(20); !errors.Is(err, log.ErrNotFound) {
			t.Errorf("event 20: %v", err)
		}
		var got []string
		err = l.DeadLetters("s", 0, func(d log.DeadLetter) bool {
			got = append(got, fmt.Sprintf("%d %v", d.Seq, d.Event != nil))
			return true
		})
		equal(t, "dead letters", fmt.Sprint(got, err), "[3 true 25 false] <nil>")
		verify(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir, opts)
	}
	equal(t, "the stream goes on", appendOK(t, l, log.Durable, event("a", "k1", "new"))[0].Version, 7)
}

// TestRetainByTopicAndAge drops events of a topic out of their chunks, and old chunks.
func TestRetainByTopicAndAge(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := open(t, t.TempDir(), log.WithClock(log.Options{TailBytes: 1}, func() time.Time { return now }))
	appendOK(t, l, log.Durable, event("keep", "k", "1"), event("debug.x", "k", "2"), event("keep", "k", "3"))
	now = now.Add(30 * time.Second)
	appendOK(t, l, log.Durable, event("debug.x", "k", "4"))
	rule := log.TopicRetention{Pattern: "debug.**", Match: func(s string) bool { return strings.HasPrefix(s, "debug.") }, MaxAge: 20 * time.Second}
	report, err := l.Retain(ctx, log.Retention{Topics: []log.TopicRetention{rule}})
	equal(t, "report", fmt.Sprint(report.Events, report.To, err), "1 0 <nil>")
	equal(t, "left", readAll(t, l, log.ReadOptions{Match: func(s string) bool { return s[0] != '$' }}), []string{"1 keep k@1 1", "3 keep k@3 3", "4 debug.x k@4 4"})
	equal(t, "stream", readStream(t, l, "k", log.StreamOptions{}), "1:1 3:3 4:4")
	report, err = l.Retain(ctx, log.Retention{MaxAge: 10 * time.Second, Hold: 2})
	equal(t, "held", fmt.Sprint(report.To, report.Refused != "", err), "0 true <nil>")
	report, err = l.Retain(ctx, log.Retention{MaxAge: 10 * time.Second})
	equal(t, "whole chunks", fmt.Sprint(report.From, report.To, err), "1 3 <nil>")
	verify(t, l)
}

// TestRedact erases a payload and then looks for it in every file.
func TestRedact(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, log.Options{})
	secret := []byte("a-secret-that-nobody-may-find-4711")
	ev := event("a", "k", "1")
	ev.Data = secret
	appendOK(t, l, log.Durable, event("a", "k", "0"), ev, event("a", "k", "2"))
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	if !found(t, dir, secret) {
		t.Fatal("the payload cannot be found to begin with")
	}
	report, err := l.Redact(ctx, 2, "erasure request 12")
	if err != nil || !report.Found {
		t.Fatalf("%+v, %v", report, err)
	}
	if found(t, dir, secret) {
		t.Error("the payload is still in a file")
	}
	got, err := l.Event(2)
	equal(t, "the event", fmt.Sprint(got.ID, got.Key, got.Version, len(got.Data), err), "1k2 0 <nil>")
	equal(t, "all", len(readAll(t, l, log.ReadOptions{Match: func(s string) bool { return s == "a" }})), 3)
	again, err := l.Redact(ctx, 2, "again")
	equal(t, "again", fmt.Sprint(again.Found, err), "false <nil>")
	verify(t, l)
	if _, err := l.Redact(ctx, 99, ""); !errors.Is(err, log.ErrNotFound) {
		t.Errorf("redact what is not there: %v", err)
	}
}

func found(t *testing.T, dir string, secret []byte) bool {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name.Name()))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(b, secret) {
			return true
		}
	}
	return false
}

// TestBackupRestoreExport copies a store while it is written, restores it, and takes it
// through JSON lines into a third.
func TestBackupRestoreExport(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "a"), log.Options{})
	fill(t, l, 100)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				if _, err := l.Append(ctx, one(event("more", "", fmt.Sprint("more", i))), log.Accepted); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	head, err := l.Backup(ctx, filepath.Join(dir, "b"))
	close(stop)
	wg.Wait()
	if err != nil || head < 100 {
		t.Fatal(head, err)
	}
	if _, err := l.Backup(ctx, filepath.Join(dir, "b")); err == nil {
		t.Error("a backup over a backup")
	}
	restored, err := log.Restore(filepath.Join(dir, "b"), filepath.Join(dir, "c"), log.Options{})
	if err != nil || restored < head {
		t.Fatal(restored, err)
	}
	if _, err := log.Restore(filepath.Join(dir, "b"), filepath.Join(dir, "c"), log.Options{}); err == nil {
		t.Error("a restore over a store")
	}
	c := open(t, filepath.Join(dir, "c"), log.Options{})
	verify(t, c)
	var lines bytes.Buffer
	n, err := c.Export(ctx, &lines, log.ExportOptions{})
	equal(t, "exported", fmt.Sprint(n, err), fmt.Sprint(c.Head(), " <nil>"))
	d := open(t, filepath.Join(dir, "d"), log.Options{})
	text := lines.String()
	report, err := d.Import(ctx, strings.NewReader(text), nil)
	equal(t, "imported", fmt.Sprint(report.Events, report.Duplicates, err), fmt.Sprint(n, 0, " <nil>"))
	equal(t, "contents", readAll(t, d, log.ReadOptions{}), readAll(t, c, log.ReadOptions{}))
	report, err = d.Import(ctx, strings.NewReader(text), nil)
	equal(t, "imported again", fmt.Sprint(report.Events, report.Duplicates, err), fmt.Sprint(0, n, " <nil>"))
	var le *log.LineError
	if _, err := d.Import(ctx, strings.NewReader("\n{\"id\":"), nil); !errors.As(err, &le) || le.Line != 2 {
		t.Errorf("a broken line: %v", err)
	}
}

// TestFork notes the store's digest at each head and goes back to each of them.
func TestFork(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "a"), log.WithSizes(log.Options{}, 1<<20, 4))
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	rng := newRand(1)
	empty, err := dump(l)
	if err != nil {
		t.Fatal(err)
	}
	at := map[abi.Seq]string{0: empty}
	cursor := abi.Seq(1)
	for i := range 60 {
		if i%3 == 0 {
			c := log.Commit{Subscriber: "s", StateVersion: 1, From: cursor, To: l.Head() + 1, Writes: []log.StateWrite{
				{Key: []byte(fmt.Sprint("n", rng.IntN(4))), Value: []byte(fmt.Sprint(i)), Delete: rng.IntN(4) == 0},
			}}
			if i%2 == 0 {
				c.Emits = []abi.Event{event("e", "k1", ""), event("e", "", "")}
				c.DeadLetters = []log.DeadLetter{{Seq: max(l.Head(), 1), Reason: "trap", Time: time.Unix(1, 0)}}
			}
			if _, err := l.Commit(ctx, &c, log.Durable); err != nil {
				t.Fatal(err)
			}
			cursor = c.To
		} else if _, err := l.AppendIf(ctx, one(event("a", "k2", fmt.Sprint(i))), log.Conditions{Producer: "p", Sequence: uint64(i)}, log.Durable); err != nil {
			t.Fatal(err)
		}
		text, err := dump(l)
		if err != nil {
			t.Fatal(err)
		}
		at[l.Head()] = text
	}
	last := abi.Seq(0)
	for seq := abi.Seq(1); seq <= l.Head(); seq++ {
		where := filepath.Join(dir, fmt.Sprint(seq))
		got, err := l.Fork(ctx, where, seq)
		if err != nil || got > seq || got < last || at[seq] != "" && got != seq {
			t.Fatalf("fork at %d: %d, %v", seq, got, err)
		}
		last = got
		f := open(t, where, log.Options{})
		text, err := dump(f)
		if err != nil || text != at[got] {
			t.Fatalf("the fork at %d (%v):\n%s\nwant:\n%s", got, err, text, at[got])
		}
		verify(t, f)
		want := abi.Version(strings.Count(text, " k2@") + 1)
		equal(t, "the stream goes on", appendOK(t, f, log.Durable, event("a", "k2", "new"))[0].Version, want)
	}
	var fe *log.ForkError
	small := open(t, filepath.Join(dir, "small"), log.Options{UndoBytes: -1})
	if _, err := small.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	fill(t, small, 3)
	if _, err := small.Commit(ctx, &log.Commit{Subscriber: "s", From: 1, To: 4}, log.Durable); err != nil {
		t.Fatal(err)
	}
	if _, err := small.Fork(ctx, filepath.Join(dir, "no"), 2); !errors.As(err, &fe) || fe.Floor != 3 {
		t.Errorf("a fork without undo records: %v", err)
	}
}

// TestFormat1 opens a store that the first version of this package wrote.
func TestFormat1(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/store-v1")); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, log.Options{})
	all := readAll(t, l, log.ReadOptions{})
	equal(t, "events", fmt.Sprint(len(all), all[0], all[23]), "241 t1 k1@1 124 e k1@6 s-1")
	equal(t, "stream", readStream(t, l, "k1", log.StreamOptions{}), "1:1 2:6 3:11 4:16 5:21 6:s-1")
	text, err := dump(l)
	if err != nil || !strings.Contains(text, "cursor 6 ") || !strings.Contains(text, "dead letter 2 trap") {
		t.Errorf("%s%v", text, err)
	}
	var fe *log.ForkError
	if _, err := l.Fork(ctx, filepath.Join(t.TempDir(), "f"), 3); !errors.As(err, &fe) || fe.Floor != 24 {
		t.Errorf("a fork to before there were undo records: %v", err)
	}
	verify(t, l)
	equal(t, "it goes on", appendOK(t, l, log.Durable, event("a", "k1", "s-1"), event("t1", "k1", "6"))[1].Duplicate, true)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, log.Options{})
	equal(t, "reopened", readStream(t, l, "k1", log.StreamOptions{}), "1:1 2:6 3:11 4:16 5:21 6:s-1 7:s-1")
	verify(t, l)
}

// TestRefusedLeavesNoTrace: what a request did before it was refused is not there, and the
// next one gets the seqs, versions and ids.
func TestRefusedLeavesNoTrace(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	refusal := errors.New("refused")
	if err := log.AppendRefused(l, one(event("a", "k", "id")), "ghost", refusal); !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	if l.Head() != 0 {
		t.Errorf("the head is %d", l.Head())
	}
	if _, err := l.Cursor("ghost"); !errors.Is(err, log.ErrNotFound) {
		t.Errorf("its cursor: %v", err)
	}
	if r := appendOK(t, l, log.Durable, event("a", "k", "id")); r[0].Seq != 1 || r[0].Version != 1 || r[0].Duplicate {
		t.Errorf("the next append: %+v", r[0])
	}
}
