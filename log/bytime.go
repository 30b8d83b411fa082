package log

import (
	"errors"
	"sort"

	"github.com/avx-platform/avxrt/abi"
)

// SeqAtTime returns the first seq whose event was appended at or after t (unix
// nanoseconds); the seq behind the head if there is none. Appended times rise strictly
// along the log, so it is a binary search that reads one chunk's header a step.
func (l *Log) SeqAtTime(t int64) (abi.Seq, error) {
	var failed error
	first := l.First()
	n := sort.Search(int(l.Head()-first+1), func(i int) bool {
		if failed != nil {
			return true
		}
		at, err := l.appendedAt(first + abi.Seq(i))
		if errors.Is(err, ErrNotFound) { // dropped while the search went on: older than what is left
			return false
		}
		failed = err
		return at >= t
	})
	return first + abi.Seq(n), failed
}

// appendedAt returns when the event at seq was appended. Retention erases events, not this.
func (l *Log) appendedAt(seq abi.Seq) (at int64, err error) {
	err = l.withChunk(seq, func(c *chunk) error {
		at = c.base + int64(seq-c.first)
		return nil
	})
	return at, err
}
