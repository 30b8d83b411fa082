package runtime_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/audit"
	"github.com/avx-platform/avxrt/internal/shop"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// siteManifest adds the subscribers that also see the requests of the shop's web site.
var siteManifest = strings.NewReplacer(
	"module = \"analytics.wasm\"\ntopics = [\"orders.*\"]", "module = \"analytics.wasm\"\ntopics = [\"orders.*\", \"http.request.completed\"]",
).Replace(shopManifest) + `
[[subscriber]]
name   = "metrics"
module = "metrics.wasm"
topics = ["**"]
limits = { time = "1m" }

[[subscriber]]
name   = "logging"
module = "logging.wasm"
topics = ["**"]
config = { levels = "inventory.low=warn,inventory.rejected=warn,http.**=debug,**=info", redact = "customer,user" }
limits = { time = "1m" }

[[subscriber]]
name   = "notification"
module = "notification.wasm"
topics = ["inventory.low", "http.request.completed"]
emits  = ["$effect.chat.send", "$effect.sms.send"]
limits = { time = "1m" }
[subscriber.config]
rules              = "low,outage"
"low.topic"        = "inventory.low"
"low.channel"      = "chat"
"low.to"           = "#stock"
"low.text"         = "Order {order} made {skus} low"
"outage.topic"     = "http.request.completed"
"outage.channel"   = "sms"
"outage.to"        = "ops"
"outage.text"      = "{method} {route} failed with {status}"
"outage.when"      = "status>=500"
"outage.throttle"  = "3/1d"

[[subscriber]]
name   = "audit"
module = "audit.wasm"
topics = ["**"]
emits  = ["$audit.checkpoint"]
config = { checkpoint = "100" }
limits = { time = "1m" }
`

// logged returns the events of the log, those that subscribers emitted among them.
func logged(t *testing.T, r *runtime.Runtime) (events []shop.Event) {
	t.Helper()
	reader := r.Store().NewReader(log.ReadOptions{})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) {
		events = append(events, shop.Event{
			Topic: strings.Clone(ev.Topic), Key: strings.Clone(ev.Key), Time: time.Unix(0, ev.Time), Data: append([]byte(nil), ev.Data...),
		})
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

// TestSite runs all shipped subscribers on a shop with its web site, and holds the whole
// state of those that count against a count of its own, and the chain of audit against the log.
func TestSite(t *testing.T) {
	events := someOrders(shop.Options{Seed: 4, Orders: 300, Requests: 900, Poison: true})
	r := open(t, siteManifest)
	publish(t, r, events)
	settled(t, r)
	checkShop(t, r, events)
	all := logged(t, r)
	want := shop.ExpectSite(all)
	diff, err := want.Diff(func(subscriber, prefix string) (map[string]string, error) {
		entries, err := r.State(context.Background(), subscriber, prefix, "", 1_000_000)
		out := map[string]string{}
		for _, e := range entries {
			out[string(e.Key)] = string(e.Value)
		}
		return out, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(diff) > 0 {
		t.Errorf("the state differs:\n%s", strings.Join(diff, "\n"))
	}
	report, err := audit.Check(r.Store(), "audit", audit.Options{Match: func(topic string) bool { return topic[0] != '$' }})
	if err != nil {
		t.Fatal(err)
	}
	seen := int64(0)
	for _, ev := range all {
		if ev.Topic[0] != '$' {
			seen++
		}
	}
	if len(report.Findings) > 0 || report.Whole != seen || report.Entries != seen {
		t.Errorf("%d events, but audit says %+v", seen, report)
	}
	for _, s := range r.Subscribers() {
		t.Logf("%s: %d events, fuel %d an event, %d traps, %d dead letters", s.Name, s.Handled, s.Fuel/max(s.Handled, 1), s.Traps, s.DeadLetters)
		if s.Traps > 0 {
			t.Errorf("%s trapped", s.Name)
		}
	}
}

// TestDigest waits for a timer: what notification held back is told when its window ends,
// although nothing else happens.
func TestDigest(t *testing.T) {
	r := open(t, `
[[subscriber]]
name   = "notification"
module = "notification.wasm"
topics = ["alarms.*", "notification.digest"]
emits  = ["$effect.sms.send", "notification.digest"]
config = { rules = "alarm", "alarm.topic" = "alarms.*", "alarm.channel" = "sms", "alarm.to" = "ops", "alarm.text" = "{n}", "alarm.throttle" = "1/1s", "alarm.digest" = "true" }
`)
	var events []shop.Event
	for i := range 4 {
		events = append(events, shop.Event{Topic: "alarms.fire", Key: "k", ID: fmt.Sprint(i), Time: time.Now(), Data: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	for i := range events {
		events[i].Time = events[0].Time
	}
	publish(t, r, events)
	eventually(t, func() bool { return emitted(t, r)["$effect.sms.send"] == 2 })
	settled(t, r)
	var told []string
	for _, ev := range logged(t, r) {
		if ev.Topic == "$effect.sms.send" {
			told = append(told, string(ev.Data))
		}
	}
	want := []string{`{"to":"ops","text":"0","rule":"alarm"}`, `{"to":"ops","text":"3 more about alarm","rule":"alarm"}`}
	if !slices.Equal(told, want) {
		t.Errorf("got %q, want %q", told, want)
	}
	if left := state(t, r, "notification", "window/"); len(left) != 0 {
		t.Errorf("windows are left: %v", left)
	}
}
