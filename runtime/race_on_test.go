//go:build race

package runtime

// RaceEnabled: times mean nothing under the race detector, and one goroutine computes for long.
const RaceEnabled = true
