package router

import (
	"slices"
	"strings"
	"sync"
)

// Seen is a set of topics, to ask which of them a pattern would match. It is safe for
// concurrent use, and bounded: what comes when it is full is counted, not kept.
type Seen struct {
	mu struct {
		sync.RWMutex
		topics map[string]struct{}
		missed uint64
	}
	limit int
}

// NewSeen returns an empty set for so many topics at most; 0 is a million.
func NewSeen(limit int) *Seen {
	if limit <= 0 {
		limit = 1 << 20
	}
	s := &Seen{limit: limit}
	s.mu.topics = map[string]struct{}{}
	return s
}

// Add notes a topic; it keeps a copy.
func (s *Seen) Add(topic string) {
	s.mu.RLock()
	_, have := s.mu.topics[topic]
	s.mu.RUnlock()
	if have {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.topics) >= s.limit {
		s.mu.missed++
		return
	}
	s.mu.topics[strings.Clone(topic)] = struct{}{}
}

// Missed returns how often a topic came that the full set could not keep.
func (s *Seen) Missed() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.missed
}

// Match returns at most limit topics above after that the pattern matches, in the order
// of their bytes. It looks at every topic: some 50 ms for a million.
func (s *Seen) Match(p Pattern, after string, limit int) []string {
	var out []string
	s.mu.RLock()
	for topic := range s.mu.topics {
		if topic > after && p.Match(topic) {
			out = append(out, topic)
		}
	}
	s.mu.RUnlock()
	slices.Sort(out)
	return out[:min(limit, len(out))]
}
