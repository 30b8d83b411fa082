package runtime_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// fill publishes n events on a topic, each in a chunk of its own.
func fill(t *testing.T, r *runtime.Runtime, n int, topic, script string) {
	t.Helper()
	for range n {
		if _, err := r.Publish(context.Background(), []abi.Event{{Topic: topic, Data: []byte(script)}}, log.Accepted); err != nil {
			t.Fatal(err)
		}
	}
}

// words reads a subscriber's state as "key=value …".
func words(t *testing.T, r *runtime.Runtime, name string) string {
	t.Helper()
	entries, err := r.State(context.Background(), name, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%s=%s", e.Key, e.Value))
	}
	return strings.Join(out, " ")
}

func trim(t *testing.T, r *runtime.Runtime, seq abi.Seq) {
	t.Helper()
	if report, err := r.Store().Trim(context.Background(), seq, "test"); err != nil || report.To != seq-1 {
		t.Fatalf("trim: %+v, %v", report, err)
	}
}

// TestGap drops events that a subscriber has yet to handle: it is told once, before the first
// event behind them, also over a restart.
func TestGap(t *testing.T) {
	opts := runtime.Options{ManifestText: []byte(probeManifest), Dir: t.TempDir(), Modules: probeModules(t)}
	r := openWith(t, opts)
	fill(t, r, 10, "do.it", "add n 1")
	settled(t, r)
	stop(t, r)
	r, err := runtime.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, r, 20, "do.it", "add n 1")
	trim(t, r, 21)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r = openWith(t, opts)
		settled(t, r)
		if got, want := words(t, r, "probe"), `control={"from":11,"to":20} controls=1 n=20`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		stop(t, r)
	}
}

// TestNoGap drops events that concern nobody, or that everybody has handled, while the node
// runs: nobody is told of a gap. A subscriber that joins later lost nothing either.
func TestNoGap(t *testing.T) {
	opts := runtime.Options{ManifestText: []byte(probeManifest), Dir: t.TempDir(), Modules: probeModules(t)}
	r := openWith(t, opts)
	fill(t, r, 10, "do.it", "add n 1")
	settled(t, r)
	fill(t, r, 100, "other.it", "")
	settled(t, r)
	trim(t, r, 101)
	fill(t, r, 5, "do.it", "add n 1")
	settled(t, r)
	if got, want := words(t, r, "probe"), "n=15"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	stop(t, r)
	opts.ManifestText = []byte(strings.ReplaceAll(probeManifest, `"probe"`, `"late"`))
	r = openWith(t, opts)
	settled(t, r)
	if got, want := words(t, r, "late"), "n=5"; got != want {
		t.Errorf("a new subscriber: got %s, want %s", got, want)
	}
}

// TestGapFails lets the guest fail the control frame: it is tried like an event, and its dead
// letter holds what it said.
func TestGapFails(t *testing.T) {
	for code, want := range map[string]string{"1": "attempts after 3", "2": "reject after 1"} {
		manifest := strings.Replace(probeManifest, `greeting = "hello"`, `control_fails = "`+code+`"`, 1)
		opts := runtime.Options{ManifestText: []byte(manifest), Dir: t.TempDir(), Modules: probeModules(t)}
		r, err := runtime.Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		fill(t, r, 20, "do.it", "add n 1")
		trim(t, r, 11)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r = openWith(t, opts)
		settled(t, r)
		eventually(t, func() bool { return letters(t, r) != "" })
		if got, want := letters(t, r), `{"from":1,"to":10} `+want; got != want {
			t.Errorf("code %s: dead letters %s, want %s", code, got, want)
		}
		if got := words(t, r, "probe"); got != "n=10" {
			t.Errorf("code %s: got %s, want n=10", code, got)
		}
		stop(t, r)
	}
}
