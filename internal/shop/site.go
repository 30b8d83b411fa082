package shop

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Site is the whole state, key by key, that subscribers must end with: metrics, logging and
// notification, and of analytics what it keeps of requests.
type Site map[string]map[string]string

// SitePrefixes begin the keys of analytics that are part of a [Site].
var SitePrefixes = []string{
	"visits/", "visits_day/", "failed_visits/", "user/", "users/", "exposed/", "exposures/", "mixed/", "converted/", "conversions/",
}

// ExpectSite works out what comes of the events of a log, in its order, those that
// subscribers emitted among them, where the subscribers have the patterns and the config of
// the demo.
func ExpectSite(events []Event) Site {
	s := &site{analytics: map[string]string{}, metrics: map[string]string{}, logging: map[string]string{}, notification: map[string]string{}}
	for _, ev := range events {
		if strings.HasPrefix(ev.Topic, "$") {
			continue // ** does not match it
		}
		s.log(ev)
		q, good := readRequest(ev)
		s.notify(ev, q) // which reads the status alone
		if ev.Topic == TopicRequest && !good {
			continue
		}
		add(s.metrics, fmt.Sprintf("metric/events_total{topic=%q}", ev.Topic), 1)
		s.know("topic", ev.Topic)
		if good {
			s.know("route", q.Route)
			s.measure(q)
			s.visit(ev, q)
		}
	}
	return Site{"analytics": s.analytics, "metrics": s.metrics, "logging": s.logging, "notification": s.notification}
}

type site struct{ analytics, metrics, logging, notification map[string]string }

// add adds to a number that is kept as text.
func add(m map[string]string, key string, n int64) {
	before, _ := strconv.ParseInt(m[key], 10, 64)
	m[key] = strconv.FormatInt(before+n, 10)
}

// readRequest reads a request that the subscribers take.
func readRequest(ev Event) (q Request, good bool) {
	q.Status, q.DurationUS, q.Bytes = -1, -1, -1
	return q, ev.Topic == TopicRequest && json.Unmarshal(ev.Data, &q) == nil && q.Method != "" && q.Route != "" &&
		q.Status >= 100 && q.Status <= 599 && q.DurationUS >= 0 && q.Bytes >= 0
}

// log counts the lines of logging: problems of the shop are warnings, and customers and
// users are nobody's business, nor are the addresses and cards that people search for.
func (s *site) log(ev Event) {
	level := "info"
	switch {
	case ev.Topic == "inventory.low" || ev.Topic == "inventory.rejected":
		level = "warn"
	case ev.Topic == TopicRequest:
		level = "debug"
	}
	add(s.logging, fmt.Sprintf("metric/lines_total{level=%q}", level), 1)
	var data map[string]any
	if json.Unmarshal(ev.Data, &data) != nil {
		return
	}
	path, _ := data["path"].(string)
	_, customer := data["customer"] // null tells, too, that it is nobody
	_, user := data["user"]
	for _, secret := range []bool{
		customer, user, strings.Contains(path, "@"), strings.Contains(path, "4111"),
	} {
		if secret {
			add(s.logging, "metric/redactions_total", 1)
		}
	}
}

// know notes a name that metrics has a series of its own for.
func (s *site) know(space, name string) {
	if key := "known/" + space + "/" + name; s.metrics[key] == "" {
		s.metrics[key] = "1"
		add(s.metrics, "count/"+space, 1)
	}
}

// buckets of a histogram, in seconds as they are written and in microseconds.
var buckets = []struct {
	le     string
	micros int64
}{
	{"0.005", 5e3}, {"0.01", 10e3}, {"0.025", 25e3}, {"0.05", 50e3}, {"0.1", 100e3}, {"0.25", 250e3}, {"0.5", 500e3}, {"1", 1e6}, {"2.5", 2500e3},
	{"5", 5e6}, {"10", 10e6}, {"+Inf", 1 << 62},
}

