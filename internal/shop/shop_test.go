package shop_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/avx-platform/avxrt/internal/shop"
)

func Example() {
	events := shop.Generate(shop.Options{Seed: 1, Orders: 100})
	totals := shop.Expect(events, shop.Rules{OpeningStock: 500, LowStock: 50})
	fmt.Println(len(events), "events,", totals.Reserved+totals.Rejected+totals.Released, "dealt with by inventory")
	fmt.Println("differences:", totals.Diff(totals))
	// Output:
	// 100 events, 100 dealt with by inventory
	// differences: []
}

func TestGenerateDependsOnItsSeedAlone(t *testing.T) {
	opts := shop.Options{Seed: 3, Orders: 200, Poison: true}
	if !reflect.DeepEqual(shop.Generate(opts), shop.Generate(opts)) {
		t.Fatal("the same seed gave other events")
	}
	other := opts
	other.Seed = 4
	if reflect.DeepEqual(shop.Generate(opts), shop.Generate(other)) {
		t.Fatal("another seed gave the same events")
	}
}

// TestGenerateHasWhatRealOrdersHave: the demo is no proof if the hard cases are missing.
func TestGenerateHasWhatRealOrdersHave(t *testing.T) {
	seen := map[string]int{}
	orders := map[string]bool{}
	ids := map[string]bool{}
	var last time.Time
	for _, ev := range shop.Generate(shop.Options{Seed: 1, Orders: 1000, Poison: true}) {
		if ids[ev.ID] || ev.Time.Before(last) {
			t.Fatalf("event %s: a second one of this id, or out of the order of time", ev.ID)
		}
		ids[ev.ID], last = true, ev.Time
		seen[ev.Topic]++
		seen["day "+ev.Time.Format(time.DateOnly)]++
		var o shop.Order
		if err := json.Unmarshal(ev.Data, &o); err != nil {
			seen["poison"]++
			continue
		}
		note(seen, orders, ev, o)
		orders[o.Order] = true
	}
	for _, want := range []string{
		"orders.created", "orders.cancelled", "no customer", "fee", "gift", "escapes", "known cancelled", "unknown cancelled",
		"country Norway", "country Österreich", "day 2026-03-02", "day 2026-03-08",
	} {
		if seen[want] < 2 {
			t.Errorf("%d of %q", seen[want], want)
		}
	}
	if seen["poison"] != 2 || seen["large"] != 1 {
		t.Errorf("%d poisonous and %d large orders, want 2 and 1", seen["poison"], seen["large"])
	}
}

