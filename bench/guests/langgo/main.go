// Command langgo is what the languages are compared by, in Go: count events by key, and total
// orders. With the tag stdjson it reads them with encoding/json, else with the SDK's reader.
package main

import avx "github.com/avx-platform/avxrt/sdk/go"

func init() { avx.Handle(handle) }

func main() {}

func handle(ev *avx.Event) error {
	if ev.Topic == "bench.count" {
		return avx.Add("count/"+ev.Key, 1)
	}
	country, sum, err := total(ev.Data)
	if err != nil {
		return avx.Reject("not an order")
	}
	return avx.Add("total/"+country, sum)
}
