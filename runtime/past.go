package runtime

import (
	"cmp"
	"slices"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// past is what a subscriber dealt with before its cursor was moved back: what it emits for
// that again must not be appended again. Above the mark nothing of this matters.
type past struct {
	log.Control
	any     []spanSet                  // of Unhandled, those of all keys
	byKey   map[string][]spanSet       // and those of one
	letters map[abi.Seq]log.LetterMore // its dead letters that may run again, dropped ones too: what becomes of their emits
	keptAt  abi.Seq                    // where the state version that is kept left off; 0: none is
}

// emission is what becomes of what an event emits. The zero value: it is appended.
type emission struct {
	dropped bool
	run     uint64 // its number is in the ids of the emits
}

// past reads what is needed to go on from p.
func (r *Runtime) past(name string, p position) (past, error) {
	control, err := r.store.Control(name)
	if err != nil {
		return past{}, err
	}
	h := past{Control: control}
	from := p.Next
	for i := range p.parked {
		from = min(from, p.parked[i].First)
	}
	if from >= h.Mark {
		return h, nil
	}
	versions, err := r.store.Versions(name)
	if err != nil {
		return h, err
	}
	h.letters, h.keptAt = map[abi.Seq]log.LetterMore{}, versions.KeptAt
	h.setSpans()
	note := func(seq abi.Seq, more log.LetterMore) bool {
		if seq < h.Mark {
			more.Tries = nil
			h.letters[seq] = more
		}
		return seq < h.Mark
	}
	err = r.store.DroppedLetters(name, max(from, 1)-1, note)
	if err == nil {
		err = r.store.DeadLetters(name, max(from, 1)-1, func(d log.DeadLetter) bool { return note(d.Seq, d.LetterMore) })
	}
	return h, err
}

func emissionOf(m *log.LetterMore) emission { return emission{dropped: m.Replayed, run: m.Run} }

// emission says what becomes of what ev emits.
func (h *past) emission(ev *abi.Event) emission {
	if ev.Seq >= h.Mark {
		return emission{}
	}
	if h.ReEmit {
		return emission{run: h.Run}
	}
	if m, ok := h.letters[ev.Seq]; ok {
		return emissionOf(&m)
	}
	return emission{dropped: !h.skipped(ev)}
}

// skipped says whether an event below the mark was never dealt with, and is no dead letter.
func (h *past) skipped(ev *abi.Event) bool {
	for _, sets := range [][]spanSet{h.any, h.byKey[ev.Key]} {
		for i := range sets {
			if sets[i].holds(ev) {
				return true
			}
		}
	}
	return false
}

// spanSet is spans that differ in their seqs alone, ordered, so that one look finds an event among
// the thousands that many resets leave.
type spanSet struct {
	like log.Span
	from []abi.Seq
	to   []abi.Seq // the highest To of the spans so far
}

func (s *spanSet) holds(ev *abi.Event) bool {
	i, _ := slices.BinarySearch(s.from, ev.Seq+1)
	if i--; i < 0 || s.to[i] <= ev.Seq {
		return false
	}
	one := s.like
	one.From, one.To = ev.Seq, ev.Seq+1
	return one.Holds(ev.Key, ev.Seq, partition)
}

// setSpans makes the sets of Unhandled.
func (h *past) setSpans() {
	h.byKey = map[string][]spanSet{}
	spans := slices.Clone(h.Unhandled)
	slices.SortFunc(spans, func(a, b log.Span) int { return cmp.Compare(a.From, b.From) })
	for _, span := range spans {
		sets := h.any
		if span.Key != "" {
			sets = h.byKey[span.Key]
		}
		i := slices.IndexFunc(sets, func(s spanSet) bool { return slices.Equal(s.like.Lanes, span.Lanes) })
		if i < 0 {
			i, sets = len(sets), append(sets, spanSet{like: span})
		}
		set := &sets[i]
		to := span.To
		if n := len(set.to); n > 0 {
			to = max(to, set.to[n-1])
		}
		set.from, set.to = append(set.from, span.From), append(set.to, to)
		if span.Key != "" {
			h.byKey[span.Key] = sets
		} else {
			h.any = sets
		}
	}
}

// newer says whether the state version that is kept has handled an event that the present one
// gave up.
func (h *past) newer(ev *abi.Event) bool {
	if m, ok := h.letters[ev.Seq]; ok {
		return m.Newer
	}
	return ev.Seq < min(h.Mark, h.keptAt) && !h.skipped(ev)
}

// prune takes out of a run's result the emits that are in the log already. They passed
// every check of the sandbox.
func (h *past) prune(result *sandbox.Result, causes []abi.Event) {
	if len(result.Emits) == 0 || causes[result.Emits[0].Cause].Seq >= h.Mark {
		return // the causes ascend
	}
	result.Emits = slices.DeleteFunc(result.Emits, func(e sandbox.Emit) bool { return h.emission(&causes[e.Cause]).dropped })
}

// settled returns the dead letters of events that were handled now, or that the guest
// skipped: the new outcome takes the place of the letter.
func (h *past) settled(handled []abi.Event, skipped abi.Seq) (seqs []abi.Seq) {
	if len(h.letters) == 0 {
		return nil
	}
	for i := range handled {
		if _, ok := h.letters[handled[i].Seq]; ok {
			seqs = append(seqs, handled[i].Seq)
		}
	}
	if _, ok := h.letters[skipped]; ok {
		seqs = append(seqs, skipped)
	}
	return seqs
}

// forget takes out letters that left the store.
func (h *past) forget(seqs []abi.Seq) {
	for _, seq := range seqs {
		delete(h.letters, seq)
	}
}

// letterMore says of an event that becomes a dead letter what its next handling must know.
func (s *subscription) letterMore(seq abi.Seq, result *sandbox.Result) log.LetterMore {
	var more log.LetterMore
	if result != nil {
		more.Fuel = fuelOfLast(result)
	}
	if seq >= s.past.Mark {
		return more
	}
	ev, err := s.r.store.Event(seq)
	if err != nil { // it can be said by the seq alone, but for the key
		ev = abi.Event{Seq: seq}
	}
	e := s.past.emission(&ev)
	more.Replayed, more.Run, more.Newer = e.dropped, e.run, s.past.newer(&ev)
	return more
}

// fuelOfLast returns what the event that ended a run burnt, 0 if that is not known.
func fuelOfLast(result *sandbox.Result) int64 {
	switch {
	case result.Trap != nil && result.Trap.Fuel > 0:
		return result.Trap.Fuel
	case result.Pulled == 1:
		return max(result.Fuel, 0)
	}
	return 0
}
