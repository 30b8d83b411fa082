package rehearsal

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// Report is what came of a rehearsal. Its JSON is part of the HTTP interface.
type Report struct {
	Subscriber string   `json:"subscriber"`
	Basis      string   `json:"basis"` // from which state both ran
	Events     int      `json:"events"`
	From       uint64   `json:"from,omitempty"` // seq of the first and the last event
	To         uint64   `json:"to,omitempty"`
	Cut        string   `json:"cut,omitempty"` // why it ended before the last event
	Old        Side     `json:"old"`
	New        Side     `json:"new"`
	Worse      Kind     `json:"worse"`  // the old one handled the event, the new one failed it, at the first attempt at least
	Better     Kind     `json:"better"` // the other way around
	Emits      Kind     `json:"emits"`  // both handled the event and emitted something else
	State      Kind     `json:"state"`  // keys that hold something else at the end
	Refused    bool     `json:"refused"`
	Reasons    []string `json:"reasons,omitempty"` // why it is refused
}

// Side is how one of the generations did.
type Side struct {
	Generation int     `json:"generation,omitempty"` // 0: it was never in service
	Module     string  `json:"module"`
	Digest     string  `json:"digest"`
	Handled    int     `json:"handled"`
	Fails      int     `json:"fails"`
	Traps      int     `json:"traps"`
	TimeOuts   int     `json:"time_outs"`
	Emits      int     `json:"emits"`
	Writes     int     `json:"writes"`
	FuelP50    int64   `json:"fuel_p50"` // of the events that both handled
	FuelP99    int64   `json:"fuel_p99"`
	OwnFuelP50 int64   `json:"own_fuel_p50,omitempty"` // of the events that it handled, if none was handled by both
	OwnFuelP99 int64   `json:"own_fuel_p99,omitempty"`
	TookP50    float64 `json:"took_p50_seconds"`
	TookP99    float64 `json:"took_p99_seconds"`
}

// Kind is the differences of one kind.
type Kind struct {
	Count int          `json:"count"`
	Shown []Difference `json:"shown,omitempty"` // the first MaxShown
}

// Difference is one event, or one key of the state, that came out otherwise.
type Difference struct {
	Seq   uint64   `json:"seq,omitempty"` // 0 for a key of the state
	Topic string   `json:"topic,omitempty"`
	Key   string   `json:"key,omitempty"`
	Kind  string   `json:"kind,omitempty"` // of the new one's trap: trap, fuel, depth, …
	Old   []string `json:"old"`            // lines; none: nothing
	New   []string `json:"new"`
}

func (k *Kind) add(d Difference) {
	if k.Count++; k.Count <= MaxShown {
		k.Shown = append(k.Shown, d)
	}
}

// measure fills in the percentiles.
func (s *Side) measure(t *tally) {
	s.FuelP50, s.FuelP99 = percentile(t.fuel, 50), percentile(t.fuel, 99)
	if len(t.fuel) == 0 {
		s.OwnFuelP50, s.OwnFuelP99 = percentile(t.own, 50), percentile(t.own, 99)
	}
	s.TookP50, s.TookP99 = percentile(t.took, 50).Seconds(), percentile(t.took, 99).Seconds()
}

// percentile returns the smallest value that p of 100 values do not pass, 0 of none.
func percentile[T int64 | time.Duration](values []T, p int) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)*p+99)/100-1]
}

