//go:build race

package plugins_test

const someMutants = 100
