package bench_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// orders makes batches of events with 256 bytes of JSON that compresses as orders do, over
// a number of keys.
func orders(batches, size, keys int) [][]abi.Event {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([][]abi.Event, batches)
	for i := range out {
		out[i] = make([]abi.Event, size)
		for j := range out[i] {
			d := fmt.Appendf(make([]byte, 0, 256), `{"order":"%016x","customer":"%08x","total":%d,"sku":"SKU-%05d","note":"`,
				rng.Uint64(), rng.Uint32(), rng.IntN(100_000), rng.IntN(5000))
			for len(d) < 254 {
				d = append(d, "abcdefghijklmnopqrstuvwxyz     "[rng.IntN(31)])
			}
			d = append(d, '"', '}')
			out[i][j] = abi.Event{Topic: "bench.event", Key: fmt.Sprintf("key-%d", rng.IntN(keys)), Source: "/bench", Time: 1, Data: d}
		}
	}
	return out
}

func openLog(b *testing.B, opts log.Options) *log.Log {
	opts.VerifyEvery = -1
	l, err := log.Open(b.TempDir(), opts)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

func closeLog(b *testing.B, l *log.Log) {
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAppend appends batches of 256 and single events, each way, from as many
// publishers as it says.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		batch, keys, writers int
		d                    log.Durability
	}{
		{256, 10_000, 1, log.Accepted}, {256, 10_000, 4, log.Accepted}, {256, 10_000_000, 4, log.Accepted},
		{256, 10_000, 1, log.Durable}, {256, 10_000, 16, log.Durable},
		{1, 10_000, 1, log.Accepted}, {1, 10_000, 1, log.Durable}, {1, 10_000, 256, log.Durable},
	} {
		batches := orders(4096*8/max(c.batch, 8), c.batch, c.keys)
		name := fmt.Sprintf("batch=%d/keys=%d/writers=%d/%s", c.batch, c.keys, c.writers, c.d)
		b.Run(name+"/kind=log", func(b *testing.B) {
			l := openLog(b, log.Options{})
			b.ResetTimer()
			spread(b, c.writers, func(i int) error {
				_, err := l.Append(ctx, batches[i%len(batches)], c.d)
				return err
			})
			perSecond(b, c.batch)
			b.StopTimer()
			closeLog(b, l)
		})
		b.Run(name+"/kind=baseline-pebble", func(b *testing.B) {
			db := openPebble(b)
			defer db.Close()
			var mu sync.Mutex
			seq := uint64(0)
			b.ResetTimer()
			spread(b, c.writers, func(i int) error {
				mu.Lock()
				first := seq
				seq += uint64(c.batch)
				mu.Unlock()
				pebbleAppend(b, db, batches[i%len(batches)], first, c.d)
				return nil
			})
			perSecond(b, c.batch)
		})
	}
}

