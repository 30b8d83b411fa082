package main_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	goruntime "runtime"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/shop"
)

const swapManifest = `
[[subscriber]]
name   = "analytics"
module = "analytics.wasm"
topics = ["orders.*"]
limits = { time = "5s" }

[[subscriber]]
name   = "marker"
module = "marker.wasm"
topics = ["marks.wanted"]
emits  = ["mark.*"]
limits = { time = "5s" }
`

const swapAddition = `
[[subscriber]]
name   = "inventory"
module = "inventory.wasm"
topics = ["orders.*"]
emits  = ["inventory.**"]
config = { opening_stock = "500", low_stock = "50" }
limits = { time = "5s" }
`

// TestSwapUnderLoad replaces modules and manifest while 20,000 events flow, good ones and
// garbage, and checks that every event was handled by exactly one generation.
func TestSwapUnderLoad(t *testing.T) {
	const count = 20_000
	dir := t.TempDir()
	plugins := filepath.Join(dir, "plugins")
	put := func(name string, content []byte) { replaceFile(t, filepath.Join(dir, name), content) }
	analytics, inventory := readFile(t, "../../plugins/analytics.wasm"), readFile(t, "../../plugins/inventory.wasm")
	if err := os.Mkdir(plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	put("plugins/analytics.wasm", analytics)
	put("plugins/inventory.wasm", inventory)
	put("plugins/marker.wasm", readFile(t, "../../internal/sandbox/testdata/probe.wasm"))
	put("avxrt.toml", []byte(swapManifest))
	n := start(t, filepath.Join(dir, "avxrt.toml"), filepath.Join(dir, "data"))

	events := shop.Generate(shop.Options{Seed: 3, Orders: count / 2})
	var published, allowed atomic.Int64 // the publisher never gets to the end before the test does
	done := make(chan error, 1)
	go func() { done <- publishWithMarks(n.client, events, &published, &allowed) }()
	reach := func(share, next int64) {
		allowed.Store(count * next / 100)
		until(t, "the events flow", func() bool { return published.Load() >= count*share/100 })
	}

	reach(10, 30)
	put("avxrt.toml", []byte(swapManifest+"[[subscriber]]\nmach = 1\n"))
	until(t, "the garbage manifest is reported", func() bool {
		s, err := n.client.Status(context.Background())
		return err == nil && strings.Contains(s.ManifestError, "mach")
	})
	put("avxrt.toml", []byte(swapManifest))
	until(t, "the good manifest is back", func() bool {
		s, err := n.client.Status(context.Background())
		return err == nil && s.ManifestError == ""
	})
	reach(30, 50)
	put("plugins/analytics.wasm", analytics[:len(analytics)/2])
	until(t, "the garbage module is reported", func() bool {
		s, err := n.client.Subscriber(context.Background(), "analytics")
		return err == nil && s.Problem != "" && s.State == "running" && s.Generation == 1
	})
	if out := n.avxrt(t, "sub", "ls"); !strings.Contains(out, "its new module was refused") {
		t.Errorf("sub ls does not tell:\n%s", out)
	}
	if m := n.metrics(t); !strings.Contains(m, `avxrt_subscriber_plan_refused{subscriber="analytics"} 1`) || strings.Contains(m, "avxrt_plan_refused_total 0") {
		t.Errorf("the metrics do not tell:\n%.3000s", m)
	}
	reach(50, 95)
	put("plugins/analytics.wasm", withCustomSection(analytics)) // another version of the same behaviour
	put("plugins/marker.wasm", readFile(t, "../../internal/sandbox/testdata/probe2.wasm"))
	put("avxrt.toml", []byte(swapManifest+swapAddition))
	until(t, "the new plan is adopted", func() bool {
		a, err1 := n.client.Subscriber(context.Background(), "analytics")
		_, err2 := n.client.Subscriber(context.Background(), "inventory")
		m, err3 := n.client.Subscriber(context.Background(), "marker")
		return err1 == nil && err2 == nil && err3 == nil && a.Generation > 1 && a.Problem == "" && m.Generation > 1
	})
	reach(95, 100)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	n.idle(t)
	n.checkSwap(t, events)
	n.drain(t)
	for _, line := range []string{"the new plan was refused", "new generation in service"} {
		if !strings.Contains(n.stderr.String(), line) {
			t.Errorf("the log does not say %q", line)
		}
	}
}

// publishWithMarks publishes each order and behind it a wish for a mark.
func publishWithMarks(c *client.Client, events []shop.Event, published, allowed *atomic.Int64) error {
	const batch = 50
	for i := 0; i < len(events); i += batch {
		for published.Load() >= allowed.Load() {
			goruntime.Gosched()
		}
		wanted := batchOf(events, i, batch)
		for j, ev := range wanted[:len(wanted):len(wanted)] {
			mark := ev
			mark.Topic, mark.ID, mark.Key, mark.Data = "marks.wanted", fmt.Sprintf("mark-%d", i+j), fmt.Sprintf("%d", i+j), []byte(`mark`)
			mark.ContentType = "text/plain"
			wanted = append(wanted, mark)
		}
		if _, err := c.Publish(context.Background(), wanted, "durable"); err != nil {
			return err
		}
		published.Add(int64(len(wanted)))
	}
	return nil
}

// checkSwap checks totals and marks.
func (n *node) checkSwap(t *testing.T, events []shop.Event) {
	t.Helper()
	want := shop.Expect(events, shopRules)
	want.Mails, want.NoCustomer = 0, 0
	delete(want.DeadLetters, "email")
	got, err := shop.Collect(func(subscriber, prefix string) (map[string]int64, error) {
		if subscriber == "email" {
			return nil, nil
		}
		return n.numbers(subscriber, prefix)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := want.Diff(got); len(diff) > 0 {
		t.Fatalf("totals differ:\n%s", strings.Join(diff, "\n"))
	}
	marks := map[string]int{}
	last, swaps, versions := "", 0, map[string]int{}
	err = n.client.Tail(context.Background(), client.TailOptions{Topics: []string{"mark.*"}, From: 1}, func(raw []byte) error {
		ev, err := cloudevents.ParseJSON(raw)
		if err != nil {
			return err
		}
		marks[strings.Clone(ev.Key)]++
		versions[ev.Topic]++
		if ev.Topic != last {
			last = ev.Topic
			swaps++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		if n := marks[fmt.Sprint(i)]; n != 1 {
			t.Fatalf("event %d was marked %d times, want once", i, n)
		}
	}
	if swaps != 2 || versions["mark.v1"] == 0 || versions["mark.v2"] == 0 {
		t.Fatalf("generations %v with %d borders, want v1 then v2", versions, swaps-1)
	}
	t.Logf("%d events, %v", 2*len(events), versions)
}

// metrics returns what /metrics says.
func (n *node) metrics(t *testing.T) string {
	t.Helper()
	resp, err := http.Get("http://" + n.server + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	return string(text)
}

// withCustomSection gives a module another digest and the same behaviour.
func withCustomSection(wasm []byte) []byte {
	return append(wasm[:len(wasm):len(wasm)], 0, 5, 4, 'n', 'o', 't', 'e')
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// replaceFile replaces a file by rename, as deployments do.
func replaceFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".tmp", content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}
