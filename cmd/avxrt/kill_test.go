package main_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/internal/shop"
	"github.com/avx-platform/avxrt/log"
)

func toEvent(ev shop.Event) abi.Event {
	return abi.Event{Topic: ev.Topic, Key: ev.Key, ID: ev.ID, Source: ev.Source, Time: ev.Time.UnixNano(), Data: ev.Data}
}

// TestKillWhileProcessing kills the real program at a random moment while the subscribers
// work through the file, starts it again, and compares everything that came of it with a
// run that nobody disturbed: totals, ids and contents of what was emitted.
//
// The events are in the log before the subscribers come, so that their seqs, from which
// the ids of emits are made, are the same in every run.
func TestKillWhileProcessing(t *testing.T) {
	kills := fault.Size(t, 20, 200)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	events, file := orders(t)
	want := shop.Expect(events, shopRules)
	template := filledStore(t, file, len(events))

	calm := start(t, shopExample(t), template.copy(t))
	calm.idle(t)
	calm.checkTotals(t, want)
	emits := calm.emits(t)
	calm.drain(t)
	if len(emits) == 0 {
		t.Fatal("the undisturbed run emitted nothing")
	}

	middle := 0
	for i := 0; i < kills || middle < kills*3/4; i++ {
		if i == 4*kills+8 {
			t.Fatalf("only %d of %d kills met analytics in the middle of the file", middle, i)
		}
		data := template.copy(t)
		n := start(t, shopExample(t), data)
		killInTheMiddle(t, n, rng)
		if cursor := cursorAfterKill(t, data, "analytics"); 1 < cursor && cursor <= abi.Seq(len(events)) {
			middle++
		}
		n = start(t, shopExample(t), data)
		n.idle(t)
		n.checkTotals(t, want)
		if diff := cmp.Diff(emits, n.emits(t), ignoreOrder); diff != "" {
			t.Fatalf("kill %d: what was emitted differs from an undisturbed run:\n%.2000s", i, diff)
		}
		n.drain(t)
	}
	t.Logf("%d kills met analytics in the middle of the file", middle)
}

// emits returns what was emitted. What notification says of emits of inventory comes without
// its id, which is made of their seqs: these depend on who was quicker.
func (n *node) emits(t *testing.T) []string {
	t.Helper()
	lines := n.events(t, "inventory.**", "$effect.smtp.**")
	for _, line := range n.events(t, "$effect.chat.**") {
		_, said, _ := strings.Cut(line, " ")
		lines = append(lines, said)
	}
	return lines
}

// ignoreOrder compares emits as a set: inventory and email run side by side.
var ignoreOrder = cmp.Transformer("set", func(lines []string) map[string]int {
	set := map[string]int{}
	for _, l := range lines {
		set[l]++
	}
	return set
})

// killInTheMiddle waits for analytics' first commit and then a random moment more.
func killInTheMiddle(t *testing.T, n *node, rng *rand.Rand) {
	t.Helper()
	until(t, "analytics has begun", func() bool {
		s, err := n.client.Subscriber(context.Background(), "analytics")
		return err == nil && s.Cursor > 1
	})
	time.Sleep(time.Duration(rng.Int64N(int64(4 * time.Millisecond)))) // the random wait is what is tested
	n.kill(t)
}

// cursorAfterKill reads a cursor out of a store that nobody has open.
func cursorAfterKill(t *testing.T, data, subscriber string) abi.Seq {
	t.Helper()
	l, err := log.Open(filepath.Join(data, "log"), log.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := l.Cursor(subscriber)
	if err != nil {
		t.Fatal(err)
	}
	return c.Next
}

// shopExample is the manifest of examples/02-shop.
func shopExample(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../examples/02-shop/avxrt.toml")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// store is a folder that runs begin with a copy of.
type store string

// filledStore publishes the file to a node that has no subscribers, and lets the three
// modules be compiled into the cache.
func filledStore(t *testing.T, file string, count int) store {
	t.Helper()
	data := filepath.Join(t.TempDir(), "template")
	n := start(t, shopExample(t), data)
	n.idle(t)
	n.drain(t)
	if err := os.RemoveAll(filepath.Join(data, "log")); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.toml")
	if err := os.WriteFile(empty, []byte("[plugins]\nwatch = false\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	n = start(t, empty, data)
	out := n.avxrt(t, "pub", "-f", file)
	if !strings.HasPrefix(out, "699 events published: 699 new, 0 there already") || count != 699 {
		t.Fatalf("pub printed %q, want 699 events", out)
	}
	again := n.avxrt(t, "pub", "-f", file)
	if !strings.HasPrefix(again, "699 events published: 0 new, 699 there already") {
		t.Fatalf("pub printed %q the second time", again)
	}
	n.drain(t)
	return store(data)
}

func (s store) copy(t *testing.T) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(to, os.DirFS(string(s))); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestKillWhilePublishing kills the program while a client publishes durably: what was
// acknowledged is in the log once, under the seq that was acknowledged, and publishing the
// rest again gives exact totals.
func TestKillWhilePublishing(t *testing.T) {
	kills := fault.Size(t, 10, 200)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	events, _ := orders(t)
	want := shop.Expect(events, shopRules)
	cache := filepath.Join(t.TempDir(), "warm")
	start(t, shopExample(t), cache).drain(t)
	for range kills {
		data := store(cache).copy(t)
		n := start(t, shopExample(t), data)
		acknowledged := publishUntilKilled(t, n, events, rng.IntN(len(events)))
		n = start(t, shopExample(t), data)
		publishAll(t, n, events, acknowledged)
		n.idle(t)
		n.checkTotals(t, want)
		n.drain(t)
	}
}

// publishUntilKilled publishes in small batches, kills the node at about the at-th event,
// and returns the seqs that were acknowledged.
func publishUntilKilled(t *testing.T, n *node, events []shop.Event, at int) map[string]uint64 {
	t.Helper()
	acknowledged := map[string]uint64{}
	for i := 0; i < len(events); i += 5 {
		if i >= at {
			go func() { _ = n.cmd.Process.Kill() }() // somewhere within the next requests
			at = len(events)
		}
		receipts, err := n.client.Publish(context.Background(), batchOf(events, i, 5), "durable")
		if err != nil {
			break
		}
		for _, r := range receipts {
			acknowledged[r.ID] = r.Seq
		}
	}
	n.kill(t)
	return acknowledged
}

func batchOf(events []shop.Event, from, n int) []abi.Event {
	var batch []abi.Event
	for _, ev := range events[from:min(from+n, len(events))] {
		batch = append(batch, toEvent(ev))
	}
	return batch
}

// publishAll publishes everything again and checks the promises to the first publisher.
func publishAll(t *testing.T, n *node, events []shop.Event, acknowledged map[string]uint64) {
	t.Helper()
	for i := 0; i < len(events); i += 100 {
		receipts, err := n.client.Publish(context.Background(), batchOf(events, i, 100), "durable")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range receipts {
			if seq, ok := acknowledged[r.ID]; ok && (!r.Duplicate || r.Seq != seq) {
				t.Fatalf("event %s was acknowledged at seq %d; now it is at %d, duplicate %v", r.ID, seq, r.Seq, r.Duplicate)
			}
		}
	}
}
