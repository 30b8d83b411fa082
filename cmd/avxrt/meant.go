package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/avx-platform/avxrt/internal/nearest"
)

// slips are what other programs call some verbs, too far in letters to be found by them.
var slips = map[string][]string{
	"check": {"lint"}, "delete": {"drop"}, "init": {"new"}, "list": {"ls", "sub ls"}, "logs": {"tail"}, "ls": {"sub ls"},
	"publish": {"pub"}, "remove": {"drop"}, "rm": {"drop"}, "send": {"pub"}, "serve": {"run"}, "start": {"run"}, "validate": {"lint"},
}

// nearestVerb returns the verb below parent that word may mean, "" if there is none.
func nearestVerb(parent *cobra.Command, word string) string {
	for _, path := range slips[word] {
		if below, rest, err := parent.Find(strings.Fields(path)); err == nil && below != parent && len(rest) == 0 {
			return path
		}
	}
	var names []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	return nearest.Word(word, names...)
}

// wrongFlag makes what cobra says of flags a usage error, with the flag that may be meant. An
// unknown verb comes first: its flags are not known for that.
func wrongFlag(cmd *cobra.Command, err error) error {
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		return knownVerb(cmd, words)
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if meant := nearest.Word(unknown.GetSpecifiedName(), names...); meant != "" {
			return &usageError{fmt.Errorf("%w; did you mean --%s?", err, meant)}
		}
	}
	return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
}

// unknownOutput is the error of a value of -o that a verb does not have.
func unknownOutput(got string, words ...string) error {
	return &usageError{fmt.Errorf("-o %s is unknown; %s", got, nearest.Hint(got, words...))}
}
