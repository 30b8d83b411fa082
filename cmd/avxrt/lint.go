package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/manifest"
)

func (a *app) lintVerb() *cobra.Command {
	return &cobra.Command{
		Use:     "lint [MANIFEST]",
		Short:   "Check a manifest",
		Long:    "Check a manifest, avxrt.toml by default, without running anything. All errors are printed, with line and column; the exit code is 4 if there are any. Subscribers that can feed each other in a circle are warned of, and topics that differ by a letter or two from what another one emits.",
		Example: "  avxrt lint\n  avxrt lint examples/02-shop/avxrt.toml",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			path := "avxrt.toml"
			if len(args) > 0 {
				path = args[0]
			}
			m, err := a.loadManifest(path)
			if err != nil {
				return err
			}
			for _, c := range m.Cycles() {
				fmt.Fprintf(a.err, "warning: %s\n", c)
			}
			for _, miss := range m.NearMisses() {
				fmt.Fprintf(a.err, "warning: %s\n", miss)
			}
			fmt.Fprintf(a.err, "%s is fine: %s. Next: avxrt run %s\n", path, counted(len(m.Subscribers), "subscriber"), path)
			return nil
		},
	}
}

// loadManifest reads and checks the manifest at path and the environment that is laid over it.
func (a *app) loadManifest(path string) (*manifest.Manifest, error) {
	m, err := manifest.Load(path, a.lookup)
	return m, errors.Join(manifest.CheckEnviron(os.Environ()), err)
}
