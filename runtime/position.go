package runtime

import (
	"errors"
	"fmt"
	"slices"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// position is where a subscriber stands in the store.
type position struct {
	log.Cursor
	parked  []log.Parked
	past    past
	version uint32 // of the state
}

// position returns where a lane of a subscriber stands, and which blocked keys are its.
func (r *Runtime) position(name string, lane, lanes int) (p position, err error) {
	if p.Cursor, err = r.store.Cursor(log.LaneCursor(name, lane)); err == nil {
		p.parked, err = r.store.Parked(name)
	}
	p.parked = slices.DeleteFunc(p.parked, func(row log.Parked) bool { return partition(row.Key, row.First, lanes) != lane })
	if err == nil {
		p.past, err = r.past(name, p)
	}
	if err == nil {
		var versions log.Versions
		versions, err = r.store.Versions(name)
		p.version = versions.Serving
	}
	return p, err
}

// start translates p for the machine.
func (p position) start(careful bool) delivery.Start {
	s := delivery.Start{Cursor: p.Next, Careful: careful}
	for _, row := range p.parked {
		s.Parked = append(s.Parked, delivery.Parked(row))
	}
	return s
}

// parkedRows translates what the machine wants kept.
func parkedRows(changes []delivery.ParkedChange) []log.ParkedChange {
	rows := make([]log.ParkedChange, len(changes))
	for i, c := range changes {
		rows[i] = log.ParkedChange{Parked: log.Parked(c.Parked), Gone: c.Gone}
	}
	return rows
}

// source gives events one after the other.
type source interface {
	Next(ev *abi.Event) bool
	Position() abi.Seq // the seq behind the last event that was given or passed over
	Err() error
}

// lineReader gives the events that wait because their key is blocked: those of its
// stream, in order, which the subscriber wants and the cursor has passed.
type lineReader struct {
	stream  *log.StreamReader // nil: only one event
	one     *abi.Event        // nil: none
	match   func(topic string) bool
	before  abi.Seq
	at      abi.Seq
	version abi.Version
	err     error
}

func (s *subscription) openLine(o delivery.Order) *lineReader {
	l := &lineReader{match: s.gen.match, before: o.Before, at: o.From, version: o.Version}
	if o.Key != "" {
		l.stream, l.err = s.r.store.ReadStream(o.Key, log.StreamOptions{From: max(o.Version, 1)})
	} else if ev, err := s.r.store.Event(o.From); err == nil {
		l.one = &ev
	} else {
		l.err = err
	}
	if errors.Is(l.err, log.ErrNotFound) { // it left the log
		l.err = nil
		if o.Key == "" {
			l.one = s.lostEvent(o.From)
			return l
		}
		s.r.opts.Logger.Warn("an event that waited for its next attempt has left the log", "subscriber", s.name, "key", o.Key, "seq", uint64(o.From))
	}
	return l
}

// Next is source's.
func (l *lineReader) Next(ev *abi.Event) bool {
	if l.one != nil {
		*ev, l.one = *l.one, nil
		l.at = l.before
		return ev.Kind == abi.KindControl || l.match(ev.Topic)
	}
	for l.err == nil && l.stream != nil && l.stream.Next(ev) {
		if ev.Seq >= l.before {
			break
		}
		l.at, l.version = ev.Seq+1, ev.Version+1
		if l.match(ev.Topic) {
			return true
		}
	}
	if l.err == nil && l.stream != nil {
		l.err = l.stream.Err()
	}
	if l.err == nil {
		l.at = l.before
	}
	return false
}

// Position is source's.
func (l *lineReader) Position() abi.Seq { return l.at }

// Err is source's.
func (l *lineReader) Err() error { return l.err }

func (l *lineReader) close() {
	if l.stream != nil {
		_ = l.stream.Close()
	}
}

// condemn commits the verdict on an event that ended the process too often.
func (s *subscription) condemn(v delivery.Verdict) bool {
	if _, err := s.commit(s.verdictCommit(v, nil)); err != nil {
		return s.refused(err)
	}
	s.account(delivery.Outcome{}, v, sandbox.Result{})
	return s.weigh(v, 0)
}

// mark writes down, durably, that an attempt of ev begins.
func (s *subscription) mark(ev *abi.Event) error {
	row := s.machine.Mark(ev.Key, ev.Seq, ev.Version)
	_, err := s.commitAs(&log.Commit{To: s.machine.Cursor(), Parked: parkedRows([]delivery.ParkedChange{row})}, log.Durable)
	if err != nil {
		return fmt.Errorf("mark event %d: %w", ev.Seq, err)
	}
	return nil
}

// passedOver counts what waits behind each blocked key of a lane that begins. It is a bound that
// is counted, and no promise: what cannot be read counts as nothing.
func (r *Runtime) passedOver(gen *generation, at position) []int {
	counts, left := make([]int, len(at.parked)), delivery.MaxPassed
	for i, p := range at.parked {
		if p.Key == "" || left <= 0 {
			continue
		}
		stream, err := r.store.ReadStream(p.Key, log.StreamOptions{From: max(p.Version, 1)})
		if err != nil {
			continue
		}
		var ev abi.Event
		for left > 0 && stream.Next(&ev) && ev.Seq < at.Next {
			if ev.Seq > p.First && gen.match(ev.Topic) {
				counts[i]++
				left--
			}
		}
		_ = stream.Close()
	}
	return counts
}
