package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

const compileVerb = "compile-module"

// TestMain is also the child that compiles modules.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == compileVerb {
		limit, err := time.ParseDuration(os.Args[3])
		if err == nil {
			err = sandbox.CompileChild(os.Stdin, os.Args[2], limit)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func engineWithChild(b *testing.B, dir string) *sandbox.Engine {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	e, err := sandbox.NewEngine(ctx, sandbox.Options{CacheDir: dir, CompileCommand: []string{self, compileVerb}})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// BenchmarkGuestLoad loads the 2 MB module in Go: the first time by a child, then from the cache.
func BenchmarkGuestLoad(b *testing.B) {
	wasm := readFile(b, "../plugins/email.wasm")
	dir := b.TempDir()
	for b.Loop() {
		var times []time.Duration
		cache := filepath.Join(dir, fmt.Sprint(time.Now().UnixNano()))
		for range 4 {
			e := engineWithChild(b, cache)
			start := time.Now()
			m, err := e.Load(ctx, "email", wasm)
			if err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(start))
			start = time.Now()
			i, err := m.Instantiate(ctx, sandbox.Config{Subscriber: "b"}, noState{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(start).Microseconds()), "µs-instantiate")
			_ = i.Close(ctx)
			_ = e.Close(ctx)
		}
		b.ReportMetric(float64(times[0].Milliseconds()), "ms-first")
		b.ReportMetric(float64(min(times[1], times[2], times[3]).Milliseconds()), "ms-cached")
	}
}

// BenchmarkGuestStop is how long a guest lives that never ends, by its fuel.
func BenchmarkGuestStop(b *testing.B) {
	e, err := sandbox.NewEngine(ctx, sandbox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close(ctx)
	for _, g := range hostile.Guests() {
		if g.Name != "loop" && g.Name != "recurse-twice" && g.Name != "fill-storm" && g.Name != "misses" {
			continue
		}
		m, err := e.Load(ctx, g.Name, g.Wasm)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("guest="+g.Name, func(b *testing.B) {
			for b.Loop() {
				i, err := m.Instantiate(ctx, sandbox.Config{Limits: sandbox.Limits{Fuel: 1_000_000_000, Time: 100 * time.Millisecond}}, noState{})
				if err != nil {
					b.Fatal(err)
				}
				r := i.Run(ctx, sandbox.Batch{State: noState{}, Next: once()})
				if r.Trap == nil {
					b.Fatal("it came back")
				}
				b.ReportMetric(float64(r.Elapsed.Microseconds())/1000, "ms-until-stopped")
				_ = i.Close(ctx)
			}
		})
	}
}
