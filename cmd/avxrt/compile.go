package main

import (
	"fmt"
	"os"
	goruntime "runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// compileName is the verb that nodes call for themselves.
const compileName = "compile-module"

// compileCommand names this program as its own compiler, nil where the system cannot limit one.
func compileCommand() []string {
	self, err := os.Executable()
	if err != nil || goruntime.GOOS != "linux" {
		return nil
	}
	return []string{self, compileName}
}

// compileVerb compiles one module from standard input into a folder, under limits. It is
// the child of a node: what it says goes into the node's refusal of the module.
func (a *app) compileVerb() *cobra.Command {
	return &cobra.Command{
		Use:    compileName + " FOLDER TIME",
		Short:  "Compile a module for a node",
		Hidden: true,
		Args:   args(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			limit, err := time.ParseDuration(args[1])
			if err != nil || limit < time.Second {
				return &usageError{fmt.Errorf("%q is no time of a second or more", args[1])}
			}
			return sandbox.CompileChild(a.in, args[0], limit)
		},
	}
}
