package router

import "sync"

// group is a name under which members compete. Members do not stand in the roster of an
// entry themselves: the group has one seat in it, whose own roster they are in. So a group
// costs a match one step until it comes to the choice, and stands in the order of
// registration where its seat does.
type group[T any] struct {
	name    string
	members int      // the writer's
	seats   sync.Map // *entry[T] to *Subscription[T], the seat: read by matches
}

// groupCalled returns the group of that name, a new one if nobody is in it.
func (r *Router[T]) groupCalled(name string) *group[T] {
	if g := r.mu.groups[name]; g != nil {
		return g
	}
	return &group[T]{name: name}
}

// group returns the group that s is a member or the seat of, or nil.
func (s *Subscription[T]) group() *group[T] {
	if s.extra == nil {
		return nil
	}
	return s.extra.group
}

// join adds member s to the seat of its group at e.
func (r *Router[T]) join(e *entry[T], s *Subscription[T]) {
	g := s.extra.group
	if at, ok := g.seats.Load(e); ok {
		at.(*Subscription[T]).extra.members.add(e, s)
		return
	}
	seat := &Subscription[T]{router: r, extra: &extra[T]{group: g, isSeat: true}}
	seat.stamp.Store(s.stamp.Load())
	seat.link.entry = e
	seat.extra.members.add(e, s)
	e.add(e, seat)
	g.seats.Store(e, seat)
}

// leave takes member s out, and the seat with it if it was the last.
func (r *Router[T]) leave(e *entry[T], s *Subscription[T]) {
	g := s.extra.group
	at, ok := g.seats.Load(e)
	if !ok {
		return
	}
	seat := at.(*Subscription[T])
	seat.extra.members.remove(e, s)
	if seat.extra.members.empty() {
		seat.stamp.Store(seat.stamp.Load() | gone)
		g.seats.Delete(e)
		e.remove(e, seat)
	}
}

// seat says whether s stands for a group.
func (s *Subscription[T]) seat() bool { return s.extra != nil && s.extra.isSeat }

// chosen returns the member of a group that gets an event with this key: of all members
// with a pattern among the entries, the one whose hash together with the key is the
// greatest (Thaler, Ravishankar: Using Name-Based Mappings to Increase Hit Rates, 1998). A
// member that comes or goes takes or gives up its own keys only. It returns nil where no
// member is left.
func chosen[T any](entries []*entry[T], seat *Subscription[T], to reach) *Subscription[T] {
	hash := hashName(to.key)
	var best choice[T]
	for _, e := range entries {
		if at, ok := seat.extra.group.seats.Load(e); ok {
			best.among(&at.(*Subscription[T]).extra.members, hash, to.limit)
		}
	}
	return best.sub
}

// served is the set of the groups that had their turn.
type served[T any] struct {
	few  [8]*group[T]
	n    int
	many map[*group[T]]bool // behind the few
}

// add says whether g is new.
func (s *served[T]) add(g *group[T]) bool {
	for _, have := range s.few[:min(s.n, len(s.few))] {
		if have == g {
			return false
		}
	}
	switch {
	case s.n < len(s.few):
		s.few[s.n] = g
	case s.many[g]:
		return false
	default:
		if s.many == nil {
			s.many = map[*group[T]]bool{}
		}
		s.many[g] = true
	}
	s.n++
	return true
}

type choice[T any] struct {
	sub   *Subscription[T]
	score uint64
}

// among looks for a better choice among the members.
func (c *choice[T]) among(members *roster[T], key, limit uint64) {
	var at cursor[T]
	for more := at.first(members, limit); more; more = at.next(limit) {
		score := mix(at.sub.extra.member ^ key)
		if c.sub == nil || score > c.score || score == c.score && at.ordinal < c.sub.Ordinal() {
			c.sub, c.score = at.sub, score
		}
	}
}

// hashName is FNV-1a with a better end. It has no seed: the choice must be the same after a
// restart and on another node.
func hashName(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return mix(h)
}

// mix is the finaliser of MurmurHash3.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
