package doctor

import (
	"fmt"
	"syscall"
	"time"
)

// madeIn is before this program was: a clock that says so was never set.
var madeIn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clock finds one that was never set. One that went back is found in the store (see data),
// or by the node that runs.
func (e *exam) clock() {
	for _, c := range e.checks {
		if c.Name == "clock" {
			return // there is something to say already
		}
	}
	now := time.Now()
	if now.Before(madeIn) {
		e.add("clock", Fail, "it says "+now.Format(time.RFC3339)+", which is before this program was made", "set the clock (timedatectl set-ntp true)")
		return
	}
	e.add("clock", OK, now.Format(time.RFC3339), "")
}

// What the store needs to have open, and with how much it is as quick as it gets: package
// log takes up to 4,096 files, and no more than half of what the process may have.
const (
	minFiles  = 256
	manyFiles = 8192
)

// openFiles looks at how many files a process may have open. A Go program raises its own
// limit to the hard one, so this process's is what a node would have.
func (e *exam) openFiles() {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		e.add("open files", Warn, err.Error(), "")
		return
	}
	const remedy = "raise the limit: ulimit -n 8192, or LimitNOFILE=8192 in the unit of systemd"
	switch n := uint64(l.Cur); {
	case n < minFiles:
		e.add("open files", Fail, fmt.Sprintf("at most %d, the store needs %d", n, minFiles), remedy)
	case n < manyFiles:
		e.add("open files", Warn, fmt.Sprintf("at most %d, a large store is quicker with %d", n, manyFiles), remedy)
	default:
		e.add("open files", OK, fmt.Sprintf("at most %d", n), "")
	}
}
