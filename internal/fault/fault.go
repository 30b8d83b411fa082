// Package fault sizes the fault tests and keeps the record of what they proved. The same
// test injects a tenth of the faults in make test, all of them in make faults, and the
// release's number in make soak; AVXRT_FAULTS (test, ci or release) says which. AVXRT_SEED
// repeats a run, AVXRT_RELIABILITY names the file for the records. These are the only
// variables that tests read. The package injects nothing itself.
package fault

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// Size returns how many faults to inject: a tenth of ci by default (at least one), ci or
// release as AVXRT_FAULTS says. It prints the choice.
func Size(t testing.TB, ci, release int) int {
	t.Helper()
	n := max(ci/10, 1)
	switch level := os.Getenv("AVXRT_FAULTS"); level {
	case "", "test":
	case "ci":
		n = ci
	case "release":
		n = release
	default:
		t.Fatalf("AVXRT_FAULTS=%q is unknown; use test, ci or release", level)
	}
	t.Logf("faults to inject: %d", n)
	return n
}

// SkipSmall skips what takes minutes in make test; make faults and make soak run it.
func SkipSmall(t testing.TB) {
	t.Helper()
	if level := os.Getenv("AVXRT_FAULTS"); level == "" || level == "test" {
		t.Skip("it takes minutes; make faults runs it")
	}
}

func seed(t testing.TB) uint64 {
	text := os.Getenv("AVXRT_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("AVXRT_SEED=%q is not a number", text)
	}
	return n
}
