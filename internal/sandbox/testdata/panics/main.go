// Command panics is a guest in Go that ends in the ways in which Go programs end, for tests
// of what the node then says.
package main

import (
	"errors"
	"fmt"
	"os"

	avx "github.com/avx-platform/avxrt/sdk/go"
)

func init() { avx.Handle(handle) }

func main() {}

type order struct{ lines []string }

func handle(ev *avx.Event) error {
	var o *order
	switch string(ev.Data) {
	case "index":
		lines := []string{"a"}
		fmt.Println(lines[len(ev.Data)]) // PLANTED index
	case "nil":
		fmt.Println(o.lines) // PLANTED nil
	case "value":
		panic(errors.New("stock below zero")) // PLANTED value
	case "lines":
		panic("first\nsecond \x1b[31m") // PLANTED lines
	case "map":
		var m map[string]int
		m["a"] = 1 // PLANTED map
	case "memory":
		hold = make([]byte, 1<<30) // PLANTED memory
	case "deadlock":
		select {} // PLANTED deadlock
	case "depth":
		fmt.Println(deeper(1 << 30))
	case "say":
		fmt.Fprintln(os.Stderr, "panic: not mine")
	case "exit":
		fmt.Fprintln(os.Stderr, "that is all")
		os.Exit(3)
	}
	return nil
}

var hold []byte

func deeper(n int) int {
	if n == 0 {
		return 0
	}
	return deeper(n-1) + 1
}
