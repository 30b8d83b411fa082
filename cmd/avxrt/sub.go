package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/wire"
)

func (a *app) subVerb() *cobra.Command {
	cmd := &cobra.Command{Use: "sub", Short: "How the subscribers stand", Args: knownVerb, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.subList(), a.subShow(), a.subTimers(), a.subHistory(), a.subPause(), a.subResume(), a.subReset(), a.subDrop(), a.subDropState())
	return cmd
}

func (a *app) subList() *cobra.Command {
	var wait time.Duration
	var detached bool
	cmd := &cobra.Command{
		Use: "ls", Short: "List the subscribers",
		Long: `List the subscribers of a node. LAG is how many events lie between a subscriber's cursor and the end of
the log, AGE how old the first of those that concern it is. A plan that was refused is told below the list.`,
		Example: "  avxrt sub ls\n  avxrt sub ls -o json\n  avxrt sub ls --wait 30s    (until nobody lags or retries)",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if detached {
				return a.detached(cmd, c)
			}
			subs, err := waitIdle(cmd.Context(), c, wait)
			if err != nil {
				return err
			}
			if err := list(a, subs, subHeader, subRow); err != nil {
				return err
			}
			a.none(len(subs), "the manifest has no subscribers; avxrt sub ls --detached lists those that it had")
			return a.problems(cmd.Context(), c, subs)
		},
	}
	cmd.Flags().BoolVar(&detached, "detached", false, "list those that were taken out of the manifest and not dropped")
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so long until no subscriber lags or retries; fail if one still does")
	a.outputFlag(cmd)
	return cmd
}

const subHeader = "NAME TOPICS STATE GEN CURSOR LAG AGE HANDLED EMITTED DLQ"

func subRow(s wire.Subscriber) []string {
	state := s.State
	if s.Problem != "" {
		state += "!"
	}
	if s.OnTrial {
		state += ", on trial"
	}
	if s.Build != nil {
		state += ", " + s.Build.Kind + " to state v" + strconv.FormatUint(uint64(s.Build.Version), 10)
	}
	age := (time.Duration(s.LagSeconds * float64(time.Second))).Round(time.Second)
	return []string{
		s.Name, strings.Join(s.Topics, ","), state, strconv.Itoa(s.Generation), strconv.FormatUint(s.Cursor, 10), strconv.FormatUint(s.LagEvents, 10),
		age.String(), strconv.FormatUint(s.Handled, 10), strconv.FormatUint(s.Emitted, 10), strconv.FormatUint(s.DeadLetters, 10),
	}
}

// problems tells what the list has no room for.
func (a *app) problems(ctx context.Context, c *client.Client, subs []wire.Subscriber) error {
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if status.ManifestError != "" {
		fmt.Fprintf(a.err, "the manifest on disk was refused, the last good one runs:\n  %s\n", strings.ReplaceAll(status.ManifestError, "\n", "\n  "))
	}
	if status.ClockProblem != "" {
		fmt.Fprintln(a.err, status.ClockProblem)
	}
	for _, s := range subs {
		if s.Problem != "" {
			fmt.Fprintf(a.err, "%s: its new module was refused, generation %d goes on: %s\n", s.Name, s.Generation, printable(s.Problem))
		}
		if b := s.Build; b != nil && b.Kind == "rebuild" {
			fmt.Fprintf(a.err, "%s: its state of version %d is being rebuilt: at event %d of %d%s\n", s.Name, b.Version, b.Next, b.Target, waits(b))
		}
		if s.Reason != "" {
			fmt.Fprintf(a.err, "%s: %s: %s\n", s.Name, s.State, printable(s.Reason))
		}
	}
	return nil
}

// waitIdle returns the subscribers once none lags or retries, or as they are without a wait.
func waitIdle(ctx context.Context, c *client.Client, wait time.Duration) ([]wire.Subscriber, error) {
	deadline := time.Now().Add(wait)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		subs, err := c.Subscribers(ctx)
		if err != nil {
			return nil, err
		}
		behind := ""
		for _, s := range subs {
			if s.LagEvents > 0 || s.State == "retrying" || s.Build != nil { // retrying: its cursor may be past an event that waits
				behind = s.Name
			}
			if wait > 0 && s.LagEvents > 0 && (s.State == "stopped" || s.State == "failed" || s.State == "paused") {
				return nil, fmt.Errorf("%s is %s and will not catch up: %s", s.Name, s.State, s.Reason)
			}
		}
		switch {
		case wait == 0 || behind == "":
			return subs, nil
		case time.Now().After(deadline):
			return nil, fmt.Errorf("%s still lags or retries after %v; see avxrt sub show %s", behind, wait, behind)
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (a *app) subShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show everything about one subscriber, as JSON", Example: "  avxrt sub show inventory", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.Subscriber(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			enc := json.NewEncoder(a.out)
			enc.SetIndent("", "  ")
			return enc.Encode(s)
		},
	}
}
