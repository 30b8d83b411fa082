package runtime

import (
	"context"
	"errors"
	"slices"
)

// job is something that an operator wants done to a subscriber. Its goroutine does it
// between two runs, so it meets no event half-way.
type job struct {
	work func() error
	done chan error // capacity 1
}

// do lets the goroutine of s do work at the next event boundary and waits for the end. If
// ctx ends before work began it is not done at all. Before [Runtime.Run] it waits for that.
func (s *subscription) do(ctx context.Context, work func() error) error {
	j := &job{work: work, done: make(chan error, 1)}
	s.mu.Lock()
	if err := s.mu.absent; err != nil {
		s.mu.Unlock()
		return err
	}
	s.mu.jobs = append(s.mu.jobs, j)
	if s.mu.wake != nil {
		s.mu.wake()
	}
	s.mu.Unlock()
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(s.mu.jobs, j)
	if i >= 0 {
		s.mu.jobs = slices.Delete(s.mu.jobs, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 { // it was begun, and ends soon
		return <-j.done
	}
	return ctx.Err()
}

// begin says that there is a goroutine now.
func (s *subscription) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.absent = nil
}

// errChanging is told while the goroutines of a subscriber are replaced by others.
var errChanging = errors.New("the partitions of the subscriber are being changed; try again")

// work does one job and says whether there was one.
func (s *subscription) work() bool {
	s.mu.Lock()
	if len(s.mu.jobs) == 0 {
		s.mu.Unlock()
		return false
	}
	j := s.mu.jobs[0]
	s.mu.jobs = slices.Delete(s.mu.jobs, 0, 1)
	s.mu.Unlock()
	j.done <- j.work()
	return true
}

// leave answers the jobs that the goroutine, which ends, will not do.
func (s *subscription) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.ended:
		s.mu.absent = ErrDetached
	case s.mu.halted || s.until != 0:
		s.mu.absent = errChanging
	case s.mu.status.State == StateFailed:
		s.mu.absent = errors.New("the subscriber failed and runs again after a restart of the node: " + s.mu.status.Reason)
	default:
		s.mu.absent = ErrDraining
	}
	for _, j := range s.mu.jobs {
		j.done <- s.mu.absent
	}
	s.mu.jobs = nil
}
