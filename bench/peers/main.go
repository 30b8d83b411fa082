// Command peers measures avxrt and rivals alternately in one process on the same data and
// prints one line per case: the median of the pairs. This version has one area, log,
// against raw Pebble with one key per event, its batches as large as ours.
//
//	go run . -area log [-quick]
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

func main() {
	area := flag.String("area", "log", "what to measure: log")
	quick := flag.Bool("quick", false, "fewer events")
	flag.Parse()
	if *area != "log" {
		fmt.Fprintf(os.Stderr, "area %q has no rivals yet; use log\n", *area)
		os.Exit(2)
	}
	n := 400_000
	if *quick {
		n = 100_000
	}
	for _, c := range cases(n) {
		if err := c.measure(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

const (
	pairs = 5
	batch = 256
)

// comparison is one case: both sides return how many events they handled.
type comparison struct {
	name, rival  string
	ours, theirs func(dir string) (events int, took time.Duration, err error)
}

func cases(n int) []comparison {
	return []comparison{
		{"log/append-accepted", "pebble", appendOurs(n, log.Accepted), appendTheirs(n, pebble.NoSync)},
		{"log/append-durable-batch", "pebble", appendOurs(n/4, log.Durable), appendTheirs(n/4, pebble.Sync)},
		{"log/replay", "pebble", replayOurs(n), replayTheirs(n)},
	}
}

// measure runs the sides in turn and prints the medians; the ratio is ours/theirs, since
// both are rates.
func (c comparison) measure() error {
	var ours, theirs, ratios []float64
	for range pairs {
		a, err := rate(c.ours)
		if err != nil {
			return fmt.Errorf("%s, ours: %w", c.name, err)
		}
		b, err := rate(c.theirs)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", c.name, c.rival, err)
		}
		ours, theirs, ratios = append(ours, a), append(theirs, b), append(ratios, a/b)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	slices.Sort(ratios)
	fmt.Printf("peer %s rival=%s ours=%.0f/s theirs=%.0f/s ratio=%.2f spread=%.2f..%.2f\n",
		c.name, c.rival, ours[pairs/2], theirs[pairs/2], ratios[pairs/2], ratios[0], ratios[pairs-1])
	return nil
}

func rate(side func(dir string) (int, time.Duration, error)) (float64, error) {
	dir, err := os.MkdirTemp("", "avxrt-peers-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	n, took, err := side(dir)
	return float64(n) / took.Seconds(), err
}

func events() []abi.Event {
	data := []byte(strings.Repeat("x", 256))
	out := make([]abi.Event, batch)
	for i := range out {
		out[i] = abi.Event{Topic: "bench.event", Key: fmt.Sprintf("key-%d", i%1000), Source: "/bench", Time: 1, Data: data}
	}
	return out
}

func fillOurs(dir string, n int, d log.Durability) (*log.Log, time.Duration, error) {
	l, err := log.Open(dir, log.Options{TailBytes: 1})
	if err != nil {
		return nil, 0, err
	}
	evs, start := events(), time.Now()
	for done := 0; done < n; done += batch {
		if _, err := l.Append(context.Background(), evs, d); err != nil {
			return nil, 0, err
		}
	}
	return l, time.Since(start), l.Sync(context.Background())
}

func appendOurs(n int, d log.Durability) func(string) (int, time.Duration, error) {
	return func(dir string) (int, time.Duration, error) {
		l, took, err := fillOurs(dir, n, d)
		if err != nil {
			return 0, 1, err
		}
		return n, took, l.Close()
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...); os.Exit(1) }

func fillTheirs(dir string, n int, o *pebble.WriteOptions) (*pebble.DB, time.Duration, error) {
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, MemTableSize: 32 << 20, Logger: quiet{}})
	if err != nil {
		return nil, 0, err
	}
	evs, start, seq := events(), time.Now(), uint64(0)
	var key [8]byte
	var frame []byte
	for done := 0; done < n; done += batch {
		b := db.NewBatch()
		for i := range evs {
			seq++
			binary.BigEndian.PutUint64(key[:], seq)
			frame = abi.AppendFrame(frame[:0], &evs[i])
			if err := b.Set(key[:], frame, nil); err != nil {
				return nil, 0, err
			}
		}
		if err := errors.Join(b.Commit(o), b.Close()); err != nil {
			return nil, 0, err
		}
	}
	return db, time.Since(start), nil
}

func appendTheirs(n int, o *pebble.WriteOptions) func(string) (int, time.Duration, error) {
	return func(dir string) (int, time.Duration, error) {
		db, took, err := fillTheirs(dir, n, o)
		if err != nil {
			return 0, 1, err
		}
		return n, took, db.Close()
	}
}

func replayOurs(n int) func(string) (int, time.Duration, error) {
	return func(dir string) (int, time.Duration, error) {
		l, _, err := fillOurs(dir, n, log.Accepted)
		if err != nil {
			return 0, 1, err
		}
		start, read := time.Now(), 0
		r := l.NewReader(log.ReadOptions{})
		var ev abi.Event
		for r.Next(&ev) {
			read += len(ev.Data) >> 8
		}
		took := time.Since(start)
		if read < n {
			return 0, 1, fmt.Errorf("read %d of %d events", read, n)
		}
		return read, took, errors.Join(r.Err(), r.Close(), l.Close())
	}
}

func replayTheirs(n int) func(string) (int, time.Duration, error) {
	return func(dir string) (int, time.Duration, error) {
		db, _, err := fillTheirs(dir, n, pebble.NoSync)
		if err != nil {
			return 0, 1, err
		}
		start, read := time.Now(), 0
		it, err := db.NewIter(nil)
		if err != nil {
			return 0, 1, err
		}
		var ev abi.Event
		for it.First(); it.Valid(); it.Next() {
			if abi.DecodeFrame(it.Value(), &ev) == nil {
				read += len(ev.Data) >> 8
			}
		}
		took := time.Since(start)
		if read < n {
			return 0, 1, fmt.Errorf("read %d of %d events", read, n)
		}
		return read, took, errors.Join(it.Close(), db.Close())
	}
}
