//go:build !linux

package main

import "os"

// dataFolder is where the sides keep their data.
func dataFolder() string { return os.TempDir() }
