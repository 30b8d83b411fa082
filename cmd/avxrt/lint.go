package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/manifest"
)

func (a *app) lintVerb() *cobra.Command {
	return &cobra.Command{
		Use:     "lint [MANIFEST]",
		Short:   "Check a manifest",
		Long:    "Check a manifest, avxrt.toml by default, without running anything. All errors are printed, with line and column; the exit code is 4 if there are any. Subscribers that can feed each other in a circle are warned of, as are topics that differ by a letter or two from what another one emits, and modules that are not built yet.",
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
			next := "avxrt run " + path
			for _, file := range missingModules(m) {
				fmt.Fprintf(a.err, "warning: there is no %s\n", printable(relative(file)))
				next = "avxrt build"
			}
			fmt.Fprintf(a.err, "%s is fine: %s. Next: %s\n", path, counted(len(m.Subscribers), "subscriber"), next)
			return nil
		},
	}
}

// loadManifest reads and checks the manifest at path and the environment that is laid over it.
func (a *app) loadManifest(path string) (*manifest.Manifest, error) {
	m, err := manifest.Load(path, a.lookup)
	return m, errors.Join(manifest.CheckEnviron(os.Environ()), err)
}

// missingModules are the files of modules that are not there, each once.
func missingModules(m *manifest.Manifest) (out []string) {
	for i := range m.Subscribers {
		file := m.File(&m.Subscribers[i])
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && !slices.Contains(out, file) {
			out = append(out, file)
		}
	}
	return out
}
