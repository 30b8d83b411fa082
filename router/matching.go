package router

// reach is how far a match may see, and for whom. It and the entries are passed on by
// value, apart from each other: together in one struct they would escape to the heap.
type reach struct {
	topic, key string
	limit      uint64 // the youngest ordinal that is wholly there
}

// deliver calls yield for each subscription of the entries once, in the order of registration.
func deliver[T any](entries []*entry[T], to reach, yield func(Match[T]) bool) {
	switch len(entries) {
	case 0:
	case 1:
		if s := entries[0].only(); s != nil {
			if s.visible(to.limit) {
				yield(Match[T]{Subscription: s, topic: to.topic})
			}
			return
		}
		deliverOne(entries[0], to, yield)
	default:
		merge(entries, to, yield)
	}
}

// only returns the subscription that is alone in the roster, and no seat; nil: look closer.
// It is the most frequent case, and small enough to be inlined into the hot paths.
func (r *roster[T]) only() *Subscription[T] {
	s := r.solo.Load()
	if s == nil || s.extra != nil || r.more.Load() != nil {
		return nil
	}
	return s
}

// visible says whether s was published by limit and is not gone.
func (s *Subscription[T]) visible(limit uint64) bool {
	stamp := s.stamp.Load()
	return stamp&gone == 0 && stamp>>1 <= limit
}

func deliverOne[T any](e *entry[T], to reach, yield func(Match[T]) bool) {
	var c cursor[T]
	for c.first(&e.roster, to.limit); c.sub != nil; c.next(to.limit) {
		s := c.sub
		if s.seat() {
			var best choice[T]
			best.among(&s.extra.members, hashName(to.key), to.limit)
			if s = best.sub; s == nil {
				continue
			}
		}
		if !yield(Match[T]{Subscription: s, topic: to.topic}) {
			return
		}
	}
}

// smallMerge is how many entries merge without an allocation.
const smallMerge = 16

// merge walks the rosters of several entries by ordinal, with a heap.
func merge[T any](entries []*entry[T], to reach, yield func(Match[T]) bool) {
	var done served[T]
	var room [smallMerge]cursor[T]
	heap := room[:0]
	if len(entries) > smallMerge {
		heap = make([]cursor[T], 0, len(entries))
	}
	for _, e := range entries {
		var c cursor[T]
		if c.first(&e.roster, to.limit); c.sub != nil {
			heap = append(heap, c)
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		down(heap, i)
	}
	for len(heap) > 0 {
		var s *Subscription[T]
		s, heap = pop(heap, to.limit)
		switch {
		case s.seat():
			if !done.add(s.extra.group) {
				continue
			}
			if s = chosen(entries, s, to); s == nil {
				continue
			}
		case s.stamp.Load()&gone != 0:
			// All rosters were read beyond s. If one of them did not have it any more, it
			// is marked by now: a subscription is seen with all of its patterns or not at all.
			continue
		}
		if !yield(Match[T]{Subscription: s, topic: to.topic}) {
			return
		}
	}
}

// pop returns the oldest subscription of the heap and moves all cursors at it on.
func pop[T any](heap []cursor[T], limit uint64) (*Subscription[T], []cursor[T]) {
	s, ordinal := heap[0].sub, heap[0].ordinal
	for len(heap) > 0 && heap[0].ordinal == ordinal {
		heap[0].next(limit)
		if heap[0].sub == nil {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		down(heap, 0)
	}
	return s, heap
}

// down restores the heap below i.
func down[T any](heap []cursor[T], i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			if heap[child].ordinal < heap[least].ordinal {
				least = child
			}
		}
		if least == i {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}
