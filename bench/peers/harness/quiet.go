package harness

import (
	"fmt"
	"os"
)

// Quiet is a logger for Pebble that drops what it tells; a store that fails ends the
// program, as is Pebble's default.
type Quiet struct{}

// Infof drops.
func (Quiet) Infof(string, ...any) {}

// Errorf drops.
func (Quiet) Errorf(string, ...any) {}

// Fatalf ends the program.
func (Quiet) Fatalf(format string, a ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", a...)
	os.Exit(1)
}
