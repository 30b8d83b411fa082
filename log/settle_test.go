package log_test

import (
	"errors"
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

// TestSettlePowerLoss takes the power away while dead letters are handled again, fail again
// : after reopening, an event is either a dead letter,
// and nothing of it is in the state or the log, or it is none, and all of it is.
func TestSettlePowerLoss(t *testing.T) {
	losses := fault.Size(t, 1000, 20_000)
	p := fault.Prove(t, "P15", "power losses while dead letters are redriven", "a dead letter leaves in the commit that brings its state and emits, or not at all")
	rng := p.Rand()
	for done := 0; done < losses; {
		done += settleStory(t, rng, p, false)
	}
	for range 200 {
		if settleStory(t, rng, nil, true) < 0 {
			p.Breach()
			return
		}
	}
	t.Error("the test does not find a letter that leaves before the state is written")
}

// settleStory runs one store and returns the number of losses, or, where the letter leaves in
// a commit of its own, -1 if a loss shows that.
func settleStory(t *testing.T, rng *rand.Rand, p *fault.Promise, split bool) (losses int) {
	fs := vfs.NewCrashableMem()
	l, err := log.Open("db", crashOptions(reuseFS{fs}))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &settling{l: l, rng: rng, waits: map[abi.Seq]bool{}}
	if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
		t.Fatal(err)
	}
	found := false
	lose := func() {
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		err := settledWhole(reuseFS{clone})
		found = found || err != nil
		if err != nil && !split {
			t.Fatal(err)
		}
		losses++
		if p != nil {
			p.Injected(1)
		}
	}
	if split {
		s.between = lose
	}
	for range 2 + rng.IntN(12) {
		if err := s.step(); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(2) == 0 {
			lose()
		}
	}
	if found {
		return -1
	}
	return losses
}

// settling is a subscriber that first makes a dead letter of every event, and handles them by hand.
type settling struct {
	l       *log.Log
	rng     *rand.Rand
	n       int
	waits   map[abi.Seq]bool
	between func() // the planted breach: the letter leaves in a commit of its own
}

func (s *settling) step() error {
	d := log.Durability(s.rng.IntN(2))
	at, err := s.l.Cursor("s")
	if err != nil {
		return err
	}
	c := log.Commit{Subscriber: "s", StateVersion: 1, From: at.Next, To: at.Next, Fence: at.Fence}
	var letter abi.Seq
	for letter = range s.waits {
		break
	}
	switch n := s.rng.IntN(10); {
	case letter == 0 || n < 3:
		s.n++
		r, err := s.l.Append(ctx, one(event("in", "", strconv.Itoa(s.n))), d)
		if err != nil {
			return err
		}
		letter = r[0].Seq
		c.To = letter + 1
		c.DeadLetters = []log.DeadLetter{{Seq: letter, Reason: "trap", Time: time.Unix(1, 0), LetterMore: log.LetterMore{Fuel: 3}}}
		s.waits[letter] = true
	case n < 5: // it fails again
		c.DeadLetters = []log.DeadLetter{{Seq: letter, Reason: "trap", Attempts: 2, Time: time.Unix(2, 0), LetterMore: log.LetterMore{Tries: []log.Try{{Time: time.Unix(1, 0)}}}}}
	default:
		if s.between != nil {
			if _, err := s.l.Commit(ctx, &log.Commit{Subscriber: "s", StateVersion: 1, From: c.From, To: c.To, Fence: c.Fence, Settled: []abi.Seq{letter}}, log.Durable); err != nil {
				return err
			}
			s.between()
		} else {
			c.Settled = []abi.Seq{letter}
		}
		c.Writes = []log.StateWrite{{Key: fmt.Append(nil, letter), Value: []byte("1")}}
		c.Emits = []abi.Event{event("out", "", fmt.Sprint("s-", letter))}
		delete(s.waits, letter)
	}
	_, err = s.l.Commit(ctx, &c, d)
	return err
}

// settledWhole opens what survived and holds letters, state and emits against each other.
func settledWhole(fs vfs.FS) (err error) {
	l, err := log.Open("db", crashOptions(fs))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	at, err := l.Cursor("s")
	if err != nil {
		return err
	}
	letters, emitted, done := map[abi.Seq]bool{}, map[string]int{}, map[string]bool{}
	if err := l.DeadLetters("s", 0, func(d log.DeadLetter) bool { letters[d.Seq] = true; return true }); err != nil {
		return err
	}
	snap := l.Snapshot()
	defer snap.Close()
	if err := snap.State("s", 1).Scan(nil, nil, func(k, _ []byte) bool { done[string(k)] = true; return true }); err != nil {
		return err
	}
	var in []abi.Seq
	r := l.NewReader(log.ReadOptions{Borrow: true})
	defer r.Close()
	var ev abi.Event
	for r.Next(&ev) {
		if ev.Topic == "in" && ev.Seq < at.Next {
			in = append(in, ev.Seq)
		}
		if ev.Topic == "out" {
			emitted[ev.ID]++
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	for _, seq := range in {
		state, emits := done[fmt.Sprint(seq)], emitted[fmt.Sprint("s-", seq)]
		if letters[seq] == state || state != (emits == 1) {
			return fmt.Errorf("event %d: a dead letter: %v, in the state: %v, emits: %d", seq, letters[seq], state, emits)
		}
	}
	if len(letters)+len(done) != len(in) {
		return fmt.Errorf("%d dead letters and %d keys of %d events", len(letters), len(done), len(in))
	}
	return nil
}
