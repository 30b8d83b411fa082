// Command go is the work of ordinary guests in Go: what fuel costs is measured on it.
// Every function takes how often to do its work and returns a number that depends on all
// of it. Build: GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared.
package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

var order = []byte(`{"order":"4711","customer":"ada","country":"Norway","lines":[{"sku":"tea-01","name":"Earl \"Grey\"","qty":2,"cents":250},{"sku":"cup-02","name":"Cup","qty":6,"cents":1299},{"sku":"pot-03","name":"Pot, large","qty":1,"cents":4999}],"paid":true,"rebate":12.5,"note":null}`)

func main() {}

//go:wasmexport parse
func parse(rounds uint32) (sum uint32) {
	for range rounds {
		var v struct {
			Customer string
			Lines    []struct {
				SKU        string
				Qty, Cents uint32
			}
			Rebate float64
		}
		if json.Unmarshal(order, &v) != nil {
			return 0
		}
		for _, l := range v.Lines {
			sum += l.Qty*l.Cents + uint32(len(l.SKU))
		}
		sum += uint32(v.Rebate)
	}
	return sum
}

//go:wasmexport sort
func sort(rounds uint32) (sum uint32) {
	x := uint32(1)
	nums := make([]uint32, 4096)
	for range rounds {
		for i := range nums {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
			nums[i] = x
		}
		slices.Sort(nums)
		sum += nums[0] ^ nums[2048] ^ nums[4095]
	}
	return sum
}

//go:wasmexport text
func text(rounds uint32) (words uint32) {
	for r := range rounds {
		var page []byte
		for n := range uint32(2000) {
			page = append(page, "order number "...)
			page = strconv.AppendUint(page, uint64(n*7919+r), 10)
			page = append(page, " \n"[min(n%3, 1)])
		}
		words += uint32(len(bytes.Fields(page)))
	}
	return words
}
