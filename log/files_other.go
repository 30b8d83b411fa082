//go:build !unix

package log

// fileLimit returns how many files the engine may keep open, where the system does not say.
func fileLimit() (int, error) { return 1000, nil }
