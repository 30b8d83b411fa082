package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/wire"
)

// waits tells what a rebuild waits for.
func waits(b *wire.Build) string {
	if b.WaitsFor == "" {
		return ""
	}
	return ", waits for " + printable(b.WaitsFor)
}

func (a *app) subDropState() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "drop-state NAME", Short: "Drop the state of the version before the present one",
		Long: `Drop the state that a subscriber had before its state_version was raised. It is kept for avxrt rollback,
which is not possible across that change afterwards. avxrt sub show says whether there is one (kept_state_version).`,
		Example: "  avxrt sub drop-state inventory --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			sure := confirmation{yes: yes}
			if err := sure.check("drop-state"); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			d, err := c.DropKeptState(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return list(a, []wire.DroppedState{d}, "SUBSCRIBER VERSION KEYS", func(d wire.DroppedState) []string {
				return []string{d.Subscriber, "v" + strconv.FormatUint(uint64(d.Version), 10), strconv.Itoa(d.Keys)}
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	a.outputFlag(cmd)
	return cmd
}
