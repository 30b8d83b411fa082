package log_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// TestOperators runs the transcript of what operators do to the subscriber s:
//
//	append 3                                   so many events, with the keys k0, k1, k2, k0, …
//	attach
//	commit to=3 set=k=v emit=out letter=2 settle=2 park=k1:2:1 fence=1
//	reset to=1 reemit empty
//	pause reason / resume
//	drop
//	show                                       all that the store has of it
//	reopen
//	fork 3                                     what a fork at that seq has
func TestOperators(t *testing.T) {
	o := &operated{t: t, dir: t.TempDir(), now: time.Unix(1000, 0).UTC()}
	o.open()
	datadriven.RunTest(t, "testdata/operate.txt", func(_ *testing.T, d *datadriven.TestData) string {
		text, err := o.step(d)
		if err != nil {
			text += err.Error() + "\n"
		}
		return text
	})
}

type operated struct {
	t    *testing.T
	dir  string
	now  time.Time
	l    *log.Log
	next int
	fork int
}

func (o *operated) open() {
	o.l = open(o.t, filepath.Join(o.dir, "a"), log.WithClock(log.Options{}, func() time.Time { return o.now }))
}

func (o *operated) step(d *datadriven.TestData) (string, error) {
	arg := func(name string) string {
		for _, a := range d.CmdArgs {
			if a.Key == name {
				return strings.Join(a.Vals, ",") + strings.Repeat("yes", 1-min(len(a.Vals), 1))
			}
		}
		return ""
	}
	num := func(text string) uint64 { n, _ := strconv.ParseUint(text, 10, 64); return n }
	switch d.Cmd {
	case "append":
		for range num(d.CmdArgs[0].Key) {
			appendOK(o.t, o.l, log.Durable, event("in", fmt.Sprint("k", o.next%3), fmt.Sprint("e", o.next)))
			o.next++
		}
		return fmt.Sprintln("head", o.l.Head()), nil
	case "attach":
		c, err := o.l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1})
		return fmt.Sprintln("cursor", c.Next), err
	case "commit":
		return o.commit(arg, num)
	case "reset":
		to, err := o.l.Reset(ctx, log.Reset{Subscriber: "s", To: abi.Seq(num(arg("to"))), ReEmit: arg("reemit") != "", EmptyState: arg("empty") != ""})
		return fmt.Sprintln("cursor", to), err
	case "pause":
		return "", o.l.Pause(ctx, "s", true, "because")
	case "resume":
		return "", o.l.Pause(ctx, "s", false, "")
	case "drop":
		dropped, err := o.l.DropSubscriber(ctx, "s")
		return fmt.Sprintf("%+v\n", dropped), err
	case "reopen":
		err := o.l.Close()
		o.open()
		return "", err
	case "fork":
		o.fork++
		dir := filepath.Join(o.dir, fmt.Sprint("f", o.fork))
		at, err := o.l.Fork(ctx, dir, abi.Seq(num(d.CmdArgs[0].Key)))
		if err != nil {
			return "", err
		}
		f := open(o.t, dir, log.Options{})
		verify(o.t, f)
		return fmt.Sprintln("at", at) + rowsOf(o.t, f), nil
	}
	verify(o.t, o.l)
	return rowsOf(o.t, o.l), nil
}

