//go:build race

package runtime_test

// raceEnabled: times mean nothing under the race detector.
const raceEnabled = true
