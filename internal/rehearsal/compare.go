package rehearsal

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"
)

// MaxFuelRatio is how much more fuel the new generation may burn.
const MaxFuelRatio = 2

// MaxShown is how many differences of a kind a report keeps.
const MaxShown = 10

// Event is what a report says of an event.
type Event struct {
	Seq        uint64
	Topic, Key string
}

// Outcome is what one generation made of one event, after its last attempt.
type Outcome struct {
	End       End
	Message   string // why, unless it was handled
	Kind      string // of a trap, as package sandbox calls it
	Code      int    // of a failure
	Stumbled  string // the first attempt that failed though a later one did not, but for time-outs; "" if none
	OverLimit bool   // it trapped because it used up its fuel, time or depth
	Fuel      int64
	Took      time.Duration
	Emits     []Emit  // none unless it was handled
	Writes    []Write // none unless it was handled
}

// End is how an event ended.
type End string

// The ends.
const (
	Handled  End = "handled"
	Failed   End = "fail"
	Trapped  End = "trap"
	TimedOut End = "time-out"
)

// Emit is an event that was emitted. What the host fills in does not matter here.
type Emit struct {
	Topic, Key, ContentType string
	Version                 uint64
	Time                    int64
	Headers                 string // printable
	Data                    []byte
}

// Write sets or deletes a key of the state.
type Write struct {
	Key, Value []byte
	Delete     bool
}

// Rules say when the new generation is refused, besides what always refuses it.
type Rules struct {
	Same bool // emits and state must be the same

	// Base returns what a key of the state held before the first event. Nil: nothing.
	Base func(key string) (value []byte, ok bool)
}

// Comparison collects what two generations made of the same events.
type Comparison struct {
	rules    Rules
	report   Report
	old, new tally
	limits   int // events at which the new one alone went over a limit
}

// tally is what is collected of one generation.
type tally struct {
	fuel  []int64 // of the events that both handled
	own   []int64 // of those that this one handled
	took  []time.Duration
	state map[string]Write // the last write of each key
}

// New returns an empty comparison.
func New(rules Rules) *Comparison {
	return &Comparison{rules: rules, old: tally{state: map[string]Write{}}, new: tally{state: map[string]Write{}}}
}

// Worse returns how many events the new generation alone failed.
func (c *Comparison) Worse() int { return c.report.Worse.Count }

// Add takes what both made of the next event.
func (c *Comparison) Add(ev Event, old, new Outcome) {
	r := &c.report
	if r.Events == 0 {
		r.From = ev.Seq
	}
	r.Events++
	r.To = ev.Seq
	c.old.add(&r.Old, old, old.End == Handled && new.End == Handled)
	c.new.add(&r.New, new, old.End == Handled && new.End == Handled)
	if new.OverLimit && !old.OverLimit {
		c.limits++
	}
	difference := Difference{Seq: ev.Seq, Topic: show(ev.Topic), Key: show(ev.Key), Old: []string{old.line()}, New: []string{new.line()}, Kind: new.Kind}
	switch {
	case old.clean() && !new.clean():
		r.Worse.add(difference)
	case !old.clean() && new.clean():
		r.Better.add(difference)
	case old.End == Handled && new.End == Handled && !slices.EqualFunc(old.Emits, new.Emits, Emit.equal):
		difference.Old, difference.New = emitLines(old.Emits), emitLines(new.Emits)
		r.Emits.add(difference)
	}
}

func (t *tally) add(s *Side, o Outcome, both bool) {
	switch o.End {
	case Handled:
		s.Handled++
	case Failed:
		s.Fails++
	case Trapped:
		s.Traps++
	case TimedOut:
		s.TimeOuts++
	}
	s.Emits += len(o.Emits)
	s.Writes += len(o.Writes)
	t.took = append(t.took, o.Took)
	if both {
		t.fuel = append(t.fuel, o.Fuel)
	}
	if o.End == Handled {
		t.own = append(t.own, o.Fuel)
	}
	for _, w := range o.Writes {
		t.state[string(w.Key)] = w
	}
}

// clean says that no attempt failed.
func (o *Outcome) clean() bool { return o.End == Handled && o.Stumbled == "" }

func (o *Outcome) line() string {
	switch {
	case o.Stumbled != "" && o.End == Handled:
		return "handled, after " + show(o.Stumbled)
	case o.End == Handled:
		return "handled"
	case o.End == Failed:
		return fmt.Sprintf("fail %d: %s", o.Code, show(o.Message))
	}
	return string(o.End) + ": " + show(o.Message)
}

func (e Emit) equal(o Emit) bool {
	return e.Topic == o.Topic && e.Key == o.Key && e.ContentType == o.ContentType && e.Version == o.Version && e.Time == o.Time &&
		e.Headers == o.Headers && bytes.Equal(e.Data, o.Data)
}

// line shows the parts of an emit that are there.
func (e Emit) line() string {
	s := show(e.Topic)
	for _, part := range []string{e.Key, e.ContentType, e.Headers, string(e.Data)} {
		if part != "" {
			s += " " + show(part)
		}
	}
	if e.Version != 0 {
		s += fmt.Sprintf(" expecting version %d", e.Version)
	}
	if e.Time != 0 {
		s += fmt.Sprintf(" at %d", e.Time)
	}
	return s
}

func emitLines(emits []Emit) []string {
	lines := make([]string, 0, min(len(emits), MaxShown+1))
	for i, e := range emits {
		if i == MaxShown {
			return append(lines, fmt.Sprintf("and %d more", len(emits)-MaxShown))
		}
		lines = append(lines, e.line())
	}
	return lines
}

// Report returns the verdict on what was added.
func (c *Comparison) Report() Report {
	r := c.report
	r.Old.measure(&c.old)
	r.New.measure(&c.new)
	c.compareState(&r)
	r.judge(c.limits, c.rules.Same)
	return r
}

// compareState finds the keys that end otherwise.
func (c *Comparison) compareState(r *Report) {
	keys := maps.Clone(c.old.state)
	maps.Copy(keys, c.new.state)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		old, oldOK := c.final(&c.old, key)
		new, newOK := c.final(&c.new, key)
		if oldOK == newOK && bytes.Equal(old, new) {
			continue
		}
		r.State.add(Difference{Key: show(key), Old: value(old, oldOK), New: value(new, newOK)})
	}
}

// final is what a key holds after all events.
func (c *Comparison) final(t *tally, key string) ([]byte, bool) {
	if w, ok := t.state[key]; ok {
		return w.Value, !w.Delete
	}
	if c.rules.Base == nil {
		return nil, false
	}
	return c.rules.Base(key)
}

func value(v []byte, ok bool) []string {
	if !ok {
		return []string{}
	}
	return []string{show(string(v))}
}
