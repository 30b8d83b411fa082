package router

import (
	"iter"
	"sync"
	"sync/atomic"
)

// Options of a [Router]; the zero value is useful.
type Options struct {
	// Cache is how many recent topics are remembered with what matches them, about 150
	// bytes each. Default 8192; negative: none.
	Cache int
	// Shapes bounds the work of a match: it is how many looks it may take below one first
	// segment, and again for the patterns that begin with a wildcard. Default 256. A pattern with two **
	// may take several, counted for topics of 16 segments.
	Shapes int
}

const (
	defaultCache  = 8192
	defaultShapes = 256
	scopes        = 256
)

// Router knows which values are subscribed to which patterns. It is safe for concurrent
// use; a match never waits for a change, nor a change for a match.
type Router[T any] struct {
	seed  seed      // of the hashes of segments
	cache *cache[T] // nil: none
	// published is the ordinal up to which all subscriptions are wholly there. A match
	// reads it first and passes over what is younger.
	published atomic.Uint64
	version   atomic.Uint64 // grows with each change, when all of it is done
	leading   scope[T]      // patterns that begin with a wildcard
	literal   [scopes]scope[T]

	limit int
	mu    struct {
		sync.Mutex // held by changes; guards all that is said to be the writer's
		groups     map[string]*group[T]
	}
}

// New returns an empty router with the default options.
func New[T any]() *Router[T] { return NewWith[T](Options{}) }

// NewWith returns an empty router.
func NewWith[T any](opts Options) *Router[T] {
	if opts.Cache == 0 {
		opts.Cache = defaultCache
	}
	if opts.Shapes <= 0 {
		opts.Shapes = defaultShapes
	}
	r := &Router[T]{seed: newSeed(), limit: opts.Shapes}
	if opts.Cache > 0 {
		r.cache = newCache[T](opts.Cache)
	}
	r.version.Store(noVersion + 1)
	r.mu.groups = map[string]*group[T]{}
	return r
}

// Match returns the subscriptions that the topic concerns, each once, in the order in which
// they were made. Of a group it returns the member that the key chooses; without groups the
// key does not matter. What is subscribed or unsubscribed while one iterates may be seen or
// not; what was there before, and stays, is seen.
//
// A topic that is not valid has no match.
func (r *Router[T]) Match(topic, key string) iter.Seq[Match[T]] {
	return func(yield func(Match[T]) bool) { r.match(topic, key, yield) }
}

func (r *Router[T]) match(topic, key string, yield func(Match[T]) bool) {
	version := r.version.Load()
	if r.cache == nil {
		r.matchUncached(reach{topic, key, r.published.Load()}, yield)
		return
	}
	hash := r.cache.hash(topic)
	a := r.cache.get(hash, topic)
	if a != nil {
		if s := a.sole(version); s != nil {
			yield(Match[T]{Subscription: s, topic: topic})
			return
		}
	}
	limit := r.published.Load()
	if a == nil || !a.current(r) {
		r.matchMissed(hash, a, reach{topic, key, limit}, yield)
		return
	}
	a.settle(version, limit)
	deliver(a.entries, reach{topic, key, limit}, yield)
}

// inlineEntries is how many patterns may fit a topic before a match allocates.
const inlineEntries = 32

func (r *Router[T]) matchUncached(to reach, yield func(Match[T]) bool) {
	var q query
	var room [inlineEntries]*entry[T]
	if q.split(&r.seed, to.topic) {
		looks := 0
		deliver(r.find(&q, r.scopeOf(&q), room[:0], &looks), to, yield)
	}
}

// matchMissed is a match that the cache had nothing for, or an old answer.
func (r *Router[T]) matchMissed(hash uint64, old *answer[T], to reach, yield func(Match[T]) bool) {
	var q query
	var room [inlineEntries]*entry[T]
	if !q.split(&r.seed, to.topic) {
		return
	}
	looks := 0
	sc := r.scopeOf(&q)
	gen := sc.gen.Load() + r.leading.gen.Load()
	found := r.find(&q, sc, room[:0], &looks)
	if old == nil || !old.renew(gen, found) {
		r.cache.offer(hash, &q, sc, gen, found)
	}
	deliver(found, to, yield)
}

func (r *Router[T]) scopeOf(q *query) *scope[T] { return &r.literal[q.h[0]%scopes] }

// find appends the entries that fit.
func (r *Router[T]) find(q *query, sc *scope[T], found []*entry[T], looks *int) []*entry[T] {
	found = sc.find(q, found, looks)
	if q.topic[0] != '$' {
		found = r.leading.find(q, found, looks)
	}
	return found
}

