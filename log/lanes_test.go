package log_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/avx-platform/avxrt/log"
)

// TestLanes: lanes of a subscriber have cursors of their own and share its state; a commit
// that read or writes what another lane wrote meanwhile is refused whole.
func TestLanes(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	if _, err := l.Attach(t.Context(), log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	if err := l.SetLanes(t.Context(), "s", 3, 1); err != nil {
		t.Fatal(err)
	}
	try := func(lane int, since uint64, r log.Reads, writes ...string) error {
		r.Since = since
		c := &log.Commit{Subscriber: "s", StateVersion: 1, Lane: lane, From: 1, To: 2, Fence: 1, Reads: &r}
		for _, key := range writes {
			c.Writes = append(c.Writes, log.StateWrite{Key: []byte(key), Value: []byte("v")})
		}
		_, err := l.Commit(t.Context(), c, log.Accepted)
		return err
	}
	now := func() uint64 {
		s := l.Snapshot()
		defer s.Close()
		return s.Number()
	}
	// The log remembers what lanes write from their first commit on. A run that began before may be
	// refused once, if a sync came in between.
	var since uint64
	err := log.ErrConflict
	for try0 := 0; try0 < 100 && errors.Is(err, log.ErrConflict); try0++ {
		since = now()
		err = try(0, since, log.Reads{Keys: []string{"a"}}, "a", "b/1")
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reads log.Reads
		write string
	}{
		"a key that was read":           {log.Reads{Keys: []string{"a"}}, "x"},
		"a key that was written unread": {log.Reads{}, "a"},
		"a range":                       {log.Reads{Ranges: []log.Range{{Prefix: "b/"}}}, "x"},
		"a range up to the key":         {log.Reads{Ranges: []log.Range{{Prefix: "b/", Last: "b/1"}}}, "x"},
	} {
		if err := try(1, since, c.reads, c.write); !errors.Is(err, log.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := try(1, since, log.Reads{Keys: []string{"c"}, Ranges: []log.Range{{Prefix: "b/", After: "b/1"}, {Prefix: "b/", Last: "b/0"}}}, "d"); err != nil {
		t.Errorf("what nobody else touched: %v", err)
	}
	if err := try(2, now(), log.Reads{Keys: []string{"a", "d"}}, "a"); err != nil {
		t.Errorf("with a snapshot of now: %v", err)
	}
	if got := laneCursors(t, l); len(got) != 3 || got[0] != 2 || got[1] != 2 || got[2] != 2 {
		t.Errorf("cursors %v", got)
	}
	if err := l.SetLanes(t.Context(), "s", 1, 2); err != nil {
		t.Fatal(err)
	}
	if got := laneCursors(t, l); len(got) != 1 || got[0] != 2 {
		t.Errorf("cursors %v after two lanes were taken away", got)
	}
	if err := try(0, now(), log.Reads{}); !errors.Is(err, log.ErrFenced) {
		t.Errorf("a run that began before the lanes were changed: %v", err)
	}
}

func laneCursors(t *testing.T, l *log.Log) (at []int) {
	t.Helper()
	lanes, err := l.Lanes("s")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range lanes {
		at = append(at, int(c.Next))
	}
	return at
}

// TestStrikes: what a commit says of its module is known as long as the lanes are the same; where
// they become others the fewest that one of them has count, and a reset forgets them.
func TestStrikes(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	appendOK(t, l, log.Durable, event("a", "k", "1"), event("a", "k", "2"))
	strike := func(lane, strikes int) {
		t.Helper()
		at, err := l.Cursor(log.LaneCursor("s", lane))
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Commit(ctx, &log.Commit{Subscriber: "s", Lane: lane, From: at.Next, To: at.Next, Fence: at.Fence, Digest: "d", Strikes: strikes}, log.Durable)
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(want ...int) {
		t.Helper()
		lanes, err := l.Lanes("s")
		var have []int
		for _, c := range lanes {
			have = append(have, c.Strikes)
		}
		if err != nil || !slices.Equal(have, want) {
			t.Errorf("strikes %v, %v, want %v", have, err, want)
		}
	}
	strike(0, 31)
	want(31)
	if err := l.SetLanes(ctx, "s", 2, 1); err != nil {
		t.Fatal(err)
	}
	want(31, 31)
	strike(1, 3)
	if err := l.SetLanes(ctx, "s", 1, 1); err != nil {
		t.Fatal(err)
	}
	want(3)
	strike(0, 31)
	if _, err := l.Reset(ctx, log.Reset{Subscriber: "s", To: 1}); err != nil {
		t.Fatal(err)
	}
	want(0)
}
