package router

import (
	"iter"
	"sync/atomic"
)

// Topic is a handle on a topic that is matched again and again: it remembers what fits, so
// a match costs a look at two counters. It is safe for concurrent use, and may be kept as
// long as the router.
type Topic[T any] struct {
	router *Router[T]
	name   string
	answer atomic.Pointer[answer[T]] // nil: not matched yet, or not a valid topic
}

// Topic returns a handle on a topic.
func (r *Router[T]) Topic(name string) *Topic[T] { return &Topic[T]{router: r, name: name} }

// String returns the topic.
func (t *Topic[T]) String() string { return t.name }

// Match is [Router.Match] for the topic.
func (t *Topic[T]) Match(key string) iter.Seq[Match[T]] {
	return func(yield func(Match[T]) bool) { t.match(key, yield) }
}

func (t *Topic[T]) match(key string, yield func(Match[T]) bool) {
	version := t.router.version.Load()
	a := t.answer.Load()
	if a != nil {
		if s := a.sole(version); s != nil {
			yield(Match[T]{Subscription: s, topic: t.name})
			return
		}
	}
	limit := t.router.published.Load()
	if a == nil || !a.current(t.router) {
		if a = t.refresh(a); a == nil {
			return
		}
	}
	a.settle(version, limit)
	deliver(a.entries, reach{t.name, key, limit}, yield)
}

// refresh matches the topic anew.
func (t *Topic[T]) refresh(old *answer[T]) *answer[T] {
	var q query
	var room [inlineEntries]*entry[T]
	r := t.router
	if !q.split(&r.seed, t.name) {
		return nil
	}
	sc := r.scopeOf(&q)
	gen := sc.gen.Load() + r.leading.gen.Load()
	looks := 0
	found := r.find(&q, sc, room[:0], &looks)
	if old != nil && old.renew(gen, found) {
		return old
	}
	a := newAnswer(t.name, sc, gen, found)
	t.answer.Store(a)
	return a
}
