package router

import (
	"fmt"
	"sync/atomic"
)

// scope holds the patterns that begin with one of a few literal segments, or all those that
// begin with a wildcard. A match looks into two scopes only, so the shapes and changes of
// one area of topics cost nothing in another.
type scope[T any] struct {
	gen  atomic.Uint64 // grows with each pattern that comes or goes
	view atomic.Pointer[view[T]]
	cost int // of the shapes; the writer's
}

// view is the shapes of a scope. It is replaced, not changed.
type view[T any] struct {
	shapes []*shelf[T]           // by number of segments; behind these, those with **
	begin  [maxLevels + 2]uint32 // of the shapes with so many segments; [maxLevels+1]: with **
}

// shelf is the patterns of one shape within one scope.
type shelf[T any] struct {
	shape
	fewest int
	table  table[T]
}

// LimitError says that a pattern was refused because a match would have to look at too
// many places: each shape of patterns, that is, each arrangement of literal segments and
// wildcards, costs a look.
type LimitError struct {
	Pattern Pattern
	Shapes  int // the limit, see [Options]
}

// Error says what to do.
func (e *LimitError) Error() string {
	return fmt.Sprintf("pattern %q: there are %d arrangements of wildcards below its first segment already; use one of those, or raise Options.Shapes", e.Pattern, e.Shapes)
}

// rank orders the shapes of a view.
func (s *shape) rank() int {
	if s.gaps > 0 {
		return maxLevels + 1
	}
	return int(s.head.n)
}

// shelf returns the shelf for a shape, or nil.
func (v *view[T]) shelf(s shape) *shelf[T] {
	if v == nil {
		return nil
	}
	r := s.rank()
	for _, sh := range v.shapes[v.begin[r]:v.end(r)] {
		if sh.shape == s {
			return sh
		}
	}
	return nil
}

func (v *view[T]) end(rank int) int {
	if rank == maxLevels+1 {
		return len(v.shapes)
	}
	return int(v.begin[rank+1])
}

// add puts a shelf for a shape into the scope, unless that would be beyond the limit.
func (sc *scope[T]) add(s shape, limit int) *shelf[T] {
	if sc.cost+s.cost() > limit {
		return nil
	}
	sc.cost += s.cost()
	sh := &shelf[T]{shape: s, fewest: s.least()}
	old := sc.view.Load()
	if old == nil {
		old = &view[T]{}
	}
	v := &view[T]{begin: old.begin, shapes: make([]*shelf[T], 0, len(old.shapes)+1)}
	at := old.end(s.rank())
	v.shapes = append(append(append(v.shapes, old.shapes[:at]...), sh), old.shapes[at:]...)
	for r := s.rank() + 1; r < len(v.begin); r++ {
		v.begin[r]++
	}
	sc.view.Store(v)
	return sh
}

// drop takes an empty shelf out.
func (sc *scope[T]) drop(sh *shelf[T]) {
	sc.cost -= sh.cost()
	old := sc.view.Load()
	v := &view[T]{begin: old.begin, shapes: make([]*shelf[T], 0, len(old.shapes))}
	for _, have := range old.shapes {
		if have != sh {
			v.shapes = append(v.shapes, have)
		}
	}
	for r := sh.rank() + 1; r < len(v.begin); r++ {
		v.begin[r]--
	}
	sc.view.Store(v)
}

// find appends the entries of the scope that fit. looks counts the looks into tables.
func (sc *scope[T]) find(q *query, found []*entry[T], looks *int) []*entry[T] {
	v := sc.view.Load()
	if v == nil {
		return found
	}
	found = findFixed(v.shapes[v.begin[q.n]:v.begin[q.n+1]], q, found, looks)
	for _, sh := range v.shapes[v.begin[maxLevels+1]:] {
		found = sh.findGap(q, found, looks)
	}
	return found
}

// findFixed looks into the shapes without **, one look each. Of several it asks for all
// slots before it looks at one, so that their misses of the cache overlap.
func findFixed[T any](shapes []*shelf[T], q *query, found []*entry[T], looks *int) []*entry[T] {
	*looks += len(shapes)
	if len(shapes) == 1 {
		sh := shapes[0]
		if e := sh.table.get(sh.hash(q, 0), &sh.shape, q, 0); e != nil {
			found = append(found, e)
		}
		return found
	}
	var room [8]probe[T]
	for len(shapes) > 0 {
		n := min(len(shapes), len(room))
		probes := room[:0]
		for _, sh := range shapes[:n] {
			probes = sh.probe(q, 0, 0, probes)
		}
		for i := range probes {
			p := &probes[i]
			if e := p.leaf.get(p.hash, int(p.slot), &p.shelf.shape, q, 0); e != nil {
				found = append(found, e)
			}
		}
		shapes = shapes[n:]
	}
	return found
}

// findGap looks at each place where the mid may be.
func (sh *shelf[T]) findGap(q *query, found []*entry[T], looks *int) []*entry[T] {
	first := len(found)
	for at, last := sh.places(q); at <= last; at++ {
		*looks++
		e := sh.table.get(sh.hash(q, at), &sh.shape, q, at)
		if e != nil && !contains(found[first:], e) { // its mid may fit at two places
			found = append(found, e)
		}
	}
	return found
}

// places returns the first and last segment where the mid may begin. Without a second **
// that is one place; last is before first if the topic is too short.
func (sh *shelf[T]) places(q *query) (first, last int) {
	first = int(sh.head.n)
	spare := q.n - sh.fewest
	if spare >= 0 && sh.gaps == 1 {
		spare = 0
	}
	return first, first + spare
}

func contains[T any](found []*entry[T], e *entry[T]) bool {
	for _, have := range found {
		if have == e {
			return true
		}
	}
	return false
}
