package log

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// letterCounts remembers how many dead letters subscribers have, until one of anybody's comes
// or goes: they are counted by looking at each.
type letterCounts struct {
	mu struct {
		sync.Mutex
		at    uint64 // Log.lettersChanged when these were counted
		count map[string]int
	}
}

// LetterCount returns how many dead letters of a subscriber there are.
func (l *Log) LetterCount(subscriber string) (n int, err error) {
	at := l.lettersChanged.Load() // first: what changes while it is counted is counted again
	l.letterCounts.mu.Lock()
	defer l.letterCounts.mu.Unlock()
	mu := &l.letterCounts.mu
	if mu.count == nil || mu.at != at {
		mu.at, mu.count = at, map[string]int{}
	}
	if n, ok := mu.count[subscriber]; ok {
		return n, nil
	}
	prefix := named(nil, spaceDeadLetter, subscriber)
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return 0, engineError(0, err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		n++
	}
	mu.count[subscriber] = n
	return n, engineError(0, it.Error())
}
