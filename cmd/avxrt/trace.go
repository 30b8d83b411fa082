package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/wire"
)

func (a *app) traceVerb() *cobra.Command {
	var output string
	var changes bool
	cmd := &cobra.Command{
		Use: "trace ID|SEQ", Short: "Show what came of an event",
		Long: `Show how an event came about, what each subscriber made of it, and the events that it caused, as a
tree. A number is a seq, anything else an id. A subscriber has "emitted" events or "handled" the event
without any, given it up ("dead letter"), is "retrying" it, holds it behind such a one of its key
("blocked"), or has "not reached" it. Whether a subscriber that "handled" an event skipped it or began behind
it is not recorded.

With --changes the node works out what each handling burnt and changed, by doing it again on the state as it was
then, with the module that did it. Nothing of that is kept. It needs undo records that reach back so far, and an
event that did not have to wait for another attempt; where it cannot be had the trace says why.`,
		Example: "  avxrt trace 42\n  avxrt trace 42 --changes\n  avxrt trace inventory-42-0\n  avxrt trace 42 -o json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			tr, err := c.Trace(cmd.Context(), args[0], changes)
			if err != nil {
				return err
			}
			switch output {
			case "json":
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				return enc.Encode(tr)
			case "tree":
				a.printTrace(&tr)
				return nil
			}
			return unknownOutput(output, "tree", "json")
		},
	}
	cmd.Flags().BoolVar(&changes, "changes", false, "work out what each handling burnt and changed of the state")
	cmd.Flags().StringVarP(&output, "output", "o", "tree", "tree or json")
	return cmd
}

// printTrace draws the tree: an event, below it its subscribers, below each what it emitted.
func (a *app) printTrace(tr *wire.Trace) {
	for _, c := range tr.Causes {
		cells := a.inRoom(keepEnds, letters(fmt.Sprintf("from %d   , by %s", c.Seq, c.Subscriber)), printable(c.Topic), printable(c.ID))
		fmt.Fprintf(a.out, "from %d %s  %s, by %s\n", c.Seq, cells[0], cells[1], printable(c.Subscriber))
	}
	if !tr.Whole {
		fmt.Fprintln(a.err, "how it began is not in the log any more, or further back than is shown")
	}
	children := map[uint64][]*wire.TracedEvent{}
	for i := range tr.Events[1:] {
		ev := &tr.Events[i+1]
		children[ev.Cause] = append(children[ev.Cause], ev)
	}
	a.printEvent(&tr.Events[0], children, 0)
	if tr.Cut != "" {
		fmt.Fprintf(a.err, "cut at event %d: %s\n", tr.ReadTo, tr.Cut)
	}
}

func (a *app) printEvent(ev *wire.TracedEvent, children map[uint64][]*wire.TracedEvent, depth int) {
	indent := strings.Repeat("  ", depth)
	after := ""
	if ev.Cause != 0 {
		after = fmt.Sprintf("  +%v", roughly(ev.After))
	}
	if ev.Timer {
		after += " (a timer)"
	}
	cells := a.inRoom(keepEnds, letters(fmt.Sprintf("%s%d   %s", indent, ev.Seq, after)), printable(ev.Topic), printable(ev.ID))
	fmt.Fprintf(a.out, "%s%d %s  %s%s\n", indent, ev.Seq, cells[0], cells[1], after)
	for _, d := range ev.Deliveries {
		outcome := a.inRoom(keepStart, letters(indent+d.Subscriber)+4, printable(deliveryText(&d)))
		fmt.Fprintf(a.out, "%s  %s: %s\n", indent, d.Subscriber, outcome[0])
		a.printHandling(d.Handling, indent+"    ")
		for _, child := range children[ev.Seq] {
			if child.By == d.Subscriber {
				a.printEvent(child, children, depth+2)
			}
		}
	}
	for _, child := range children[ev.Seq] {
		if child.By == "" { // published, with this event as its cause
			a.printEvent(child, children, depth+1)
		}
	}
}

// waitingTimers is worded for one and for many.
func waitingTimers(n int) string {
	if n == 1 {
		return "1 timer waits"
	}
	return fmt.Sprintf("%d timers wait", n)
}

func deliveryText(d *wire.Delivery) string {
	s := d.Outcome
	if d.Emitted > 0 && d.Outcome == "emitted" {
		s += fmt.Sprintf(" %d", d.Emitted)
	}
	if d.Attempts > 0 {
		s += fmt.Sprintf(" after %s", counted(d.Attempts, "attempt"))
	}
	if d.Reason != "" {
		s += ": " + d.Reason + ": " + d.Message
	}
	if d.Timers > 0 {
		s += ", " + waitingTimers(d.Timers)
	}
	return s
}

// roughly rounds a time to what a person reads.
func roughly(seconds float64) time.Duration {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

// printHandling tells what a handling took and changed.
func (a *app) printHandling(h *wire.Handling, indent string) {
	switch {
	case h == nil:
		return
	case h.Unknown != "":
		fmt.Fprintf(a.out, "%sfuel and changes are not known: %s\n", indent, printable(h.Unknown))
		return
	}
	fmt.Fprintf(a.out, "%sgeneration %d, fuel %d, %v\n", indent, h.Generation, h.Fuel, roughly(h.Took))
	for _, c := range h.Changes {
		cells := a.inRoom(keepEnds, letters(indent+":  → "), printable(c.Key), valueText(c.Before), valueText(c.After))
		fmt.Fprintf(a.out, "%s%s: %s → %s\n", indent, cells[0], cells[1], cells[2])
	}
	if h.More > 0 {
		fmt.Fprintf(a.out, "%sand %d more changes\n", indent, h.More)
	}
	if h.Differs != "" {
		fmt.Fprintf(a.out, "%sdone again it differs: %s\n", indent, printable(h.Differs))
	}
}

func valueText(value *string) string {
	if value == nil {
		return "(none)"
	}
	return printable(*value)
}
