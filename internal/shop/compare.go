package shop

import (
	"fmt"
	"maps"
	"slices"
)

// Reader gives the numbers that a subscriber keeps below a prefix, by the rest of their keys.
type Reader func(subscriber, prefix string) (map[string]int64, error)

// Collect reads what the shipped subscribers ended with; DeadLetters stays empty.
func Collect(read Reader) (Totals, error) {
	t := Totals{DeadLetters: map[string]int64{}}
	var counts, mails, skipped map[string]int64
	for _, part := range []struct {
		to                 *map[string]int64
		subscriber, prefix string
	}{
		{&t.Revenue, "analytics", "revenue/"}, {&t.RevenueDay, "analytics", "revenue_day/"}, {&t.Units, "analytics", "units/"},
		{&t.Orders, "analytics", "orders/"}, {&t.Cancelled, "analytics", "cancelled/"},
		{&t.Stock, "inventory", "stock/"}, {&counts, "inventory", "count/"},
		{&mails, "email", "composed"}, {&skipped, "email", "skipped/no-customer"},
	} {
		var err error
		if *part.to, err = read(part.subscriber, part.prefix); err != nil {
			return t, err
		}
	}
	t.Reserved, t.Rejected, t.Low, t.Released = counts["reserved"], counts["rejected"], counts["low"], counts["released"]
	t.Mails, t.NoCustomer = mails[""], skipped[""]
	return t, nil
}

// Diff says what differs, one line each, at most a few dozen; none if nothing does.
func (t Totals) Diff(got Totals) []string {
	var out []string
	for _, m := range []struct {
		name      string
		want, got map[string]int64
	}{
		{"revenue", t.Revenue, got.Revenue}, {"revenue of day", t.RevenueDay, got.RevenueDay}, {"units", t.Units, got.Units},
		{"orders of", t.Orders, got.Orders}, {"cancellations of", t.Cancelled, got.Cancelled}, {"stock", t.Stock, got.Stock},
		{"dead letters of", t.DeadLetters, got.DeadLetters},
		{"count", t.counts(), got.counts()},
	} {
		keys := slices.Collect(maps.Keys(m.want))
		keys = slices.AppendSeq(keys, maps.Keys(m.got))
		slices.Sort(keys)
		for _, k := range slices.Compact(keys) {
			if m.want[k] != m.got[k] && len(out) < 40 {
				out = append(out, fmt.Sprintf("%s %s: got %d, want %d", m.name, k, m.got[k], m.want[k]))
			}
		}
	}
	return out
}

func (t Totals) counts() map[string]int64 {
	return map[string]int64{
		"reserved": t.Reserved, "rejected": t.Rejected, "low": t.Low, "released": t.Released, "mails": t.Mails, "no customer": t.NoCustomer,
	}
}
