package router

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Router knows which values are subscribed to which patterns. It is safe for concurrent
// use; [Router.Match] never waits for a change.
//
// The subscriptions lie in a trie over segments that is never changed, only replaced: a
// change copies the nodes on its path and swaps the root.
type Router[T any] struct {
	root    atomic.Pointer[node[T]]
	writing sync.Mutex // guards ordinal and the replacement of root
	ordinal uint64
}

// New returns an empty router.
func New[T any]() *Router[T] {
	r := &Router[T]{}
	r.root.Store(&node[T]{})
	return r
}

// node is a place in the trie: the segments that lead to it are a prefix of a pattern.
type node[T any] struct {
	literal map[string]*node[T]
	one     *node[T] // behind *
	many    *node[T] // behind **
	loops   bool     // it is behind **: it stays active over any segment
	ends    []*Subscription[T]
	// endPatterns[i] is the pattern of ends[i] that ends here
	endPatterns []Pattern
}

// Subscription is one subscriber's interest.
type Subscription[T any] struct {
	Value    T
	router   *Router[T]
	patterns []Pattern
	ordinal  uint64
	gone     bool // guarded by router.writing
}

// Subscribe adds value under the patterns; duplicates among them count once.
func (r *Router[T]) Subscribe(value T, patterns ...Pattern) *Subscription[T] {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.ordinal++
	s := &Subscription[T]{Value: value, router: r, ordinal: r.ordinal}
	root := r.root.Load()
	for _, p := range patterns {
		if p.text != "" && !slices.Contains(s.patterns, p) {
			s.patterns = append(s.patterns, p)
			root = root.with(walk(p.text), s, p)
		}
	}
	r.root.Store(root)
	return s
}

// Unsubscribe removes the subscription. It may be called twice.
func (s *Subscription[T]) Unsubscribe() {
	s.router.writing.Lock()
	defer s.router.writing.Unlock()
	if s.gone {
		return
	}
	s.gone = true
	root := s.router.root.Load()
	for _, p := range s.patterns {
		if root = root.without(walk(p.text), s); root == nil {
			root = &node[T]{}
		}
	}
	s.router.root.Store(root)
}

// Patterns returns what the subscription asked for.
func (s *Subscription[T]) Patterns() []Pattern { return slices.Clone(s.patterns) }

// with returns n with s at the place to which the rest of the pattern leads.
func (n *node[T]) with(rest walker, s *Subscription[T], p Pattern) *node[T] {
	c := *n
	if rest.done() {
		c.ends = append(slices.Clip(n.ends), s)
		c.endPatterns = append(slices.Clip(n.endPatterns), p)
		return &c
	}
	segment := rest.segment()
	rest.next()
	child := n.child(segment)
	if child == nil {
		child = &node[T]{loops: segment == many}
	}
	c.setChild(segment, child.with(rest, s, p))
	return &c
}

// without returns n without s at the place to which the rest leads, nil if nothing is left.
func (n *node[T]) without(rest walker, s *Subscription[T]) *node[T] {
	c := *n
	if rest.done() {
		i := slices.Index(n.ends, s)
		c.ends = slices.Delete(slices.Clone(n.ends), i, i+1)
		c.endPatterns = slices.Delete(slices.Clone(n.endPatterns), i, i+1)
	} else {
		segment := rest.segment()
		rest.next()
		c.setChild(segment, n.child(segment).without(rest, s))
	}
	if len(c.ends) == 0 && len(c.literal) == 0 && c.one == nil && c.many == nil {
		return nil
	}
	return &c
}

func (n *node[T]) child(segment string) *node[T] {
	switch segment {
	case one:
		return n.one
	case many:
		return n.many
	}
	return n.literal[segment]
}

// setChild changes n, which must not be visible to readers yet. A nil child is removed.
func (n *node[T]) setChild(segment string, child *node[T]) {
	switch segment {
	case one:
		n.one = child
		return
	case many:
		n.many = child
		return
	}
	n.literal = maps.Clone(n.literal)
	if child == nil {
		delete(n.literal, segment)
		return
	}
	if n.literal == nil {
		n.literal = map[string]*node[T]{}
	}
	n.literal[strings.Clone(segment)] = child
}

// Match is one subscription that a topic concerns.
type Match[T any] struct {
	Subscription *Subscription[T]
	Patterns     []Pattern // those that fit, in the order of the subscription
}

// Match returns the subscriptions that the topic concerns, each once, in the order in
// which they were made. The topic must be valid.
//
// It walks the trie with a set of places, one segment at a time, so its work is bounded by
// segments × places that any prefix of the topic can reach, whatever the patterns are.
func (r *Router[T]) Match(topic string) []Match[T] {
	if topic == "" {
		return nil
	}
	active := activate(nil, r.root.Load())
	leading := topic[0] == '$' // wildcards do not match it as a first segment
	if leading {
		active = active[:1]
	}
	for w := walk(topic); !w.done(); w.next() {
		active = step(active, w.segment(), leading)
		leading = false
	}
	var found []Match[T]
	for _, n := range active {
		for i, s := range n.ends {
			found = append(found, Match[T]{s, n.endPatterns[i : i+1 : i+1]})
		}
	}
	return join(found)
}

// activate adds n and what can be reached from it over no segment at all.
func activate[T any](active []*node[T], n *node[T]) []*node[T] {
	for ; n != nil; n = n.many {
		if slices.Contains(active, n) {
			return active
		}
		active = append(active, n)
	}
	return active
}

func step[T any](active []*node[T], segment string, leading bool) []*node[T] {
	var next []*node[T]
	for _, n := range active {
		if n.loops {
			next = activate(next, n)
		}
		if child := n.literal[segment]; child != nil {
			next = activate(next, child)
		}
		if n.one != nil && !leading {
			next = activate(next, n.one)
		}
	}
	return next
}

// join brings matches into the order of the subscriptions and merges those of the same one.
func join[T any](found []Match[T]) []Match[T] {
	slices.SortStableFunc(found, func(a, b Match[T]) int {
		switch {
		case a.Subscription.ordinal < b.Subscription.ordinal:
			return -1
		case a.Subscription.ordinal > b.Subscription.ordinal:
			return 1
		}
		return slices.Index(a.Subscription.patterns, a.Patterns[0]) - slices.Index(b.Subscription.patterns, b.Patterns[0])
	})
	out := found[:0]
	for _, m := range found {
		if len(out) > 0 && out[len(out)-1].Subscription == m.Subscription {
			last := &out[len(out)-1]
			last.Patterns = append(last.Patterns, m.Patterns...)
			continue
		}
		out = append(out, m)
	}
	return out
}
