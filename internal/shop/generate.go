package shop

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// Event is one event to publish.
type Event struct {
	Topic, Key, ID, Source string
	Time                   time.Time
	Data                   []byte
	Poison                 string // what is wrong with it; "" if nothing is
}

// Options size a generated shop.
type Options struct {
	Seed     uint64
	Orders   int  // events, cancellations included
	Requests int  // events of the shop's web site
	Poison   bool // mix in the bad ones and the large one
	Large    int  // bytes of the large one; default 900 KiB
}

// Order is the data of an event.
type Order struct {
	Order    string   `json:"order"`
	Customer Customer `json:"customer"`
	Country  string   `json:"country"`
	Lines    []Line   `json:"lines"`
}

// Customer is a customer's number, or "": null, as in the orders of real shops.
type Customer string

// MarshalJSON implements [json.Marshaler].
func (c Customer) MarshalJSON() ([]byte, error) {
	if c == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(c))
}

// Line is one line of an order.
type Line struct {
	SKU   string `json:"sku"`
	Name  string `json:"name"`
	Qty   int64  `json:"qty"`
	Cents int64  `json:"cents"`
}

var (
	countries = []string{"United Kingdom", "United Kingdom", "United Kingdom", "Germany", "France", "EIRE", "Norway", "Österreich"}
	things    = []string{"LANTERN", "MUG COSY", "HEART", "FLAG", "BOX", "BLOCK", "CANDLE", "DOORMAT", "TEAPOT", "RIBBON"}
	colours   = []string{"WHITE", "RED", "CREAM", "BLUE"}
)

const (
	source   = "/avxrt/shop"
	largeOne = 900 << 10
)

// Generate returns the events of a week, in order of time.
func Generate(opts Options) []Event {
	if opts.Large == 0 {
		opts.Large = largeOne
	}
	g := &generator{rng: rand.New(rand.NewPCG(opts.Seed, 0x5409)), at: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	g.step = 7 * 24 * time.Hour / time.Duration(max(opts.Orders, 1))
	events := make([]Event, 0, opts.Orders)
	for i := range opts.Orders {
		g.at = g.at.Add(g.step)
		switch {
		case opts.Poison && i == opts.Orders/4:
			events = append(events, g.cut(i))
		case opts.Poison && i == opts.Orders/2:
			events = append(events, g.absurd(i))
		case opts.Poison && i == opts.Orders*3/4:
			events = append(events, g.large(i, opts.Large))
		case g.rng.IntN(16) == 0:
			events = append(events, g.cancellation(i))
		default:
			events = append(events, g.order(i))
		}
	}
	return withRequests(events, opts)
}

type generator struct {
	rng  *rand.Rand
	at   time.Time
	step time.Duration
	past []Order
}

func (g *generator) event(i int, topic string, o Order) Event {
	return Event{
		Topic: topic, Key: "order-" + o.Order, ID: fmt.Sprintf("order-event-%06d", i), Source: source, Time: g.at, Data: marshal(o),
	}
}

func marshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("shop: an order or a request does not marshal: " + err.Error())
	}
	return data
}

func (g *generator) newOrder(i int) Order {
	o := Order{Order: fmt.Sprintf("%d", 600000+i), Country: countries[g.rng.IntN(len(countries))]}
	if g.rng.IntN(10) > 0 {
		o.Customer = Customer(strconv.Itoa(12000 + g.rng.IntN(500)))
	}
	for range 1 + g.rng.IntN(7) {
		o.Lines = append(o.Lines, g.line())
	}
	if g.rng.IntN(5) == 0 {
		o.Lines = append(o.Lines, Line{SKU: "POST", Name: "POSTAGE", Qty: 1, Cents: 395})
	}
	return o
}

func (g *generator) line() Line {
	n := g.rng.IntN(len(things) * len(colours))
	l := Line{
		SKU:  fmt.Sprintf("%d%c", 21000+n*7, 'A'+rune(n%4)),
		Name: colours[n%len(colours)] + " " + things[n/len(colours)],
		Qty:  int64(1 + g.rng.IntN(12)), Cents: int64(85 + 10*n),
	}
	switch g.rng.IntN(40) {
	case 0:
		l.Cents = 0 // a gift
	case 1:
		l.Name = `12" "TALL" \ ` + l.Name
	}
	return l
}

func (g *generator) order(i int) Event {
	o := g.newOrder(i)
	g.past = append(g.past, o)
	return g.event(i, "orders.created", o)
}

// cancellation takes back some lines of an order that was placed, or of one that nobody knows.
func (g *generator) cancellation(i int) Event {
	o := Order{Order: fmt.Sprintf("C%d", 600000+i), Country: countries[0], Lines: []Line{g.line()}}
	if len(g.past) > 0 && g.rng.IntN(3) > 0 {
		was := g.past[g.rng.IntN(len(g.past))]
		o = Order{Order: was.Order, Customer: was.Customer, Country: was.Country, Lines: append([]Line(nil), was.Lines[:1]...)}
	}
	for j := range o.Lines {
		o.Lines[j].Qty = -o.Lines[j].Qty
	}
	return g.event(i, "orders.cancelled", o)
}

func (g *generator) cut(i int) Event {
	ev := g.event(i, "orders.created", g.newOrder(i))
	ev.Data, ev.Poison = ev.Data[:len(ev.Data)*2/3], "cut JSON"
	return ev
}

func (g *generator) absurd(i int) Event {
	ev := g.event(i, "orders.created", g.newOrder(i))
	ev.Data = []byte(fmt.Sprintf(`{"order":"%d","customer":"1","country":"Norway","lines":[{"sku":"21000A","name":"X","qty":99999999999999999999,"cents":1}]}`, 600000+i))
	ev.Poison = "an absurd quantity"
	return ev
}

func (g *generator) large(i, bytes int) Event {
	o := Order{Order: fmt.Sprintf("%d", 600000+i), Customer: "12000", Country: "Germany"}
	for size, n := 100, 0; size < bytes; n++ {
		l := Line{SKU: fmt.Sprintf("B%05d", n), Name: "BULK ITEM OF A WHOLESALE ORDER", Qty: int64(1 + n%9), Cents: int64(10 + n%90)}
		o.Lines = append(o.Lines, l)
		size += len(l.SKU) + len(l.Name) + 38
	}
	ev := g.event(i, "orders.created", o)
	ev.Poison = fmt.Sprintf("an order of %d KB, which is good", len(ev.Data)>>10)
	return ev
}
