package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeWithin is how long a shell may wait for the names of a node.
const completeWithin = time.Second

// shells say how each of them takes completions, for this session and for all.
var shells = map[string]string{
	"bash": "  source <(avxrt completion bash)                                            now; it needs the package bash-completion\n" +
		"  avxrt completion bash > ~/.local/share/bash-completion/completions/avxrt   from the next shell on, once that folder exists",
	"zsh": "  source <(avxrt completion zsh)                  now; it needs autoload -U compinit && compinit in ~/.zshrc\n" +
		"  avxrt completion zsh > \"${fpath[1]}/_avxrt\"    from the next shell on",
	"fish": "  avxrt completion fish | source                                  now\n" +
		"  avxrt completion fish > ~/.config/fish/completions/avxrt.fish   from the next shell on",
	"powershell": "  avxrt completion powershell | Out-String | Invoke-Expression   now; add it to $PROFILE for every shell",
}

// completionVerb is cobra's, which says and refuses things as our verbs do not.
func completionVerb(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	verb, _, err := root.Find([]string{"completion"})
	if err != nil || verb == root {
		return
	}
	verb.Short = "Write what lets a shell complete verbs, flags and names"
	verb.Long = "Write the script that lets a shell complete verbs, flags, and the names of the subscribers of the node that runs."
	verb.Args, verb.RunE = knownVerb, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	for _, shell := range verb.Commands() {
		shell.Short, shell.Long = "Write the script for "+shell.Name(), ""
		shell.Example, shell.Args = shells[shell.Name()], args(cobra.NoArgs)
	}
}

// completeAll lets shells complete the names of subscribers, from the node that runs, and the
// values of flags that have a few, for every verb below root.
func (a *app) completeAll(root *cobra.Command) {
	for _, c := range root.Commands() {
		a.completeAll(c)
		if words := strings.Fields(c.Use); len(words) > 1 && strings.Trim(words[1], "[]") == "NAME" && c.ValidArgsFunction == nil && c.Name() != "new" {
			c.ValidArgsFunction = a.completeSubscriber
		}
		for _, name := range []string{"output", "lang", "log-level", "reason"} {
			if f := c.Flags().Lookup(name); f != nil {
				_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(wordsOf(f.Usage), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
			}
		}
	}
}

// wordsOf returns the values that the usage of a flag lists, as "a, b or c" behind the colon if it
// has one; none where it lists nothing.
func wordsOf(usage string) []string {
	if _, list, ok := strings.Cut(usage, ": "); ok && strings.Contains(list, " or ") {
		usage = list
	}
	usage, _, _ = strings.Cut(usage, " (")
	if !strings.Contains(usage, " or ") {
		return nil
	}
	words := strings.Split(strings.ReplaceAll(usage, " or ", ", "), ", ")
	if slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, " ;") }) {
		return nil
	}
	return words
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