// spread runs b.N steps on so many goroutines.
func spread(b *testing.B, writers int, step func(i int) error) {
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < b.N; i += writers {
				if err := step(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkAppendLatency measures single appends one after the other.
func BenchmarkAppendLatency(b *testing.B) {
	batches := orders(4096, 1, 10_000)
	for _, d := range []log.Durability{log.Accepted, log.Durable} {
		b.Run(d.String(), func(b *testing.B) {
			l := openLog(b, log.Options{})
			took := make([]time.Duration, 0, b.N)
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				if _, err := l.Append(ctx, batches[i%len(batches)], d); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-us")
			closeLog(b, l)
		})
	}
}

// stored is how many events the reading benchmarks find.
const stored = 400_000

// fillLog appends stored events in batches from so many writers and opens the log again, so
// that nothing is in the tail.
func fillLog(b *testing.B, batch, writers int, topic func(i int) string) *log.Log {
	dir := b.TempDir()
	l, err := log.Open(dir, log.Options{VerifyEvery: -1, DedupeWindow: -1})
	if err != nil {
		b.Fatal(err)
	}
	batches := orders(1024, batch, 10_000)
	if topic != nil {
		for i := range batches {
			for j := range batches[i] {
				batches[i][j].Topic = topic(j)
			}
		}
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < stored/batch; i += writers {
				if _, err := l.Append(ctx, batches[i%len(batches)], log.Accepted); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	closeLog(b, l)
	if l, err = log.Open(dir, log.Options{VerifyEvery: -1, TailBytes: 1, DedupeWindow: -1}); err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkReplay reads a whole log, written in batches or one event at a time.
func BenchmarkReplay(b *testing.B) {
	for _, c := range []struct{ batch, writers int }{{500, 1}, {1, 1}, {1, 256}} {
		b.Run(fmt.Sprintf("batch=%d/writers=%d/kind=log", c.batch, c.writers), func(b *testing.B) {
			l := fillLog(b, c.batch, c.writers, nil)
			defer closeLog(b, l)
			b.ResetTimer()
			for b.Loop() {
				replay(b, l, nil, stored)
			}
			perSecond(b, stored)
		})
	}
	b.Run("first-event/kind=log", func(b *testing.B) {
		l := fillLog(b, 500, 1, nil)
		defer closeLog(b, l)
		b.ResetTimer()
		for b.Loop() {
			r := l.NewReader(log.ReadOptions{})
			var ev abi.Event
			if !r.Next(&ev) || r.Close() != nil {
				b.Fatal(r.Err())
			}
		}
	})
	b.Run("wanted=1%/kind=log", func(b *testing.B) {
		l := fillLog(b, 500, 1, func(i int) string { return fmt.Sprintf("topic.%d", i%100) })
		defer closeLog(b, l)
		b.ResetTimer()
		for b.Loop() {
			replay(b, l, func(topic string) bool { return topic == "topic.7" }, stored/100)
		}
		perSecond(b, stored)
	})
	b.Run("kind=baseline-pebble", func(b *testing.B) {
		db := openPebble(b)
		defer db.Close()
		for i, batches := 0, orders(1024, 500, 10_000); i < stored/500; i++ {
			pebbleAppend(b, db, batches[i%len(batches)], uint64(i*500), log.Accepted)
		}
		if err := db.Flush(); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for b.Loop() {
			pebbleReplay(b, db)
		}
		perSecond(b, stored)
	})
}

func replay(b *testing.B, l *log.Log, match func(string) bool, want int) {
	r := l.NewReader(log.ReadOptions{Match: match, Borrow: true})
	var ev abi.Event
	n := 0
	for r.Next(&ev) {
		n += len(ev.Data) >> 8
	}
	if n != want || r.Close() != nil {
		b.Fatalf("read %d of %d events: %v", n, want, r.Err())
	}
}

func pebbleReplay(b *testing.B, db *pebble.DB) {
	it, err := db.NewIter(nil)
	if err != nil {
		b.Fatal(err)
	}
	var ev abi.Event
	n := 0
	for it.First(); it.Valid(); it.Next() {
		if abi.DecodeFrame(it.Value(), &ev) == nil {
			n += len(ev.Data) >> 8
		}
	}
	if n != stored || it.Close() != nil {
		b.Fatalf("read %d events", n)
	}
}

// BenchmarkPointRead reads single events and whole streams.
func BenchmarkPointRead(b *testing.B) {
	b.Run("event/kind=log", func(b *testing.B) {
		l := fillLog(b, 500, 1, nil)
		defer closeLog(b, l)
		rng := rand.New(rand.NewPCG(1, 1))
		b.ResetTimer()
		for b.Loop() {
			if _, err := l.Event(abi.Seq(1 + rng.IntN(10_000))); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, apart := range []int{1, 400} {
		b.Run(fmt.Sprintf("stream=1000/apart=%d/kind=log", apart), func(b *testing.B) { benchStream(b, apart) })
	}
}

// benchStream reads a stream of 1,000 versions with so many events of others between two.
func benchStream(b *testing.B, apart int) {
	l := openLog(b, log.Options{TailBytes: 1})
	defer closeLog(b, l)
	others := orders(1, apart, 10_000)[0]
	mine := orders(1, 1, 1)[0]
	mine[0].Key = "mine"
	for range 1000 {
		if _, err := l.Append(ctx, append(slices.Clone(mine), others...), log.Accepted); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		r, err := l.ReadStream("mine", log.StreamOptions{})
		if err != nil {
			b.Fatal(err)
		}
		var ev abi.Event
		n := 0
		for r.Next(&ev) {
			n++
		}
		if n != 1000 || r.Close() != nil {
			b.Fatal(n, r.Err())
		}
	}
}

// BenchmarkCommit moves a cursor over 256 events with as many emits and 16 changed keys.
func BenchmarkCommit(b *testing.B) {
	for _, keys := range []int{1, 16} {
		b.Run(fmt.Sprintf("events=256/keys=%d/kind=log", keys), func(b *testing.B) {
			l := openLog(b, log.Options{})
			defer closeLog(b, l)
			cursor, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1})
			if err != nil {
				b.Fatal(err)
			}
			emits := orders(64, 16, 10_000)
			rng := rand.New(rand.NewPCG(1, 1))
			value := make([]byte, 64)
			for i := 0; b.Loop(); i++ {
				c := log.Commit{Subscriber: "s", StateVersion: 1, From: cursor.Next, To: cursor.Next + 256, Emits: emits[i%len(emits)]}
				for range keys {
					c.Writes = append(c.Writes, log.StateWrite{Key: fmt.Appendf(nil, "key-%d", rng.IntN(10_000)), Value: value})
				}
				if _, err := l.Commit(ctx, &c, log.Accepted); err != nil {
					b.Fatal(err)
				}
				cursor.Next = c.To
			}
			perSecond(b, 256)
		})
	}
}

// longRunBytes is what the long run writes.
const longRunBytes = 20 << 30

// BenchmarkLongRun appends until 20 GiB of events are written, and shows the rate, the
// bytes that the engine wrote per byte of events, and the disk's own limit, in ten pieces.
// It is part of make soak; here it runs once, and only where it is asked for.
func BenchmarkLongRun(b *testing.B) {
	if testing.Short() || os.Getenv("AVXRT_FAULTS") != "release" {
		b.Skip("part of make soak")
	}
	batches := orders(4096, 256, 10_000)
	dir := b.TempDir()
	disk := diskLimit(b, dir)
	l, err := log.Open(dir, log.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer closeLog(b, l)
	b.ResetTimer()
	var before log.Metrics
	start := time.Now()
	for piece := range 10 {
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := w; l.Metrics().ChunkBytes < uint64(piece+1)*longRunBytes/10; i++ {
					for j := range 64 {
						if _, err := l.Append(ctx, batches[(i*64+j)%len(batches)], log.Accepted); err != nil {
							b.Error(err)
							return
						}
					}
				}
			})
		}
		wg.Wait()
		m, took := l.Metrics(), time.Since(start).Seconds()
		events, bytes := float64(m.Appended-before.Appended), float64(m.ChunkBytes-before.ChunkBytes)
		fmt.Printf("piece %2d: %.2f M events/s, %.0f MB/s of events; flushed %.2f and rewritten %.2f bytes per byte; disk limit %.0f MB/s\n",
			piece+1, events/took/1e6, bytes/took/1e6, float64(m.FlushedBytes-before.FlushedBytes)/bytes,
			float64(m.CompactedBytes-before.CompactedBytes)/bytes, disk)
		before, start = m, time.Now()
	}
}

// diskLimit writes 1 GiB to the disk and returns MB/s.
func diskLimit(b *testing.B, dir string) float64 {
	f, err := os.Create(dir + "/limit")
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(f.Name())
	data := make([]byte, 1<<20)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(data)
	start := time.Now()
	for range 1024 {
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	_ = f.Close()
	return 1074 / took.Seconds()
}