// Subscribe adds value under the patterns; duplicates among them count once. The error is
// a [*LimitError]; nothing is subscribed then.
func (r *Router[T]) Subscribe(value T, patterns ...Pattern) (*Subscription[T], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(patterns) != 1 || patterns[0].text == "" {
		return r.subscribe(value, nil, patterns)
	}
	w := r.place(patterns[0])
	e := w.entry(patterns[0])
	var s *Subscription[T]
	if e != nil {
		s = &Subscription[T]{}
	} else {
		e, s = newBlock[T](patterns[0])
		if !r.enter(w, e) {
			return nil, &LimitError{Pattern: patterns[0], Shapes: r.limit}
		}
	}
	s.Value, s.router, s.link.entry = value, r, e
	ordinal := r.published.Load() + 1
	s.stamp.Store(ordinal << 1)
	e.add(e, s)
	r.published.Store(ordinal)
	r.version.Add(1)
	return s, nil
}

// Join adds value under the patterns as a member of a group. Of the members that a topic
// concerns one gets the event, the same for the same key as long as it is there; a member
// that comes or goes moves no key between the others. The choice depends on the names
// alone, so it is the same on another node and after a restart.
func (r *Router[T]) Join(group, member string, value T, patterns ...Pattern) (*Subscription[T], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscribe(value, &extra[T]{group: r.groupCalled(group), member: hashName(member)}, patterns)
}

// subscribe makes a subscription visible: first its entries, then its place in them, last
// its ordinal.
func (r *Router[T]) subscribe(value T, x *extra[T], patterns []Pattern) (*Subscription[T], error) {
	entries, err := r.entriesFor(patterns)
	if err != nil {
		return nil, err
	}
	s := &Subscription[T]{Value: value, router: r, extra: x}
	ordinal := r.published.Load() + 1
	s.stamp.Store(ordinal << 1)
	s.setLinks(entries)
	if g := s.group(); g != nil {
		g.members++
		r.mu.groups[g.name] = g
	}
	for _, e := range entries {
		if s.group() != nil {
			r.join(e, s)
		} else {
			e.add(e, s)
		}
	}
	r.published.Store(ordinal)
	r.version.Add(1)
	return s, nil
}

// entriesFor returns the entries of the patterns, made where there were none.
func (r *Router[T]) entriesFor(patterns []Pattern) ([]*entry[T], error) {
	var entries []*entry[T]
	twice := make(map[*entry[T]]bool, len(patterns))
	for _, p := range patterns {
		if p.text == "" {
			continue
		}
		w := r.place(p)
		e := w.entry(p)
		if e == nil {
			e = &entry[T]{pattern: p}
			if !r.enter(w, e) {
				for _, e := range entries {
					r.tidy(e)
				}
				return nil, &LimitError{Pattern: p, Shapes: r.limit}
			}
		}
		if !twice[e] {
			twice[e] = true
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// where is the place of a pattern.
type where[T any] struct {
	scope *scope[T]
	shape shape
	shelf *shelf[T] // nil: there is none for the shape
	hash  uint64
}

func (r *Router[T]) place(p Pattern) where[T] {
	w := where[T]{scope: &r.leading, shape: shapeOf(p.text)}
	var q query // the pattern as a topic, of which ** is a segment
	q.split(&r.seed, p.text)
	if p.text[0] != '*' {
		w.scope = r.scopeOf(&q)
	}
	w.shelf = w.scope.view.Load().shelf(w.shape)
	w.hash = w.shape.hash(&q, int(w.shape.head.n)+1)
	return w
}

// entry returns the entry of p, or nil.
func (w *where[T]) entry(p Pattern) *entry[T] {
	if w.shelf != nil {
		if n, i := w.shelf.table.slot(w.hash, p); n != nil {
			return n.slots[i].entry.Load()
		}
	}
	return nil
}

// enter puts a new entry into its place, unless its shape is one too many.
func (r *Router[T]) enter(w where[T], e *entry[T]) bool {
	if w.shelf == nil {
		if w.shelf = w.scope.add(w.shape, r.limit); w.shelf == nil {
			return false
		}
	}
	w.shelf.table.insert(w.hash, e)
	w.scope.gen.Add(1)
	return true
}

// tidy takes the entry out if nobody is left in it.
func (r *Router[T]) tidy(e *entry[T]) {
	if !e.empty() {
		return
	}
	w := r.place(e.pattern)
	if w.shelf == nil {
		return
	}
	w.shelf.table.remove(w.hash, e.pattern)
	if w.shelf.table.count == 0 {
		w.scope.drop(w.shelf)
	}
	w.scope.gen.Add(1)
}

// Unsubscribe removes the subscription. It may be called twice. A match that begins after
// it has returned does not see the subscription.
func (s *Subscription[T]) Unsubscribe() {
	r := s.router
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.stamp.Load()&gone != 0 {
		return
	}
	defer r.version.Add(1)
	s.stamp.Store(s.stamp.Load() | gone)
	for i := range s.links() {
		e := s.linkAt(i).entry
		if s.group() != nil {
			r.leave(e, s)
		} else {
			e.remove(e, s)
		}
		r.tidy(e)
	}
	if g := s.group(); g != nil {
		if g.members--; g.members == 0 {
			delete(r.mu.groups, g.name)
		}
	}
}
