package router

import (
	"slices"
	"sync/atomic"
)

// Subscription is one subscriber's interest in some patterns.
type Subscription[T any] struct {
	Value T // as given to Subscribe; not to be changed

	router *Router[T]
	stamp  atomic.Uint64 // ordinal<<1, and gone
	link   link[T]       // of the first pattern
	extra  *extra[T]     // what most do not have
}

// gone marks a subscription that was unsubscribed.
const gone = 1

// extra keeps the ordinary subscription, one subscriber with one pattern, within 48 bytes.
type extra[T any] struct {
	links []link[T]         // of further patterns
	index map[*entry[T]]int // of links, where they are many; not changed once made
	group *group[T]         // of a member or seat; nil: none

	member  uint64    // of a member: what the choice by key goes by
	members roster[T] // of a seat
	isSeat  bool
}

// indexed is from how many patterns on a subscription keeps an index of them.
const indexed = 16

// Ordinal tells when the subscription was made: a younger one has a greater number.
func (s *Subscription[T]) Ordinal() uint64 { return s.stamp.Load() >> 1 }

// Patterns returns what the subscription asked for, without duplicates.
func (s *Subscription[T]) Patterns() []Pattern {
	var out []Pattern
	for i := range s.links() {
		out = append(out, s.linkAt(i).entry.pattern)
	}
	return out
}

// links returns how many patterns s has.
func (s *Subscription[T]) links() int {
	switch {
	case s.link.entry == nil:
		return 0
	case s.extra == nil:
		return 1
	}
	return 1 + len(s.extra.links)
}

func (s *Subscription[T]) linkAt(i int) *link[T] {
	if i == 0 {
		return &s.link
	}
	return &s.extra.links[i-1]
}

// linkTo returns the link to e, or nil.
func (s *Subscription[T]) linkTo(e *entry[T]) *link[T] {
	if s.link.entry == e {
		return &s.link
	}
	if s.extra == nil {
		return nil
	}
	links := s.extra.links
	if s.extra.index != nil {
		if i, ok := s.extra.index[e]; ok {
			return &links[i]
		}
		return nil
	}
	if i := slices.IndexFunc(links, func(l link[T]) bool { return l.entry == e }); i >= 0 {
		return &links[i]
	}
	return nil
}

// setLinks notes the entries of s before anybody sees it.
func (s *Subscription[T]) setLinks(entries []*entry[T]) {
	if len(entries) == 0 {
		return
	}
	s.link.entry = entries[0]
	if len(entries) == 1 {
		return
	}
	if s.extra == nil {
		s.extra = &extra[T]{}
	}
	for _, e := range entries[1:] {
		s.extra.links = append(s.extra.links, link[T]{entry: e})
	}
	if len(entries) <= indexed {
		return
	}
	s.extra.index = make(map[*entry[T]]int, len(entries)-1)
	for i, e := range entries[1:] {
		s.extra.index[e] = i
	}
}

// Match is one subscription that a topic concerns.
type Match[T any] struct {
	Subscription *Subscription[T]
	topic        string
}

// Patterns returns those patterns of the subscription that match the topic, in the order
// in which it named them. It looks at each of them, so it costs what Pattern.Match does
// times their number; ask only where it matters which ones they are.
func (m Match[T]) Patterns() []Pattern { return m.AppendPatterns(nil) }

// AppendPatterns is Patterns with the memory of the caller.
func (m Match[T]) AppendPatterns(dst []Pattern) []Pattern {
	for i := range m.Subscription.links() {
		if p := m.Subscription.linkAt(i).entry.pattern; p.Match(m.topic) {
			dst = append(dst, p)
		}
	}
	return dst
}
