//go:build race

package wasmbin_test

// raceEnabled: times mean nothing under the race detector.
const raceEnabled = true
