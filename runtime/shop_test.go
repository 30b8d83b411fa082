package runtime_test

import (
	"bufio"
	"context"
	"errors"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/shop"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/plugins"
	"github.com/avx-platform/avxrt/runtime"
)

const shopManifest = `
[[subscriber]]
name   = "inventory"
module = "inventory.wasm"
topics = ["orders.*", "stock.received"]
emits  = ["inventory.**"]
config = { opening_stock = "500", low_stock = "50" }
limits = { time = "1m" }

[[subscriber]]
name   = "analytics"
module = "analytics.wasm"
topics = ["orders.*"]
limits = { time = "1m" }

[[subscriber]]
name   = "email"
module = "email.wasm"
topics = ["orders.created"]
emits  = ["$effect.smtp.send"]
limits = { time = "1m" }
`

// someOrders generates orders and requests, under the race detector a quarter of them and a large
// one of a tenth: there the store notes the stack of whoever reads a row, which takes a
// millisecond, and the large one reads twelve thousand. make faults gives them all.
func someOrders(opts shop.Options) []shop.Event {
	if raceEnabled {
		opts.Orders, opts.Requests, opts.Large = opts.Orders/4, opts.Requests/4, 90<<10
	}
	return shop.Generate(opts)
}

var shopRules = shop.Rules{OpeningStock: 500, LowStock: 50}

// open starts a node with the shipped modules.
func open(t *testing.T, manifest string) *runtime.Runtime {
	t.Helper()
	return openWith(t, runtime.Options{ManifestText: []byte(manifest), Dir: t.TempDir(), Modules: plugins.FS})
}

var stops sync.Map // of running nodes: *runtime.Runtime → func()

// openWith starts a node and stops it at the end of the test.
func openWith(t *testing.T, opts runtime.Options) *runtime.Runtime {
	t.Helper()
	r, err := runtime.Open(compileOnce(t, opts))
	if err != nil {
		t.Fatal(err)
	}
	return runNode(t, r)
}

// runNode runs a node until the end of the test, or stop.
func runNode(t *testing.T, r *runtime.Runtime) *runtime.Runtime {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stops.Store(r, sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, r.Close()); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(func() { stop(t, r) })
	return r
}

// stop drains and closes a node.
func stop(t *testing.T, r *runtime.Runtime) {
	t.Helper()
	if f, ok := stops.LoadAndDelete(r); ok {
		f.(func())()
	}
}

// eventually polls a condition.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("not within a minute")
		}
	}
}

// settled waits until no subscriber lags.
func settled(t *testing.T, r *runtime.Runtime) {
	t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); {
		began, lag := time.Now(), uint64(0)
		for _, s := range r.Subscribers() {
			if s.State != runtime.StateRunning && s.State != runtime.StateRetrying {
				t.Fatalf("subscriber %s is %s: %s", s.Name, s.State, s.Reason)
			}
			lag += s.LagEvents + uint64(s.BlockedKeys)
		}
		if lag == 0 {
			return
		}
		// Asking hundreds of subscribers takes the processor that they could have had meanwhile.
		<-time.After(max(2*time.Millisecond, 4*time.Since(began)))
	}
	t.Fatalf("the subscribers do not come to an end: %+v", r.Subscribers())
}

func publish(t *testing.T, r *runtime.Runtime, events []shop.Event) []log.Receipt {
	t.Helper()
	var receipts []log.Receipt
	for len(events) > 0 {
		n := min(len(events), 100)
		batch := make([]abi.Event, n)
		for i, ev := range events[:n] {
			batch[i] = abi.Event{Topic: ev.Topic, Key: ev.Key, ID: ev.ID, Source: ev.Source, Time: ev.Time.UnixNano(), Data: ev.Data}
		}
		got, err := r.Publish(context.Background(), batch, log.Accepted)
		if err != nil {
			t.Fatal(err)
		}
		receipts, events = append(receipts, got...), events[n:]
	}
	return receipts
}

