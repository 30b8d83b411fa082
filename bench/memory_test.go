package bench_test

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// once gives one empty event.
func once() func() *abi.Event {
	given := false
	return func() *abi.Event {
		if given {
			return nil
		}
		given = true
		return &abi.Event{Seq: 1, Topic: "bench.event", Key: "k", Time: 1}
	}
}

// resident is what this process has in memory, in bytes.
func resident(b *testing.B) int64 {
	debug.FreeOSMemory() // garbage that waits to be given back is nobody's
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// BenchmarkGuestMemory is what one more instance takes, before and after its first event.
func BenchmarkGuestMemory(b *testing.B) {
	for guest, path := range map[string]string{"c": "../plugins/inventory.wasm", "rust": "../plugins/analytics.wasm", "go": "../plugins/email.wasm"} {
		b.Run("guest="+guest, func(b *testing.B) {
			e, err := sandbox.NewEngine(ctx, sandbox.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close(ctx)
			m, err := e.Load(ctx, guest, readFile(b, path))
			if err != nil {
				b.Fatal(err)
			}
			const count = 50
			for b.Loop() {
				var instances []*sandbox.Instance
				before := resident(b)
				for range count {
					i, err := m.Instantiate(ctx, sandbox.Config{Subscriber: "b"}, noState{})
					if err != nil {
						b.Fatal(err)
					}
					instances = append(instances, i)
				}
				idle := resident(b)
				for _, i := range instances {
					i.Run(ctx, sandbox.Batch{State: noState{}, Next: once()})
				}
				busy := resident(b)
				for _, i := range instances {
					_ = i.Close(ctx)
				}
				b.ReportMetric(float64(idle-before)/count/1024, "KiB-idle")
				b.ReportMetric(float64(busy-before)/count/1024, "KiB-busy")
				b.ReportMetric(float64(resident(b)-before)/count/1024, "KiB-left")
			}
		})
	}
}
