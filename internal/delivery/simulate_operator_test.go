package delivery_test

import (
	"fmt"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
)

// longestWait is the default of Policy.Max, which simulations have: nothing waits longer, whatever
// the clock does.
const longestWait = 30 * time.Second

// jump moves the clock: forward as after a suspend, or back as after it was set right.
func (w *world) jump() {
	by := time.Duration(w.rng.IntN(100)) * time.Second
	if w.rng.IntN(2) == 0 {
		by = -time.Duration(w.rng.IntN(100)) * time.Minute
	}
	w.tell("the clock jumps by %v", by)
	w.now += int64(by)
}

// patience checks that an order does not wait longer than the policy lets anything wait.
func (w *world) patience(o delivery.Order) string {
	if wait := time.Duration(o.Wake - w.now); o.Wake != 0 && wait > longestWait {
		return fmt.Sprintf("something waits for %v, %v is the longest", wait, longestWait)
	}
	return ""
}

// operate does what an operator does.
func (w *world) operate() string {
	switch n := w.rng.IntN(8); {
	case n == 0:
		w.resume()
	case n == 1 && w.resets < 2:
		w.reset(abi.Seq(1 + w.rng.IntN(int(w.end))))
	default:
		return w.release()
	}
	return ""
}

// resume pauses the subscription, for no time at all, and lets it go on.
func (w *world) resume() {
	w.tell("the operator pauses and resumes")
	if w.bug.resume != nil {
		w.m = w.bug.resume(w)
	} else {
		w.m.Adopt(w.policy)
	}
	w.watch()
}

// reset moves the cursor, as log.Reset does: forward it frees every key and skips what lies between,
// back it frees those all of whose waiting events are read again.
func (w *world) reset(to abi.Seq) {
	w.tell("the operator resets from %d to %d", w.cursor, to)
	w.resets++
	for id, p := range w.parked {
		if (to > w.cursor || p.First >= to) && !w.bug.keeps {
			delete(w.parked, id)
		}
	}
	for seq := abi.Seq(1); seq <= simulatedEvents; seq++ {
		switch {
		case seq >= to:
			delete(w.settled, seq)
			delete(w.letters, seq)
			w.tries[seq], w.undone[seq], w.refused[seq], w.killed[seq] = 0, 0, 0, 0
		case to > w.cursor && w.settled[seq] == "":
			w.settled[seq] = "reset"
		}
	}
	w.cursor = to
	if w.bug.reset != nil {
		w.m = w.bug.reset(w)
	} else {
		start := w.stored()
		start.Careful = w.m.Careful()
		w.m = delivery.New(w.policy, start)
	}
	w.watch()
}

// agree checks that the machine knows of each event whether it will still run, which is what a
// redrive asks.
func (w *world) agree() string {
	for seq := abi.Seq(1); seq < w.end; seq++ {
		if awaits := w.m.Awaits(w.keys[seq], seq); awaits != (w.settled[seq] == "") {
			return fmt.Sprintf("event %d is settled as %q, and that it will still run is %v", seq, w.settled[seq], awaits)
		}
	}
	return ""
}

// operatorBugs are planted ones of what operators and clocks do.
var operatorBugs = []bug{
	{name: "a reset does not free keys", keeps: true},
	{name: "a reset begins one event later", reset: func(w *world) *delivery.Machine {
		start := w.stored()
		start.Cursor++
		return delivery.New(w.policy, start)
	}},
	{name: "a reset forgets what stays blocked", reset: func(w *world) *delivery.Machine {
		return delivery.New(w.policy, delivery.Start{Cursor: w.cursor})
	}},
	{name: "a reset goes on at the old cursor", reset: func(w *world) *delivery.Machine { return w.m }},
	{name: "a resume forgets what is blocked", resume: func(w *world) *delivery.Machine {
		return delivery.New(w.policy, delivery.Start{Cursor: w.cursor})
	}},
	{name: "a wait goes on although the clock went back", order: func(o *delivery.Order) {
		if o.Wake != 0 {
			o.Wake += int64(time.Hour)
		}
	}},
}
