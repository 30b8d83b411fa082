package log

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Control is what was decided about a subscriber by hand and must outlive a restart. The
// zero value is that of a subscriber about which nothing was.
type Control struct {
	// Mark is the highest cursor that the subscriber had before or after a reset, or when it
	// was dropped: what lies below was dealt with before, but for Unhandled.
	Mark   abi.Seq
	Began  abi.Seq // where the last reset put the cursor
	Run    uint64  // how often what was dealt with before was let emit again
	ReEmit bool    // that is so now: what is emitted for events below Mark counts, under Run

	// Unhandled are events below Mark that waited behind a blocked key when the cursor was
	// moved, or that it was moved over: they never brought anything forth, so what they emit counts.
	Unhandled []Span

	Paused bool
	Reason string    // of the pause, in the operator's words
	Since  time.Time // of the last decision
}

// Span is a range of the events of one key, or of all if Key is "".
type Span struct {
	Key      string
	From, To abi.Seq  // To is behind the last one
	Lanes    []LaneOf // only those of all these lanes; none: of all. There are several where the number of lanes was changed
	Waits    bool     // only as long as the key is blocked, which runs them: the cursor began above
}

// LaneOf is one of so many lanes.
type LaneOf struct{ Lane, Lanes int }

// LaneFunc tells which of n lanes an event is of.
type LaneFunc func(key string, seq abi.Seq, n int) int

// Holds says whether the event with this key and seq is one of the span.
func (s Span) Holds(key string, seq abi.Seq, lane LaneFunc) bool {
	return s.From <= seq && seq < s.To && (s.Key == "" || s.Key == key) && s.inLanes(key, seq, lane)
}

func (s Span) inLanes(key string, seq abi.Seq, lane LaneFunc) bool {
	for _, l := range s.Lanes {
		if lane(key, seq, l.Lanes) != l.Lane {
			return false
		}
	}
	return true
}

const (
	controlPaused = 1 << iota
	controlReEmit
)

func appendControl(b []byte, c *Control) []byte {
	flags := uint64(0)
	if c.Paused {
		flags |= controlPaused
	}
	if c.ReEmit {
		flags |= controlReEmit
	}
	b = append(b, rowVersion)
	for _, n := range []uint64{uint64(c.Mark), uint64(c.Began), c.Run, flags, uint64(c.Since.UnixNano())} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendUvarint(appendRowString(b, c.Reason), uint64(len(c.Unhandled)))
	var further []uint64 // lanes behind the first: span, lane, number of lanes; they came later than the row
	for i, s := range c.Unhandled {
		b = binary.AppendUvarint(appendRowString(b, s.Key), uint64(s.From))
		flags := uint64(0)
		if s.Waits {
			flags = 1
		}
		var first LaneOf
		for j, l := range s.Lanes {
			if j == 0 {
				first = l
			} else {
				further = append(further, uint64(i), uint64(l.Lane), uint64(l.Lanes))
			}
		}
		for _, n := range []uint64{uint64(s.To), flags, uint64(first.Lane), uint64(first.Lanes)} {
			b = binary.AppendUvarint(b, n)
		}
	}
	for _, n := range further {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func decodeControl(b []byte) (Control, error) {
	r := newRowReader(b)
	c := Control{Mark: abi.Seq(r.num()), Began: abi.Seq(r.num()), Run: r.num()}
	flags := r.num()
	c.Paused, c.ReEmit = flags&controlPaused != 0, flags&controlReEmit != 0
	c.Since, c.Reason = time.Unix(0, int64(r.num())), r.str()
	for n := r.num(); n > 0 && r.err == nil; n-- {
		span := Span{Key: r.str(), From: abi.Seq(r.num()), To: abi.Seq(r.num()), Waits: r.num() == 1}
		if l := (LaneOf{int(r.num()), int(r.num())}); l.Lanes != 0 {
			span.Lanes = []LaneOf{l}
		}
		c.Unhandled = append(c.Unhandled, span)
	}
	for r.err == nil && len(r.b) > 0 {
		i, l := r.num(), LaneOf{int(r.num()), int(r.num())}
		if i >= uint64(len(c.Unhandled)) {
			return c, errRow
		}
		c.Unhandled[i].Lanes = append(c.Unhandled[i].Lanes, l)
	}
	return c, r.err
}

// Control returns what was decided about a subscriber, also of one that was dropped.
func (l *Log) Control(subscriber string) (Control, error) {
	value, closer, err := l.db.Get(controlKey(nil, subscriber))
	if errors.Is(err, pebble.ErrNotFound) {
		return Control{}, nil
	}
	if err != nil {
		return Control{}, engineError(0, err)
	}
	defer closer.Close()
	c, err := decodeControl(value)
	if err != nil {
		return Control{}, fmt.Errorf("%w: the control row of %q: %v", ErrDamaged, subscriber, err)
	}
	return c, nil
}

// Attached calls fn for every subscriber that has a cursor, with the lowest of its lanes',
// shorter names first, until fn says false.
func (l *Log) Attached(fn func(subscriber string, c Cursor) bool) error {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceCursor}, UpperBound: []byte{spaceCursor + 1}})
	if err != nil {
		return engineError(0, err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		name := string(it.Key()[2:])
		if ownerOf(name) != name {
			continue
		}
		lanes, err := l.Lanes(name)
		if err != nil {
			return err
		}
		if len(lanes) == 0 { // dropped meanwhile
			continue
		}
		lowest := slices.MinFunc(lanes, func(a, b Cursor) int { return cmp.Compare(a.Next, b.Next) })
		if !fn(name, lowest) {
			return nil
		}
	}
	return engineError(0, it.Error())
}
