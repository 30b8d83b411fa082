package bench_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/shop"
)

// realOrders lies beside the project where there is one; without it the shop's own are used.
const realOrders = "../../shared/data/orders.jsonl"

// orderEvents are orders to total, by their source.
func orderEvents(b *testing.B) map[string][]abi.Event {
	b.Helper()
	made := []abi.Event{}
	for _, ev := range shop.Generate(shop.Options{Seed: 7, Orders: 500}) {
		made = append(made, abi.Event{Topic: "bench.total", Key: ev.Key, Data: ev.Data})
	}
	out := map[string][]abi.Event{"shop": made}
	file, err := os.Open(realOrders)
	if err != nil {
		return out
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Subject string
			Data    json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			b.Fatal(err)
		}
		out["real"] = append(out["real"], abi.Event{Topic: "bench.total", Key: event.Subject, Data: bytes.Clone(event.Data)})
	}
	return out
}

// counted are the same as events to count by key.
func counted() []abi.Event {
	out := events(500)
	for i := range out {
		out[i].Topic = "bench.count"
	}
	return out
}

// native does the work of the guests with encoding/json and a map.
func native(evs []abi.Event) map[string]int64 {
	sums := map[string]int64{}
	for i := range evs {
		if evs[i].Topic == "bench.count" {
			sums["count/"+evs[i].Key]++
			continue
		}
		var o struct {
			Country string `json:"country"`
			Lines   []struct {
				Qty   int64 `json:"qty"`
				Cents int64 `json:"cents"`
			} `json:"lines"`
		}
		if err := json.Unmarshal(evs[i].Data, &o); err != nil {
			panic(err)
		}
		for _, l := range o.Lines {
			sums["total/"+o.Country] += l.Qty * l.Cents
		}
	}
	return sums
}

// languages are the guests: a built module, or the tags of the one in Go.
var languages = []struct{ name, file, tags string }{
	{"c", "guests/lang-c.wasm", ""}, {"rust", "guests/lang-rust.wasm", ""}, {"assemblyscript", "guests/lang-as.wasm", ""},
	{"go", "", "sdk"}, {"go-encoding-json", "", "stdjson"},
}

func languageGuest(b *testing.B, file, tags string) []byte {
	b.Helper()
	if file == "" {
		file = filepath.Join(b.TempDir(), "lang.wasm")
		build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags", tags, "-o", file, "./guests/langgo")
		build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	return readFile(b, file)
}

// handleAll runs events as one batch, and returns what the state holds then, the fuel and the time.
func handleAll(b *testing.B, i *sandbox.Instance, evs []abi.Event) (state mapState, fuel int64, took time.Duration) {
	state = mapState{}
	start := time.Now()
	at := 0
	r := i.Run(ctx, sandbox.Batch{State: state, Next: func() *abi.Event {
		if at == len(evs) {
			return nil
		}
		at++
		evs[at-1].Seq = abi.Seq(at)
		return &evs[at-1]
	}})
	if r.Failure != nil || r.Trap != nil {
		b.Fatal(r.Failure, r.Trap)
	}
	for _, w := range r.Writes {
		state[string(w.Key)] = w.Value
	}
	return state, r.Fuel, time.Since(start)
}

type mapState map[string][]byte

func (s mapState) Get(key []byte) ([]byte, bool, error) {
	v, ok := s[string(key)]
	return v, ok, nil
}

func (mapState) Scan(_, _ []byte, _ func(key, value []byte) bool) error { return nil }

// BenchmarkLanguage runs the same two handlers in every language, each turn beside the same
// work in native Go with encoding/json and a map. x-native is how many times longer a guest
// takes, its crossings and its state included. The machine serves others, so the work is cut into
// batches that are shorter than what a scheduler gives at once, and the best time of each counts.
func BenchmarkLanguage(b *testing.B) {
	work := orderEvents(b)
	work["count"] = counted()
	for _, lang := range languages {
		wasm := languageGuest(b, lang.file, lang.tags)
		e, err := sandbox.NewEngine(ctx, sandbox.Options{})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		m, err := e.Load(ctx, lang.name, wasm)
		if err != nil {
			b.Fatal(err)
		}
		load := time.Since(start)
		for _, name := range []string{"count", "shop", "real"} {
			if work[name] == nil {
				continue
			}
			b.Run("guest="+lang.name+"/work="+name, func(b *testing.B) {
				compareLanguage(b, m, work[name])
				b.ReportMetric(float64(len(wasm))/1024, "KiB-module")
				b.ReportMetric(float64(load.Microseconds())/1e3, "ms-load")
			})
		}
		_ = e.Close(ctx)
	}
}

func compareLanguage(b *testing.B, m *sandbox.Module, evs []abi.Event) {
	i, err := m.Instantiate(ctx, sandbox.Config{Subscriber: "b"}, noState{})
	if err != nil {
		b.Fatal(err)
	}
	defer i.Close(ctx)
	var bestOf [2][]time.Duration // by batch: native, guest
	var best [2]time.Duration     // of all batches
	var fuel int64
	for turn := 0; b.Loop(); turn++ {
		fuel = 0
		for k, batch := range slices.Collect(slices.Chunk(evs, 25)) {
			start := time.Now()
			want := native(batch)
			keepBest(&bestOf[0], k, time.Since(start))
			state, burnt, took := handleAll(b, i, batch)
			keepBest(&bestOf[1], k, took)
			fuel += burnt
			if got := state.numbers(); turn == 0 && !maps.Equal(got, want) {
				b.Fatalf("got %v, want %v", got, want)
			}
		}
	}
	for k := range bestOf {
		for _, d := range bestOf[k] {
			best[k] += d
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(best[1])/float64(best[0]), "x-native")
	b.ReportMetric(float64(len(evs))/best[1].Seconds(), "events/s")
	b.ReportMetric(float64(fuel)/float64(len(evs)), "fuel/event")
	b.ReportMetric(instanceKiB(b, m, evs[:1]), "KiB-instance")
}

func keepBest(best *[]time.Duration, k int, took time.Duration) {
	if k == len(*best) {
		*best = append(*best, took)
	}
	(*best)[k] = min((*best)[k], took)
}

// instanceKiB is what one more instance takes of this process's memory once it has handled an event.
func instanceKiB(b *testing.B, m *sandbox.Module, evs []abi.Event) float64 {
	const count = 20
	before := resident(b)
	for range count {
		i, err := m.Instantiate(ctx, sandbox.Config{Subscriber: "b"}, noState{})
		if err != nil {
			b.Fatal(err)
		}
		defer i.Close(ctx)
		handleAll(b, i, evs)
	}
	return float64(resident(b)-before) / count / 1024
}

func (s mapState) numbers() map[string]int64 {
	out := map[string]int64{}
	for k, v := range s {
		var n int64
		fmt.Sscan(string(v), &n)
		out[k] = n
	}
	return out
}
