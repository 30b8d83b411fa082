package log

import (
	"errors"
	"strings"
)

// ErrConflict says that the state which a run read, or was to write, was changed by another
// lane of its subscriber since the run began. Nothing of the commit was applied.
var ErrConflict = errors.New("another lane changed the state that this run read")

// Reads is what a run read of its subscriber's state. A commit that carries it is refused
// with [ErrConflict] if any of that, or a key that it writes, was written by a commit which
// its snapshot does not have: lanes of a subscriber share its state.
type Reads struct {
	Since  uint64 // Snapshot.Number
	Keys   []string
	Ranges []Range
}

// Range is the keys with a prefix, above After and up to Last; Last "" is the end.
type Range struct{ Prefix, After, Last string }

func (r *Range) has(key string) bool {
	return strings.HasPrefix(key, r.Prefix) && key > r.After && (r.Last == "" || key <= r.Last)
}

// recentCommits is how many commits of a subscriber's lanes are remembered. A run that
// began before the oldest of them is refused.
const recentCommits = 256

// laneWrites is what commits of a subscriber's lanes wrote lately. The sequencer's.
type laneWrites struct {
	commits []writtenKeys
	floor   uint64 // commits up to this number are forgotten
}

type writtenKeys struct {
	number uint64
	keys   map[string]bool
}

// check refuses a commit that clashes with one that its snapshot does not have.
func (w *laneWrites) check(c *Commit) error {
	if c.Reads.Since < w.floor {
		return ErrConflict
	}
	for i := len(w.commits) - 1; i >= 0 && w.commits[i].number > c.Reads.Since; i-- {
		if w.commits[i].clashes(c) {
			return ErrConflict
		}
	}
	return nil
}

func (k *writtenKeys) clashes(c *Commit) bool {
	for _, key := range c.Reads.Keys {
		if k.keys[key] {
			return true
		}
	}
	for i := range c.Writes {
		if k.keys[string(c.Writes[i].Key)] {
			return true
		}
	}
	for i := range c.Reads.Ranges {
		for key := range k.keys {
			if c.Reads.Ranges[i].has(key) {
				return true
			}
		}
	}
	return false
}

// add remembers what c writes.
func (w *laneWrites) add(number uint64, c *Commit) {
	if len(c.Writes) == 0 {
		return
	}
	keys := make(map[string]bool, len(c.Writes))
	for i := range c.Writes {
		keys[string(c.Writes[i].Key)] = true
	}
	if len(w.commits) == recentCommits {
		w.floor = w.commits[0].number
		w.commits = append(w.commits[:0], w.commits[1:]...)
	}
	w.commits = append(w.commits, writtenKeys{number, keys})
}
