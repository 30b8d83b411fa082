package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/wire"
)

// confirmation is what destructive verbs want: --yes, or --dry-run to see first.
type confirmation struct{ yes, dry bool }

func (c *confirmation) flags(cmd *cobra.Command, dry string) {
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do it")
	cmd.Flags().BoolVar(&c.dry, "dry-run", false, dry)
}

func (c *confirmation) check(what string) error {
	if c.yes == c.dry {
		return &usageError{fmt.Errorf("%s: see what it does with --dry-run, do it with --yes", what)}
	}
	return nil
}

func (a *app) subPause() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "pause NAME", Short: "Let a subscriber run nothing for now",
		Long: `Let a subscriber run nothing from the next event boundary on, also after a restart of the node,
until avxrt sub resume. Its events wait in the log, and the log keeps them for it.`,
		Example: "  avxrt sub pause inventory --reason 'stock taking until noon'",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.Pause(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			if err := list(a, []wire.Subscriber{s}, subHeader, subRow); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "Next: avxrt sub resume %s\n", args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "shown in avxrt sub ls")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) subResume() *cobra.Command {
	cmd := &cobra.Command{
		Use: "resume NAME", Short: "Let a paused or stopped subscriber go on",
		Long:    "Let a subscriber that was paused, or that stopped by itself, go on at its cursor.",
		Example: "  avxrt sub resume inventory",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.Resume(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return list(a, []wire.Subscriber{s}, subHeader, subRow)
		},
	}
	a.outputFlag(cmd)
	return cmd
}

func (a *app) subReset() *cobra.Command {
	var opts wire.ResetRequest
	var sure confirmation
	cmd := &cobra.Command{
		Use: "reset NAME --to PLACE", Short: "Let a subscriber handle events again, or skip some",
		Long: `Move the cursor of a subscriber. Events that it handled before are handled again: they change its
state a second time, unless it begins with an empty one, and what they emit is checked and dropped, since
it is in the log already. With --re-emit it is appended again, under ids of its own. Dead letters among
them run like the others, and leave as they succeed. Moved forward, it skips what lies between.

AGAIN, FRESH and SKIPPED count the events that concern it.`,
		Example: "  avxrt sub reset analytics --to earliest --empty-state --dry-run\n  avxrt sub reset analytics --to earliest --empty-state --yes\n" +
			"  avxrt sub reset email --to seq:1200 --yes\n  avxrt sub reset email --to time:2026-11-25T08:00:00Z --re-emit --yes",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := sure.check("a reset"); err != nil {
				return err
			}
			if opts.To == "" {
				return &usageError{fmt.Errorf("say where: --to earliest, latest, seq:<n> or time:<RFC 3339>")}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			opts.DryRun = sure.dry
			reset, err := c.Reset(cmd.Context(), args[0], opts)
			if err != nil {
				return err
			}
			if err := list(a, []wire.Reset{reset}, "SUBSCRIBER FROM TO AGAIN FRESH SKIPPED LETTERS BLOCKED EMITS STATE", resetRow); err != nil {
				return err
			}
			if !sure.dry {
				fmt.Fprintln(a.err, "Next: avxrt sub ls --wait 60s")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&opts.To, "to", "", "earliest, latest, seq:<n> or time:<RFC 3339>")
	cmd.Flags().BoolVar(&opts.ReEmit, "re-emit", false, "append again what it emits for events that it handled before")
	cmd.Flags().BoolVar(&opts.EmptyState, "empty-state", false, "take out its state first")
	sure.flags(cmd, "say what it would do, and change nothing")
	a.outputFlag(cmd)
	return cmd
}

func resetRow(r wire.Reset) []string {
	emits, state := "dropped", "kept"
	if r.Run != 0 {
		emits = "run " + strconv.FormatUint(r.Run, 10)
	}
	if r.EmptyState {
		state = "emptied"
	}
	num := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return []string{
		r.Subscriber, num(r.From), num(r.To), num(r.Again), num(r.Fresh), num(r.Skipped), strconv.Itoa(r.DeadLetters), strconv.Itoa(r.BlockedKeys), emits, state,
	}
}

func (a *app) subDrop() *cobra.Command {
	var sure confirmation
	cmd := &cobra.Command{
		Use: "drop NAME", Short: "Forget a subscriber that is not in the manifest",
		Long: `Forget a subscriber that was taken out of the manifest: its cursor, its state and its dead letters.
Until then they stay, and it goes on where it was if it comes back. avxrt sub ls --detached shows such
subscribers.`,
		Example: "  avxrt sub drop inventory --dry-run\n  avxrt sub drop inventory --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := sure.check("drop"); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			var d wire.Dropped
			if sure.dry {
				d, err = a.wouldDrop(cmd, c, args[0])
			} else {
				d, err = c.Drop(cmd.Context(), args[0])
			}
			if err != nil {
				return err
			}
			return list(a, []wire.Dropped{d}, "SUBSCRIBER STATE-KEYS DEAD-LETTERS BLOCKED-KEYS", func(d wire.Dropped) []string {
				return []string{d.Subscriber, strconv.Itoa(d.StateKeys), strconv.Itoa(d.DeadLetters), strconv.Itoa(d.BlockedKeys)}
			})
		},
	}
	sure.flags(cmd, "say what would be forgotten, and forget nothing")
	a.outputFlag(cmd)
	return cmd
}

// wouldDrop finds what a drop would take.
func (a *app) wouldDrop(cmd *cobra.Command, c *client.Client, name string) (wire.Dropped, error) {
	all, err := c.Detached(cmd.Context())
	if err != nil {
		return wire.Dropped{}, err
	}
	for _, d := range all {
		if d.Name == name {
			return wire.Dropped{Subscriber: name, StateKeys: d.StateKeys, DeadLetters: d.DeadLetters, BlockedKeys: d.BlockedKeys}, nil
		}
	}
	return wire.Dropped{}, fmt.Errorf("no subscriber %q was taken out of the manifest; avxrt sub ls --detached lists those that were", name)
}

// detached is avxrt sub ls --detached.
func (a *app) detached(cmd *cobra.Command, c *client.Client) error {
	all, err := c.Detached(cmd.Context())
	if err != nil {
		return err
	}
	err = list(a, all, "NAME CURSOR STATE-KEYS DLQ SINCE", func(d wire.Detached) []string {
		return []string{d.Name, strconv.FormatUint(d.Cursor, 10), strconv.Itoa(d.StateKeys), strconv.Itoa(d.DeadLetters), d.Since.Local().Format(time.DateTime)}
	})
	if err == nil {
		a.none(len(all), "no subscriber was taken out of the manifest")
	}
	return err
}
