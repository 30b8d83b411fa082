package log_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// TestClockOverRestart: a wall clock that is not believed is not believed by a restart either,
// until it was set back or an operator accepts it.
func TestClockOverRestart(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	wall := time.Now()
	opts := log.WithClock(log.Options{}, func() time.Time { return wall })
	var l *log.Log
	start := func() {
		t.Helper()
		var err error
		if l, err = log.Open(dir, opts); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	}
	believed := func(want bool) {
		t.Helper()
		if got := l.ClockProblem() == nil; got != want {
			t.Errorf("believed: %v, want %v (%v)", got, want, l.ClockProblem())
		}
	}
	again := func() {
		t.Helper()
		if err := errors.Join(l.RememberClock(ctx), l.Close()); err != nil {
			t.Fatal(err)
		}
		start()
	}
	start()
	believed(true)
	wall = wall.Add(400 * time.Hour)
	believed(false)
	again()
	believed(false)
	wall = wall.Add(-400 * time.Hour) // set right while it ran
	believed(true)
	again()
	believed(true)
	wall = wall.Add(400 * time.Hour)
	if err := errors.Join(l.RememberClock(ctx), l.Close()); err != nil {
		t.Fatal(err)
	}
	wall = wall.Add(-399 * time.Hour) // set right while it was down
	start()
	believed(true)
	again()
	wall = wall.Add(-400 * time.Hour)
	again()
	believed(false)
	l.AcceptClock()
	believed(true)
	again()
	believed(true)
}

// TestLetterCount counts the dead letters that there are.
func TestLetterCount(t *testing.T) {
	ctx := context.Background()
	l, err := log.Open(t.TempDir(), log.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Append(ctx, []abi.Event{{Topic: "t", ID: "1", Source: "s"}, {Topic: "t", ID: "2", Source: "s"}}, log.Durable); err != nil {
		t.Fatal(err)
	}
	at, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1})
	if err != nil {
		t.Fatal(err)
	}
	commit := func(want int, c log.Commit) {
		t.Helper()
		c.Subscriber, c.StateVersion, c.From, c.To, c.Fence = "s", 1, 1, 1, at.Fence
		if _, err := l.Commit(ctx, &c, log.Accepted); err != nil {
			t.Fatal(err)
		}
		if n, err := l.LetterCount("s"); err != nil || n != want {
			t.Errorf("%d letters, %v, want %d", n, err, want)
		}
	}
	commit(0, log.Commit{})
	commit(1, log.Commit{DeadLetters: []log.DeadLetter{{Seq: 1}}})
	commit(2, log.Commit{DeadLetters: []log.DeadLetter{{Seq: 2}, {Seq: 1, Reason: "again"}}})
	commit(1, log.Commit{Settled: []abi.Seq{1}})
	if _, err := l.DropSubscriber(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	if n, err := l.LetterCount("s"); err != nil || n != 0 {
		t.Errorf("%d letters of a dropped subscriber, %v", n, err)
	}
}

// TestCareOutlivesATool: a store that ended uncleanly and was then opened and closed by somebody who
// does not handle events still asks for care.
func TestCareOutlivesATool(t *testing.T) {
	dir := t.TempDir()
	open := func(clean bool) *log.Log {
		t.Helper()
		l, err := log.Open(dir, log.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if l.Clean() != clean {
			t.Errorf("clean: %v, want %v", l.Clean(), clean)
		}
		return l
	}
	if err := open(true).Close(); err != nil {
		t.Fatal(err)
	}
	l := open(true)
	copied := t.TempDir() + "/copy" // is what a crash leaves: not closed
	if _, err := l.Backup(context.Background(), copied); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir = copied
	for range 2 {
		if err := open(false).Close(); err != nil {
			t.Fatal(err)
		}
	}
	l = open(false)
	l.Settled()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(true).Close(); err != nil {
		t.Fatal(err)
	}
}
