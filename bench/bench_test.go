package bench_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/tetratelabs/wazero"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

var ctx = context.Background()

// events makes n events of 256 bytes of data over 1,000 keys.
func events(n int) []abi.Event {
	data := []byte(strings.Repeat("x", 256))
	out := make([]abi.Event, n)
	for i := range out {
		out[i] = abi.Event{Topic: "bench.event", Key: fmt.Sprintf("key-%d", i%1000), Source: "/bench", Time: 1, Data: data}
	}
	return out
}

// perSecond reports events a second.
func perSecond(b *testing.B, each int) {
	b.ReportMetric(float64(b.N)*float64(each)/b.Elapsed().Seconds(), "events/s")
}

func openPebble(b *testing.B) *pebble.DB {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{FormatMajorVersion: pebble.FormatNewest, MemTableSize: 32 << 20, Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }

// pebbleAppend writes one key an event, the plain way to keep a log in a key-value store.
func pebbleAppend(b *testing.B, db *pebble.DB, evs []abi.Event, seq uint64, d log.Durability) uint64 {
	batch := db.NewBatch()
	defer batch.Close()
	var key [8]byte
	var frame []byte
	for i := range evs {
		seq++
		binary.BigEndian.PutUint64(key[:], seq)
		frame = abi.AppendFrame(frame[:0], &evs[i])
		_ = batch.Set(key[:], frame, nil)
	}
	sync := pebble.NoSync
	if d == log.Durable {
		sync = pebble.Sync
	}
	if err := batch.Commit(sync); err != nil {
		b.Error(err)
	}
	return seq
}

func readFile(b *testing.B, path string) []byte {
	wasm, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return wasm
}

// noState is an empty committed state.
type noState struct{}

func (noState) Get([]byte) ([]byte, bool, error)                       { return nil, false, nil }
func (noState) Scan(_, _ []byte, _ func(key, value []byte) bool) error { return nil }

// BenchmarkDispatch gives batches of 256 events to a guest in C that has nothing to do.
func BenchmarkDispatch(b *testing.B) {
	const batch = 256
	b.Run("kind=sandbox", func(b *testing.B) {
		e, err := sandbox.NewEngine(ctx, sandbox.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer e.Close(ctx)
		m, err := e.Load(ctx, "probe", readFile(b, "../internal/sandbox/testdata/probe.wasm"))
		if err != nil {
			b.Fatal(err)
		}
		i, err := m.Instantiate(ctx, sandbox.Config{Subscriber: "b"}, noState{})
		if err != nil {
			b.Fatal(err)
		}
		defer i.Close(ctx)
		ev := abi.Event{Seq: 1, Topic: "bench.event", Key: "k", Time: 1, Headers: abi.Headers(nil), Data: nil, ContentType: strings.Repeat("c", 256)}
		for b.Loop() {
			left := batch
			r := i.Run(ctx, sandbox.Batch{State: noState{}, Next: func() *abi.Event {
				if left--; left < 0 {
					return nil
				}
				return &ev
			}})
			if r.Handled != batch {
				b.Fatal(r.Trap, r.Failure)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/event")
	})
	b.Run("kind=baseline-wazero-call", func(b *testing.B) {
		r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig())
		defer r.Close(ctx)
		// (module (func (export "f")))
		m, err := r.Instantiate(ctx, []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x05\x01\x01f\x00\x00\x0a\x04\x01\x02\x00\x0b"))
		if err != nil {
			b.Fatal(err)
		}
		f := m.ExportedFunction("f")
		for b.Loop() {
			for range batch {
				if err := f.CallWithStack(ctx, nil); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/event")
	})
}

const lineManifest = `
[plugins]
watch = false
[[subscriber]]
name   = "counter"
module = "guest.wasm"
topics = ["bench.*"]
emits  = ["out.*"]
`

// BenchmarkLine publishes batches of 256 and waits until the guest has handled all of
// them: publish, route, Wasm, exactly-once commit of a counter.
func BenchmarkLine(b *testing.B) {
	const batch = 256
	evs := events(batch)
	for i := range evs {
		evs[i].Data = []byte("add n 1")
	}
	for _, d := range []log.Durability{log.Accepted, log.Durable} {
		b.Run(fmt.Sprintf("%s/kind=avxrt", d), func(b *testing.B) {
			r, err := runtime.Open(runtime.Options{ManifestText: []byte(lineManifest), Dir: b.TempDir(),
				Modules: fstest.MapFS{"guest.wasm": {Data: readFile(b, "../internal/sandbox/testdata/probe.wasm")}}})
			if err != nil {
				b.Fatal(err)
			}
			run, stop := context.WithCancel(ctx)
			done := make(chan error, 1)
			go func() { done <- r.Run(run) }()
			for b.Loop() {
				if _, err := r.Publish(ctx, evs, d); err != nil {
					b.Fatal(err)
				}
			}
			for handled := uint64(0); handled < uint64(b.N)*batch; {
				s, err := r.Subscriber("counter")
				if err != nil || s.State != runtime.StateRunning {
					b.Fatal(s, err)
				}
				handled = s.Handled
			}
			perSecond(b, batch)
			b.StopTimer()
			stop()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
	b.Run("kind=baseline-channel", func(b *testing.B) {
		ch, done := make(chan abi.Event, 1024), make(chan map[string]int)
		go func() {
			counts := map[string]int{}
			for ev := range ch {
				counts[ev.Key]++
			}
			done <- counts
		}()
		for b.Loop() {
			for i := range evs {
				ch <- evs[i]
			}
		}
		close(ch)
		<-done
		perSecond(b, batch)
	})
}
