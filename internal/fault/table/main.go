// Command table turns the records that the fault tests leave into RELIABILITY.md. It reads
// them from standard input, one JSON object a line, and writes the page to standard output.
// Of records of one test, promise and level the last one counts.
// A promise of which any test failed or found no breach is listed as such, never left out.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/avx-platform/avxrt/internal/fault"
)

func main() {
	if err := write(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const head = `# What was tried to break it

Each line is a test of this repository that injects faults and checks a promise of
docs/architecture.md after each. A planted breach is a version of the system that breaks the
promise on purpose; the test must find it, else it proves nothing. ` + "`make test`" + ` injects a tenth
of the size of ` + "`make faults`" + `, which wrote the lines of level ci. ` + "`make soak`" + ` is the size of a
release; the lines of level release are of its last run, or of single tests of it. AVXRT_SEED
repeats a run. What is not promised: loss of the disk, a disk that says synced and is not,
exactly once at third parties.

`

func write(in io.Reader, out io.Writer) error {
	type line struct{ promise, test, kind, level string }
	last := map[line]fault.Record{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var r fault.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("a record of the fault tests: %w", err)
		}
		last[line{r.Promise, r.Test, r.Kind, r.Level}] = r
	}
	if err := lines.Err(); err != nil {
		return err
	}
	records := slices.SortedFunc(maps.Values(last), func(a, b fault.Record) int {
		return cmp.Or(number(a.Promise)-number(b.Promise), strings.Compare(a.Test, b.Test), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Level, b.Level))
	})
	fmt.Fprint(out, head)
	fmt.Fprintf(out, "%s/%s, %s.\n\n", runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintln(out, "| promise | what holds | test | faults injected | failures | planted breaches found | level | seed | date |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|")
	for _, r := range records {
		failures := "0"
		if r.Failed {
			failures = "**failed**"
		}
		fmt.Fprintf(out, "| %s | %s | %s | %d %s | %s | %d | %s | %d | %s |\n",
			r.Promise, r.Text, r.Test, r.Faults, r.Kind, failures, r.Breaches, r.Level, r.Seed, r.Date.Format("2006-01-02"))
	}
	return nil
}

func number(promise string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(promise, "P"))
	return n
}
