// Command peers measures avxrt and its rivals alternately in one process on the same data
// and prints one line per case and rival, nothing else: see package harness.
//
//	go run . -area log|router|wasm|e2e [-quick] [-only log/replay] [-dir /a/folder/on/disk]
//
// It ends with 0 when every case was measured, 1 when one could not be, 2 when it was asked
// for something that it does not have.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/avx-platform/avxrt/bench/peers/e2earea"
	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/bench/peers/logarea"
	"github.com/avx-platform/avxrt/bench/peers/routerarea"
	"github.com/avx-platform/avxrt/bench/peers/wasmarea"
)

// areas gives the cases of each area.
var areas = map[string]func(quick bool) []harness.Case{
	"log":    logarea.Cases,
	"router": routerarea.Cases,
	"wasm":   wasmarea.Cases,
	"e2e":    e2earea.Cases,
}

func main() {
	area := flag.String("area", "log", "what to measure: log, router, wasm or e2e")
	quick := flag.Bool("quick", false, "less work for each case: an area within 45 s on two cores")
	only := flag.String("only", "", "cases whose \"name rival=rival\" contains this text")
	pairs := flag.Int("pairs", harness.MinPairs, fmt.Sprintf("pairs of runs for each case, at least %d", harness.MinPairs))
	dir := flag.String("dir", dataFolder(), "folder for the data, on a real disk")
	flag.Parse()

	cases, err := pick(areas, *area, *quick, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := harness.Run(os.Stdout, cases, harness.Options{Pairs: *pairs, Dir: *dir}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pick returns the cases that were asked for, at least one.
func pick(areas map[string]func(quick bool) []harness.Case, area string, quick bool, only string) ([]harness.Case, error) {
	cases, known := areas[area]
	if !known {
		return nil, fmt.Errorf("area %q is not known; use e2e, log, router or wasm", area)
	}
	if cases == nil {
		return nil, fmt.Errorf("area %q has no cases yet", area)
	}
	var out []harness.Case
	for _, c := range cases(quick) {
		if strings.Contains(c.Name+" rival="+c.Rival, only) {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("area %q has no case with %q", area, only)
	}
	return out, nil
}
