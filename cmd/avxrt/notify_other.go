//go:build !linux

package main

// monotonicMicros is for systemd, which is on Linux alone.
func monotonicMicros() int64 { return 0 }
