package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/audit"
	"github.com/avx-platform/avxrt/internal/shop"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// report prints what came out and returns how it differs from the generator's count.
func (d *demo) report(ctx context.Context, took time.Duration, duplicates int) ([]string, error) {
	got, err := shop.Collect(func(subscriber, prefix string) (map[string]int64, error) {
		return d.numbers(ctx, subscriber, prefix)
	})
	if err != nil {
		return nil, err
	}
	letters, err := d.letters(ctx, &got)
	if err != nil {
		return nil, err
	}
	chain, err := audit.Check(d.node.Store(), "audit", audit.Options{Match: func(topic string) bool { return topic[0] != '$' }})
	if err != nil {
		return nil, err
	}
	site, differ, err := d.site(ctx)
	if err != nil {
		return nil, err
	}
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	printTotals(w, got)
	printSite(w, site, chain)
	fmt.Fprintf(w, "\nDEAD LETTER\tSEQ\tREASON\tMESSAGE\n")
	for _, l := range letters {
		fmt.Fprintf(w, "  %s\t%d\t%s\t%s\n", l.Subscriber, l.Seq, l.Reason, printable(l.Message))
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	differ = append(differ, shop.Expect(d.events, demoRules).Diff(got)...)
	for _, f := range chain.Findings {
		differ = append(differ, "audit "+f.String())
	}
	verdict := "equal to the generator's own count"
	if len(differ) > 0 {
		verdict = "NOT what the generator counted"
	}
	fmt.Fprintf(d.out, "\n%d events (%d were there already) in %v; totals %s\nData: %s\n", len(d.events), duplicates, took.Round(time.Millisecond), verdict, d.data)
	if !d.flags.once {
		fmt.Fprintln(d.out, "Next, in another terminal: avxrt sub ls; avxrt tail --from 1; avxrt dlq ls; ^C here ends the node.")
	}
	return differ, nil
}

func printTotals(w io.Writer, got shop.Totals) {
	fmt.Fprintln(w, "\nanalytics (Rust)\tREVENUE")
	for _, country := range sortedKeys(got.Revenue) {
		fmt.Fprintf(w, "  %s\t%s\n", country, money(got.Revenue[country]))
	}
	fmt.Fprintln(w, "\t\n  DAY\tORDERS\tCANCELLED\tREVENUE")
	for _, day := range sortedKeys(got.RevenueDay) {
		fmt.Fprintf(w, "  %s\t%d\t%d\t%s\n", day, got.Orders[day], got.Cancelled[day], money(got.RevenueDay[day]))
	}
	fmt.Fprintf(w, "\ninventory (C)\t%d reserved\t%d rejected\t%d released\t%d low\n", got.Reserved, got.Rejected, got.Released, got.Low)
	fmt.Fprintf(w, "email (Go)\t%d composed\t%d without customer\teffects wait in the outbox: this version has no providers\n", got.Mails, got.NoCustomer)
}

// printSite prints what the subscribers keep that is equal to the shop's own count.
func printSite(w io.Writer, site shop.Site, chain audit.Report) {
	notification, logging, metrics := site["notification"], site["logging"], site["metrics"]
	fmt.Fprintf(w, "notification (AssemblyScript)\t%s low\t%s outages\t%s held back\n", number(notification[`metric/notifications_total{outcome="sent",rule="low"}`]),
		number(notification[`metric/notifications_total{outcome="sent",rule="outage"}`]), number(notification[`metric/notifications_total{outcome="held",rule="outage"}`]))
	fmt.Fprintf(w, "logging (C)\t%s info\t%s warn\t%s debug\t%s redactions\n", number(logging[`metric/lines_total{level="info"}`]),
		number(logging[`metric/lines_total{level="warn"}`]), number(logging[`metric/lines_total{level="debug"}`]), number(logging["metric/redactions_total"]))
	fmt.Fprintf(w, "metrics (Rust)\t%s requests\t%s orders\t%d series: see /metrics\n", number(metrics[`metric/events_total{topic="http.request.completed"}`]),
		number(metrics[`metric/events_total{topic="orders.created"}`]), len(metrics))
	fmt.Fprintf(w, "audit (Rust)\t%d links\t%d events as they were seen\t%d that are not\n", chain.Entries, chain.Whole, len(chain.Findings))
	fmt.Fprintln(w, "\t\n  EXPERIMENT\tVARIANT\tEXPOSED\tCONVERTED")
	for _, key := range sortedKeys(site["analytics"]) {
		if variant, ok := strings.CutPrefix(key, "exposures/"); ok {
			experiment, name, _ := strings.Cut(variant, "\t")
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", experiment, name, site["analytics"][key], number(site["analytics"]["conversions/"+variant]))
		}
	}
}

func number(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// site works out what must come of the events in the log, and how the state differs from it.
func (d *demo) site(ctx context.Context) (site shop.Site, differ []string, err error) {
	reader := d.node.Store().NewReader(log.ReadOptions{})
	defer reader.Close()
	var events []shop.Event
	var ev abi.Event
	for reader.Next(&ev) {
		ev := ev.Clone()
		events = append(events, shop.Event{Topic: ev.Topic, Key: ev.Key, Time: time.Unix(0, ev.Time), Data: ev.Data})
	}
	if err := reader.Err(); err != nil {
		return nil, nil, err
	}
	site = shop.ExpectSite(events)
	differ, err = site.Diff(func(subscriber, prefix string) (map[string]string, error) {
		entries, err := d.node.State(ctx, subscriber, prefix, "", 10_000_000)
		out := map[string]string{}
		for _, e := range entries {
			out[string(e.Key)] = string(e.Value)
		}
		return out, err
	})
	return site, differ, err
}

// numbers reads the numbers of a subscriber below a prefix.
func (d *demo) numbers(ctx context.Context, subscriber, prefix string) (map[string]int64, error) {
	entries, err := d.node.State(ctx, subscriber, prefix, "", 10_000_000)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for _, e := range entries {
		n, err := strconv.ParseInt(string(e.Value), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s keeps %q under %s, which is no number", subscriber, e.Value, e.Key)
		}
		out[strings.TrimPrefix(string(e.Key), prefix)] = n
	}
	return out, nil
}

// letters reads the dead letters and counts them into got.
func (d *demo) letters(ctx context.Context, got *shop.Totals) ([]runtime.DeadLetter, error) {
	var all []runtime.DeadLetter
	for _, s := range d.node.Subscribers() {
		letters, err := d.node.DeadLetters(ctx, s.Name, 0, 10_000)
		if err != nil {
			return nil, err
		}
		got.DeadLetters[s.Name] = int64(len(letters))
		all = append(all, letters...)
	}
	return all, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func money(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}
