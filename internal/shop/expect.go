package shop

import (
	"encoding/json"
	"strings"
)

// Totals are what the shipped subscribers must end with.
type Totals struct {
	// analytics
	Revenue, RevenueDay, Units, Orders, Cancelled map[string]int64
	// inventory
	Stock                             map[string]int64 // of every SKU that moved
	Reserved, Rejected, Low, Released int64
	// email
	Mails, NoCustomer int64
	// dead letters by subscriber
	DeadLetters map[string]int64
}

// Rules are the parts of the manifest that matter.
type Rules struct{ OpeningStock, LowStock int64 }

// bounds beyond which the subscribers take a number for a mistake.
const (
	maxQty   = 1_000_000
	maxCents = 1_000_000_000
)

// Expect works out the totals of events that are handled in this order.
func Expect(events []Event, rules Rules) Totals {
	t := Totals{
		Revenue: map[string]int64{}, RevenueDay: map[string]int64{}, Units: map[string]int64{}, Orders: map[string]int64{},
		Cancelled: map[string]int64{}, Stock: map[string]int64{},
		DeadLetters: map[string]int64{"analytics": 0, "inventory": 0, "email": 0},
	}
	w := &warehouse{t: &t, rules: rules, reserved: map[string]map[string]int64{}}
	for _, ev := range events {
		if !strings.HasPrefix(ev.Topic, "orders.") {
			if _, good := readRequest(ev); ev.Topic == TopicRequest && !good {
				t.DeadLetters["analytics"]++
				t.DeadLetters["metrics"]++
				if !json.Valid(ev.Data) {
					t.DeadLetters["notification"]++
				}
			}
			continue
		}
		created := ev.Topic == "orders.created"
		var o Order
		if json.Unmarshal(ev.Data, &o) != nil || !sane(o) {
			t.DeadLetters["analytics"]++
			t.DeadLetters["inventory"]++
			if created {
				t.DeadLetters["email"]++
			}
			continue
		}
		t.count(ev, o, created)
		if created {
			w.reserve(o)
			t.mail(o)
		} else {
			w.release(o)
		}
	}
	return t
}

func sane(o Order) bool {
	for _, l := range o.Lines {
		if l.Qty > maxQty || l.Qty < -maxQty || l.Cents > maxCents || l.Cents < -maxCents {
			return false
		}
	}
	return o.Order != ""
}

func (t *Totals) count(ev Event, o Order, created bool) {
	day := ev.Time.UTC().Format("2006-01-02")
	var sum int64
	for _, l := range o.Lines {
		t.Units[l.SKU] += l.Qty
		sum += l.Qty * l.Cents
	}
	t.Revenue[o.Country] += sum
	t.RevenueDay[day] += sum
	if created {
		t.Orders[day]++
	} else {
		t.Cancelled[day]++
	}
}

func (t *Totals) mail(o Order) {
	if strings.TrimSpace(string(o.Customer)) == "" {
		t.NoCustomer++
	} else {
		t.Mails++
	}
}

// warehouse is the stock and what each order holds of it.
type warehouse struct {
	t        *Totals
	rules    Rules
	reserved map[string]map[string]int64 // order → SKU → units
}

func (w *warehouse) stock(sku string) int64 {
	if n, ok := w.t.Stock[sku]; ok {
		return n
	}
	return w.rules.OpeningStock
}

func (w *warehouse) reserve(o Order) {
	want := map[string]int64{}
	for _, l := range o.Lines {
		if l.Qty > 0 {
			want[l.SKU] += l.Qty
		}
	}
	for sku, n := range want {
		if w.stock(sku) < n {
			w.t.Rejected++
			return
		}
	}
	low := false
	held := w.reserved[o.Order]
	if held == nil {
		held = map[string]int64{}
		w.reserved[o.Order] = held
	}
	for sku, n := range want {
		before := w.stock(sku)
		w.t.Stock[sku] = before - n
		held[sku] += n
		low = low || before > w.rules.LowStock && before-n <= w.rules.LowStock
	}
	w.t.Reserved++
	if low {
		w.t.Low++
	}
}

func (w *warehouse) release(o Order) {
	held := w.reserved[o.Order]
	known := sum(held) != 0
	for _, l := range o.Lines {
		back := max(l.Qty, -l.Qty)
		if known {
			back = min(back, held[l.SKU])
			held[l.SKU] -= back
		}
		if back > 0 {
			w.t.Stock[l.SKU] = w.stock(l.SKU) + back
		}
	}
	w.t.Released++
}

func sum(m map[string]int64) int64 {
	var n int64
	for _, v := range m {
		n += v
	}
	return n
}
