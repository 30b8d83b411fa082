//go:build !linux

package sandbox

import (
	"errors"
	"time"
)

// limitSelf refuses where the system has no such limits: set no CompileCommand there.
func limitSelf(int, uint64) error {
	return errors.New("this system cannot limit a compiler; leave CompileCommand empty")
}

func processorTime() time.Duration { return 0 }