// judge writes down why the new generation is refused.
func (r *Report) judge(overLimit int, same bool) {
	refuse := func(format string, args ...any) {
		r.Refused, r.Reasons = true, append(r.Reasons, fmt.Sprintf(format, args...))
	}
	if n := r.Worse.Count; n > 0 {
		first := r.Worse.Shown[0]
		refuse("it fails %s that the present one handles; the first at seq %d: %s", count(n, "event"), first.Seq, first.New[0])
	}
	if overLimit > 0 {
		refuse("it goes over its limits at %s where the present one does not", count(overLimit, "event"))
	}
	if old, new := r.Old.FuelP99, r.New.FuelP99; new > MaxFuelRatio*old {
		refuse("it burns %d fuel at the 99th percentile, the present one %d; at most %d times as much is allowed", new, old, MaxFuelRatio)
	}
	if same && r.Emits.Count > 0 {
		refuse("it emits something else at %s, and swap.require asks for the same", count(r.Emits.Count, "event"))
	}
	if same && r.State.Count > 0 {
		refuse("it leaves something else in %s of the state, and swap.require asks for the same", count(r.State.Count, "key"))
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// maxShownRunes bounds what is shown of a value.
const maxShownRunes = 160

// show makes a text of events and guests fit for a terminal and for JSON.
func show(s string) string {
	if !utf8.ValidString(s) {
		if len(s) > maxShownRunes/2 {
			return "0x" + hex.EncodeToString([]byte(s[:maxShownRunes/2])) + "…"
		}
		return "0x" + hex.EncodeToString([]byte(s))
	}
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n++; n > maxShownRunes {
			return b.String() + "…"
		}
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
			c = '·'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Write prints the report for a person to read.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "rehearsal of %s on %s", r.Subscriber, count(r.Events, "event"))
	if r.Events > 0 {
		fmt.Fprintf(&b, ", seq %d to %d", r.From, r.To)
	}
	fmt.Fprintf(&b, ", from %s\n", r.Basis)
	if r.Cut != "" {
		fmt.Fprintf(&b, "it was cut short: %s\n", r.Cut)
	}
	b.WriteByte('\n')
	r.table(&b)
	b.WriteString(r.Differences())
	b.WriteByte('\n')
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "refused: %s\n", reason)
	}
	switch {
	case r.Refused:
	case r.Events == 0:
		b.WriteString("accepted: there was no event to show anything\n")
	default:
		b.WriteString("accepted\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table sets the two generations side by side.
func (r *Report) table(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	row := func(name string, value func(*Side) string) {
		fmt.Fprintf(t, "%s\t%s\t%s\n", name, value(&r.Old), value(&r.New))
	}
	row("", func(s *Side) string {
		if s.Generation == 0 {
			return "new"
		}
		return fmt.Sprint("generation ", s.Generation)
	})
	row("digest", func(s *Side) string { return shortDigest(s.Digest) })
	row("handled", func(s *Side) string { return fmt.Sprint(s.Handled) })
	row("fails", func(s *Side) string { return fmt.Sprint(s.Fails) })
	row("traps", func(s *Side) string { return fmt.Sprint(s.Traps) })
	row("time-outs", func(s *Side) string { return fmt.Sprint(s.TimeOuts) })
	row("emits", func(s *Side) string { return fmt.Sprint(s.Emits) })
	row("writes", func(s *Side) string { return fmt.Sprint(s.Writes) })
	row("fuel p50 / p99", (*Side).fuel)
	row("time p50 / p99", func(s *Side) string { return seconds(s.TookP50) + " / " + seconds(s.TookP99) })
	_ = t.Flush() // a Builder takes everything
	if r.Old.OwnFuelP99 > 0 || r.New.OwnFuelP99 > 0 {
		b.WriteString("no event was handled by both, so fuel is of those that each handled\n")
	}
}

// fuel is of the events that both handled, else of its own ones.
func (s *Side) fuel() string {
	switch {
	case s.FuelP99 > 0:
		return fmt.Sprintf("%d / %d", s.FuelP50, s.FuelP99)
	case s.OwnFuelP99 > 0:
		return fmt.Sprintf("%d / %d", s.OwnFuelP50, s.OwnFuelP99)
	}
	return "-"
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Microsecond).String()
}

// shortDigest is as much of a digest as tells modules apart.
func shortDigest(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(len(digest), 12)]
}

func (k *Kind) write(b *strings.Builder, title string) {
	if k.Count == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s: %d\n", title, k.Count)
	for _, d := range k.Shown {
		b.WriteString(" ")
		if d.Seq != 0 {
			fmt.Fprintf(b, " seq %d %s", d.Seq, d.Topic)
		}
		if d.Key != "" {
			b.WriteString(" " + d.Key)
		}
		b.WriteByte('\n')
		for _, line := range d.Old {
			b.WriteString("    - " + line + "\n")
		}
		for _, line := range d.New {
			b.WriteString("    + " + line + "\n")
		}
	}
	if rest := k.Count - len(k.Shown); rest > 0 {
		fmt.Fprintf(b, "  and %d more\n", rest)
	}
}

// Differences returns what differs, for a person to read; "" if nothing does.
func (r *Report) Differences() string {
	var b strings.Builder
	r.Worse.write(&b, "events that only the new one fails")
	r.Better.write(&b, "events that only the old one fails")
	r.Emits.write(&b, "events for which something else is emitted")
	r.State.write(&b, "keys of the state that end otherwise")
	return b.String()
}