// state reads the numbers below a prefix.
func state(t *testing.T, r *runtime.Runtime, subscriber, prefix string) map[string]int64 {
	t.Helper()
	entries, err := r.State(context.Background(), subscriber, prefix, "", 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, e := range entries {
		n, err := strconv.ParseInt(string(e.Value), 10, 64)
		if err != nil {
			t.Fatalf("state %s of %s is %q", e.Key, subscriber, e.Value)
		}
		out[strings.TrimPrefix(string(e.Key), prefix)] = n
	}
	return out
}

// totals reads what the subscribers ended with.
func totals(t *testing.T, r *runtime.Runtime) shop.Totals {
	t.Helper()
	got, err := shop.Collect(func(subscriber, prefix string) (map[string]int64, error) {
		return state(t, r, subscriber, prefix), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Subscribers() {
		letters, err := r.DeadLetters(context.Background(), s.Name, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		got.DeadLetters[s.Name] = int64(len(letters))
	}
	return got
}

// emitted counts the events of the log by topic.
func emitted(t *testing.T, r *runtime.Runtime) map[string]int64 {
	t.Helper()
	reader := r.Store().NewReader(log.ReadOptions{})
	defer reader.Close()
	counts := map[string]int64{}
	var ev abi.Event
	for reader.Next(&ev) {
		counts[strings.Clone(ev.Topic)]++
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	return counts
}

func checkShop(t *testing.T, r *runtime.Runtime, events []shop.Event) {
	t.Helper()
	want := shop.Expect(events, shopRules)
	if want.Reserved == 0 || want.Mails == 0 {
		t.Fatalf("the events prove nothing: %+v", want)
	}
	if diff := want.Diff(totals(t, r)); len(diff) > 0 {
		t.Fatalf("totals differ:\n%s", strings.Join(diff, "\n"))
	}
	topics := emitted(t, r)
	for topic, n := range map[string]int64{
		"inventory.reserved": want.Reserved, "inventory.rejected": want.Rejected, "inventory.low": want.Low,
		"inventory.released": want.Released, "$effect.smtp.send": want.Mails,
	} {
		if topics[topic] != n {
			t.Errorf("%d events on %s, want %d", topics[topic], topic, n)
		}
	}
}

func TestShopGenerated(t *testing.T) {
	events := someOrders(shop.Options{Seed: 1, Orders: 800, Poison: true})
	r := open(t, shopManifest)
	publish(t, r, events)
	settled(t, r)
	checkShop(t, r, events)

	before := maps.Clone(emitted(t, r))
	for _, receipt := range publish(t, r, events) {
		if !receipt.Duplicate {
			t.Fatalf("event %s was appended again", receipt.ID)
		}
	}
	settled(t, r)
	checkShop(t, r, events)
	if diff := cmp.Diff(before, emitted(t, r)); diff != "" {
		t.Fatalf("publishing again changed the log (-before +after):\n%s", diff)
	}
}

// TestShopReal runs a week of real orders, where the file is beside the repository.
func TestShopReal(t *testing.T) {
	const path = "../../shared/data/orders.jsonl"
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		t.Logf("%s is not here; TestShopGenerated checks the same on generated orders", path)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var events []shop.Event
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		ev, err := cloudevents.ParseJSON(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		ev = ev.Clone()
		events = append(events, shop.Event{Topic: ev.Topic, Key: ev.Key, ID: ev.ID, Source: ev.Source, Time: time.Unix(0, ev.Time), Data: ev.Data})
	}
	if len(events) != 699 {
		t.Fatalf("%d events in %s, want 699", len(events), path)
	}
	if raceEnabled { // see someOrders
		events = events[:len(events)/4]
	}
	r := open(t, shopManifest)
	publish(t, r, events)
	settled(t, r)
	checkShop(t, r, events)
}

// TestShopPartitioned has four partitions add to the same totals. Stock is not among them: who
// gets the last piece depends on the order between keys, so inventory keeps one.
func TestShopPartitioned(t *testing.T) {
	events := someOrders(shop.Options{Seed: 2, Orders: 800, Poison: true})
	manifest := strings.Replace(shopManifest, `name   = "analytics"`, "name = \"analytics\"\npartitions = 4", 1)
	r := open(t, manifest)
	if s, err := r.Subscriber("analytics"); err != nil || s.Partitions != 4 {
		t.Fatalf("%d partitions, %v", s.Partitions, err)
	}
	publish(t, r, events)
	settled(t, r)
	checkShop(t, r, events)
}
