package log_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

var ctx = context.Background()

func open(t testing.TB, dir string, opts log.Options) *log.Log {
	t.Helper()
	l, err := log.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func event(topic, key, id string) abi.Event {
	return abi.Event{Topic: topic, Key: key, ID: id, Source: "test", Data: []byte(id)}
}

func one(ev abi.Event) []abi.Event { return []abi.Event{ev} }

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func appendOK(t testing.TB, l *log.Log, d log.Durability, events ...abi.Event) []log.Receipt {
	t.Helper()
	r, err := l.Append(ctx, events, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readAll returns "seq topic key@version id" of everything that matches.
func readAll(t testing.TB, l *log.Log, opts log.ReadOptions) []string {
	t.Helper()
	r := l.NewReader(opts)
	defer r.Close()
	var out []string
	var ev abi.Event
	for r.Next(&ev) {
		out = append(out, fmt.Sprintf("%d %s %s@%d %s", ev.Seq, ev.Topic, ev.Key, ev.Version, ev.ID))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\ngot  %v\nwant %v", what, got, want)
	}
}

func TestAppendAndRead(t *testing.T) {
	dir := t.TempDir()
	l, err := log.Open(dir, log.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := appendOK(t, l, log.Durable, event("a.x", "k", "1"), event("a.y", "", "2"), event("a.x", "k", "1"), event("a.x", "k", "3"))
	equal(t, "receipts", r, []log.Receipt{{ID: "1", Seq: 1, Version: 1}, {ID: "2", Seq: 2}, {ID: "1", Seq: 1, Version: 1, Duplicate: true}, {ID: "3", Seq: 3, Version: 2}})
	appendOK(t, l, log.Accepted, event("b", "k", "4"), event("b", "j", "5"))
	want := []string{"1 a.x k@1 1", "2 a.y @0 2", "3 a.x k@2 3", "4 b k@3 4", "5 b j@1 5"}
	check := func(l *log.Log) {
		t.Helper()
		equal(t, "all", readAll(t, l, log.ReadOptions{}), want)
		equal(t, "from 3", readAll(t, l, log.ReadOptions{From: 3}), want[2:])
		equal(t, "one topic", readAll(t, l, log.ReadOptions{Match: func(s string) bool { return s == "b" }}), want[3:])
		equal(t, "no topic", len(readAll(t, l, log.ReadOptions{Match: func(string) bool { return false }})), 0)
		ev, err := l.Event(2)
		equal(t, "event 2", fmt.Sprint(ev.ID, err), "2<nil>")
		if _, err := l.Event(6); !errors.Is(err, log.ErrNotFound) {
			t.Errorf("event 6: %v", err)
		}
		seq, err := l.SeqAtTime(ev.Appended)
		equal(t, "seq at time", fmt.Sprint(seq, err), "2 <nil>")
	}
	check(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(ctx, []abi.Event{event("a", "", "x")}, log.Durable); !errors.Is(err, log.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	l = open(t, dir, log.Options{})
	check(l)
	equal(t, "after reopening", appendOK(t, l, log.Durable, event("b", "j", "5"), event("b", "j", "6")),
		[]log.Receipt{{ID: "5", Seq: 5, Version: 1, Duplicate: true}, {ID: "6", Seq: 6, Version: 2}})
	if l.DurableSeq() != 6 || l.Head() != 6 {
		t.Errorf("head %d, durable %d", l.Head(), l.DurableSeq())
	}
}

// TestRefusedLeavesNothing refuses requests for versions in groups with good ones.
func TestRefusedLeavesNothing(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	appendOK(t, l, log.Durable, event("a", "k", "1"))
	bad := []abi.Event{event("a", "k", "2"), event("a", "j", "3"), {Topic: "a", Key: "k", ID: "4", Source: "test", Version: 9}}
	_, err := l.Append(ctx, bad, log.Durable)
	var ve *log.VersionError
	if !errors.As(err, &ve) || ve.Index != 2 || ve.Want != 9 || ve.Have != 2 {
		t.Fatalf("got %v", err)
	}
	good := []abi.Event{event("a", "k", "2"), event("a", "j", "3"), {Topic: "a", Key: "k", ID: "4", Source: "test", Version: 3}}
	equal(t, "again", appendOK(t, l, log.Durable, good...), []log.Receipt{{ID: "2", Seq: 2, Version: 2}, {ID: "3", Seq: 3, Version: 1}, {ID: "4", Seq: 4, Version: 3}})
	for _, ev := range []abi.Event{{}, {Topic: "a", Version: 1}, {Topic: "a", Headers: abi.Headers{1}}, {Topic: string(make([]byte, 300))}} {
		var ee *log.EventError
		if _, err := l.Append(ctx, []abi.Event{ev}, log.Durable); !errors.As(err, &ee) {
			t.Errorf("%+v: %v", ev, err)
		}
	}
	equal(t, "head", l.Head(), 4)
}

func TestDedupeWindow(t *testing.T) {
	dir := t.TempDir()
	for _, reopen := range []bool{false, true} {
		l := open(t, dir, log.Options{DedupeWindow: 3})
		if !reopen {
			for i := range 5 {
				appendOK(t, l, log.Accepted, event("a", "", fmt.Sprint(i)))
			}
		}
		equal(t, "within the window", appendOK(t, l, log.Durable, event("a", "", "4"))[0].Duplicate, true)
		if reopen {
			equal(t, "beyond it", appendOK(t, l, log.Durable, event("a", "", "0"))[0].Duplicate, false)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCommit(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, log.Options{})
	appendOK(t, l, log.Durable, event("a", "", "1"), event("a", "", "2"))
	cursor, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1})
	equal(t, "attach", fmt.Sprint(cursor.Next, err), "1 <nil>")
	cursor, err = l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 9})
	equal(t, "attach again", fmt.Sprint(cursor.Next, err), "1 <nil>")
	latest, err := l.Attach(ctx, log.Attachment{Subscriber: "late"})
	equal(t, "attach at the end", fmt.Sprint(latest.Next, err), "3 <nil>")

	c := log.Commit{
		Subscriber: "s", StateVersion: 1, From: 1, To: 3, Digest: "d", Emits: []abi.Event{event("e", "k", "s-1-0")},
		Writes:      []log.StateWrite{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Value: []byte("2")}, {Key: []byte("c"), Delete: true}},
		DeadLetters: []log.DeadLetter{{Seq: 2, Reason: "trap", Message: "m", Code: 7, Attempts: 2, Digest: "d", Time: time.Unix(5, 0)}},
	}
	r, err := l.Commit(ctx, &c, log.Accepted)
	equal(t, "commit", fmt.Sprint(r, err), "[{s-1-0 3 1 accepted false}] <nil>")
	if _, err := l.Commit(ctx, &c, log.Durable); !errors.Is(err, log.ErrFenced) {
		t.Errorf("the same commit again: %v", err)
	}
	clash := log.Commit{Subscriber: "s", StateVersion: 1, From: 3, To: 4, Emits: []abi.Event{{Topic: "e", Key: "k", Version: 1}}, Writes: []log.StateWrite{{Key: []byte("a"), Value: []byte("9")}}}
	var ve *log.VersionError
	if _, err := l.Commit(ctx, &clash, log.Durable); !errors.As(err, &ve) {
		t.Errorf("clash: %v", err)
	}
	if err := l.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, log.Options{})
	cursor, err = l.Cursor("s")
	equal(t, "cursor", fmt.Sprint(cursor.Next, cursor.Digest, err), "3d<nil>")
	if _, err := l.Cursor("unknown"); !errors.Is(err, log.ErrNotFound) {
		t.Errorf("unknown cursor: %v", err)
	}
	snap := l.Snapshot()
	defer snap.Close()
	equal(t, "state", scan(t, snap.State("s", 1), "", ""), "a=1 b=2 ")
	equal(t, "after a", scan(t, snap.State("s", 1), "", "a"), "b=2 ")
	equal(t, "other version", scan(t, snap.State("s", 2), "", ""), "")
	equal(t, "other subscriber", scan(t, snap.State("sa", 1), "", ""), "")
	var letters []log.DeadLetter
	err = l.DeadLetters("s", 0, func(d log.DeadLetter) bool { letters = append(letters, d); return true })
	if err != nil || len(letters) != 1 || letters[0].Seq != 2 || letters[0].Message != "m" || letters[0].Code != 7 || !letters[0].Time.Equal(time.Unix(5, 0)) {
		t.Errorf("dead letters %+v, %v", letters, err)
	}
}

func scan(t testing.TB, s *log.State, prefix, after string) string {
	t.Helper()
	out := ""
	if err := s.Scan([]byte(prefix), []byte(after), func(k, v []byte) bool { out += string(k) + "=" + string(v) + " "; return true }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTailAndStore reads over the border between memory and disk while the log grows.
func TestTailAndStore(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{TailBytes: 64 << 10})
	const count = 5000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < count; i += 10 {
			var batch []abi.Event
			for j := range 10 {
				batch = append(batch, event("a", fmt.Sprint(i%7), fmt.Sprint(i+j)))
			}
			if _, err := l.Append(ctx, batch, log.Accepted); err != nil {
				t.Error(err)
			}
		}
	})
	for range 3 {
		wg.Go(func() {
			r := l.NewReader(log.ReadOptions{})
			defer r.Close()
			var ev abi.Event
			for want := abi.Seq(1); want <= count; {
				if !r.Next(&ev) {
					if err := errors.Join(r.Err(), l.Wait(ctx, r.Position(), false)); err != nil {
						t.Error(err)
						return
					}
					continue
				}
				if ev.Seq != want || string(ev.Data) != fmt.Sprint(want-1) {
					t.Errorf("read %d %s, want %d", ev.Seq, ev.Data, want)
					return
				}
				want++
			}
		})
	}
	wg.Wait()
}

// TestConcurrentVersions lets writers race for the versions of one stream: each is given once.
func TestConcurrentVersions(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := 0; n < 20; {
				head := abi.Version(l.Head()) // every event is of this stream
				_, err := l.Append(ctx, []abi.Event{{Topic: "a", Key: "k", ID: fmt.Sprint(w, "-", n), Source: "s", Version: head + 1}}, log.Accepted)
				var ve *log.VersionError
				if err == nil {
					n++
				} else if !errors.As(err, &ve) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for i, line := range readAll(t, l, log.ReadOptions{}) {
		var seq, version int
		var id string
		if _, err := fmt.Sscanf(line, "%d a k@%d %s", &seq, &version, &id); err != nil || version != i+1 {
			t.Fatalf("%q at %d: %v", line, i, err)
		}
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "avxrt-log-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	l, err := log.Open(dir, log.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	receipts, err := l.Append(context.Background(), []abi.Event{{Topic: "users.created", Key: "user-7", ID: "1", Source: "/shop"}}, log.Durable)
	fmt.Println(receipts[0].Seq, receipts[0].Version, err)
	r := l.NewReader(log.ReadOptions{Match: func(topic string) bool { return topic == "users.created" }})
	defer r.Close()
	var ev abi.Event
	for r.Next(&ev) {
		fmt.Println(ev.Seq, ev.Topic, ev.Key)
	}
	// Output:
	// 1 1 <nil>
	// 1 users.created user-7
}

// TestRestingReader: a reader that rests between two events holds copies, not the engine's
// files, and reads the same as one that borrows.
func TestRestingReader(t *testing.T) {
	fs := vfs.NewMem()
	opts := log.WithSizes(log.WithFS(log.Options{VerifyEvery: -1, TailBytes: 1, DedupeWindow: -1}, fs), 256<<10, 1<<20)
	l, err := log.Open("db", opts)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	rng := newRand(3)
	for i := range 400 {
		ev := event([]string{"a", "b", "c"}[rng.IntN(3)], "k", fmt.Sprint(i))
		ev.Data = make([]byte, rng.IntN(20_000))
		appendOK(t, l, log.Accepted, ev)
	}
	for _, topic := range []string{"a", "none", ""} {
		for _, backward := range []bool{false, true} {
			opts := log.ReadOptions{Backward: backward}
			if topic != "" {
				opts.Match = func(s string) bool { return s == topic }
			}
			r := l.NewReader(opts)
			var ev abi.Event
			var got []string
			for r.Next(&ev) {
				got = append(got, fmt.Sprintf("%d %s %s@%d %s", ev.Seq, ev.Topic, ev.Key, ev.Version, ev.ID))
				if log.KeepsFiles(r) {
					t.Fatal("a reader at rest keeps the engine's files")
				}
			}
			if err := r.Close(); err != nil || r.Err() != nil {
				t.Fatal(err, r.Err())
			}
			opts.Borrow = true
			equal(t, fmt.Sprint("topic ", topic, " backward ", backward), got, readAll(t, l, opts))
		}
	}
	r := l.NewReader(log.ReadOptions{Borrow: true})
	defer r.Close()
	var ev abi.Event
	if !r.Next(&ev) || !log.KeepsFiles(r) {
		t.Error("a reader that borrows keeps no file: the test would not notice one that does")
	}
}
