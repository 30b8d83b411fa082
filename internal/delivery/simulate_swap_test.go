package delivery_test

import (
	"fmt"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
)

// swap is a generation on trial, in a simulation.
type swap struct {
	left int  // events that must still go well; 0: nothing is on trial
	bad  int  // it fails every event whose seq this divides; 0: none
	slow bool // and does so by taking too long
}

// try puts a generation on trial, which may be a bad one.
func (w *world) try() {
	w.generation++
	w.swap = swap{left: 1 + w.rng.IntN(8), bad: w.rng.IntN(4), slow: w.rng.IntN(2) == 0}
	w.tell("a generation on trial for %d events (bad %d)", w.swap.left, w.swap.bad)
	w.adoptWith(w.swap.left)
}

// adoptWith gives the machine another generation, watched for so many events.
func (w *world) adoptWith(watched int) {
	if w.bug.adopt != nil {
		w.m = w.bug.adopt(w)
	} else {
		w.m.Adopt(w.policy)
	}
	w.m.Watch(watched)
}

// badly is how the generation on trial fails an event, nil if it does not. Behind as many events
// as its trial still has, which the run may have handled before, it is good.
func (w *world) badly(seq abi.Seq, handled int) *delivery.Failure {
	switch s := w.swap; {
	case s.left <= handled || s.bad == 0 || int(seq)%s.bad != 0:
		return nil
	case s.slow:
		return &delivery.Failure{Kind: delivery.TimedOut, Message: "a slow generation"}
	}
	return &delivery.Failure{Kind: delivery.Trapped, Message: "a bad generation"}
}

// watch tells the machine how much of a trial is left, as the shell does before each run.
func (w *world) watch() { w.m.Watch(w.swap.left) }

// onTrial checks a verdict on what a generation on trial did, and brings the one before back
// where it says so. It must say so for every event that fails, and neither charge it nor give it up.
func (w *world) onTrial(v delivery.Verdict, o delivery.Outcome) string {
	f := o.Failure
	switch left := w.swap.left; {
	case v.RollBack == "":
		watched := left > 0 && o.Handled < left && f != nil && f.Kind != delivery.TooFar && (f.Kind != delivery.Said || f.Code != abi.FailSkip)
		if watched && f.Kind != delivery.Clashed {
			return fmt.Sprintf("a generation on trial failed event %d and stays", f.Seq)
		}
		return ""
	case left == 0:
		return "a generation that is not on trial is rolled back: " + v.RollBack
	case v.Letter != nil || v.Skipped != 0:
		return fmt.Sprintf("an event that a generation on trial failed is given up: %s", v.RollBack)
	}
	w.tell("rolled back: %s", v.RollBack)
	if f != nil && f.Kind != delivery.Killed {
		w.lose([]abi.Seq{f.Seq})
	}
	return ""
}

// swapBack brings the generation from before the trial back, once the verdict that asked for it
// was committed.
func (w *world) swapBack(v delivery.Verdict) {
	if v.RollBack == "" {
		return
	}
	w.swap = swap{}
	w.adoptWith(0)
}

// wentWell counts the events of a trial that were committed.
func (w *world) wentWell(handled int) {
	if w.swap.left == 0 {
		return
	}
	if w.swap.left -= min(handled, w.swap.left); w.swap.left == 0 {
		w.swap.bad = 0
		w.tell("the trial went well")
	}
}

// swapBugs are planted ones of swaps and of slow guests.
var swapBugs = []bug{
	{name: "a generation that failed on trial stays", verdict: func(v *delivery.Verdict) { v.RollBack = "" }},
	{name: "the event of a roll back is passed over", verdict: func(v *delivery.Verdict) {
		if v.RollBack != "" {
			v.To++
		}
	}},
	{name: "the event of a roll back becomes a dead letter", verdict: func(v *delivery.Verdict) {
		if v.RollBack != "" {
			v.Letter = &delivery.Letter{Seq: v.To, Reason: "trap"}
		}
	}},
	{name: "a swap forgets what is blocked", adopt: func(w *world) *delivery.Machine {
		return delivery.New(w.policy, delivery.Start{Cursor: w.m.Cursor()})
	}},
	{name: "a swap begins one event later", adopt: func(w *world) *delivery.Machine {
		start := w.stored()
		start.Cursor++
		return delivery.New(w.policy, start)
	}},
	{name: "a swap begins one event earlier", adopt: func(w *world) *delivery.Machine {
		start := w.stored()
		start.Cursor = max(start.Cursor-1, 1)
		return delivery.New(w.policy, start)
	}},
	{name: "a slow event counts for those behind it", slow: func(o *delivery.Outcome) { o.Reached++ }},
	{name: "a slow event is not counted", slow: func(o *delivery.Outcome) { o.Handled, o.Reached = 0, o.Reached-1 }},
}
