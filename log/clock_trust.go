package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// maxDrift is how far the wall clock may leave the monotonic one before nothing that
// depends on the time of day is done: more than corrections and leap seconds ever make,
// less than a time zone set wrongly.
const maxDrift = time.Hour

// ClockError says that the wall clock cannot be trusted.
type ClockError struct {
	Drift time.Duration // by how much the wall clock is ahead of the monotonic one since both were taken to be right
}

// Error says what stopped and how it goes on.
func (e *ClockError) Error() string {
	direction, by := "ahead of", e.Drift
	if by < 0 {
		direction, by = "behind", -by
	}
	return fmt.Sprintf("the wall clock is %v %s where it should be: somebody set it, or the machine slept; timers and retention by age wait until it is right again, or until avxrt clock accept", by.Round(time.Second), direction)
}

// clock is when the wall clock was last taken to be right.
type clock struct {
	mu struct {
		sync.Mutex
		wall int64
		at   time.Time
	}
}

// AcceptClock takes the wall clock to be right as it is now. Opening does too, unless
// [Log.RememberClock] wrote down that it was not.
func (l *Log) AcceptClock() {
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	l.clock.mu.wall, l.clock.mu.at = l.opts.now().UnixNano(), time.Now()
}

// ClockProblem returns a [*ClockError] while the wall clock is more than an hour from where
// the monotonic one says it should be. Timers and retention by age wait meanwhile; appends
// go on.
func (l *Log) ClockProblem() error {
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	drift := time.Duration(l.opts.now().UnixNano()-l.clock.mu.wall) - time.Since(l.clock.mu.at)
	if drift.Abs() <= maxDrift {
		return nil
	}
	return &ClockError{Drift: drift}
}

// metaClock holds by how much the wall clock was wrong, and what it said then; i64 both. There is
// no row while it is believed.
var metaClock = append([]byte{spaceMeta}, "clock"...)

// RememberClock writes down whether the wall clock is believed, so that a restart does not end
// the disbelief. It writes nothing where that is as it was written down last.
func (l *Log) RememberClock(ctx context.Context) error {
	var problem *ClockError
	errors.As(l.ClockProblem(), &problem)
	_, err := l.get(metaClock)
	noted := err == nil
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	case noted == (problem != nil):
		return nil
	}
	return l.submit(ctx, &request{durability: Durable, relieves: true, apply: func(s *sequencer, batch *pebble.Batch) error {
		if err := s.keepImages(batch, metaClock); err != nil {
			return err
		}
		if problem == nil {
			return batch.Delete(metaClock, nil)
		}
		row := binary.LittleEndian.AppendUint64(nil, uint64(problem.Drift))
		return batch.Set(metaClock, binary.LittleEndian.AppendUint64(row, uint64(s.l.opts.now().UnixNano())), nil)
	}})
}

// loadClock takes the wall clock to be right, unless it was written down that it is not and it
// was not set back since.
func (l *Log) loadClock() error {
	l.AcceptClock()
	row, err := l.get(metaClock)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil && len(row) != 16 {
		err = fmt.Errorf("%w: the row of the clock", ErrDamaged)
	}
	if err != nil {
		return err
	}
	drift, wall := int64(binary.LittleEndian.Uint64(row)), int64(binary.LittleEndian.Uint64(row[8:]))
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	if drift < 0 || l.clock.mu.wall >= wall {
		l.clock.mu.wall -= drift
	}
	return nil
}
