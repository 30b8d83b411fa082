package main

import (
	"fmt"
	"runtime/debug"

	goruntime "runtime"

	"github.com/spf13/cobra"
)

// version is the release that this tree becomes.
const version = "0.1.0-dev"

func versionLine() string {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = "  commit " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return fmt.Sprintf("avxrt %s%s  %s  %s/%s  %d cores", version, commit, goruntime.Version(), goruntime.GOOS, goruntime.GOARCH, goruntime.NumCPU())
}

func (a *app) versionVerb() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, versionLine())
			return err
		},
	}
}
