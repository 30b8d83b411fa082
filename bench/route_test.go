package bench_test

import (
	"fmt"
	"math/rand/v2"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/router"
)

// The workloads W1 to W18 of the routing benchmark. Topics are made before the clock runs,
// shuffled with a fixed seed, and every result is consumed. "cached" is the router as it
// comes; "uncached" is without its cache, so that what the cache hides can be seen.

// fill subscribes the patterns, each with its index.
func fill(b *testing.B, opts router.Options, patterns []string) *router.Router[int] {
	b.Helper()
	r := router.NewWith[int](opts)
	for i, p := range parse(b, patterns) {
		if _, err := r.Subscribe(i, p); err != nil {
			b.Fatal(err)
		}
	}
	return r
}

func parse(b *testing.B, texts []string) []router.Pattern {
	b.Helper()
	out := make([]router.Pattern, len(texts))
	for i, text := range texts {
		var err error
		if out[i], err = router.ParsePattern(text); err != nil {
			b.Fatal(err)
		}
	}
	return out
}

var uncached = router.Options{Cache: -1}

// sink keeps the compiler from dropping what is measured.
var sink int

// match measures the match of one topic after the other.
func match(b *testing.B, r *router.Router[int], topics []string) {
	b.Helper()
	b.ReportAllocs()
	i, found := 0, 0
	for b.Loop() {
		for m := range r.Match(topics[i], "") {
			sink += m.Subscription.Value
			found++
		}
		if i++; i == len(topics) {
			i = 0
		}
	}
	b.ReportMetric(float64(found)/float64(b.N), "found/op")
}

// batch measures the same in batches of 256, per topic.
func batch(b *testing.B, r *router.Router[int], topics []string) {
	b.Helper()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r.MatchBatch(topics[i:i+256], nil, func(_ int, m router.Match[int]) bool {
			sink += m.Subscription.Value
			return true
		})
		if i += 256; i+256 > len(topics) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/256, "ns/topic")
}

// both runs the workload with the cache and without.
func both(b *testing.B, name string, patterns, topics []string) {
	b.Helper()
	b.Run(name+"/kind=cached", func(b *testing.B) { match(b, fill(b, router.Options{}, patterns), topics) })
	b.Run(name+"/kind=uncached", func(b *testing.B) { match(b, fill(b, uncached, patterns), topics) })
}

// draw returns n topics that of gives for numbers below limit, uniform or by Zipf's law.
func draw(n, limit int, zipf bool, of func(i int) string) []string {
	rng := rand.New(rand.NewPCG(7, 8))
	same := map[string]string{} // the same topic is the same memory: a miss of the cache is the router's
	law := rand.NewZipf(rng, 1.1, 1, uint64(limit-1))
	perm := rng.Perm(limit)
	out := make([]string, n)
	for i := range out {
		if zipf {
			out[i] = of(perm[law.Uint64()])
		} else {
			out[i] = of(rng.IntN(limit))
		}
		if have, ok := same[out[i]]; ok {
			out[i] = have
		}
		same[out[i]] = out[i]
	}
	return out
}

func texts(n int, of func(i int) string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = of(i)
	}
	return out
}

const million = 1_000_000

func order(i int) string { return fmt.Sprintf("orders.%d.%d.created", i%1000, i) }

// natsFixture is the one of nats-server's own benchmark: all paths of up to five of eight
// words, and three wildcards.
func natsFixture() (literals, all []string) {
	words := []string{"synadia", "nats", "jetstream", "nkeys", "jwt", "deny", "auth", "drain"}
	level := words
	for range 5 {
		literals = append(literals, level...)
		var next []string
		for _, p := range level {
			for _, w := range words {
				next = append(next, p+"."+w)
			}
		}
		level = next
	}
	return literals, append(slices.Clone(literals), "cloud.*.**", "cloud.nats.component.*.**", "cloud.*.*.nkeys.*")
}

// mixed is 70 % literals, 20 % one * in four shapes, 9 % with ** at the end, 1 % with a leading *.
func mixed(n int) (patterns []string, topic func(i int) string) {
	topic = func(i int) string {
		return fmt.Sprintf("area%d.thing%d.part%d.changed", i%100, i, i%7)
	}
	return texts(n, func(i int) string {
		switch k := i % 100; {
		case k < 70:
			return topic(i)
		case k < 75:
			return fmt.Sprintf("area%d.thing%d.part%d.*", i%100, i, i%7)
		case k < 80:
			return fmt.Sprintf("area%d.thing%d.*.changed", i%100, i)
		case k < 85:
			return fmt.Sprintf("area%d.*.part%d.thing%d", i%100, i%7, i)
		case k < 90:
			return fmt.Sprintf("area%d.thing%d.*", i%100, i)
		case k < 99:
			return fmt.Sprintf("area%d.thing%d.**", i%100, i)
		}
		return fmt.Sprintf("*.thing%d.part%d.changed", i, i%7)
	}), topic
}

