package log_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// TestRewind commits at random and holds what the undo records say against what was.
func TestRewind(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 0))
	model := map[string]string{}
	was := map[abi.Seq]string{1: fmt.Sprint(model)}
	at := abi.Seq(1)
	for range 200 {
		c := &log.Commit{Subscriber: "s", StateVersion: 1, From: at, To: at + abi.Seq(1+rng.IntN(5))}
		for range rng.IntN(4) {
			key := fmt.Sprint("k", rng.IntN(10))
			if rng.IntN(3) == 0 {
				c.Writes = append(c.Writes, log.StateWrite{Key: []byte(key), Delete: true})
				delete(model, key)
			} else {
				model[key] = strings.Repeat("x", rng.IntN(3)) // the empty value too, which is not an absent one
				c.Writes = append(c.Writes, log.StateWrite{Key: []byte(key), Value: []byte(model[key])})
			}
		}
		if _, err := l.Commit(ctx, c, log.Accepted); err != nil {
			t.Fatal(err)
		}
		at = c.To
		was[at] = fmt.Sprint(model)
	}
	snapshot := l.Snapshot()
	defer snapshot.Close()
	for seq := abi.Seq(1); seq <= at+3; seq++ {
		cursor, back, err := snapshot.Rewind("s", 1, seq)
		if err != nil {
			t.Fatal(err)
		}
		if cursor > seq || was[cursor] == "" {
			t.Fatalf("seq %d: a cursor of %d, which never was or lies behind", seq, cursor)
		}
		for between := cursor + 1; between <= seq; between++ {
			if was[between] != "" {
				t.Fatalf("seq %d: went back to %d, although there is a commit at %d", seq, cursor, between)
			}
		}
		then := map[string]string{}
		if err := snapshot.State("s", 1).Scan(nil, nil, func(k, v []byte) bool { then[string(k)] = string(v); return true }); err != nil {
			t.Fatal(err)
		}
		for _, w := range back {
			if then[string(w.Key)] = string(w.Value); w.Delete {
				delete(then, string(w.Key))
			}
		}
		equal(t, fmt.Sprint("the state as of ", seq), fmt.Sprint(then), was[cursor])
	}
	if _, _, err := snapshot.Rewind("s", 1, 0); !errors.Is(err, log.ErrNotFound) {
		t.Fatalf("before its first event: %v", err)
	}
}

// TestRewindEnds: where the records were dropped there is no state as of then, and no
// wrong one.
func TestRewindEnds(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{UndoBytes: 4 << 10})
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	for at := abi.Seq(1); at < 200; at++ {
		c := &log.Commit{Subscriber: "s", StateVersion: 1, From: at, To: at + 1, Writes: []log.StateWrite{{Key: []byte("n"), Value: fmt.Append(nil, at)}}}
		if _, err := l.Commit(ctx, c, log.Accepted); err != nil {
			t.Fatal(err)
		}
	}
	snapshot := l.Snapshot()
	defer snapshot.Close()
	cursor, back, err := snapshot.Rewind("s", 1, 195)
	equal(t, "near", fmt.Sprintf("%d %s %v", cursor, back[0].Value, err), "195 194 <nil>")
	if _, _, err := snapshot.Rewind("s", 1, 3); !errors.Is(err, log.ErrNotFound) || !strings.Contains(err.Error(), "reach back to seq") {
		t.Fatalf("beyond the records: %v", err)
	}
}

// TestRewindStopsAtHands: what operators did is not an order of events that could be run again.
func TestRewindStopsAtHands(t *testing.T) {
	for _, what := range []string{"a dead letter was handled by hand", "by hand"} {
		l := open(t, t.TempDir(), log.Options{})
		fill(t, l, 3)
		if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
			t.Fatal(err)
		}
		commit := func(c log.Commit) {
			t.Helper()
			at, err := l.Cursor("s")
			if err != nil {
				t.Fatal(err)
			}
			c.Subscriber, c.StateVersion, c.From, c.Fence = "s", 1, at.Next, at.Fence
			if c.To = max(c.To, c.From); c.To == c.From+1 {
				c.Writes = []log.StateWrite{{Key: []byte("n"), Value: fmt.Append(nil, c.To)}}
			}
			if _, err := l.Commit(ctx, &c, log.Accepted); err != nil {
				t.Fatal(err)
			}
		}
		commit(log.Commit{To: 2, DeadLetters: []log.DeadLetter{{Seq: 1, Reason: "trap"}}})
		commit(log.Commit{To: 3})
		if what == "by hand" {
			if _, err := l.Reset(ctx, log.Reset{Subscriber: "s", To: 2}); err != nil {
				t.Fatal(err)
			}
			commit(log.Commit{To: 3})
		} else {
			commit(log.Commit{Settled: []abi.Seq{1}, Writes: []log.StateWrite{{Key: []byte("n"), Value: []byte("x")}}})
		}
		commit(log.Commit{To: 4})
		snapshot := l.Snapshot()
		if cursor, _, err := snapshot.Rewind("s", 1, 3); err != nil || cursor != 3 {
			t.Errorf("%s, behind it: %d, %v", what, cursor, err)
		}
		if _, _, err := snapshot.Rewind("s", 1, 1); !errors.Is(err, log.ErrNotFound) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s, before it: %v", what, err)
		}
		if err := snapshot.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
