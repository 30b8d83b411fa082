package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/scaffold"
)

// newReport is what -o json prints.
type newReport struct {
	Dir       string      `json:"dir"`
	Language  string      `json:"language"`
	Files     []string    `json:"files"`
	Toolchain checkReport `json:"toolchain"`
	Prepare   string      `json:"prepare,omitempty"` // a command to be run once before the first build
}

func (a *app) newVerb() *cobra.Command {
	lang, cargo := "", false
	cmd := &cobra.Command{
		Use:   "new NAME --lang LANGUAGE",
		Short: "Make a project for a subscriber",
		Long: `Make a folder with a handler that works, its cases, a manifest, and the SDK of the language: go, rust, c
or assemblyscript. All of it is inside of this program, so no network is needed. What is there already
is not touched.

A project in Rust is one file beside the SDK's, which rustc alone builds. With --cargo it has a Cargo.toml, with
the SDK as a crate inside: for what needs other crates or more files.`,
		Example: "  avxrt new fraud --lang go\n  avxrt new fraud -l rust\n  avxrt new fraud -l rust --cargo",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cargo && lang == "" {
				lang = string(build.Rust)
			}
			if lang != "" {
				if err := build.CheckLanguage(build.Language(lang)); err != nil {
					return &usageError{err}
				}
			}
			switch {
			case cargo && lang != string(build.Rust):
				return &usageError{fmt.Errorf("--cargo goes with --lang rust, not %s", lang)}
			case len(args) == 0 && lang == "":
				return chooseLanguage(cmd.Context(), "name a project and a language, for example:", "fraud")
			case len(args) == 0:
				if cargo {
					lang += " --cargo"
				}
				return &usageError{fmt.Errorf("name the project, for example: avxrt new fraud --lang %s", lang)}
			case lang == "":
				return chooseLanguage(cmd.Context(), "name a language:", args[0])
			}
			return a.makeProject(cmd.Context(), args[0], build.Language(lang), scaffold.Options{Cargo: cargo})
		},
	}
	cmd.Flags().StringVarP(&lang, "lang", "l", "", "go, rust, c or assemblyscript")
	cmd.Flags().BoolVar(&cargo, "cargo", false, "in Rust: a project with a Cargo.toml")
	a.outputFlag(cmd)
	return cmd
}

// chooseLanguage is the answer to a call without a language.
func chooseLanguage(ctx context.Context, title, name string) error {
	lines := []string{title}
	for _, lang := range build.Languages() {
		r, err := checkTool(ctx, lang, "")
		if err != nil {
			return err
		}
		found := r.Version
		if !r.Found {
			found = r.Reason
		}
		lines = append(lines, fmt.Sprintf("  avxrt new %s --lang %-14s  (%s)", name, lang, found))
	}
	return &usageError{errors.New(strings.Join(lines, "\n"))}
}

func (a *app) makeProject(ctx context.Context, name string, lang build.Language, opts scaffold.Options) error {
	if a.output != "table" && a.output != "json" {
		return unknownOutput(a.output, "table", "json")
	}
	p, err := scaffold.New(".", name, lang, opts)
	if err != nil {
		return err
	}
	dir := ""
	if opts.Cargo {
		dir = p.Dir
	}
	tool, err := checkTool(ctx, lang, dir)
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.writeJSON(newReport{p.Dir, string(lang), p.Files, tool, p.Prepare})
	}
	fmt.Fprintf(a.out, "created %s/  %s\n", p.Dir, strings.Join(p.Files, "  "))
	next := "cd " + p.Dir + " && avxrt dev"
	if p.Prepare != "" {
		next = "cd " + p.Dir + " && " + p.Prepare + " && avxrt dev"
	}
	if tool.Found {
		fmt.Fprintf(a.err, "toolchain: %s. Next: %s\n", tool.Version, next)
		return nil
	}
	fmt.Fprintf(a.err, "toolchain: %s. Debian: %s. Homebrew: %s. Then: %s\n", tool.Reason, tool.Debian, tool.Brew, next)
	return nil
}
