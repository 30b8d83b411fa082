package bench_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// BenchmarkStartLetters opens a node whose subscribers have a dead letter each, and then many
// events that do not concern them. The baseline is the same without dead letters.
func BenchmarkStartLetters(b *testing.B) {
	b.Run("subs=1000/kind=baseline-none", func(b *testing.B) { startLetters(b, "add n 1") })
	b.Run("subs=1000/kind=letters", func(b *testing.B) { startLetters(b, "trap") })
}

func startLetters(b *testing.B, script string) {
	const subs, others = 1000, 150_000
	var manifest strings.Builder
	manifest.WriteString("[plugins]\nwatch = false\n")
	var events []abi.Event
	for i := range subs {
		fmt.Fprintf(&manifest, "[[subscriber]]\nname = \"s%d\"\nmodule = \"guest.wasm\"\ntopics = [\"dev%d.*\"]\n", i, i)
		events = append(events, abi.Event{Topic: fmt.Sprintf("dev%d.x", i), Key: "k", Data: []byte(script)})
	}
	opts := runtime.Options{ManifestText: []byte(manifest.String()), Dir: b.TempDir(),
		Modules: fstest.MapFS{"guest.wasm": {Data: readFile(b, "../internal/sandbox/testdata/probe.wasm")}}}
	begin := func() *runtime.Runtime {
		r, err := runtime.Open(opts)
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	r := begin()
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.Run(run) }()
	publish := func(events []abi.Event) {
		if _, err := r.Publish(ctx, events, log.Accepted); err != nil {
			b.Fatal(err)
		}
	}
	publish(events)
	for i := range subs {
		for {
			st, err := r.Subscriber(fmt.Sprint("s", i))
			if err != nil {
				b.Fatal(err)
			}
			if st.Handled+st.DeadLetters > 0 {
				break
			}
		}
	}
	for range others / 1000 {
		batch := make([]abi.Event, 1000)
		for i := range batch {
			batch[i] = abi.Event{Topic: fmt.Sprintf("other.t%d", i%100), Data: []byte("x")}
		}
		publish(batch)
	}
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
		r = begin()
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
