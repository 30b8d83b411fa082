package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
)

// fate is what a simulated guest does with an event, each time it gets it.
type fate int

const (
	fine fate = iota
	flaky
	rejects
	traps
	hangs
	skips
	fates
)

const simulatedEvents = 60

// simulate runs one subscription over events with random fates, in random batches, with
// refused commits in between, and returns what promise was broken, "" if none.
func simulate(seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 0))
	policy := delivery.Policy{Attempts: 1 + rng.IntN(5), Seed: seed}
	m := delivery.New(policy, 1)
	w := &world{rng: rng, m: m, tries: map[abi.Seq]int{}, settled: map[abi.Seq]string{}}
	for i := range w.events {
		if rng.IntN(3) == 0 {
			w.events[i] = fate(rng.IntN(int(fates)))
		}
	}
	for step := 0; m.Cursor() <= simulatedEvents; step++ {
		if step > 100*simulatedEvents {
			return fmt.Sprintf("no end in sight at event %d", m.Cursor())
		}
		if problem := w.step(); problem != "" {
			return problem
		}
	}
	for seq := abi.Seq(1); seq <= simulatedEvents; seq++ {
		if want := w.want(seq); w.settled[seq] != want {
			return fmt.Sprintf("event %d ended as %q, want %q", seq, w.settled[seq], want)
		}
		if w.tries[seq] > policy.Attempts+w.refusals+1 {
			return fmt.Sprintf("event %d was tried %d times, %d are allowed", seq, w.tries[seq], policy.Attempts)
		}
	}
	return ""
}

// world is the simulated log, guest and clock.
type world struct {
	rng      *rand.Rand
	m        *delivery.Machine
	now      int64
	events   [simulatedEvents]fate // of seq i+1
	tries    map[abi.Seq]int
	settled  map[abi.Seq]string
	refusals int
}

func (w *world) want(seq abi.Seq) string {
	switch w.events[seq-1] {
	case fine, flaky:
		return "handled"
	case rejects:
		return "reject"
	case traps:
		return "trap"
	case hangs:
		return "timeout"
	}
	return "skipped"
}

func (w *world) step() string {
	order := w.m.Begin(w.now)
	if !order.Run {
		if order.Wake == 0 {
			return "stopped: " + w.m.Stopped()
		}
		w.now = order.Wake
		return ""
	}
	if order.From != w.m.Cursor() {
		return fmt.Sprintf("ordered to run from %d with the cursor at %d", order.From, w.m.Cursor())
	}
	outcome, handled := w.run(order)
	cursor := w.m.Cursor()
	verdict := w.m.Finish(w.now, outcome)
	if w.rng.IntN(10) == 0 { // the commit is refused: nothing of it happened
		w.refusals++
		w.m.Refused(cursor)
		return ""
	}
	w.now += int64(time.Millisecond)
	return w.commit(cursor, handled, outcome, verdict)
}

// run gives the events of the order to the guest.
func (w *world) run(order delivery.Order) (delivery.Outcome, []abi.Seq) {
	var handled []abi.Seq
	size := min(order.Max, 1+w.rng.IntN(8))
	for seq := order.From; seq <= simulatedEvents && len(handled) < size; seq++ {
		w.tries[seq]++
		if f := w.fail(seq); f != nil {
			return delivery.Outcome{Handled: len(handled), Reached: seq, Failure: f}, handled
		}
		handled = append(handled, seq)
	}
	return delivery.Outcome{Handled: len(handled), Reached: order.From + abi.Seq(len(handled))}, handled
}

func (w *world) fail(seq abi.Seq) *delivery.Failure {
	switch w.events[seq-1] {
	case flaky:
		if w.tries[seq] > 1 {
			return nil
		}
		return &delivery.Failure{Seq: seq, Kind: delivery.Trapped, Message: "flaky"}
	case rejects:
		return &delivery.Failure{Seq: seq, Code: abi.FailReject, Message: "no"}
	case traps:
		return &delivery.Failure{Seq: seq, Kind: delivery.Trapped, Message: "unreachable"}
	case hangs:
		return &delivery.Failure{Seq: seq, Kind: delivery.TimedOut, Message: "too long"}
	case skips:
		return &delivery.Failure{Seq: seq, Code: abi.FailSkip}
	}
	return nil
}

// commit applies the verdict and checks that it accounts for every event it passes.
func (w *world) commit(from abi.Seq, handled []abi.Seq, o delivery.Outcome, v delivery.Verdict) string {
	passed := map[abi.Seq]string{}
	for _, seq := range handled {
		passed[seq] = "handled"
	}
	if v.Letter != nil {
		passed[v.Letter.Seq] = v.Letter.Reason
	}
	if v.Skipped {
		passed[o.Failure.Seq] = "skipped"
	}
	for seq := from; seq < v.To; seq++ {
		end, ok := passed[seq]
		if !ok {
			return fmt.Sprintf("the cursor passed event %d, which nobody dealt with", seq)
		}
		if w.settled[seq] != "" {
			return fmt.Sprintf("event %d was settled twice", seq)
		}
		w.settled[seq] = end
		delete(passed, seq)
	}
	if len(passed) > 0 {
		return fmt.Sprintf("the cursor went to %d although %v were dealt with", v.To, passed)
	}
	return ""
}
