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
	if s == nil || s.extra != nil && s.extra.isSeat || r.more.Load() != nil {
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
	for more := c.first(&e.roster, to.limit); more; more = c.next(to.limit) {
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

// merge walks the rosters of several entries by ordinal. Up to 32 take no allocation, and
// the usual two or three no time to clear what they do not need.
func merge[T any](entries []*entry[T], to reach, yield func(Match[T]) bool) {
	switch n := len(entries); {
	case n <= 4:
		var c [4]cursor[T]
		var h [4]head
		mergeWith(c[:n], h[:0], entries, to, yield)
	case n <= 32:
		var c [32]cursor[T]
		var h [32]head
		mergeWith(c[:n], h[:0], entries, to, yield)
	default:
		mergeWith(make([]cursor[T], n), make([]head, 0, n), entries, to, yield)
	}
}

// mergeWith does so with a heap of the places of the cursors.
func mergeWith[T any](cursors []cursor[T], heap []head, entries []*entry[T], to reach, yield func(Match[T]) bool) {
	var done served[T]
	for i, e := range entries {
		if c := &cursors[i]; c.first(&e.roster, to.limit) {
			heap = append(heap, head{c.ordinal, i})
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		down(heap, i)
	}
	for len(heap) > 0 {
		s := cursors[heap[0].cursor].sub
		heap = pass(heap, cursors, to.limit)
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

// head is where a cursor is; a heap has the oldest first.
type head struct {
	ordinal uint64
	cursor  int
}

// pass moves all cursors at the oldest ordinal on.
func pass[T any](heap []head, cursors []cursor[T], limit uint64) []head {
	for ordinal := heap[0].ordinal; len(heap) > 0 && heap[0].ordinal == ordinal; down(heap, 0) {
		if c := &cursors[heap[0].cursor]; c.next(limit) {
			heap[0].ordinal = c.ordinal
		} else {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
	}
	return heap
}

// down restores the heap below i.
func down(heap []head, i int) {
	for {
		least := 2*i + 1
		if least >= len(heap) {
			return
		}
		if right := least + 1; right < len(heap) && heap[right].ordinal < heap[least].ordinal {
			least = right
		}
		if heap[i].ordinal <= heap[least].ordinal {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}
