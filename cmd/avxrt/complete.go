package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeWithin is how long a shell may wait for the names of a node.
const completeWithin = time.Second

// completeAll lets shells complete the names of subscribers, from the node that runs, and the
// values of -o, for every verb below root.
func (a *app) completeAll(root *cobra.Command) {
	for _, c := range root.Commands() {
		a.completeAll(c)
		if words := strings.Fields(c.Use); len(words) > 1 && strings.Trim(words[1], "[]") == "NAME" && c.ValidArgsFunction == nil && c.Name() != "new" {
			c.ValidArgsFunction = a.completeSubscriber
		}
		if f := c.Flags().Lookup("output"); f != nil {
			values := strings.FieldsFunc(strings.ReplaceAll(f.Usage, " or ", " "), func(r rune) bool { return r == ' ' || r == ',' })
			_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
		}
	}
}

// completeSubscriber gives the names of the node's subscribers for a first argument.
func (a *app) completeSubscriber(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	subs, err := c.Subscribers(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, len(subs))
	for i, s := range subs {
		names[i] = s.Name + "\t" + printable(strings.Join(s.Topics, ","))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
