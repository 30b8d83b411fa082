package log

import (
	"fmt"
	"sync"
	"time"
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

// AcceptClock takes the wall clock to be right as it is now. Opening does too.
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