// BenchmarkRoute is the routing benchmark.
func BenchmarkRoute(b *testing.B) {
	b.Run("w00/kind=baseline-map", func(b *testing.B) {
		plain, topics := map[string]int{}, draw(1024, 1024, false, order)
		for i, t := range topics {
			plain[t] = i
		}
		for i := 0; b.Loop(); i++ {
			sink += plain[topics[i%1024]]
		}
	})
	routeMatches(b)
	routeWide(b)
	b.Run("w11/churn", routeChurn)
	b.Run("w12/same-filter", routeSameFilter)
	b.Run("w13/wide-level", routeWideLevel)
	b.Run("w14/adv-star", routeStars)
	b.Run("w15/adv-hash", routeHashes)
	b.Run("w16/memory", routeMemory)
	b.Run("w17/bus", routeBus)
	b.Run("w18/tylertreat", routeTylertreat)
}

// routeMatches is W1 to W6.
func routeMatches(b *testing.B) {
	literals, all := natsFixture()
	hot := []string{"synadia.nats.jetstream.nkeys"}
	both(b, "w01/natsfix", all, hot)
	b.Run("w01/natsfix/kind=handle", func(b *testing.B) {
		t := fill(b, router.Options{}, all).Topic(hot[0])
		b.ReportAllocs()
		for b.Loop() {
			for m := range t.Match("") {
				sink += m.Subscription.Value
			}
		}
	})
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(literals), func(i, j int) { literals[i], literals[j] = literals[j], literals[i] })
	both(b, "w02/natsfix-all", all, literals)

	b.Run("w03/literal-1m", func(b *testing.B) {
		r, r0 := fill(b, router.Options{}, texts(million, order)), fill(b, uncached, texts(million, order))
		for _, law := range []string{"uniform", "zipf"} {
			topics := draw(65536, million, law == "zipf", order)
			b.Run(law+"/kind=cached", func(b *testing.B) { match(b, r, topics) })
			b.Run(law+"/kind=uncached", func(b *testing.B) { match(b, r0, topics) })
			b.Run(law+"/kind=batch", func(b *testing.B) { batch(b, r, topics) })
		}
	})
	b.Run("w04/wild-1m", func(b *testing.B) {
		r := fill(b, router.Options{}, texts(million, func(i int) string { return fmt.Sprintf("device.%d.*", i) }))
		for _, law := range []string{"uniform", "zipf"} {
			topics := draw(65536, million, law == "zipf", func(i int) string { return fmt.Sprintf("device.%d.temp", i) })
			b.Run(law+"/kind=cached", func(b *testing.B) { match(b, r, topics) })
			b.Run(law+"/kind=batch", func(b *testing.B) { batch(b, r, topics) })
		}
	})
	b.Run("w05/mixed-1m", func(b *testing.B) {
		patterns, topic := mixed(million)
		r := fill(b, router.Options{}, patterns)
		for _, law := range []string{"uniform", "zipf"} {
			topics := draw(65536, million, law == "zipf", topic)
			b.Run(law+"/kind=cached", func(b *testing.B) { match(b, r, topics) })
			b.Run(law+"/kind=batch", func(b *testing.B) { batch(b, r, topics) })
		}
	})
	seed := []string{"users.*", "users.**", "orders.**", "**", "*.created", "inventory.*.low", "audit.**"}
	both(b, "w06/seed", seed, draw(4096, 200, true, func(i int) string {
		return fmt.Sprintf("%s.%s", []string{"users", "orders", "inventory.x", "audit", "other"}[i%5], []string{"created", "low", "changed"}[i%3])
	}))
}

