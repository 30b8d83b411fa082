package log_test

import (
	"fmt"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// TestDroppedLetters: what an operator dropped is remembered until it is handled or given up
// again, or leaves the log; a fork to before the drop has the letter.
func TestDroppedLetters(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	for range 3 {
		events := make([]abi.Event, 512) // a chunk
		for i := range events {
			events[i] = event("t", "", "")
		}
		appendOK(t, l, log.Durable, events...)
	}
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	at := abi.Seq(1)
	commit := func(to abi.Seq, c log.Commit) {
		t.Helper()
		c.Subscriber, c.StateVersion, c.From, c.To = "s", 1, at, to
		if _, err := l.Commit(ctx, &c, log.Durable); err != nil {
			t.Fatal(err)
		}
		at = to
	}
	dropped := func(l *log.Log) string {
		t.Helper()
		text := ""
		err := l.DroppedLetters("s", 0, func(seq abi.Seq, more log.LetterMore) bool {
			text += fmt.Sprintf("%d run=%d replayed=%v fuel=%d; ", seq, more.Run, more.Replayed, more.Fuel)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	letters := func(l *log.Log) (text string) {
		t.Helper()
		if err := l.DeadLetters("s", 0, func(d log.DeadLetter) bool { text += fmt.Sprintf("%d; ", d.Seq); return true }); err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := log.DeadLetter{Seq: 1, Reason: "trap", LetterMore: log.LetterMore{Fuel: 7, Run: 2}}
	second := log.DeadLetter{Seq: 2, Reason: "trap", LetterMore: log.LetterMore{Replayed: true}}
	third := log.DeadLetter{Seq: 600, Reason: "trap"}
	commit(601, log.Commit{DeadLetters: []log.DeadLetter{first, second, third}})
	appendOK(t, l, log.Durable, event("t", "", "")) // a head to fork at
	commit(601, log.Commit{Dropped: []log.DeadLetter{first, second, third}})
	if n, err := l.LetterCount("s"); err != nil || n != 0 {
		t.Errorf("%d letters, %v", n, err)
	}
	equal(t, "dropped", dropped(l), "1 run=2 replayed=false fuel=0; 2 run=0 replayed=true fuel=0; 600 run=0 replayed=false fuel=0; ")
	dir := t.TempDir() + "/fork"
	if _, err := l.Fork(ctx, dir, 1536); err != nil {
		t.Fatal(err)
	}
	fork := open(t, dir, log.Options{})
	equal(t, "dropped in the fork", dropped(fork), "")
	equal(t, "letters in the fork", letters(fork), "1; 2; 600; ")
	commit(601, log.Commit{DeadLetters: []log.DeadLetter{second}})
	equal(t, "given up again", dropped(l), "1 run=2 replayed=false fuel=0; 600 run=0 replayed=false fuel=0; ")
	if _, err := l.Trim(ctx, 513, "a test"); err != nil || l.First() != 513 {
		t.Fatalf("trim: %v, first %d", err, l.First())
	}
	equal(t, "after retention", dropped(l), "600 run=0 replayed=false fuel=0; ")
	equal(t, "letters after it", letters(l), "2; ")
	commit(601, log.Commit{Settled: []abi.Seq{600}})
	equal(t, "handled", dropped(l), "")
}
