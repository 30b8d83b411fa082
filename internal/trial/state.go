package trial

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// state is keyed state in memory.
type state struct {
	values map[string][]byte
	keys   []string // of values, sorted; nil: not known
}

func newState(before map[string][]byte) *state {
	s := &state{values: make(map[string][]byte, len(before))}
	for key, value := range before {
		s.values[key] = bytes.Clone(value)
	}
	return s
}

// Get returns key's value.
func (s *state) Get(key []byte) (value []byte, ok bool, err error) {
	value, ok = s.values[string(key)]
	return value, ok, nil
}

// Scan calls fn for the keys with prefix above after, ascending, until fn says false. An
// empty after is below every key.
func (s *state) Scan(prefix, after []byte, fn func(key, value []byte) bool) error {
	if s.keys == nil {
		s.keys = slices.Sorted(maps.Keys(s.values))
	}
	at, _ := slices.BinarySearch(s.keys, string(prefix))
	for _, key := range s.keys[at:] {
		if !strings.HasPrefix(key, string(prefix)) {
			return nil
		}
		if key > string(after) && !fn([]byte(key), s.values[key]) {
			return nil
		}
	}
	return nil
}

// apply keeps what an event wrote, and says what it changed.
func (s *state) apply(writes []sandbox.Write) []Write {
	out := make([]Write, 0, len(writes))
	for _, w := range writes {
		before, existed := s.values[string(w.Key)]
		out = append(out, Write{Write: w, Before: before, Existed: existed})
		if w.Delete {
			delete(s.values, string(w.Key))
		} else {
			s.values[string(w.Key)] = w.Value
		}
		if existed == w.Delete {
			s.keys = nil
		}
	}
	return out
}
