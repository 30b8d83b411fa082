//go:build stdjson

package main

import "encoding/json"

func total(data []byte) (country string, sum int64, err error) {
	var o struct {
		Country string `json:"country"`
		Lines   []struct {
			Qty   int64 `json:"qty"`
			Cents int64 `json:"cents"`
		} `json:"lines"`
	}
	err = json.Unmarshal(data, &o)
	for _, l := range o.Lines {
		sum += l.Qty * l.Cents
	}
	return o.Country, sum, err
}
