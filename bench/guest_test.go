package bench_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// guestWork is what BenchmarkGuest measures: guest, exported function, rounds a call.
var guestWork = []struct {
	guest, function string
	rounds          uint64
}{
	{"c", "bytes", 1}, {"c", "parse", 100}, {"c", "sort", 2}, {"c", "text", 2}, {"c", "number", 100},
	{"rust", "parse", 30}, {"rust", "sort", 2}, {"rust", "text", 2},
	{"go", "parse", 10}, {"go", "sort", 1}, {"go", "text", 1},
}

// guestFile returns the module of a guest; the one in Go is too large to keep and is built.
func guestFile(b *testing.B, guest string) []byte {
	b.Helper()
	path := "guests/work-" + guest + ".wasm"
	if guest == "go" {
		path = filepath.Join(b.TempDir(), "work.wasm")
		build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", path, "./guests/go")
		build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	wasm, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return wasm
}

// guestFunctions instantiates a module and returns its functions by name.
func guestFunctions(b *testing.B, config wazero.RuntimeConfig, wasm []byte) api.Module {
	b.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config.WithDebugInfoEnabled(false))
	b.Cleanup(func() { r.Close(ctx) })
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		b.Fatal(err)
	}
	refill := api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) {
		g := m.ExportedGlobal(wasmbin.MeterCounter).(api.MutableGlobal)
		g.Set(g.Get() + 100_000<<wasmbin.FuelShift)
	})
	meter := r.NewHostModuleBuilder(wasmbin.MeterModule).NewFunctionBuilder().WithGoModuleFunction(refill, nil, nil).Export(wasmbin.MeterRefill)
	if _, err := meter.Instantiate(ctx); err != nil {
		b.Fatal(err)
	}
	m, err := r.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkGuest runs ordinary work in guests: as it is, metered, and under the engine's own
// time limit, alternately. It reports how many times longer the second and third take
// (medians of all turns).
func BenchmarkGuest(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, guest := range []string{"c", "rust", "go"} {
		wasm := guestFile(b, guest)
		metered, err := wasmbin.Rewrite(wasm)
		if err != nil {
			b.Fatal(err)
		}
		modules := []api.Module{
			guestFunctions(b, wazero.NewRuntimeConfig(), wasm),
			guestFunctions(b, wazero.NewRuntimeConfig(), metered.Wasm),
			guestFunctions(b, wazero.NewRuntimeConfig().WithCloseOnContextDone(true), wasm),
		}
		for _, w := range guestWork {
			if w.guest != guest {
				continue
			}
			b.Run("guest="+guest+"/work="+w.function, func(b *testing.B) {
				times := make([][]float64, len(modules))
				var want uint64
				for b.Loop() {
					for i, m := range modules {
						start := time.Now()
						got, err := m.ExportedFunction(w.function).Call(ctx, w.rounds)
						times[i] = append(times[i], float64(time.Since(start)))
						if err != nil || want != 0 && got[0] != want {
							b.Fatalf("variant %d: %v, %v, want %d", i, got, err, want)
						}
						want = got[0]
					}
				}
				for i := range times {
					slices.Sort(times[i])
				}
				median := func(i int) float64 { return times[i][len(times[i])/2] }
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(0)/1e3, "µs-plain")
				b.ReportMetric(median(1)/median(0), "x-metered")
				b.ReportMetric(median(2)/median(0), "x-switch")
			})
		}
	}
}
