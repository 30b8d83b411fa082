package log

import (
	"sort"

	"github.com/avx-platform/avxrt/abi"
)

// SeqAtTime returns the first seq whose event was appended at or after t (unix
// nanoseconds); the seq behind the head if there is none. Appended times rise strictly
// along the log, so it is a binary search that reads one chunk a step.
func (l *Log) SeqAtTime(t int64) (abi.Seq, error) {
	var failed error
	n := sort.Search(int(l.Head()), func(i int) bool {
		if failed != nil {
			return true
		}
		ev, err := l.Event(abi.Seq(i) + 1)
		failed = err
		return ev.Appended >= t
	})
	return abi.Seq(n) + 1, failed
}
