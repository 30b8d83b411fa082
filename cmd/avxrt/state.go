package main

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/wire"
)

func (a *app) stateVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "state NAME [PREFIX]", Short: "Print a subscriber's state",
		Long:    "Print the keys and values that a subscriber keeps, as of its last commit on disk.",
		Example: "  avxrt state analytics revenue/\n  avxrt state inventory stock/ -o jsonl",
		Args:    args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			prefix := ""
			if len(args) > 1 {
				prefix = args[1]
			}
			entries, err := wholeState(cmd.Context(), c, args[0], prefix)
			if err != nil {
				return err
			}
			if err := list(a, entries, "KEY VALUE", stateRow); err != nil {
				return err
			}
			absent := "the state is empty"
			if prefix != "" {
				absent = "no key begins with " + printable(prefix)
			}
			a.none(len(entries), absent)
			return nil
		},
	}
	a.outputFlag(cmd)
	return cmd
}

func stateRow(e wire.StateEntry) []string {
	text := func(text, encoded string) string {
		if encoded != "" {
			return "base64:" + encoded
		}
		return text
	}
	return []string{text(e.Key, e.KeyBase64), text(e.Value, e.ValueBase64)}
}

// statePage is how many keys are asked for at once.
const statePage = 5000

func wholeState(ctx context.Context, c *client.Client, name, prefix string) ([]wire.StateEntry, error) {
	var all []wire.StateEntry
	after := ""
	for {
		page, err := c.State(ctx, name, prefix, after, statePage)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < statePage {
			return all, nil
		}
		last := page[len(page)-1]
		after = last.Key
		if last.KeyBase64 != "" {
			key, err := base64.StdEncoding.DecodeString(last.KeyBase64)
			if err != nil {
				return nil, fmt.Errorf("the node answered a key that is no base64: %w", err)
			}
			after = string(key)
		}
	}
}
