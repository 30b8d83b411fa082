package shop

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// TopicRequest is what the shop's web site says of each request that it answered.
const TopicRequest = "http.request.completed"

// Request is the data of such an event.
type Request struct {
	Method     string `json:"method"`
	Route      string `json:"route"`
	Path       string `json:"path"`
	Status     int64  `json:"status"`
	DurationUS int64  `json:"duration_us"`
	Bytes      int64  `json:"bytes"`
	User       string `json:"user,omitempty"`
	RequestID  string `json:"request_id"`
	Experiment string `json:"experiment,omitempty"`
	Variant    string `json:"variant,omitempty"`
}

// routes of the shop; those that come more often stand more often.
var routes = []struct{ method, route, path string }{
	{"GET", "/", "/"}, {"GET", "/", "/"}, {"GET", "/products/{sku}", "/products/21000A"}, {"GET", "/products/{sku}", "/products/21007B"},
	{"GET", "/products/{sku}", "/products/ÜBER \"1\""}, {"GET", "/search", "/search?q=lantern"}, {"GET", "/search", "/search?q=ann@example.org"},
	{"GET", "/search", "/search?q=4111 1111 1111 1111"}, {"POST", "/cart", "/cart"}, {"POST", "/orders", "/orders"}, {"POST", "/orders", "/orders"},
	{"BREW", `/pot "tea"`, "/pot"},
}

// withRequests mixes requests into the events of the same week, in order of time.
func withRequests(events []Event, opts Options) []Event {
	rng := rand.New(rand.NewPCG(opts.Seed, 0x2eb))
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	step := 7 * 24 * time.Hour / time.Duration(max(opts.Requests, 1))
	for i := range opts.Requests {
		at = at.Add(step)
		data := marshal(newRequest(rng, i))
		ev := Event{
			Topic: TopicRequest, Key: fmt.Sprintf("192.0.2.%d", rng.IntN(100)), ID: fmt.Sprintf("request-event-%06d", i), Source: source, Time: at, Data: data,
		}
		switch {
		case opts.Poison && i == opts.Requests/3:
			ev.Data, ev.Poison = data[:len(data)/2], "a cut request"
		case opts.Poison && i == opts.Requests*2/3:
			ev.Data = []byte(strings.Replace(string(data), `"status":`, `"status":99`, 1))
			ev.Poison = "a status that there is not"
		}
		events = append(events, ev)
	}
	slices.SortStableFunc(events, func(a, b Event) int { return a.Time.Compare(b.Time) })
	return events
}

func newRequest(rng *rand.Rand, i int) Request {
	r := routes[rng.IntN(len(routes))]
	q := Request{Method: r.method, Route: r.route, Path: r.path, Status: 200, RequestID: fmt.Sprintf("r%d", i), Bytes: int64(rng.IntN(50_000))}
	q.DurationUS = 1000 + int64(rng.ExpFloat64()*60_000)
	switch rng.IntN(20) {
	case 0:
		q.Status = 404
	case 1:
		q.Status, q.DurationUS = 503, 12_000_000
	case 2:
		q.Status = 302
	case 3:
		q.DurationUS = 250_000 // on the border of a bucket
	}
	user := rng.IntN(60)
	if user < 40 {
		q.User = fmt.Sprintf("u%02d", user)
	}
	if rng.IntN(2) == 0 {
		q.Experiment, q.Variant = "checkout", []string{"blue", "green"}[(user+rng.IntN(50)/49)%2] // one in fifty sees the other one
	} else if rng.IntN(4) == 0 {
		q.Experiment, q.Variant = "banner", "none"
	}
	return q
}
