// Package fault sizes the fault tests. The same test injects a tenth of the faults in
// make test, all of them in make faults, and the release's number in make soak; the
// environment variable AVXRT_FAULTS (test, ci or release) says which. It is the one
// variable that tests read. The package injects nothing itself.
package fault

import (
	"os"
	"testing"
)

// Size returns how many faults to inject: a tenth of ci by default (at least one), ci or
// release as AVXRT_FAULTS says. It prints the choice, for RELIABILITY.md.
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