// routeWide is W7 to W10.
func routeWide(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("w07/fanout/subs=%d", n), func(b *testing.B) {
			match(b, fill(b, router.Options{}, texts(n, func(int) string { return "users.*" })), []string{"users.created"})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
		})
	}
	b.Run("w08/overlap", func(b *testing.B) {
		var patterns []string
		for i := range 10 {
			parts := strings.Split("a.b.c.d.e.f.g.h.i.j", ".")
			patterns = append(patterns, strings.Join(append(slices.Clone(parts[:i]), "**"), "."))
			parts[i] = "*"
			patterns = append(patterns, strings.Join(parts, "."))
		}
		r := router.New[int]()
		if _, err := r.Subscribe(1, parse(b, patterns)...); err != nil {
			b.Fatal(err)
		}
		match(b, r, []string{"a.b.c.d.e.f.g.h.i.j"})
	})
	patterns, topic := mixed(100_000)
	both(b, "w09/miss", patterns, draw(65536, 100_000, false, func(i int) string { return topic(i) + "x" }))
	both(b, "w10/unique-100k", patterns, texts(million, func(i int) string { return fmt.Sprintf("foo.bar.baz.%d", i) }))
	both(b, "w10/unique-100k-found", patterns, texts(100_000, topic))
}

// routeChurn is W11: one goroutine inserts and removes at a rate, one matches.
func routeChurn(b *testing.B) {
	for _, rate := range []int{1000, 10_000, 0} {
		name := fmt.Sprintf("rate=%d", rate)
		if rate == 0 {
			name = "rate=max"
		}
		b.Run(name, func(b *testing.B) {
			patterns, topic := mixed(10_000)
			r := fill(b, router.Options{}, patterns)
			topics := draw(65536, 10_000, true, topic)
			var stop atomic.Bool
			var changes atomic.Int64
			var wg sync.WaitGroup
			wg.Go(func() { churn(b, r, rate, &stop, &changes) })
			times := make([]time.Duration, 0, 1<<20)
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				for m := range r.Match(topics[i%len(topics)], "") {
					sink += m.Subscription.Value
				}
				if len(times) < cap(times) {
					times = append(times, time.Since(start))
				}
			}
			stop.Store(true)
			wg.Wait()
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2]), "p50-ns")
			b.ReportMetric(float64(times[len(times)*99/100]), "p99-ns")
			b.ReportMetric(float64(changes.Load())/b.Elapsed().Seconds(), "changes/s")
		})
	}
}

func churn(b *testing.B, r *router.Router[int], rate int, stop *atomic.Bool, changes *atomic.Int64) {
	patterns := parse(b, texts(1000, func(i int) string { return fmt.Sprintf("area%d.new%d.*", i%100, i) }))
	begin := time.Now()
	for i := 0; !stop.Load(); i++ {
		s, err := r.Subscribe(i, patterns[i%1000])
		if err != nil {
			b.Error(err)
			return
		}
		s.Unsubscribe()
		changes.Add(2)
		for rate > 0 && !stop.Load() && float64(i)/time.Since(begin).Seconds() > float64(rate) {
			goruntime.Gosched()
		}
	}
}

// routeSameFilter is W12: many subscribers of one pattern come and go.
func routeSameFilter(b *testing.B) {
	p := parse(b, []string{"users.*"})[0]
	for _, n := range []int{1000, 20_000, 100_000, million} {
		b.Run(fmt.Sprintf("subs=%d", n), func(b *testing.B) { comeAndGo(b, n, func(int) router.Pattern { return p }) })
	}
}

// routeWideLevel is W13: many patterns below one level, and in an order that hurts tries.
func routeWideLevel(b *testing.B) {
	for _, n := range []int{1000, 100_000, million} {
		wide := parse(b, texts(n, func(i int) string { return fmt.Sprintf("a.%d", i) }))
		b.Run(fmt.Sprintf("subs=%d", n), func(b *testing.B) { comeAndGo(b, n, func(i int) router.Pattern { return wide[i] }) })
	}
	loops := parse(b, texts(million, func(i int) string { return fmt.Sprintf("a%d.d%d.c%d.b%d", i%100, i/10000, i/1000%10, i/100%10) }))
	b.Run("order=adcb", func(b *testing.B) { comeAndGo(b, million, func(i int) router.Pattern { return loops[i] }) })
}

// comeAndGo reports the mean price of one subscribe and one unsubscribe.
func comeAndGo(b *testing.B, n int, pattern func(i int) router.Pattern) {
	subs := make([]*router.Subscription[int], n)
	order := rand.New(rand.NewPCG(3, 4)).Perm(n)
	var in, out time.Duration
	for b.Loop() {
		r := router.New[int]()
		start := time.Now()
		for i := range subs {
			var err error
			if subs[i], err = r.Subscribe(i, pattern(i)); err != nil {
				b.Fatal(err)
			}
		}
		in += time.Since(start)
		start = time.Now()
		for _, i := range order {
			subs[i].Unsubscribe()
		}
		out += time.Since(start)
	}
	b.ReportMetric(float64(in)/float64(b.N)/float64(n), "ns/subscribe")
	b.ReportMetric(float64(out)/float64(b.N)/float64(n), "ns/unsubscribe")
}

