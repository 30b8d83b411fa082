// Command totals is a subscriber that adds up payments by country. docs/mending.md breaks
// it on purpose, and mends it.
package main

import (
	avx "github.com/avx-platform/avxrt/sdk/go"
)

func init() { avx.Handle(handle) }

func main() {}

func handle(ev *avx.Event) error {
	country, cents := "", int64(0)
	j := avx.ReadJSON(ev.Data)
	for j.Object(); j.Key(); {
		switch {
		case j.Is("country"):
			country = string(j.String().Append(nil))
		case j.Is("cents"):
			cents = amount(&j)
		default:
			j.Skip()
		}
	}
	if err := j.End(); err != nil {
		return avx.Reject("the payment cannot be read: " + err.Error())
	}
	return avx.Add("country/"+country, cents)
}

func amount(j *avx.JSON) int64 {
	return j.Int()
}
