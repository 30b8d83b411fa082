package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/reference"
)

func (a *app) generateVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "generate", Short: "Write what is made from the program: man pages, schema, references",
		Args: knownVerb, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.generateMan(),
		a.generateText("schema", "Print the JSON Schema (draft 04) of the manifest, for editors", func() (string, error) {
			text, err := reference.Schema()
			return string(text), err
		}),
		a.generateText("manifest-reference", "Print the reference of the manifest, docs/manifest.md", func() (string, error) { return reference.Manifest(), nil }),
		a.generateText("error-reference", "Print the list of error codes, docs/errors.md", func() (string, error) { return reference.Errors(), nil }),
	)
	return cmd
}

func (a *app) generateText(name, short string, text func() (string, error)) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Example: "  avxrt generate " + name, Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			s, err := text()
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(a.out, s)
			return err
		},
	}
}

func (a *app) generateMan() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write a man page for each verb into a folder",
		Long:    "Write avxrt.1 and a page for each verb, avxrt-VERB.1, into a folder, which is made if it is not there.",
		Example: "  avxrt generate man ./man\n  man ./man/avxrt.1",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			pages := manPages(cmd.Root())
			for _, p := range pages {
				if err := os.WriteFile(filepath.Join(args[0], p.name), []byte(p.text), 0o644); err != nil {
					return err
				}
			}
			fmt.Fprintf(a.err, "%d pages. Next: man %s\n", len(pages), filepath.Join(args[0], "avxrt.1"))
			return nil
		},
	}
}
