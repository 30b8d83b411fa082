package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/manifest"
)

type buildFlags struct {
	lang, out      string
	release, check bool
}

// buildReport is what -o json prints.
type buildReport struct {
	Module      string  `json:"module"`
	Language    string  `json:"language"`
	Toolchain   string  `json:"toolchain"`
	Bytes       int     `json:"bytes"`
	Digest      string  `json:"digest"`
	TookSeconds float64 `json:"took_seconds"`
	Changed     bool    `json:"changed"` // the file holds other bytes than before
}

// checkReport is a line of --check.
type checkReport struct {
	Language string `json:"language"`
	Found    bool   `json:"found"`
	Path     string `json:"path,omitempty"`
	Version  string `json:"version,omitempty"`
	Reason   string `json:"reason,omitempty"` // why it is not usable
	Debian   string `json:"debian,omitempty"` // how to get it
	Brew     string `json:"brew,omitempty"`
}

func (a *app) buildVerb() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build [DIR]",
		Short: "Build the module of a project",
		Long: `Build the module of a project, the folder here by default, with the compiler of its language: Go (wasip1),
rustc (cargo where there is a Cargo.toml), clang, or the AssemblyScript compiler of the project's
node_modules. The manifest here or above says where the module belongs; else that is
plugins/<folder>.wasm. The file is replaced at once and whole, and only if its bytes differ. Modules
carry what names source lines when they trap, unless --release is given. Nothing is downloaded; what is missing is named with the way to get it.`,
		Example: "  avxrt build\n  avxrt build fraud --release\n  avxrt build --check",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lang := build.Language(f.lang); lang != "" {
				if err := build.CheckLanguage(lang); err != nil {
					return &usageError{err}
				}
			}
			if f.check {
				return a.checkTools(cmd.Context(), f.lang)
			}
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return a.build(cmd.Context(), dir, f)
		},
	}
	cmd.Flags().StringVar(&f.lang, "lang", "", "go, rust, c or assemblyscript (default: of the sources)")
	cmd.Flags().StringVar(&f.out, "out", "", "the module's file")
	cmd.Flags().BoolVar(&f.release, "release", false, "smaller, but traps name no source lines")
	cmd.Flags().BoolVar(&f.check, "check", false, "list the toolchains instead, and what is missing")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) build(ctx context.Context, dir string, f buildFlags) error {
	if a.output == "jsonl" || a.output != "table" && a.output != "json" {
		return unknownOutput(a.output, "table", "json")
	}
	p, err := build.Find(dir, build.Language(f.lang), f.out)
	if err != nil {
		return err
	}
	if a.live(a.err) { // some compilers are silent for half a minute
		fmt.Fprintf(a.err, "building %s …\n", relative(p.File))
	}
	r, err := p.Build(ctx, build.Options{Release: f.release, Output: a.err})
	if err != nil {
		return err
	}
	file := relative(r.File)
	if a.output == "json" {
		return a.writeJSON(buildReport{file, string(p.Language), r.Toolchain, r.Bytes, r.Digest, r.Took.Seconds(), r.Changed})
	}
	state := ""
	if !r.Changed {
		state = "  as before"
	}
	fmt.Fprintf(a.out, "%s  %d bytes  %s  in %.1f s%s\n", file, r.Bytes, shortDigest(r.Digest), r.Took.Seconds(), state)
	fmt.Fprintf(a.err, "built with %s. Next: %s\n", r.Toolchain, nextAfterBuild(p, file))
	return nil
}

// nextAfterBuild suggests to run the cases, or one event where there are none.
func nextAfterBuild(p build.Project, file string) string {
	if cases, _ := filepath.Glob(filepath.Join(p.Dir, "*"+manifest.CasesSuffix)); len(cases) > 0 {
		if dir := relative(p.Dir); dir != "." {
			return "avxrt test " + dir
		}
		return "avxrt test"
	}
	return "avxrt call " + file + " -t TOPIC -d DATA"
}

// relative is the shorter way to write a path.
func relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && len(short) < len(path) {
		return short
	}
	return path
}

// shortDigest is as much of a digest as tells modules apart.
func shortDigest(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

// checkTools lists the toolchains. That of a language that is named must be there.
func (a *app) checkTools(ctx context.Context, lang string) error {
	langs := build.Languages()
	if lang != "" {
		langs = []build.Language{build.Language(lang)}
	}
	var reports []checkReport
	var failed error
	for _, l := range langs {
		r, err := checkTool(ctx, l, "")
		if err != nil {
			return err
		}
		if !r.Found {
			failed = fmt.Errorf("%s: %s", l, r.Reason)
		}
		reports = append(reports, r)
	}
	err := list(a, reports, "LANGUAGE FOUND TOOL", func(r checkReport) []string {
		if r.Found {
			return []string{r.Language, "yes", r.Path + " (" + r.Version + ")"}
		}
		return []string{r.Language, "no", r.Reason + "; Debian: " + r.Debian + "; Homebrew: " + r.Brew}
	})
	if lang != "" {
		return errors.Join(err, failed)
	}
	return err
}

// checkTool looks for the toolchain of a language. The error says that one did not get to
// tell of itself. dir is that of a project of cargo; "": of none.
func checkTool(ctx context.Context, lang build.Language, dir string) (checkReport, error) {
	r := checkReport{Language: string(lang)}
	tools, err := build.Check(ctx, lang, dir)
	var missing *build.MissingError
	switch {
	case errors.As(err, &missing):
		r.Reason, r.Debian, r.Brew = missing.Reason, missing.Debian, missing.Brew
		return r, nil
	case err != nil:
		return r, err
	}
	r.Found, r.Path, r.Version = true, tools.Path, tools.Version
	return r, nil
}
