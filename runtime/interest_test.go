package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
	"github.com/avx-platform/avxrt/runtime"
)

// crowd is a manifest of n subscribers with twenty patterns each, in the version of a plan.
func crowd(n, version int) string {
	var b strings.Builder
	b.WriteString("[plugins]\nwatch = false\n")
	for i := range n {
		topics := []string{fmt.Sprintf(`"dev.%d.*"`, i), fmt.Sprintf(`"plan.%d"`, version)}
		for j := range 18 {
			topics = append(topics, fmt.Sprintf(`"area.%d.*.%d"`, i, j))
		}
		fmt.Fprintf(&b, "[[subscriber]]\nname = \"s%d\"\nmodule = \"probe.wasm\"\ntopics = [%s]\n", i, strings.Join(topics, ", "))
	}
	return b.String()
}

// TestCrowd changes the patterns of hundreds of subscribers, and their number, while events
// flow: each handles what concerns it, all of it, once, and nobody lags behind what does not.
func TestCrowd(t *testing.T) {
	const n = 300
	path := filepath.Join(t.TempDir(), "avxrt.toml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(crowd(n/2, 0))
	r := openWith(t, runtime.Options{Manifest: path, Modules: probeModules(t)})
	add := func(topics ...string) {
		events := make([]abi.Event, len(topics))
		for i, topic := range topics {
			events[i] = abi.Event{Topic: topic, Key: topic, Data: []byte("add n 1")}
		}
		if _, err := r.Publish(context.Background(), events, log.Accepted); err != nil {
			t.Error(err)
		}
	}
	flowed := make(chan struct{})
	go func() {
		defer close(flowed)
		for round := range 20 {
			for i := range n / 2 {
				add(fmt.Sprintf("dev.%d.x", i), fmt.Sprintf("nobody.%d", round))
			}
		}
	}()
	for version := 1; version <= 5; version++ {
		write(crowd(n/2+version*n/10, version))
		if err := r.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	<-flowed
	add("plan.5", "plan.4", fmt.Sprintf("area.%d.y.17", n-1), "nobody.20")
	settled(t, r)
	for i := range n {
		want := int64(1) // plan.5
		if i < n/2 {
			want += 20
		}
		if i == n-1 {
			want++
		}
		if got := state(t, r, fmt.Sprint("s", i), "n")[""]; got != want {
			t.Errorf("s%d handled %d events, want %d", i, got, want)
		}
	}
}

func TestInterested(t *testing.T) {
	r := openProbe(t, crowd(3, 1))
	got, err := r.Interested("plan.1")
	if err != nil || len(got) != 3 || got[0].Subscriber != "s0" || !slices.Equal(got[2].Patterns, []string{"plan.1"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := r.Interested("area.2.x.5"); err != nil || fmt.Sprint(got) != "[{s2 [area.2.*.5]}]" {
		t.Errorf("got %v, %v", got, err)
	}
	var syntax *router.SyntaxError
	if _, err := r.Interested("a.*"); !errors.As(err, &syntax) {
		t.Errorf("got %v", err)
	}
}

func TestTopics(t *testing.T) {
	r := openProbe(t, probeManifest)
	ask := func(pattern, after string, limit int) []string {
		t.Helper()
		got, err := r.Topics(context.Background(), pattern, after, limit)
		if err != nil || got.Missed || got.To != r.Store().Head() {
			t.Fatalf("got %+v, %v", got, err)
		}
		return got.Topics
	}
	publish := func(topics ...string) {
		for _, topic := range topics {
			if _, err := r.Publish(context.Background(), []abi.Event{{Topic: topic}}, log.Durable); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := ask("**", "", 10); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	publish("b.x", "a.x", "a.y", "a.x")
	if got := ask("*.x", "", 10); !slices.Equal(got, []string{"a.x", "b.x"}) {
		t.Errorf("got %v", got)
	}
	publish("a.z")
	if got := ask("**", "a.x", 2); !slices.Equal(got, []string{"a.y", "a.z"}) {
		t.Errorf("got %v", got)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	publish("a.w")
	if _, err := r.Topics(gone, "**", "", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := ask("a.w", "", 10); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	if _, err := r.Topics(context.Background(), "a*", "", 10); err == nil {
		t.Error("a bad pattern was taken")
	}
}
