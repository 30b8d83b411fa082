package log

import (
	"errors"
	"sort"

	"github.com/avx-platform/avxrt/abi"
)

// SeqAtTime returns the first seq whose event was appended at or after t (unix
// nanoseconds); the seq behind the head if there is none.
func (l *Log) SeqAtTime(t int64) (abi.Seq, error) {
	return l.searchTime(func(seq abi.Seq) (bool, error) {
		at, err := l.appendedAt(seq)
		if errors.Is(err, ErrNotFound) { // dropped while the search went on: older than what is left
			return false, nil
		}
		return at >= t, err
	})
}

// searchTime returns the first seq for which reached says true. Appended times rise
// strictly along the log, so it is a binary search that reads one chunk's header a step.
func (l *Log) searchTime(reached func(abi.Seq) (bool, error)) (abi.Seq, error) {
	first := l.First()
	var failed error
	n := sort.Search(int(l.Head()+1-first), func(i int) bool {
		if failed != nil {
			return true
		}
		var yes bool
		yes, failed = reached(first + abi.Seq(i))
		return yes
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