// accepted subscribes what the router takes.
func accepted(b *testing.B, patterns []string) *router.Router[int] {
	r := router.NewWith[int](uncached)
	for i, p := range parse(b, patterns) {
		_, _ = r.Subscribe(i, p)
	}
	return r
}

// routeStars is W14: all patterns over {a, *}, as many as the router takes.
func routeStars(b *testing.B) {
	for _, n := range []int{8, 12, 16} {
		all := texts(1<<n, func(i int) string {
			parts := strings.Split(strings.TrimSuffix(strings.Repeat("a.", n), "."), ".")
			for j := range parts {
				if i>>j&1 == 1 {
					parts[j] = "*"
				}
			}
			return strings.Join(parts, ".")
		})
		topic := strings.TrimSuffix(strings.Repeat("a.", n), ".")
		b.Run(fmt.Sprintf("len=%d/all-match", n), func(b *testing.B) { match(b, accepted(b, all), []string{topic}) })
		near := texts(len(all), func(i int) string { return all[i][:strings.LastIndexByte(all[i], '.')] + ".z" })
		b.Run(fmt.Sprintf("len=%d/near-miss", n), func(b *testing.B) {
			match(b, accepted(b, near), []string{topic[:len(topic)-1] + "b"})
		})
	}
}

// routeHashes is W15: 1,000 patterns with two ** against a topic of one repeated segment.
func routeHashes(b *testing.B) {
	topic := strings.Repeat("a.", 15) + "a"
	b.Run("two", func(b *testing.B) {
		match(b, accepted(b, texts(1000, func(i int) string { return fmt.Sprintf("**.x%d.**", i) })), []string{topic})
	})
	var shapes []string
	for i := range 13 {
		for j := range 13 - i {
			shapes = append(shapes, strings.Repeat("a.", i)+"**."+strings.Repeat("a.", j+1)+"**.b")
		}
	}
	b.Run("two-all-shapes", func(b *testing.B) { match(b, accepted(b, shapes), []string{topic[:len(topic)-1] + "b"}) })
}

// routeMemory is W16: bytes a subscription at a million.
func routeMemory(b *testing.B) {
	for name, of := range map[string]func(i int) string{
		"w03": order, "w04": func(i int) string { return fmt.Sprintf("device.%d.*", i) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				r := fill(b, router.Options{}, texts(million, of))
				b.ReportMetric(float64(heap()-before)/million, "B/sub")
				start := time.Now()
				goruntime.GC()
				b.ReportMetric(float64(time.Since(start).Microseconds()), "gc-µs")
				goruntime.KeepAlive(r)
			}
		})
	}
}

func heap() uint64 {
	goruntime.GC()
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapAlloc
}

// routeTylertreat is W18: the method of the fast-topic-matching repository: 1,000 patterns of
// three levels of ten words, a tenth of them wildcards, reads and writes mixed.
func routeTylertreat(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	word := func(wild bool) string {
		if wild && rng.IntN(10) == 0 {
			return "*"
		}
		return fmt.Sprint(rng.IntN(10))
	}
	patterns := parse(b, texts(1000, func(int) string { return word(true) + "." + word(true) + "." + word(true) }))
	topics := texts(1000, func(int) string { return word(false) + "." + word(false) + "." + word(false) })
	for _, writes := range []int{50, 10} {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("writes=%d/goroutines=%d", writes, workers), func(b *testing.B) {
				r := router.New[int]()
				for i, p := range patterns {
					_, _ = r.Subscribe(i, p)
				}
				b.ReportAllocs()
				var next atomic.Int64
				b.SetParallelism(1)
				var wg sync.WaitGroup
				for range workers {
					wg.Go(func() {
						sum := 0
						for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
							if i%100 < writes {
								s, _ := r.Subscribe(i, patterns[i%1000])
								s.Unsubscribe()
								continue
							}
							for m := range r.Match(topics[i%1000], "") {
								sum += m.Subscription.Value
							}
						}
						next.Add(int64(sum & 0))
					})
				}
				wg.Wait()
			})
		}
	}
}
