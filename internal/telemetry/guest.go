package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/avx-platform/avxrt/runtime"
)

// maxGuestSeries is how many series of one subscriber are shown: more would make it the
// scraper's burden what a guest, or who feeds it, invents.
const maxGuestSeries = 1000

// scrapeWait bounds the wait for the disk at a scrape.
const scrapeWait = 2 * time.Second

// guestCollector shows what subscribers keep under metric/ in their state. It describes
// nothing beforehand, for nobody knows what they will keep, so the registry leaves the
// checks to it: one series that the registry refused would cost the whole scrape.
type guestCollector struct{ r *runtime.Runtime }

var (
	guestSeries = prometheus.NewDesc("avxrt_subscriber_guest_series", "Series that the subscriber shows by its state keys metric/….", []string{"subscriber"}, nil)
	guestDrops  = prometheus.NewDesc("avxrt_subscriber_guest_series_dropped",
		"State keys metric/… that are not shown: malformed, a second of the same series, or over 1,000; of more than 10,000 the rest is not counted.", []string{"subscriber"}, nil)
)

// Describe sends nothing: the collector is an unchecked one.
func (c *guestCollector) Describe(chan<- *prometheus.Desc) {}

// guestTally is what came of one subscriber.
type guestTally struct {
	seen    map[string]bool // series, in one spelling
	dropped int
}

// Collect reads the state of all subscribers. Where the store cannot say what is on disk,
// nothing of guests is shown.
func (c *guestCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	tallies := map[string]*guestTally{}
	tally := func(subscriber string) *guestTally {
		t := tallies[subscriber]
		if t == nil {
			t = &guestTally{seen: map[string]bool{}}
			tallies[subscriber] = t
		}
		return t
	}
	err := c.r.GuestMetrics(ctx, func(subscriber string, key, value []byte) {
		t := tally(subscriber)
		m, ok := t.metric(subscriber, string(key), value)
		if !ok {
			t.dropped++
			return
		}
		ch <- m
	}, func(subscriber string) { tally(subscriber).dropped++ })
	if err != nil {
		return
	}
	for subscriber, t := range tallies {
		ch <- prometheus.MustNewConstMetric(guestSeries, gauge, float64(len(t.seen)), subscriber)
		ch <- prometheus.MustNewConstMetric(guestDrops, gauge, float64(t.dropped), subscriber)
	}
}

// metric makes one series of a state key and its value. All are untyped: what a guest calls
// its number says nothing of how it changes.
func (t *guestTally) metric(subscriber, key string, value []byte) (prometheus.Metric, bool) {
	if len(t.seen) >= maxGuestSeries {
		return nil, false
	}
	s, ok := parseSeries(key)
	if !ok {
		return nil, false
	}
	number, ok := parseDecimal(string(value))
	spelling := s.String()
	if !ok || t.seen[spelling] {
		return nil, false
	}
	names, values := make([]string, 1, 1+len(s.labels)), make([]string, 1, 1+len(s.labels))
	names[0], values[0] = "subscriber", subscriber
	for _, l := range s.labels {
		names, values = append(names, l.name), append(values, l.value)
	}
	desc := prometheus.NewDesc("avxrt_guest_"+s.name, "What the state of a subscriber says under metric/"+s.name+".", names, nil)
	m, err := prometheus.NewConstMetric(desc, prometheus.UntypedValue, number, values...)
	if err != nil {
		return nil, false
	}
	t.seen[spelling] = true
	return m, true
}
