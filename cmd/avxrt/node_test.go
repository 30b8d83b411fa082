package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/shop"
	"github.com/avx-platform/avxrt/internal/wire"
)

var shopRules = shop.Rules{OpeningStock: 500, LowStock: 50}

// binary builds the program once, without -race: it is killed and timed as users run it.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "avxrt-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "avxrt")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%v\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// node is a process of the program.
type node struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	server string
	client *client.Client
}

// start runs a node on a manifest and waits until it listens.
func start(t *testing.T, manifest, data string) *node {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	portFile := filepath.Join(t.TempDir(), "addr")
	n := &node{stderr: &bytes.Buffer{}}
	n.cmd = exec.Command(path, "run", manifest, "--port-file", portFile)
	n.cmd.Env = append(os.Environ(), "AVXRT_HTTP_LISTEN=127.0.0.1:0", "AVXRT_NODE_DATA="+data)
	n.cmd.Stderr = n.stderr
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.cmd.Process.Kill(); _ = n.cmd.Wait() })
	address := ""
	until(t, "the node listens", func() bool {
		text, err := os.ReadFile(portFile)
		address = strings.TrimSpace(string(text))
		if n.cmd.ProcessState != nil {
			t.Fatalf("the node ended: %s", n.stderr)
		}
		return err == nil
	})
	n.server = address
	if n.client, err = client.New(address); err != nil {
		t.Fatal(err)
	}
	return n
}

// nodePatience is how long a test waits for a node that does nothing which it can see.
const nodePatience = 3 * time.Minute

// until polls a condition of another process.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(nodePatience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", nodePatience, what)
		}
	}
}

// kill ends the node as a power switch would end the process.
func (n *node) kill(t *testing.T) {
	t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = n.cmd.Wait()
}

// drain ends the node in the ordinary way, which must be clean.
func (n *node) drain(t *testing.T) {
	t.Helper()
	_ = n.cmd.Process.Signal(os.Interrupt)
	if err := n.cmd.Wait(); err != nil {
		t.Fatalf("after ^C: %v\n%s", err, n.stderr)
	}
}

// idle waits until nobody lags, for as long as cursors move: after a fault test of release size
// millions of events are left.
func (n *node) idle(t *testing.T) []wire.Subscriber {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond) // it takes the node some work to say
	defer tick.Stop()
	reached, deadline := uint64(0), time.Now().Add(nodePatience)
	for ; ; <-tick.C {
		subs, err := n.client.Subscribers(context.Background())
		if err != nil {
			t.Fatalf("%v\n%s", err, n.stderr)
		}
		sum, idle := uint64(0), true
		for _, s := range subs {
			sum += s.Cursor
			idle = idle && s.LagEvents == 0 && s.BlockedKeys == 0
		}
		if idle {
			return subs
		}
		if sum > reached {
			reached, deadline = sum, time.Now().Add(nodePatience)
		}
		if time.Now().After(deadline) {
			t.Fatalf("somebody lags, and no cursor moved for %v: %+v", nodePatience, subs)
		}
	}
}

// numbers reads a subscriber's numbers over HTTP.
func (n *node) numbers(subscriber, prefix string) (map[string]int64, error) {
	out := map[string]int64{}
	for after := ""; ; {
		page, err := n.client.State(context.Background(), subscriber, prefix, after, 5000)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			v, err := strconv.ParseInt(e.Value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s keeps %q under %q", subscriber, e.Value, e.Key)
			}
			out[strings.TrimPrefix(e.Key, prefix)] = v
		}
		if len(page) < 5000 {
			return out, nil
		}
		after = page[len(page)-1].Key
	}
}

// checkTotals holds what the subscribers ended with against the shop's own count.
func (n *node) checkTotals(t *testing.T, want shop.Totals) {
	t.Helper()
	got, err := shop.Collect(n.numbers)
	if err != nil {
		t.Fatal(err)
	}
	for name := range want.DeadLetters {
		letters, err := n.client.DeadLetters(context.Background(), name, 0, 1000, false)
		if err != nil {
			t.Fatal(err)
		}
		got.DeadLetters[name] = int64(len(letters))
	}
	diff, err := n.siteDiff()
	if err != nil {
		t.Fatal(err)
	}
	if diff = append(diff, want.Diff(got)...); len(diff) > 0 {
		t.Fatalf("totals differ:\n%s", strings.Join(diff, "\n"))
	}
}

// siteDiff holds the whole state of the subscribers that see requests and what others emit
// against the shop's own count over the node's log.
func (n *node) siteDiff() ([]string, error) {
	var events []shop.Event
	err := n.client.Tail(context.Background(), client.TailOptions{Topics: []string{"**"}, From: 1}, func(raw []byte) error {
		ev, err := cloudevents.ParseJSON(raw)
		if err != nil {
			return err
		}
		ev = ev.Clone()
		events = append(events, shop.Event{Topic: ev.Topic, Key: ev.Key, Time: time.Unix(0, ev.Time), Data: ev.Data})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return shop.ExpectSite(events).Diff(func(subscriber, prefix string) (map[string]string, error) {
		out := map[string]string{}
		for after := ""; ; {
			page, err := n.client.State(context.Background(), subscriber, prefix, after, 5000)
			for _, e := range page {
				out[e.Key] = e.Value
			}
			if err != nil || len(page) < 5000 {
				return out, err
			}
			after = page[len(page)-1].Key
		}
	})
}

// events returns what the log holds under the patterns, as JSON without the positions and
// times that a log gives, by seq.
func (n *node) events(t *testing.T, patterns ...string) []string {
	t.Helper()
	var out []string
	err := n.client.Tail(context.Background(), client.TailOptions{Topics: patterns, From: 1}, func(raw []byte) error {
		ev, err := cloudevents.ParseJSON(raw)
		if err != nil {
			return err
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", ev.ID, ev.Topic, ev.Key, ev.Data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// orders returns the real week where it is beside the repository, else generated orders;
// and the file that holds them as CloudEvents.
func orders(t *testing.T) ([]shop.Event, string) {
	t.Helper()
	const real = "../../../shared/data/orders.jsonl"
	if f, err := os.Open(real); err == nil {
		defer f.Close()
		var events []shop.Event
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			ev, err := cloudevents.ParseJSON(bytes.Clone(lines.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, shop.Event{Topic: ev.Topic, Key: ev.Key, ID: ev.ID, Source: ev.Source, Time: time.Unix(0, ev.Time), Data: ev.Data})
		}
		return events, real
	}
	t.Logf("%s is not here: generated orders stand in for it", real)
	events := shop.Generate(shop.Options{Seed: 7, Orders: 699})
	return events, writeEvents(t, events)
}

// writeEvents writes a file of CloudEvents.
func writeEvents(t *testing.T, events []shop.Event) string {
	t.Helper()
	var b []byte
	for i := range events {
		ev := toEvent(events[i])
		b = append(cloudevents.AppendJSON(b, &ev), '\n')
	}
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// avxrt runs a verb against the node and returns what it printed.
func (n *node) avxrt(t *testing.T, args ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "AVXRT_SERVER="+n.server)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("avxrt %v: %v\n%s", args, err, out)
	}
	return string(out)
}
