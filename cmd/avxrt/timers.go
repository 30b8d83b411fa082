package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/wire"
)

func (a *app) subTimers() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "timers NAME", Short: "List the timers that a subscriber set",
		Long: `List the events that a subscriber emitted for later, the next one first. NAME names a timer where the
guest gave one; CAUSE is the event whose handling set it.`,
		Example: "  avxrt sub timers reminders\n  avxrt sub timers reminders -o jsonl --limit 100000",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var all []wire.Timer
			var last wire.Timer
			for len(all) < limit {
				page, err := c.Timers(cmd.Context(), args[0], last, min(limit-len(all), 1000))
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				all, last = append(all, page...), page[len(page)-1]
			}
			err = list(a, all, "DUE IN NAME TOPIC KEY CAUSE ID", timerRow)
			if err == nil {
				a.none(len(all), "no timers")
			}
			return err
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most so many")
	a.outputFlag(cmd)
	return cmd
}

func timerRow(t wire.Timer) []string {
	return []string{
		t.Due.Format(time.RFC3339), time.Until(t.Due).Round(time.Second).String(), t.Name, t.Topic, t.Key, fmt.Sprint(t.Cause), t.ID,
	}
}

func (a *app) clockVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "clock", Short: "Say whether the node believes its clock",
		Long: `Say whether the node believes its wall clock. Where that leaves the monotonic clock by more than an hour,
because somebody set it or the machine slept, timers and retention by age stop, and everything else
goes on. They resume when the clock is right again, or when an operator says that it is.`,
		Example: "  avxrt clock\n  avxrt clock accept",
		Args:    knownVerb,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			status, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			if status.ClockProblem != "" {
				return fmt.Errorf("%s", status.ClockProblem)
			}
			fmt.Fprintln(a.out, "the node believes its clock")
			return nil
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "accept", Short: "Take the node's wall clock to be right as it is", Example: "  avxrt clock accept", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			at, err := c.AcceptClock(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, "accepted at "+at.Format(time.RFC3339))
			return nil
		},
	})
	return cmd
}
