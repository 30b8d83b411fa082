// Command convert is a subscriber that adds up payments in cents of euros. Rates are
// events, too: a payment whose rate is not known yet is tried again later.
package main

import (
	avx "github.com/avx-platform/avxrt/sdk/go"
)

func init() { avx.Handle(handle) }

func main() {}

func handle(ev *avx.Event) error {
	currency, number := "", int64(0)
	j := avx.ReadJSON(ev.Data)
	for j.Object(); j.Key(); {
		switch {
		case j.Is("currency"):
			currency = string(j.String().Append(nil))
		case j.Is("cents"), j.Is("per1000"):
			number = j.Int()
		default:
			j.Skip()
		}
	}
	if err := j.End(); err != nil {
		return avx.Reject("this cannot be read: " + err.Error())
	}
	if ev.Topic == "rates.set" { // euros for a thousand
		return avx.SetInt("rate/"+currency, number)
	}
	rate := avx.GetInt("rate/" + currency)
	if rate == 0 {
		return avx.Retry("no rate for " + currency + " yet")
	}
	return avx.Add("euro-cents", number*rate/1000)
}
