package router

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
)

// answer is what a match of a topic found: the entries that fit, as long as the
// generation of the scopes that it looked into is the one that it was made at.
type answer[T any] struct {
	topic   string
	version atomic.Uint64 // of the router, at which only was all that there is to deliver
	only    atomic.Pointer[Subscription[T]]
	scope   *scope[T]
	gen     atomic.Uint64
	entries []*entry[T]
}

const (
	noVersion   = 0
	busyVersion = ^uint64(0) // somebody writes only
)

// sole returns the only subscription to deliver to, if the router is still at the version
// at which that was found out. It is what makes the most frequent match a matter of three
// loads; nil: look closer.
func (a *answer[T]) sole(version uint64) *Subscription[T] {
	if a.version.Load() != version {
		return nil
	}
	s := a.only.Load()
	if a.version.Load() != version { // it was written meanwhile
		return nil
	}
	return s
}

// settle notes what sole is to return. version was read before anything else was: a change
// that came after ends what is noted here, and one that was under way does so when it is
// done.
func (a *answer[T]) settle(version, limit uint64) {
	if len(a.entries) != 1 {
		return
	}
	s := a.entries[0].only()
	old := a.version.Load()
	if s == nil || !s.visible(limit) || old == busyVersion || !a.version.CompareAndSwap(old, busyVersion) {
		return
	}
	a.only.Store(s)
	a.version.Store(version)
}

func newAnswer[T any](topic string, sc *scope[T], gen uint64, found []*entry[T]) *answer[T] {
	a := &answer[T]{topic: topic, scope: sc, entries: slices.Clone(found)}
	a.gen.Store(gen)
	return a
}

// current says whether no pattern came or went that could change the answer.
func (a *answer[T]) current(r *Router[T]) bool {
	return a.gen.Load() == a.scope.gen.Load()+r.leading.gen.Load()
}

// cache holds recent answers. It has a fixed size and no lock, sweeper or counters: what
// NATS has of these is its known trouble (nats-server #4341, #8070). A topic is let in when
// it is missed twice in a row in its line, so topics that never come again evict nothing
// and cost no memory.
type cache[T any] struct {
	lines []line[T]
	mask  uint64
	key   [34]uint64 // of hash; random
}

type line[T any] struct {
	door   atomic.Uint32 // of the last topic that was missed
	tag    [2]atomic.Uint32
	answer [2]atomic.Pointer[answer[T]]
}

func newCache[T any](topics int) *cache[T] {
	n := 1
	for 2*n < topics {
		n *= 2
	}
	c := &cache[T]{lines: make([]line[T], n), mask: uint64(n - 1)}
	for i := range c.key {
		c.key[i] = rand.Uint64() | 1
	}
	return c
}

// hash is multilinear hashing (Lemire, Kaser: Strongly universal string hashing is fast,
// 2014) of words of eight bytes, which may overlap at the end: half the price of maphash, as
// its products do not wait for each other. Topics that collide here share a line of the
// cache and nothing else, so it need not resist more than chance.
func (c *cache[T]) hash(s string) uint64 {
	n := len(s)
	h := uint64(n) * c.key[33]
	switch {
	case n < 8:
		var w uint64
		for i := range n {
			w = w<<8 | uint64(s[i])
		}
		h += w * c.key[32]
	case n <= 16:
		h += word(s)*c.key[0] + word(s[n-8:])*c.key[1]
	case n <= 32:
		h += word(s)*c.key[0] + word(s[8:])*c.key[1] + word(s[n-16:])*c.key[2] + word(s[n-8:])*c.key[3]
	default:
		h += word(s[n-8:]) * c.key[32]
		for i := 0; len(s) > 8; i++ {
			h += word(s) * c.key[i&31]
			s = s[8:]
		}
	}
	h ^= h >> 32
	return h * 0x9e3779b97f4a7c15
}

// get returns the answer for a topic, current or not, or nil.
func (c *cache[T]) get(hash uint64, topic string) *answer[T] {
	l, tag := &c.lines[hash>>32&c.mask], uint32(hash>>16)|1
	if l.tag[0].Load() == tag {
		if a := l.answer[0].Load(); a != nil && a.topic == topic {
			return a
		}
	}
	if l.tag[1].Load() == tag {
		if a := l.answer[1].Load(); a != nil && a.topic == topic {
			return a
		}
	}
	return nil
}

// offer keeps what was found for a topic at a generation, if it may.
func (c *cache[T]) offer(hash uint64, q *query, sc *scope[T], gen uint64, found []*entry[T]) {
	l, tag := &c.lines[hash>>32&c.mask], uint32(hash>>16)|1
	if l.door.Load() != tag {
		l.door.Store(tag)
		return
	}
	l.door.Store(0)
	a := newAnswer(strings.Clone(q.topic), sc, gen, found)
	way := 0
	if l.answer[0].Load() != nil && (l.answer[1].Load() == nil || hash>>20&1 == 1) {
		way = 1
	}
	l.tag[way].Store(tag)
	l.answer[way].Store(a)
}

// renew makes an answer current if the same entries were found again, and says so. Where
// patterns come and go that do not concern the topic, nothing is allocated.
func (a *answer[T]) renew(gen uint64, found []*entry[T]) bool {
	if !slices.Equal(a.entries, found) {
		return false
	}
	a.gen.Store(gen)
	return true
}