func (o *operated) commit(arg func(string) string, num func(string) uint64) (string, error) {
	at, err := o.l.Cursor("s")
	if err != nil {
		return "", err
	}
	c := log.Commit{Subscriber: "s", StateVersion: 1, From: at.Next, To: abi.Seq(num(arg("to"))), Fence: at.Fence, Digest: "d"}
	if fence := arg("fence"); fence != "" {
		c.Fence = num(fence)
	}
	c.To = max(c.To, c.From)
	if k, v, ok := strings.Cut(arg("set"), "="); ok {
		c.Writes = []log.StateWrite{{Key: []byte(k), Value: []byte(v)}}
	}
	if topic := arg("emit"); topic != "" {
		c.Emits = []abi.Event{event(topic, "", fmt.Sprint("s-", c.From))}
	}
	if seq := arg("letter"); seq != "" {
		c.DeadLetters = []log.DeadLetter{{Seq: abi.Seq(num(seq)), Reason: "trap", Attempts: 2, Time: o.now, LetterMore: log.LetterMore{
			Fuel: 7, Replayed: true, Run: 3, Tries: []log.Try{{Time: o.now, Reason: "reject", Message: "no", Digest: "old"}},
		}}}
	}
	if seq := arg("settle"); seq != "" {
		c.Settled = []abi.Seq{abi.Seq(num(seq))}
	}
	if p := strings.Split(arg("park"), ":"); len(p) == 3 {
		c.Parked = []log.ParkedChange{{Parked: log.Parked{Key: p[0], First: abi.Seq(num(p[1])), Version: abi.Version(num(p[2])), Attempts: 1}}}
	}
	_, err = o.l.Commit(ctx, &c, log.Durable)
	return "", err
}

// rowsOf writes what a store has of the subscriber s.
func rowsOf(t *testing.T, l *log.Log) string {
	t.Helper()
	var out strings.Builder
	c, err := l.Cursor("s")
	if errors.Is(err, log.ErrNotFound) {
		out.WriteString("no cursor\n")
	} else if err != nil {
		t.Fatal(err)
	} else {
		fmt.Fprintln(&out, "cursor", c.Next, "fence", c.Fence)
	}
	snap := l.Snapshot()
	defer snap.Close()
	if err := snap.State("s", 1).Scan(nil, nil, func(k, v []byte) bool { fmt.Fprintf(&out, "state %s=%s\n", k, v); return true }); err != nil {
		t.Fatal(err)
	}
	if err := l.DeadLetters("s", 0, func(d log.DeadLetter) bool {
		fmt.Fprintf(&out, "letter %d %s attempts=%d fuel=%d run=%d replayed=%v tries=%d\n", d.Seq, d.Reason, d.Attempts, d.Fuel, d.Run, d.Replayed, len(d.Tries))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	parked, err := l.Parked("s")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parked {
		fmt.Fprintf(&out, "blocked %s from %d version %d\n", p.Key, p.First, p.Version)
	}
	control, err := l.Control("s")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "mark=%d began=%d run=%d reemit=%v paused=%v reason=%q unhandled=%v\n",
		control.Mark, control.Began, control.Run, control.ReEmit, control.Paused, control.Reason, control.Unhandled)
	return out.String()
}

// TestLargeDrop takes out more state than an undo record holds: it is gone, and a fork goes
// back to the drop and no further.
func TestLargeDrop(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "a"), log.Options{})
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 3)
	c := log.Commit{Subscriber: "s", StateVersion: 1, From: 1, To: 4}
	for i := range 10 {
		c.Writes = append(c.Writes, log.StateWrite{Key: fmt.Append(nil, i), Value: make([]byte, 1<<20)})
	}
	if _, err := l.Commit(ctx, &c, log.Durable); err != nil {
		t.Fatal(err)
	}
	d, err := l.DropSubscriber(ctx, "s")
	equal(t, "dropped", fmt.Sprint(d.StateKeys, err), "10 <nil>")
	var fe *log.ForkError
	if _, err := l.Fork(ctx, filepath.Join(dir, "no"), 2); !errors.As(err, &fe) || fe.Floor != 3 || fe.Owner != "s" {
		t.Errorf("a fork to before the drop: %v", err)
	}
	fill(t, l, 1)
	if at, err := l.Fork(ctx, filepath.Join(dir, "yes"), 3); err != nil || at != 3 {
		t.Errorf("a fork at the drop: %d, %v", at, err)
	}
	verify(t, l)
}

// TestSettledLeavesNothing: of a letter that is settled no row stays.
func TestSettledLeavesNothing(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{UndoBytes: -1})
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	commit := func(c log.Commit) uint64 {
		t.Helper()
		c.Subscriber, c.StateVersion, c.From, c.To = "s", 1, 1, 1
		if _, err := l.Commit(ctx, &c, log.Durable); err != nil {
			t.Fatal(err)
		}
		report, err := l.Verify(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return report.Rows
	}
	before := commit(log.Commit{})
	equal(t, "rows with a letter", commit(log.Commit{DeadLetters: []log.DeadLetter{{Seq: 1, LetterMore: log.LetterMore{Fuel: 1}}}}), before+2)
	equal(t, "rows without", commit(log.Commit{Settled: []abi.Seq{1}}), before)
}

