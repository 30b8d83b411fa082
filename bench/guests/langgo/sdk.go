//go:build !stdjson

package main

import avx "github.com/avx-platform/avxrt/sdk/go"

func total(data []byte) (country string, sum int64, err error) {
	j := avx.ReadJSON(data)
	for j.Object(); j.Key(); {
		switch {
		case j.Is("country"):
			country = string(j.String().Append(nil))
		case j.Is("lines"):
			for j.List(); j.Item(); {
				sum += line(&j)
			}
		default:
			j.Skip()
		}
	}
	return country, sum, j.End()
}

func line(j *avx.JSON) int64 {
	var qty, cents int64
	for j.Object(); j.Key(); {
		switch {
		case j.Is("qty"):
			qty = j.Int()
		case j.Is("cents"):
			cents = j.Int()
		default:
			j.Skip()
		}
	}
	return qty * cents
}
