//go:build race

package sandbox_test

// raceEnabled: times mean nothing under the race detector.
const raceEnabled = true
