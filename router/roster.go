package router

import "sync/atomic"

// entry is a pattern that somebody subscribed to. The tables know entries, not
// subscribers, so whoever joins a pattern that is there already changes no table and
// spoils no cached match.
type entry[T any] struct {
	pattern Pattern
	roster[T]
}

// roster is who subscribed, in the order of registration: the first one, and behind it
// chunks in a chain. Adding and removing touch one chunk, never the chain as a whole, so
// they cost the same for ten subscribers of a pattern and for a million.
//
// Readers need no lock. A chunk that was replaced or taken out keeps its next, so who
// stands in it finds the way on; what it misses there is too young for it (see
// [Router.Match]), and what it should no longer see is marked as gone.
type roster[T any] struct {
	solo atomic.Pointer[Subscription[T]]
	more atomic.Pointer[chain[T]] // nil until there is a second one
}

type chain[T any] struct {
	head atomic.Pointer[chunk[T]]
	tail *chunk[T] // the writer's
}

// chunk is a row of subscriptions; nil where one left, or none came yet.
type chunk[T any] struct {
	next atomic.Pointer[chunk[T]]
	subs []atomic.Pointer[Subscription[T]]
	prev *chunk[T] // this and what follows are the writer's
	used int
	live int
}

const (
	minChunk = 4
	maxChunk = 128 // 1 KiB: what one change copies at most
)

// link is the writer's note of where a subscription stands in the roster of one of its patterns.
type link[T any] struct {
	entry *entry[T]
	chunk *chunk[T] // nil: it is the solo
}

// empty says whether nobody is left.
func (r *roster[T]) empty() bool {
	c := r.more.Load()
	return r.solo.Load() == nil && (c == nil || c.head.Load() == nil)
}

// add puts s, which is younger than all others, at the end; e is the entry for which it does.
func (r *roster[T]) add(e *entry[T], s *Subscription[T]) {
	if r.empty() {
		s.linkTo(e).chunk = nil
		r.solo.Store(s)
		return
	}
	c := r.more.Load()
	if c == nil {
		c = &chain[T]{}
		r.more.Store(c)
	}
	if c.tail == nil || c.tail.used == len(c.tail.subs) {
		c.extend(e)
	}
	c.tail.put(e, s)
}

// extend makes room in the tail: by a larger copy of it, or by a new one behind it.
func (c *chain[T]) extend(e *entry[T]) {
	t := c.tail
	if t != nil && t.live < maxChunk {
		size := minChunk
		for size < 2*t.live {
			size *= 2
		}
		c.replace(t, t, merged(e, min(size, maxChunk), t))
		return
	}
	n := &chunk[T]{subs: make([]atomic.Pointer[Subscription[T]], minChunk), prev: t}
	if t == nil {
		c.head.Store(n)
	} else {
		t.next.Store(n)
	}
	c.tail = n
}

func (k *chunk[T]) put(e *entry[T], s *Subscription[T]) {
	s.linkTo(e).chunk = k
	k.subs[k.used].Store(s)
	k.used++
	k.live++
}

// merged returns a chunk of size with those who are in the others.
func merged[T any](e *entry[T], size int, others ...*chunk[T]) *chunk[T] {
	n := &chunk[T]{subs: make([]atomic.Pointer[Subscription[T]], size)}
	for _, o := range others {
		for i := range o.used {
			if s := o.subs[i].Load(); s != nil {
				n.put(e, s)
			}
		}
	}
	return n
}

// replace puts n, nil for nothing, in the place of the chunks from first to last.
func (c *chain[T]) replace(first, last, n *chunk[T]) {
	prev, next := first.prev, last.next.Load()
	if n == nil {
		n = next
		if next != nil {
			next.prev = prev
		} else {
			c.tail = prev
		}
	} else {
		n.prev = prev
		n.next.Store(next)
		if next != nil {
			next.prev = n
		} else {
			c.tail = n
		}
	}
	if prev != nil {
		prev.next.Store(n)
	} else {
		c.head.Store(n)
	}
}

// remove takes s out, which is in.
func (r *roster[T]) remove(e *entry[T], s *Subscription[T]) {
	k := s.linkTo(e).chunk
	if k == nil {
		r.solo.Store(nil)
		return
	}
	for i := range k.used {
		if k.subs[i].Load() == s {
			k.subs[i].Store(nil)
			k.live--
			break
		}
	}
	c := r.more.Load()
	if k.live == 0 {
		c.replace(k, k, nil)
		return
	}
	if next := k.next.Load(); next != nil && k.live+next.live <= maxChunk/2 {
		c.replace(k, next, merged(e, maxChunk, k, next))
	} else if prev := k.prev; prev != nil && k.live+prev.live <= maxChunk/2 {
		c.replace(prev, k, merged(e, maxChunk, prev, k))
	}
}

// cursor goes over the roster of an entry.
type cursor[T any] struct {
	sub     *Subscription[T] // the current one
	ordinal uint64           // its
	chunk   *chunk[T]
	i       int // of the next in chunk
}

// first moves to the first subscription that was published by limit, and says whether
// there is one.
func (c *cursor[T]) first(r *roster[T], limit uint64) bool {
	s := r.solo.Load()
	if more := r.more.Load(); more != nil {
		c.chunk = more.head.Load()
	}
	if s != nil && s.visible(limit) {
		c.sub, c.ordinal = s, s.Ordinal()
		return true
	}
	return c.next(limit)
}

// next moves on; those who are gone are passed over, and those who are younger than limit.
func (c *cursor[T]) next(limit uint64) bool {
	for c.chunk != nil {
		for c.i < len(c.chunk.subs) {
			s := c.chunk.subs[c.i].Load()
			c.i++
			if s != nil && s.visible(limit) {
				c.sub, c.ordinal = s, s.Ordinal()
				return true
			}
		}
		c.chunk, c.i = c.chunk.next.Load(), 0
	}
	return false
}
