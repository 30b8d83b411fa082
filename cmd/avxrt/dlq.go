package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
)

func (a *app) dlqVerb() *cobra.Command {
	cmd := &cobra.Command{Use: "dlq", Short: "Events that a subscriber gave up", Args: args(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.dlqList(), a.dlqShow())
	return cmd
}

func (a *app) dlqList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ls [NAME]", Short: "List dead letters, of one subscriber or of all",
		Example: "  avxrt dlq ls\n  avxrt dlq ls inventory -o jsonl",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			letters, err := deadLetters(cmd.Context(), c, args)
			if err != nil {
				return err
			}
			if err := list(a, letters, "SUBSCRIBER SEQ TOPIC KEY REASON ATTEMPTS TIME MESSAGE", letterRow); err != nil {
				return err
			}
			if len(letters) > 0 {
				fmt.Fprintf(a.err, "Next: avxrt dlq show %s %d\n", letters[0].Subscriber, letters[0].Seq)
			}
			return nil
		},
	}
	a.outputFlag(cmd)
	return cmd
}

func letterRow(d client.DeadLetter) []string {
	return []string{
		d.Subscriber, strconv.FormatUint(d.Seq, 10), d.Topic, d.Key, d.Reason, strconv.Itoa(d.Attempts), d.Time.Local().Format(time.DateTime), d.Message,
	}
}

// deadLetters fetches all letters of the named subscriber, or of every one.
func deadLetters(ctx context.Context, c *client.Client, names []string) ([]client.DeadLetter, error) {
	if len(names) == 0 {
		subs, err := c.Subscribers(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range subs {
			names = append(names, s.Name)
		}
	}
	const page = 1000
	var all []client.DeadLetter
	for _, name := range names {
		for after := uint64(0); ; {
			letters, err := c.DeadLetters(ctx, name, after, page, false)
			if err != nil {
				return nil, err
			}
			all = append(all, letters...)
			if len(letters) < page {
				break
			}
			after = letters[page-1].Seq
		}
	}
	return all, nil
}

func (a *app) dlqShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME SEQ", Short: "Show one dead letter with its event, as JSON", Example: "  avxrt dlq show inventory 17", Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil || seq == 0 {
				return &usageError{fmt.Errorf("%q is no seq; avxrt dlq ls shows them", args[1])}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			letters, err := c.DeadLetters(cmd.Context(), args[0], seq-1, 1, true)
			if err != nil {
				return err
			}
			if len(letters) == 0 || letters[0].Seq != seq {
				return fmt.Errorf("%s has no dead letter at seq %d; avxrt dlq ls %s shows them", args[0], seq, args[0])
			}
			enc := json.NewEncoder(a.out)
			enc.SetIndent("", "  ")
			return enc.Encode(letters[0])
		},
	}
}
