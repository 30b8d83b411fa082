package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// maxInspected is the largest module file that a node takes.
const maxInspected = 32 << 20

// errRefused is the end of an inspection that found a module which no node would take. The
// reason stands in the report.
var errRefused = errors.New("a node would refuse this module")

func (a *app) inspectVerb() *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:   "inspect MODULE.wasm",
		Short: "Say what a module is, asks for and costs",
		Long: `Look at a module as a node would before it runs it: what it was made with, what it imports and
whether a node has that, its memory and tables, and what its start and one event without data cost in
fuel. The module is compiled and tried under the same limits as in a node. Exit code 1 if a node would
refuse it.`,
		Example: "  avxrt inspect plugins/inventory.wasm\n  avxrt inspect plugins/inventory.wasm -o json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := inspect(cmd, args[0])
			if err != nil {
				return err
			}
			switch output {
			case "text":
				a.printReport(args[0], report)
			case "json":
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				if err := enc.Encode(report); err != nil {
					return err
				}
			default:
				return unknownOutput(output, "text", "json")
			}
			if report.Verdict != "" {
				return errRefused
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func inspect(cmd *cobra.Command, path string) (sandbox.Report, error) {
	wasm, err := readModule(path)
	if err != nil {
		return sandbox.Report{}, err
	}
	dir, err := os.MkdirTemp("", "avxrt-inspect-")
	if err != nil {
		return sandbox.Report{}, err
	}
	defer os.RemoveAll(dir)
	e, err := sandbox.NewEngine(cmd.Context(), sandbox.Options{CacheDir: dir, CompileCommand: compileCommand()})
	if err != nil {
		return sandbox.Report{}, err
	}
	return sandbox.Inspect(cmd.Context(), e, wasm), e.Close(cmd.Context())
}

// readModule reads a regular file of a size that a node takes.
func readModule(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; build the module: avxrt build", err)
	} else if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxInspected {
		return nil, fmt.Errorf("%s is not a regular file of at most %d MiB", path, maxInspected>>20)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxInspected))
}

// printReport writes the report for people.
func (a *app) printReport(path string, r sandbox.Report) {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintln(w, name+"\t"+printable(fmt.Sprintf(format, args...)))
	}
	line("module", "%s, %d bytes, %s", path, r.Bytes, r.Digest)
	verdict := "a node takes it"
	if r.Verdict != "" {
		verdict = "refused: " + r.Verdict
	}
	line("verdict", "%s", verdict)
	if r.Code.Functions > 0 {
		line("language", "%s", strings.TrimSuffix(r.Language+" ("+r.Tools+")", " ()"))
		line("code", "%d functions, %d bytes, the largest %d; metered %d bytes", r.Code.Functions, r.Code.Bytes, r.Code.Largest, r.Code.Metered)
		line("memory", "%s pages of 64 KiB", bounds(r.Memory))
	}
	for _, t := range r.Tables {
		line("table", "%s entries", bounds(t))
	}
	for _, i := range r.Imports {
		word := "granted"
		if !i.Granted {
			word = "refused"
		}
		line("import", "%s %s %s", word, i.Name, i.Type)
	}
	for _, e := range r.Exports {
		line("export", "%s %s", e.Name, e.Type)
	}
	if len(r.Features) > 0 {
		line("features", "%s", strings.Join(r.Features, ", "))
	}
	debug, debugBytes := 0, 0
	for _, c := range r.Custom {
		if strings.HasPrefix(c.Name, ".debug_") {
			debug, debugBytes = debug+1, debugBytes+int(c.Bytes)
			continue
		}
		line("custom", "%s, %d bytes", c.Name, c.Bytes)
	}
	if debug > 0 {
		use := "not used"
		if r.Lines {
			use = "source lines of traps; avxrt build --release leaves them out"
		}
		line("custom", ".debug_…, %s, %d bytes: %s", counted(debug, "section"), debugBytes, use)
	}
	if r.Sample != nil {
		line("start", "%d fuel", r.Sample.StartFuel)
		line("event", "%d fuel without data, %s; %d KiB of memory", r.Sample.EventFuel, r.Sample.Ended, r.Sample.MemoryBytes>>10)
	}
	_ = w.Flush()
}

func bounds(l sandbox.LimitReport) string {
	if l.Max == 0 {
		return fmt.Sprintf("%d, no maximum of its own,", l.Min)
	}
	return fmt.Sprintf("%d to %d", l.Min, l.Max)
}
