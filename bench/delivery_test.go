package bench_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

const probePath = "../internal/sandbox/testdata/probe.wasm"

// subscribers is a manifest of n equal ones.
func subscribers(n int, rest string) string {
	var b strings.Builder
	b.WriteString("[plugins]\nwatch = false\n")
	for i := range n {
		fmt.Fprintf(&b, "[[subscriber]]\nname = \"s%d\"\nmodule = \"guest.wasm\"\n%s\n", i, rest)
	}
	return b.String()
}

// serve runs a node until the func is called.
func serve(b *testing.B, opts runtime.Options) (*runtime.Runtime, func()) {
	b.Helper()
	r, err := runtime.Open(opts)
	if err != nil {
		b.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.Run(run) }()
	return r, func() {
		stop()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func node(b *testing.B, manifest string) (*runtime.Runtime, func()) {
	b.Helper()
	return serve(b, runtime.Options{
		ManifestText: []byte(manifest), Dir: b.TempDir(), Modules: fstest.MapFS{"guest.wasm": {Data: readFile(b, probePath)}},
	})
}

// await waits until all subscribers have handled so many events in sum.
func await(b *testing.B, r *runtime.Runtime, handled uint64) {
	b.Helper()
	for sum := uint64(0); sum < handled; time.Sleep(100 * time.Microsecond) {
		sum = 0
		for _, s := range r.Subscribers() {
			if s.State != runtime.StateRunning {
				b.Fatal(s)
			}
			sum += s.Handled
		}
	}
}

// BenchmarkFanOut has one publisher and ten subscribers, each of which counts in its state.
func BenchmarkFanOut(b *testing.B) {
	const batch = 256
	evs := events(batch)
	for i := range evs {
		evs[i].Data = []byte("add n 1")
	}
	for _, subs := range []int{1, 10} {
		b.Run(fmt.Sprintf("subs=%d", subs), func(b *testing.B) {
			r, stop := node(b, subscribers(subs, `topics = ["bench.*"]`))
			for b.Loop() {
				if _, err := r.Publish(ctx, evs, log.Accepted); err != nil {
					b.Fatal(err)
				}
			}
			await(b, r, uint64(b.N*batch*subs))
			perSecond(b, batch)
			b.ReportMetric(float64(b.N*batch*subs)/b.Elapsed().Seconds(), "deliveries/s")
			b.StopTimer()
			stop()
		})
	}
}

// BenchmarkPartitions has a guest that counts by key and does nothing else: what partitions
// cost one that needs none.
func BenchmarkPartitions(b *testing.B) {
	const batch = 256
	evs := events(batch)
	for i := range evs {
		evs[i].Data = fmt.Appendf(nil, "add %s 1", evs[i].Key)
	}
	for _, n := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			r, stop := node(b, subscribers(1, fmt.Sprintf("topics = [\"bench.*\"]\npartitions = %d", n)))
			for b.Loop() {
				if _, err := r.Publish(ctx, evs, log.Accepted); err != nil {
					b.Fatal(err)
				}
			}
			await(b, r, uint64(b.N*batch))
			perSecond(b, batch)
			b.StopTimer()
			stop()
		})
	}
}

// BenchmarkDeliveryLatency publishes one event after the other to an idle node and waits for
// what the guest emits. The baseline is an fsync of the same disk.
func BenchmarkDeliveryLatency(b *testing.B) {
	for _, d := range []log.Durability{log.Accepted, log.Durable} {
		b.Run(d.String(), func(b *testing.B) {
			r, stop := node(b, subscribers(1, "topics = [\"bench.*\"]\nemits = [\"out.*\"]"))
			ev := events(1)
			ev[0].Data = []byte("emit out.x 1")
			var times []time.Duration
			for b.Loop() {
				start := time.Now()
				receipts, err := r.Publish(ctx, ev, d)
				if err != nil {
					b.Fatal(err)
				}
				if err := r.Store().Wait(ctx, receipts[0].Seq+1, false); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			quantiles(b, times)
			b.StopTimer()
			stop()
		})
	}
	b.Run("kind=baseline-fsync", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "f"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		var times []time.Duration
		for b.Loop() {
			start := time.Now()
			_, _ = f.Write(make([]byte, 512))
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(start))
		}
		quantiles(b, times)
	})
}

func quantiles(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkManySubscribers opens a node with a thousand subscribers and waits until each has handled an event.
func BenchmarkManySubscribers(b *testing.B) {
	const subs = 1000
	for b.Loop() {
		goruntime.GC()
		before := resident(b)
		start := time.Now()
		r, stop := node(b, subscribers(subs, `topics = ["bench.*"]`))
		b.ReportMetric(time.Since(start).Seconds()*1000, "ms-to-start")
		ev := events(1)
		ev[0].Data = []byte("add n 1")
		if _, err := r.Publish(ctx, ev, log.Accepted); err != nil {
			b.Fatal(err)
		}
		await(b, r, subs)
		b.ReportMetric(time.Since(start).Seconds()*1000, "ms-to-all-handled")
		goruntime.GC()
		b.ReportMetric(float64(resident(b)-before)/subs/1024, "KiB/subscriber")
		stop()
	}
}

// BenchmarkSwapGap swaps the module, ten times, under 50,000 events a second, and reports the longest
// time between two that were handled, by the log's own clock: what a swap adds to what
// there is without one.
func BenchmarkSwapGap(b *testing.B) {
	for _, swaps := range []int{0, 10} {
		name := "swaps=10"
		if swaps == 0 {
			name = "kind=baseline-no-swap"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				swapGap(b, swaps)
			}
		})
	}
}

func swapGap(b *testing.B, swaps int) {
	dir := b.TempDir()
	path := filepath.Join(dir, "avxrt.toml")
	write := func(generation int) {
		text := subscribers(1, fmt.Sprintf("topics = [\"bench.*\"]\nemits = [\"out.*\"]\nconfig = { g = \"%d\" }", generation))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	write(0)
	r, stop := serve(b, runtime.Options{Manifest: path, Modules: fstest.MapFS{"guest.wasm": {Data: readFile(b, probePath)}}})
	const each, portions = 50, 1000 // 50 events a millisecond for a second
	evs := events(each)
	for i := range evs {
		evs[i].Data = []byte("emit out.x 1")
	}
	tick := time.NewTicker(time.Millisecond)
	for portion := range portions {
		<-tick.C
		if _, err := r.Publish(ctx, evs, log.Accepted); err != nil {
			b.Fatal(err)
		}
		if swaps > 0 && portion%(portions/swaps) == portions/swaps/2 {
			write(portion)
			if err := r.Reload(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	tick.Stop()
	await(b, r, each*portions)
	reader := r.Store().NewReader(log.ReadOptions{From: 1, Match: func(topic string) bool { return topic == "out.x" }})
	defer reader.Close()
	count, last, longest := 0, int64(0), int64(0)
	for ev := (abi.Event{}); reader.Next(&ev); count++ {
		if last != 0 {
			longest = max(longest, ev.Appended-last)
		}
		last = ev.Appended
	}
	if count != each*portions {
		b.Fatalf("%d events were handled, want %d", count, each*portions)
	}
	b.ReportMetric(float64(longest)/1e6, "longest-gap-ms")
	stop()
}
