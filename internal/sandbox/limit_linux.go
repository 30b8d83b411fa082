package sandbox

import (
	"fmt"
	"syscall"
	"time"
)

const (
	rlimitData     = 2
	prSetPdeathsig = 1
)

// limitSelf takes limits of processor time and data upon this process. A limit of address
// space would stop Go itself, which reserves far more than it uses; reserved space that is
// not writable does not count as data. When the parent dies, so does the child.
func limitSelf(cpuSeconds int, data uint64) error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetPdeathsig, uintptr(syscall.SIGKILL), 0); errno != 0 {
		return fmt.Errorf("ask to die with the parent: %w", errno)
	}
	for which, limit := range map[int]uint64{syscall.RLIMIT_CPU: uint64(cpuSeconds), rlimitData: data} {
		if err := syscall.Setrlimit(which, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fmt.Errorf("limit the compiler: %w", err)
		}
	}
	return nil
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