func (s *site) measure(q Request) {
	class := strconv.FormatInt(q.Status/100, 10) + "xx"
	method := q.Method
	if method == "BREW" {
		method = "other"
	}
	add(s.metrics, fmt.Sprintf("metric/http_requests_total{route=%q,status=%q}", q.Route, class), 1)
	add(s.metrics, fmt.Sprintf("metric/http_requests_by_method_total{method=%q}", method), 1)
	add(s.metrics, fmt.Sprintf("metric/http_response_bytes_total{route=%q}", q.Route), q.Bytes)
	failed := int64(0)
	if q.Status >= 500 {
		failed = 1
	}
	errors, count := fmt.Sprintf("metric/http_errors_total{route=%q}", q.Route), fmt.Sprintf("metric/http_request_duration_seconds_count{route=%q}", q.Route)
	add(s.metrics, errors, failed)
	add(s.metrics, count, 1)
	for _, b := range buckets {
		within := int64(0)
		if q.DurationUS <= b.micros {
			within = 1
		}
		add(s.metrics, fmt.Sprintf("metric/http_request_duration_seconds_bucket{le=%q,route=%q}", b.le, q.Route), within)
	}
	key := fmt.Sprintf("metric/http_request_duration_seconds_sum{route=%q}", q.Route)
	micros, _ := strconv.ParseInt(strings.Replace(s.metrics[key], ".", "", 1), 10, 64)
	s.metrics[key] = millionths(micros + q.DurationUS)
	e, _ := strconv.ParseInt(s.metrics[errors], 10, 64)
	n, _ := strconv.ParseInt(s.metrics[count], 10, 64)
	s.metrics[fmt.Sprintf("metric/http_error_ratio{route=%q}", q.Route)] = millionths(e * 1_000_000 / n)
}

func millionths(n int64) string { return fmt.Sprintf("%d.%06d", n/1_000_000, n%1_000_000) }

func (s *site) visit(ev Event, q Request) {
	day := ev.Time.UTC().Format("2006-01-02")
	if q.Status >= 400 {
		add(s.analytics, "failed_visits/"+day, 1)
		return
	}
	add(s.analytics, "visits/"+q.Route, 1)
	add(s.analytics, "visits_day/"+day, 1)
	subject := ev.Key
	if q.User != "" {
		subject = q.User
		if s.analytics["user/"+day+"\t"+q.User] == "" {
			add(s.analytics, "users/"+day, 1)
		}
		add(s.analytics, "user/"+day+"\t"+q.User, 1)
	}
	if q.Experiment == "" {
		return
	}
	exposed, converted := "exposed/"+q.Experiment+"\t"+subject, "converted/"+q.Experiment+"\t"+subject
	switch s.analytics[exposed] {
	case "":
		s.analytics[exposed] = q.Variant
		add(s.analytics, "exposures/"+q.Experiment+"\t"+q.Variant, 1)
	case q.Variant:
	default:
		add(s.analytics, "mixed/"+q.Experiment, 1)
	}
	if q.Method+" "+q.Route == "POST /orders" && s.analytics[converted] == "" {
		s.analytics[converted] = "1"
		add(s.analytics, "conversions/"+q.Experiment+"\t"+s.analytics[exposed], 1)
	}
}

// notify tells of every SKU that runs low, and of failed requests three times a day.
func (s *site) notify(ev Event, q Request) {
	told := func(outcome, rule string) {
		add(s.notification, fmt.Sprintf("metric/notifications_total{outcome=%q,rule=%q}", outcome, rule), 1)
	}
	switch {
	case ev.Topic == "inventory.low":
		told("sent", "low")
	case q.Status >= 500:
		const window = "window/outage/ops"
		var start, sent, held int64
		_, _ = fmt.Sscan(s.notification[window], &start, &sent, &held) // none at first
		if at := ev.Time.UnixNano(); at >= start+24*int64(time.Hour) {
			start, sent, held = at, 0, 0
		}
		if sent < 3 {
			sent++
			told("sent", "outage")
		} else {
			held++
			told("held", "outage")
		}
		s.notification[window] = fmt.Sprintf("%d %d %d", start, sent, held)
	}
}

// StateReader gives the state that a subscriber keeps below a prefix, by whole keys.
type StateReader func(subscriber, prefix string) (map[string]string, error)

// Diff says what differs in the state of the node, one line each, at most a few dozen.
func (s Site) Diff(read StateReader) ([]string, error) {
	var out []string
	for _, subscriber := range slices.Sorted(maps.Keys(s)) {
		prefixes := []string{""}
		if subscriber == "analytics" {
			prefixes = SitePrefixes
		}
		got := map[string]string{}
		for _, prefix := range prefixes {
			part, err := read(subscriber, prefix)
			if err != nil {
				return nil, err
			}
			maps.Copy(got, part)
		}
		keys := slices.AppendSeq(slices.Collect(maps.Keys(s[subscriber])), maps.Keys(got))
		slices.Sort(keys)
		for _, k := range slices.Compact(keys) {
			if want := s[subscriber][k]; want != got[k] && len(out) < 40 {
				out = append(out, fmt.Sprintf("%s %s: got %q, want %q", subscriber, k, got[k], want))
			}
		}
	}
	return out, nil
}
