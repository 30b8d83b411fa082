package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/doctor"
)

// examine bounds the whole of avxrt doctor: modules are compiled and tools started.
const examine = 2 * time.Minute

func (a *app) doctorVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor [MANIFEST]", Short: "Look at everything that a node and an author need",
		Long: `Look at the manifest (avxrt.toml by default), its modules, the data folder, the disk, the address, the
node that runs, the clock, the limits of the system and the compilers, and say what to do where something is not
well. Nothing is changed, and a node that runs is not disturbed.

Exit code 0: a node would run; there may be warnings. 1: it would not.`,
		Example: "  avxrt doctor\n  avxrt doctor shop/avxrt.toml\n  avxrt doctor -o json",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			opts := doctor.Options{
				Manifest: "avxrt.toml", LookupEnv: a.lookup, Environ: os.Environ(), Client: c, Server: a.serverName(), Version: version, CompileCommand: compileCommand(),
			}
			if len(args) > 0 {
				opts.Manifest, opts.Named = args[0], true
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), examine)
			defer cancel()
			return a.tellChecks(doctor.Examine(ctx, opts))
		},
	}
	a.outputFlag(cmd)
	return cmd
}

func (a *app) tellChecks(checks []doctor.Check) error {
	warnings, failures := 0, 0
	for _, c := range checks {
		switch c.State {
		case doctor.Warn:
			warnings++
		case doctor.Fail:
			failures++
		}
	}
	err := list(a, checks, "STATE CHECK FOUND", func(c doctor.Check) []string {
		found := c.Found
		if c.Remedy != "" {
			found += ". Do: " + c.Remedy
		}
		return []string{string(c.State), c.Name, found}
	})
	switch {
	case err != nil:
		return err
	case failures > 0:
		return fmt.Errorf("%d of %s failed, with %s", failures, counted(len(checks), "check"), counted(warnings, "warning"))
	}
	fmt.Fprintf(a.err, "%s, %s. Next: avxrt run\n", counted(len(checks), "check"), counted(warnings, "warning"))
	return nil
}