// note counts the traits of one order.
func note(seen map[string]int, orders map[string]bool, ev shop.Event, o shop.Order) {
	seen["country "+o.Country]++
	if ev.Topic == "orders.cancelled" && orders[o.Order] {
		seen["known cancelled"]++
	} else if ev.Topic == "orders.cancelled" {
		seen["unknown cancelled"]++
	} else if o.Customer == "" {
		seen["no customer"]++
	}
	if len(ev.Data) > 900_000 && len(ev.Data) < 1<<20 && len(o.Lines) > 12_000 {
		seen["large"]++
	}
	for _, l := range o.Lines {
		if l.SKU == "POST" && l.Qty == 1 {
			seen["fee"]++
		}
		if l.Cents == 0 {
			seen["gift"]++
		}
		if strings.ContainsAny(l.Name, `"\`) {
			seen["escapes"]++
		}
	}
}

// TestExpect reads a story whose end was worked out by hand.
func TestExpect(t *testing.T) {
	monday := time.Date(2026, 3, 2, 23, 30, 0, 0, time.FixedZone("", -3600)) // Tuesday in UTC
	created := func(data string) shop.Event {
		return shop.Event{Topic: "orders.created", Time: monday, Data: []byte(data)}
	}
	cancelled := func(data string) shop.Event {
		return shop.Event{Topic: "orders.cancelled", Time: monday, Data: []byte(data)}
	}
	events := []shop.Event{
		created(`{"order":"1","customer":"7","country":"NO","lines":[{"sku":"A","qty":4,"cents":10},{"sku":"A","qty":3,"cents":10},{"sku":"POST","qty":1,"cents":5}]}`), // 3 of A left: low
		created(`{"order":"2","customer":" ","country":"NO","lines":[{"sku":"B","qty":1,"cents":0},{"sku":"A","qty":4,"cents":10}]}`),                                   // rejected whole
		cancelled(`{"order":"1","country":"NO","lines":[{"sku":"A","qty":-9,"cents":10}]}`),                                                                             // at most the 7
		cancelled(`{"order":"1","country":"NO","lines":[{"sku":"A","qty":-1,"cents":10}]}`),                                                                             // none left of A
		cancelled(`{"order":"9","country":"FR","lines":[{"sku":"C","qty":-2,"cents":10}]}`),                                                                             // unknown: all
		created(`{"order":"3","customer":"7","country":"FR","lines":[{"sku":"A","qty":-5,"cents":10}]}`),                                                                // nothing to reserve
		created(`{"order":"4","lines":[`),
		created(`{"order":"5","lines":[{"sku":"A","qty":99999999999999999999,"cents":1}]}`),
		cancelled(`{"order":"","lines":[]}`),
	}
	want := shop.Totals{
		Revenue:    map[string]int64{"NO": 75 + 40 - 90 - 10, "FR": -20 - 50},
		RevenueDay: map[string]int64{"2026-03-03": 15 - 70},
		Units:      map[string]int64{"A": 7 + 4 - 9 - 1 - 5, "B": 1, "C": -2, "POST": 1},
		Orders:     map[string]int64{"2026-03-03": 3}, Cancelled: map[string]int64{"2026-03-03": 3},
		Stock:    map[string]int64{"A": 10, "C": 12, "POST": 9},
		Reserved: 2, Rejected: 1, Low: 1, Released: 3, Mails: 2, NoCustomer: 1,
		DeadLetters: map[string]int64{"analytics": 3, "inventory": 3, "email": 2},
	}
	got := shop.Expect(events, shop.Rules{OpeningStock: 10, LowStock: 3})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

// TestGenerateRequests: the requests have the hard cases, and leave the orders as they were.
func TestGenerateRequests(t *testing.T) {
	opts := shop.Options{Seed: 1, Orders: 100, Poison: true}
	orders := shop.Generate(opts)
	opts.Requests = 600
	var rest []shop.Event
	seen, bad := map[string]int{}, 0
	var last time.Time
	for _, ev := range shop.Generate(opts) {
		if ev.Time.Before(last) {
			t.Fatalf("event %s is out of the order of time", ev.ID)
		}
		last = ev.Time
		if ev.Topic != shop.TopicRequest {
			rest = append(rest, ev)
			continue
		}
		var q shop.Request
		if json.Unmarshal(ev.Data, &q) != nil || q.Status > 599 {
			bad++
			continue
		}
		seen[fmt.Sprintf("status %d", q.Status)]++
		seen["method "+q.Method]++
		seen["experiment "+q.Experiment+" "+q.Variant]++
		for what, is := range map[string]bool{
			"nobody": q.User == "", "slow": q.DurationUS > 10_000_000, "quotes": strings.Contains(q.Route, `"`), "address": strings.Contains(q.Path, "@"),
			"card": strings.Contains(q.Path, "4111"), "on a border": q.DurationUS == 250_000,
		} {
			if is {
				seen[what]++
			}
		}
	}
	if !reflect.DeepEqual(orders, rest) { // cmp goes through the large one byte by byte, so it only says what differs
		t.Errorf("requests change the orders:\n%.500s", cmp.Diff(orders, rest))
	}
	for _, want := range []string{
		"status 200", "status 302", "status 404", "status 503", "method GET", "method POST", "method BREW", "experiment checkout blue",
		"experiment checkout green", "experiment banner none", "experiment  ", "nobody", "slow", "quotes", "address", "card", "on a border",
	} {
		if seen[want] < 2 {
			t.Errorf("%d of %q", seen[want], want)
		}
	}
	if bad != 2 {
		t.Errorf("%d poisonous requests, want 2", bad)
	}
}

// TestExpectSite reads a story whose end was worked out by hand.
func TestExpectSite(t *testing.T) {
	at := time.Date(2026, 3, 2, 23, 59, 0, 0, time.UTC)
	request := func(key string, more string) shop.Event {
		return shop.Event{Topic: shop.TopicRequest, Key: key, Time: at, Data: []byte(`{"method":"POST","route":"/orders","path":"a@b","duration_us":5000,"bytes":7,` + more + `}`)}
	}
	site := shop.ExpectSite([]shop.Event{
		request("1", `"status":200,"user":"ann","experiment":"x","variant":"a"`), request("2", `"status":200,"experiment":"x","variant":"b"`),
		request("1", `"status":200,"user":"ann","experiment":"x","variant":"b"`), request("1", `"status":503`), request("1", `"status":9999`),
		{Topic: "inventory.low", Time: at, Data: []byte(`{}`)}, {Topic: "$effect.x", Time: at}, {Topic: "orders.created", Time: at, Data: []byte(`{"customer":"1"`)},
	})
	want := map[string]map[string]string{
		"analytics": {
			"visits//orders": "3", "visits_day/2026-03-02": "3", "failed_visits/2026-03-02": "1", "users/2026-03-02": "1", "user/2026-03-02\tann": "2",
			"exposed/x\tann": "a", "exposed/x\t2": "b", "exposures/x\ta": "1", "exposures/x\tb": "1", "mixed/x": "1", "converted/x\tann": "1", "converted/x\t2": "1",
			"conversions/x\ta": "1", "conversions/x\tb": "1",
		},
		"logging": {
			`metric/lines_total{level="debug"}`: "5", `metric/lines_total{level="warn"}`: "1", `metric/lines_total{level="info"}`: "1", "metric/redactions_total": "7",
		},
		"notification": {
			`metric/notifications_total{outcome="sent",rule="low"}`: "1", `metric/notifications_total{outcome="sent",rule="outage"}`: "2",
			"window/outage/ops": fmt.Sprint(at.UnixNano(), 2, 0),
		},
	}
	for subscriber, state := range want {
		if diff := cmp.Diff(state, site[subscriber]); diff != "" {
			t.Errorf("%s, -want +got:\n%s", subscriber, diff)
		}
	}
	for key, value := range map[string]string{
		`metric/events_total{topic="http.request.completed"}`: "4", `metric/http_request_duration_seconds_bucket{le="0.005",route="/orders"}`: "4",
		`metric/http_request_duration_seconds_sum{route="/orders"}`: "0.020000", `metric/http_error_ratio{route="/orders"}`: "0.250000", "count/topic": "3",
	} {
		if got := site["metrics"][key]; got != value {
			t.Errorf("metrics %s: got %q, want %q", key, got, value)
		}
	}
	diff, err := site.Diff(func(subscriber, prefix string) (map[string]string, error) {
		if subscriber == "logging" {
			return map[string]string{"metric/lines_total{level=\"debug\"}": "4", "more": "1"}, nil
		}
		out := map[string]string{}
		for k, v := range site[subscriber] {
			if strings.HasPrefix(k, prefix) {
				out[k] = v
			}
		}
		return out, nil
	})
	if err != nil || len(diff) != 5 {
		t.Errorf("%q %v; want five differences of logging", diff, err)
	}
}

// TestDiff: a total that is not compared would make every check that uses it blind.
func TestDiff(t *testing.T) {
	whole := func() shop.Totals {
		m := func() map[string]int64 { return map[string]int64{"x": 1} }
		return shop.Totals{
			Revenue: m(), RevenueDay: m(), Units: m(), Orders: m(), Cancelled: m(), Stock: m(), DeadLetters: m(),
			Reserved: 1, Rejected: 1, Low: 1, Released: 1, Mails: 1, NoCustomer: 1,
		}
	}
	for name, change := range map[string]func(*shop.Totals){
		"revenue": func(t *shop.Totals) { t.Revenue["x"]++ }, "day": func(t *shop.Totals) { t.RevenueDay["y"]++ },
		"units": func(t *shop.Totals) { delete(t.Units, "x") }, "orders": func(t *shop.Totals) { t.Orders["x"]++ },
		"cancelled": func(t *shop.Totals) { t.Cancelled["x"]++ }, "stock": func(t *shop.Totals) { t.Stock["x"]++ },
		"letters": func(t *shop.Totals) { t.DeadLetters["x"]++ }, "reserved": func(t *shop.Totals) { t.Reserved++ },
		"rejected": func(t *shop.Totals) { t.Rejected++ }, "low": func(t *shop.Totals) { t.Low++ },
		"released": func(t *shop.Totals) { t.Released++ }, "mails": func(t *shop.Totals) { t.Mails++ },
		"no customer": func(t *shop.Totals) { t.NoCustomer++ },
	} {
		got := whole()
		change(&got)
		if diff := whole().Diff(got); len(diff) != 1 {
			t.Errorf("%s: %q, want one difference", name, diff)
		}
	}
	if diff := whole().Diff(whole()); len(diff) != 0 {
		t.Errorf("equal totals differ: %q", diff)
	}
}

func TestCollectPassesErrorsOn(t *testing.T) {
	broken := fmt.Errorf("no state")
	if _, err := shop.Collect(func(string, string) (map[string]int64, error) { return nil, broken }); err != broken {
		t.Fatalf("error %v, want %v", err, broken)
	}
}
