package main

import (
	"strconv"

	avx "github.com/avx-platform/avxrt/sdk/go"
)

// Bounds of an order that can be meant.
const (
	maxQty   = 1_000_000
	maxCents = 1_000_000_000
	maxLines = 20 // listed in a mail; the rest is counted
)

// order is what a confirmation needs of an order.
type order struct {
	id, customer, country string
	total                 int64 // cents
	count                 int   // of lines
	listed                []byte
}

// read takes the order apart; the parts may come in any order.
func (o *order) read(data []byte) error {
	var lines []byte
	j := avx.ReadJSON(data)
	for j.Object(); j.Key(); {
		switch {
		case j.Is("order"):
			o.id = string(j.String().Append(nil))
		case j.Is("customer"):
			if !j.Null() {
				o.customer = string(j.String().Append(nil))
			}
		case j.Is("country"):
			o.country = string(j.String().Append(nil))
		case j.Is("lines"):
			lines = j.Skip()
		default:
			j.Skip()
		}
	}
	switch {
	case j.End() != nil:
		return avx.Reject("the data is not an order: malformed JSON, or a field of the wrong kind")
	case o.id == "":
		return avx.Reject("order: missing or empty")
	case lines == nil:
		return avx.Reject("lines: missing")
	case len(o.customer) > 200:
		return avx.Reject("customer: over 200 bytes")
	}
	return o.readLines(lines)
}

func (o *order) readLines(lines []byte) error {
	j := avx.ReadJSON(lines)
	for j.List(); j.Item(); {
		var name avx.String
		var qty, cents int64
		fields := 0
		for j.Object(); j.Key(); {
			switch {
			case j.Is("name"):
				name = j.String()
			case j.Is("qty"):
				qty = j.Int()
				fields |= 1
			case j.Is("cents"):
				cents = j.Int()
				fields |= 2
			default:
				j.Skip()
			}
		}
		switch {
		case j.Err() != nil:
			return avx.Reject("lines: malformed, or a number beyond 64 bits")
		case fields != 3:
			return avx.Reject("lines: qty or cents are missing")
		case qty > maxQty || qty < -maxQty:
			return avx.Reject("lines: a qty is beyond 1,000,000")
		case cents > maxCents || cents < -maxCents:
			return avx.Reject("lines: a price is beyond 1,000,000,000 cents")
		}
		if o.add(qty*cents) != nil {
			return avx.Reject("the total is beyond 64 bits")
		}
		if o.count++; o.count <= maxLines {
			o.list(name, qty, cents)
		}
	}
	if j.End() != nil {
		return avx.Reject("lines: malformed")
	}
	return nil
}

func (o *order) add(cents int64) error {
	sum := o.total + cents
	if (cents > 0) != (sum > o.total) && cents != 0 {
		return avx.ErrJSON
	}
	o.total = sum
	return nil
}

// list appends one line of the mail.
func (o *order) list(name avx.String, qty, cents int64) {
	b := strconv.AppendInt(append(o.listed, "  "...), qty, 10)
	b = append(b, " x "...)
	b = name.Append(b)
	b = append(b, "  "...)
	o.listed = append(appendCents(b, qty*cents), '\n')
}

// appendCents writes 1234 as 12.34.
func appendCents(b []byte, cents int64) []byte {
	if cents < 0 {
		b, cents = append(b, '-'), -cents
	}
	b = strconv.AppendInt(b, cents/100, 10)
	return append(b, '.', byte('0'+cents/10%10), byte('0'+cents%10))
}

// field returns what a template can have of an order besides the fields of its data.
func (o *order) field(name string) (string, bool) {
	switch name {
	case "order":
		return o.id, true
	case "customer":
		return o.customer, true
	case "country":
		return o.country, true
	case "total":
		return string(appendCents(nil, o.total)), true
	case "lines":
		if more := o.count - maxLines; more > 0 {
			return string(o.listed) + "  and " + strconv.Itoa(more) + " more\n", true
		}
		return string(o.listed), true
	}
	return "", false
}
