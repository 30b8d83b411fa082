// Command email is a subscriber that composes the confirmation of an order and asks for
// it to be sent. README.md says what it takes and keeps.
package main

import (
	"strconv"
	"strings"

	avx "github.com/avx-platform/avxrt/sdk/go"
)

func init() { avx.Handle(handle) }

func main() {}

// Bounds of an order that can be meant.
const (
	maxQty   = 1_000_000
	maxCents = 1_000_000_000
	maxLines = 20 // listed in a mail; the rest is counted
)

const effect = "$effect.smtp.send"

func handle(ev *avx.Event) error {
	if ev.Topic != "orders.created" {
		return avx.Skip("a topic that email does not know")
	}
	var o order
	if err := o.read(ev.Data); err != nil {
		return err
	}
	if o.customer == "" {
		return avx.Add("skipped/no-customer", 1)
	}
	if err := avx.Emit(effect, ev.Key, compose(&o)); err != nil {
		if err == avx.Denied {
			return avx.Reject("an emit was denied: grant " + effect + " in the manifest's emits")
		}
		return avx.Reject("the mail was refused by the host: " + err.Error())
	}
	return avx.Add("composed", 1)
}

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

// compose makes the effect's data.
func compose(o *order) []byte {
	listed := string(o.listed)
	if more := o.count - maxLines; more > 0 {
		listed += "  and " + strconv.Itoa(more) + " more\n"
	}
	fill := strings.NewReplacer("{order}", o.id, "{customer}", o.customer, "{country}", o.country,
		"{total}", string(appendCents(nil, o.total)), "{lines}", listed)
	b := append([]byte(nil), `{"to":`...)
	b = avx.AppendJSONString(b, oneLine(fill.Replace(conf("to", "{customer}@example.com"))))
	b = avx.AppendJSONString(append(b, `,"subject":`...), oneLine(fill.Replace(conf("subject", "Your order {order}"))))
	b = avx.AppendJSONString(append(b, `,"text":`...), fill.Replace(conf("text",
		"Thank you for your order {order}.\n\n{lines}\nTotal: {total}\n")))
	return append(b, '}')
}

func conf(key, byDefault string) string {
	if value, ok := avx.Conf(key); ok {
		return value
	}
	return byDefault
}

// oneLine keeps what becomes a mail header on one line: a line break in a customer's name
// must not add headers.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return -1
		}
		return r
	}, s)
}
