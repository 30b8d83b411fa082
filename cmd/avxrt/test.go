package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/cases"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

type testFlags struct {
	ruleFlags
	run, module string
	history     historyFlags
}

func (a *app) testVerb() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [FILE|DIR|DIR/...]... | test MODULE.wasm --from-log DIR --against OLD.wasm",
		Short: "Run the cases of modules, or compare two modules over a log",
		Long: `Run the cases in files *.avx.toml, by default all in and below this folder: events in, and what shall
be emitted, written and logged. Every case runs a second time with a fresh instance for each event and
must come out the same. Exit code 1 if a case fails, 4 if a file is no file of cases.

With --from-log, run the last events of a log through two modules instead and report every difference.
The log is that of a node that does not run, or a backup; nothing in it changes. Limits, grants, config
and the subscriber's name are those of the manifest. Exit code 1 if a node would refuse the module.`,
		Example: `  avxrt test
  avxrt test fraud/... --run 'big orders' -o json
  avxrt test fraud.wasm --from-log ./data --last 1000 --against plugins/fraud.wasm`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.history.from != "" || f.history.against != "" {
				return a.testHistory(cmd.Context(), args, f)
			}
			return a.test(cmd.Context(), args, f)
		},
	}
	f.add(cmd)
	_ = cmd.Flags().MarkHidden("config") // cases have their own
	cmd.Flags().StringVar(&f.run, "run", "", "only the cases whose names this regular expression matches")
	cmd.Flags().StringVar(&f.module, "module", "", "run the cases with this module instead of theirs")
	f.history.add(cmd)
	a.outputFlag(cmd)
	return cmd
}

// casesFailed is the end of a run with cases that failed.
type casesFailed struct{ failed, all int }

// Error says how many.
func (e *casesFailed) Error() string {
	return fmt.Sprintf("%d of %s failed; mend the handler or the case, and run avxrt test again", e.failed, counted(e.all, "case"))
}

func (a *app) test(ctx context.Context, args []string, f testFlags) (err error) {
	match, err := regexp.Compile(f.run)
	if err != nil {
		return &usageError{fmt.Errorf("--run: %v", err)}
	}
	for _, arg := range args {
		if strings.HasSuffix(arg, ".wasm") {
			return &usageError{fmt.Errorf("%s is a module; its cases are run by avxrt test, other cases with it by avxrt test --module %s, see avxrt test --help", printable(arg), printable(arg))}
		}
	}
	if len(args) == 0 {
		args = []string{"./..."}
	}
	paths, err := cases.Find(args)
	if err != nil {
		return err
	}
	files, err := loadCases(paths, f.module)
	if err != nil {
		return err
	}
	e, done, err := newEngine(ctx, f.engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	all, failed := []cases.Result{}, 0
	modules := map[string]*sandbox.Module{}
	for _, file := range files {
		m := modules[file.Module]
		if m == nil {
			wasm, err := readModule(file.Module)
			if err != nil {
				return fmt.Errorf("%s: %w; build the module: avxrt build", file.File, err)
			}
			if m, err = e.Load(ctx, relative(file.Module), wasm); err != nil {
				return err
			}
			modules[file.Module] = m
		}
		results, err := cases.Run(ctx, m, file, match.MatchString)
		if err != nil {
			return err
		}
		for i := range results {
			results[i].Module = relative(results[i].Module)
			if !results[i].OK {
				failed++
			}
		}
		if a.output == "table" {
			a.printResults(results)
		}
		all = append(all, results...)
	}
	if a.output != "table" {
		err = list(a, all, "", nil)
	}
	switch {
	case err != nil:
		return err
	case failed > 0:
		return &casesFailed{failed, len(all)}
	case len(all) == 0:
		return fmt.Errorf("no case matches --run %q", f.run)
	}
	fmt.Fprintf(a.err, "%s passed, each also with a fresh instance for every event. Next: avxrt run\n", counted(len(all), "case"))
	return nil
}

// loadCases reads all files, so that all that is wrong is said at once.
func loadCases(paths []string, module string) ([]*manifest.Cases, error) {
	var out []*manifest.Cases
	var errs []error
	for _, path := range paths {
		c, err := manifest.LoadCases(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if module != "" {
			c.Module = module
		}
		out = append(out, c)
	}
	return out, errors.Join(errs...)
}

// printResults writes what became of the cases of one file.
func (a *app) printResults(results []cases.Result) {
	var names []string
	failed, seconds := 0, 0.0
	for _, r := range results {
		seconds += r.Seconds
		if names = append(names, r.Case); !r.OK {
			failed++
		}
	}
	if len(results) == 0 {
		return
	}
	took := time.Duration(seconds * float64(time.Second)).Round(time.Millisecond)
	if first := results[0]; failed == 0 {
		fmt.Fprintf(a.out, "ok    %s  %s  (%s)  %v\n", first.File, counted(len(results), "case"), printable(strings.Join(names, ", ")), took)
		return
	}
	fmt.Fprintf(a.out, "FAIL  %s  %d of %s  %v\n", results[0].File, failed, counted(len(results), "case"), took)
	for _, r := range results {
		for _, p := range r.Problems {
			at := ""
			if p.Event > 0 {
				at = fmt.Sprintf("event %d: ", p.Event)
			}
			fmt.Fprintf(a.out, "%s:%d: %s: %s%s\n", r.File, p.Line, printable(r.Case), at, p.What)
			for _, line := range p.Want {
				fmt.Fprintln(a.out, "    - "+printable(line))
			}
			for _, line := range p.Got {
				fmt.Fprintln(a.out, "    + "+printable(line))
			}
		}
	}
}

// writeJSON prints one value for programs.
func (a *app) writeJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
