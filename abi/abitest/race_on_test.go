//go:build race

package abitest_test

const raceEnabled = true
