package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// The log orders by seq alone; the wall clock only says how old events are. A wall clock
// can jump. Appended times therefore never go back, and where the clock went ahead of the
// monotonic one, the leap is noted, so that retention does not take an event for a year
// old because somebody set the clock.

// leap says that from the event at seq on the clock is by as much ahead of what it was before.
type leap struct {
	seq abi.Seq
	by  int64 // nanoseconds
}

const (
	// leapFrom is what a clock may gain between two appends without being taken for a leap:
	// corrections by NTP are smaller.
	leapFrom = time.Minute
	// maxLeaps bounds the list; the oldest two then become one.
	maxLeaps = 64
	// mostLeaps is what leaps may add up to.
	mostLeaps = int64(100 * 365 * 24 * time.Hour)
)

var metaLeaps = append([]byte{spaceMeta}, "leaps"...) // per leap: u64 seq, u64 nanoseconds

// leaps is the list of a store.
type leaps struct {
	mu struct {
		sync.Mutex
		list []leap
	}

	// What the sequencer, who alone uses these, saw last.
	wall int64
	at   time.Time
}

func readLeaps(db pebble.Reader) (*leaps, error) {
	value, err := readMeta(db, metaLeaps)
	if err != nil {
		return nil, err
	}
	if len(value)%16 != 0 {
		return nil, fmt.Errorf("%w: the row of the clock's leaps", ErrDamaged)
	}
	l := &leaps{}
	for b := []byte(value); len(b) > 0; b = b[16:] {
		l.mu.list = append(l.mu.list, leap{abi.Seq(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))})
	}
	return l, nil
}

// watch is told the wall clock's time at which the event at seq is appended. Where it made
// a leap, that becomes part of the batch.
func (l *leaps) watch(seq abi.Seq, wall int64, batch *pebble.Batch) {
	now := time.Now()
	gained := wall - l.wall - int64(now.Sub(l.at))
	known := !l.at.IsZero()
	l.wall, l.at = wall, now
	if !known || gained < int64(leapFrom) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.list = append(l.mu.list, leap{seq, gained})
	if len(l.mu.list) > maxLeaps {
		l.mu.list[1].by = addLeaps(l.mu.list[1].by, l.mu.list[0].by)
		l.mu.list = l.mu.list[1:]
	}
	var row []byte
	for _, j := range l.mu.list {
		row = binary.LittleEndian.AppendUint64(row, uint64(j.seq))
		row = binary.LittleEndian.AppendUint64(row, uint64(j.by))
	}
	_ = batch.Set(metaLeaps, row, nil)
}

// since returns by how much the clock leapt after the event at seq.
func (l *leaps) since(seq abi.Seq) (by int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.mu.list {
		if j.seq > seq {
			by = addLeaps(by, j.by)
		}
	}
	return by
}

// addLeaps stops at a century: a clock that leaps to and fro gains more than 64 bits hold,
// and an event of this century that is younger than that is as young as can be.
func addLeaps(a, b int64) int64 { return min(a+min(b, mostLeaps), mostLeaps) }

// seqByAge returns the first event that is younger than age. What counts is the time that
// the events' own times say has passed, less the clock's leaps, and for the time since the
// youngest event the monotonic clock or the wall clock, whichever says less.
func (l *Log) seqByAge(age time.Duration) (abi.Seq, error) {
	head := l.Head()
	switch {
	case head == 0:
		return 1, nil
	case l.opts.wallAge:
		return l.SeqAtTime(l.opts.now().UnixNano() - int64(age))
	}
	youngest, err := l.appendedAt(head)
	if err != nil {
		return 0, err
	}
	now := min(l.sinceSeen(youngest), l.opts.now().UnixNano())
	return l.searchTime(func(seq abi.Seq) (bool, error) {
		at, err := l.appendedAt(seq)
		if errors.Is(err, ErrNotFound) { // dropped while the search went on
			return false, nil
		}
		return at+l.leaps.since(seq) >= now-int64(age), err
	})
}

// sinceSeen is the time of the youngest event, moved on by what has passed since this
// process saw it.
func (l *Log) sinceSeen(youngest int64) int64 {
	seen := l.seen.Load()
	if seen == nil || seen.appended != youngest {
		seen = &sighting{youngest, time.Now()}
		l.seen.Store(seen)
	}
	return youngest + int64(time.Since(seen.at))
}

// sighting is when the youngest event was first seen to be the youngest.
type sighting struct {
	appended int64
	at       time.Time
}
