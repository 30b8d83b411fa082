// Command go is count in Go: how many events of each key there were.
package main

import (
	"strconv"

	avx "github.com/avx-platform/avxrt/sdk/go"
)

func init() { avx.Handle(handle) }

func main() {}

func handle(ev *avx.Event) error {
	n := avx.GetInt(ev.Key) + 1
	if err := avx.SetInt(ev.Key, n); err != nil {
		return err
	}
	return avx.Emit("counted.go", ev.Key, strconv.AppendInt(nil, n, 10))
}
