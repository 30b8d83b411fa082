package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/avx-platform/avxrt/internal/nearest"
)

// nearestVerb returns the verb below parent that word may mean, "" if there is none.
func nearestVerb(parent *cobra.Command, word string) string {
	var names []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	return nearest.Word(word, names...)
}

// wrongFlag makes what cobra says of flags a usage error, with the flag that may be meant.
func wrongFlag(cmd *cobra.Command, err error) error {
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
