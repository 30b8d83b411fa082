package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/catalogue"
	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/nearest"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// codeOf returns the code of an error, "" if it has none.
func codeOf(err error) string {
	var problem *wire.Problem
	var wrong *manifest.Error
	var refused *runtime.ManifestError
	var missing *build.MissingError
	var compile *build.CompileError
	switch {
	case errors.As(err, &problem):
		return problem.Code
	case errors.As(err, &refused) && refused.Subscriber != "":
		return "AVX1002"
	case errors.As(err, &refused), errors.As(err, &wrong):
		return "AVX1001"
	case errors.Is(err, client.ErrNoNode):
		return "AVX1003"
	case errors.Is(err, syscall.EADDRINUSE):
		return "AVX1004"
	case errors.Is(err, log.ErrLocked):
		return "AVX1005"
	case errors.Is(err, log.ErrDamaged):
		return "AVX1006"
	case errors.Is(err, log.ErrFormat):
		return "AVX1007"
	case errors.Is(err, log.ErrFailed):
		return "AVX1008"
	case errors.As(err, &missing):
		return "AVX1009"
	case errors.As(err, &compile):
		return "AVX1010"
	case errors.Is(err, log.ErrDiskFull):
		return "AVX2014"
	}
	return ""
}

func (a *app) errorsVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "errors [CODE]", Short: "Explain an error code, or list all of them",
		Long: `Explain a code that avxrt gave (AVX2008), or a word by which it told how a guest ended (fuel, timeout,
denied): what it means and what to do. Without one, list all. No node is needed.`,
		Example: "  avxrt errors AVX2008\n  avxrt errors fuel\n  avxrt errors -o json",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return catalogue.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return list(a, catalogue.All(), "CODE WORD TITLE", func(e catalogue.Entry) []string {
					return []string{e.Code, e.Word, e.Title}
				})
			}
			name := strings.Join(args, " ") // some words are two
			e, ok := catalogue.Find(name)
			if !ok {
				return unknownCode(name)
			}
			return a.explain(e)
		},
	}
	a.outputFlag(cmd)
	return cmd
}

func unknownCode(name string) error {
	shown := name[:min(len(name), 40)]
	if meant := nearest.Word(strings.ToUpper(name), catalogue.Names()...); meant != "" {
		return &usageError{fmt.Errorf("no error has the code %q; did you mean %s?", shown, meant)}
	}
	if meant := nearest.Word(strings.ToLower(name), catalogue.Names()...); meant != "" {
		return &usageError{fmt.Errorf("no error has the code %q; did you mean %s?", shown, meant)}
	}
	return &usageError{fmt.Errorf("no error has the code %q; avxrt errors lists them", shown)}
}

// explain prints one entry.
func (a *app) explain(e catalogue.Entry) error {
	switch a.output {
	case "table":
		title := e.Code
		if e.Word != "" {
			title += " (" + e.Word + ")"
		}
		_, err := fmt.Fprintf(a.out, "%s  %s\n\n%s\n%s", title, e.Title, wrap(e.Means, 100), wrap("What to do: "+e.Do, 100))
		return err
	case "json", "jsonl":
		enc := json.NewEncoder(a.out)
		if a.output == "json" {
			enc.SetIndent("", "  ")
		}
		return enc.Encode(e)
	}
	return unknownOutput(a.output, "table", "json", "jsonl")
}

// wrap breaks a text into lines of at most width letters, where its words allow.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		switch n := len([]rune(word)); {
		case column == 0:
			column = n
		case column+1+n > width:
			b.WriteByte('\n')
			column = n
		default:
			b.WriteByte(' ')
			column += 1 + n
		}
		b.WriteString(word)
	}
	b.WriteByte('\n')
	return b.String()
}
