//go:build !race

package abitest_test

const raceEnabled = false
