package main

import "github.com/spf13/cobra"

// helpVerb is cobra's, which shows the help of the program for a verb that is not there, as if
// that had been asked for.
func helpVerb(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "Help about any verb",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd := root
			for _, name := range args {
				below, rest, err := cmd.Find([]string{name})
				if err != nil || below == cmd || len(rest) > 0 {
					return knownVerb(cmd, []string{name})
				}
				cmd = below
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}
