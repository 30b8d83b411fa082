package e2earea

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
)

// system is a whole line: publishers, and one subscriber that counts.
type system interface {
	// publisher makes a publisher for one goroutine.
	publisher() publisher

	// handled returns how many events are in the subscriber's state by now.
	handled() (int, error)

	// state returns the counters, from where the subscriber keeps them.
	state() (counters, error)

	Close() error
}

// publisher publishes as its system was opened for.
type publisher interface {
	// publish takes a batch. A system that can have several under way may answer later.
	publish(evs []abi.Event) error

	// settle returns when everything is answered.
	settle() error
}

// contender is one side, with as many publishers as suit it best (1, 2, 4 and 8 were tried).
type contender struct {
	name       string
	open       func(dir string) (system, error)
	publishers int
}

// line publishes to a new system while more says so, waits until all is handled, and
// compares the subscriber's state, which it returns, with what the events add up to.
func (c contender) line(dir string, work [][]abi.Event, more func(round int, since time.Duration) bool) (m harness.Measure, got counters, err error) {
	s, err := c.open(dir)
	if err != nil {
		return m, nil, err
	}
	start := time.Now()
	want, n, err := c.publish(s, work, func(round int) bool { return more(round, time.Since(start)) })
	if err == nil {
		err = wait(s, n)
	}
	m = harness.Measure{Count: n, Took: time.Since(start)}
	if err == nil {
		got, err = s.state()
	}
	if err == nil && !maps.Equal(got, want) {
		err = fmt.Errorf("the subscriber's state is %v, the events add up to %v", got, want)
	}
	return m, got, errors.Join(err, s.Close())
}

// side publishes for so long; each publisher at least once.
func (c contender) side(work [][]abi.Event, long time.Duration) harness.Side {
	return func(dir string) (harness.Measure, error) {
		m, _, err := c.line(dir, work, func(round int, since time.Duration) bool { return round == 0 || since < long })
		return m, err
	}
}

// publish returns what the published events add up to, and their number.
func (c contender) publish(s system, work [][]abi.Event, more func(round int) bool) (counters, int, error) {
	var wg sync.WaitGroup
	sums, errs, n := make([]counters, c.publishers), make([]error, c.publishers), make([]int, c.publishers)
	for i := range c.publishers {
		p := s.publisher()
		sums[i] = counters{}
		wg.Go(func() {
			batches := make([]int, len(work))
			for j := i; errs[i] == nil && more(j/c.publishers); j += c.publishers {
				errs[i] = p.publish(work[j%len(work)])
				batches[j%len(work)]++
				n[i] += batch
			}
			errs[i] = errors.Join(errs[i], p.settle())
			for j, times := range batches {
				sums[i].addAll(work[j], int64(times))
			}
		})
	}
	wg.Wait()
	all, events := counters{}, 0
	for i, sum := range sums {
		events += n[i]
		for name, v := range sum {
			all[name] += v
		}
	}
	return all, events, errors.Join(errs...)
}

// patience is how long nothing may happen.
const patience = 20 * time.Second

// wait looks every 200 µs, so that the looking costs nothing beside the work.
func wait(s system, want int) error {
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	before, moved := 0, time.Now()
	for {
		n, err := s.handled()
		switch {
		case err != nil:
			return err
		case n == want:
			return nil
		case n > want:
			return fmt.Errorf("%d events were published and %d handled", want, n)
		case n != before:
			before, moved = n, time.Now()
		case time.Since(moved) > patience:
			return fmt.Errorf("of %d events %d were handled, and no more for %v", want, n, patience)
		}
		<-tick.C
	}
}

var background = context.Background()