// TestManyResets: what thousands of resets passed over is kept in as few ranges as it takes, in none
// where it left the log, and in no more than there may be.
func TestManyResets(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{})
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	spans := func() []log.Span {
		t.Helper()
		c, err := l.Control("s")
		if err != nil {
			t.Fatal(err)
		}
		return c.Unhandled
	}
	reset := func(to abi.Seq) error {
		t.Helper()
		_, err := l.Reset(ctx, log.Reset{Subscriber: "s", To: to})
		return err
	}
	const passed = 1500
	for n := range passed { // forward by one event each, and back at times
		appendOK(t, l, log.Accepted, event("a", "k", fmt.Sprint("e", n)))
		for _, to := range []abi.Seq{0, l.Head()} {
			if err := reset(to); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := spans(); len(got) != 1 || got[0].From != 1 || got[0].To != passed+1 {
		t.Fatalf("%d spans: %+v", len(got), got[:min(len(got), 3)])
	}
	if _, err := l.Trim(ctx, passed/2, "test"); err != nil {
		t.Fatal(err)
	}
	if err := reset(0); err != nil {
		t.Fatal(err)
	}
	if got := spans(); len(got) != 1 || got[0].From != l.First() || l.First() < 2 {
		t.Errorf("with what is above %d in the log: %+v", l.First(), got)
	}
}

// TestTooManySpans: a reset over more blocked keys than can be remembered is refused, and changes
// nothing. What was passed over can be handled, and resets work again.
func TestTooManySpans(t *testing.T) {
	l := open(t, t.TempDir(), log.Options{UndoBytes: -1})
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	commit := func(to abi.Seq, parked []log.ParkedChange) {
		t.Helper()
		at, err := l.Cursor("s")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Commit(ctx, &log.Commit{Subscriber: "s", From: at.Next, To: to, Fence: at.Fence, Parked: parked}, log.Accepted); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	publish := func() {
		n++
		appendOK(t, l, log.Accepted, event("a", "", fmt.Sprint("e", n)))
	}
	pass := func() error { // over an event that 10,000 keys wait behind
		publish()
		var parked []log.ParkedChange
		for key := range 10_000 {
			parked = append(parked, log.ParkedChange{Parked: log.Parked{Key: fmt.Sprint("k", key), First: l.Head()}})
		}
		commit(l.Head()+1, parked)
		publish()
		_, err := l.Reset(ctx, log.Reset{Subscriber: "s"})
		return err
	}
	var err error
	for range log.MaxSpans/10_000 + 1 {
		if err = pass(); err != nil {
			break
		}
		publish() // and one is handled: the spans do not touch
		commit(l.Head()+1, nil)
	}
	before, cursorErr := l.Cursor("s")
	if !errors.Is(err, log.ErrTooManySpans) || cursorErr != nil || before.Next != l.Head() {
		t.Fatalf("it was not refused: %v; %+v, %v", err, before, cursorErr)
	}
	parked, err := l.Parked("s")
	if err != nil || len(parked) != 10_000 {
		t.Fatalf("%d keys are blocked, %v", len(parked), err)
	}
	var free []log.ParkedChange
	for _, p := range parked {
		free = append(free, log.ParkedChange{Parked: p, Gone: true})
	}
	commit(l.Head()+1, free)
	if _, err := l.Reset(ctx, log.Reset{Subscriber: "s", To: 1}); err != nil {
		t.Fatalf("to earliest: %v", err)
	}
	commit(l.Head()+1, nil) // it catches up
	if _, err := l.Reset(ctx, log.Reset{Subscriber: "s"}); err != nil {
		t.Fatal(err)
	}
	if c, err := l.Control("s"); err != nil || len(c.Unhandled) != 0 {
		t.Errorf("%d spans are left, %v", len(c.Unhandled), err)
	}
}
