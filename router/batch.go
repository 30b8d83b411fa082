package router

// batchSize is how many topics of a batch are looked up side by side: enough to fill the
// time of a cache miss, few enough to keep what they need in the first-level cache.
const batchSize = 8

// probe is one look into a table that a batch is about to take.
type probe[T any] struct {
	shelf *shelf[T]
	leaf  *node[T]
	hash  uint64
	entry *entry[T] // what was found, still to be compared with the topic
	slot  int32
	at    int16 // the mid
	topic int16
}

// MatchBatch matches many topics, each as [Router.Match] does but for the cache, and calls
// yield with the index of the topic until it says false. key returns the key of the topic
// with an index; nil is a key of "". All topics are matched against what was subscribed
// when it began.
//
// With many subscriptions the price of a match is waiting for memory: one miss for the
// slot, one for the entry. A batch asks for the slots of several topics, then for their
// entries, and only then looks at them, so the waits overlap. What asks must not branch on
// what it asked for: a wrong guess of the processor would end the overlapping.
func (r *Router[T]) MatchBatch(topics []string, key func(i int) string, yield func(i int, m Match[T]) bool) {
	limit := r.published.Load()
	var queries [batchSize]query
	var room [8 * batchSize]probe[T]
	var entries [inlineEntries]*entry[T]
	for start := 0; start < len(topics); start += batchSize {
		block := topics[start:min(start+batchSize, len(topics))]
		probes := room[:0]
		for i, topic := range block {
			if queries[i].split(&r.seed, topic) {
				probes = r.probes(&queries[i], i, probes)
			}
		}
		probes = ask(probes)
		for len(probes) > 0 {
			i, n := int(probes[0].topic), 1
			for n < len(probes) && int(probes[n].topic) == i {
				n++
			}
			found := confirm(&queries[i], probes[:n], entries[:0])
			probes = probes[n:]
			to := reach{topic: block[i], limit: limit}
			if key != nil {
				to.key = key(start + i)
			}
			more := true
			deliver(found, to, func(m Match[T]) bool {
				more = yield(start+i, m)
				return more
			})
			if !more {
				return
			}
		}
	}
}

// probes appends the looks for a query, and asks for the memory of their slots.
func (r *Router[T]) probes(q *query, topic int, list []probe[T]) []probe[T] {
	list = r.scopeOf(q).probes(q, topic, list)
	if q.topic[0] != '$' {
		list = r.leading.probes(q, topic, list)
	}
	return list
}

func (sc *scope[T]) probes(q *query, topic int, list []probe[T]) []probe[T] {
	v := sc.view.Load()
	if v == nil {
		return list
	}
	for _, sh := range v.shapes[v.begin[q.n]:v.begin[q.n+1]] {
		list = sh.probe(q, 0, topic, list)
	}
	for _, sh := range v.shapes[v.begin[maxLevels+1]:] {
		for at, last := sh.places(q); at <= last; at++ {
			list = sh.probe(q, at, topic, list)
		}
	}
	return list
}

func (sh *shelf[T]) probe(q *query, at, topic int, list []probe[T]) []probe[T] {
	hash := sh.hash(q, at)
	leaf := sh.table.leaf(hash)
	if leaf == nil {
		return list
	}
	slot := leaf.at(hash)
	leaf.slots[slot].hash.Load()
	return append(list, probe[T]{shelf: sh, leaf: leaf, hash: hash, slot: int32(slot), at: int16(at), topic: int16(topic)})
}

// ask finds the entries of the probes, drops those without one, and asks for the memory of
// the others and of who subscribed first.
func ask[T any](list []probe[T]) []probe[T] {
	found := list[:0]
	for _, p := range list {
		if p.entry = p.leaf.candidate(p.hash, int(p.slot)); p.entry != nil {
			found = append(found, p)
		}
	}
	for _, p := range found {
		if s := p.entry.solo.Load(); s != nil {
			s.stamp.Load()
		}
	}
	return found
}

// candidate returns the first entry with this hash from slot i on, nil if there is none.
func (n *node[T]) candidate(hash uint64, i int) *entry[T] {
	for ; ; i = n.after(i) {
		switch n.slots[i].hash.Load() {
		case hash:
			return n.slots[i].entry.Load()
		case slotFree:
			return nil
		}
	}
}

// confirm appends the entries of the probes that do match.
func confirm[T any](q *query, list []probe[T], found []*entry[T]) []*entry[T] {
	for i := range list {
		p := &list[i]
		e := p.entry
		if !p.shelf.fits(e.pattern.text, q, int(p.at)) { // another one with that hash; there may be a third
			e = p.shelf.table.get(p.hash, &p.shelf.shape, q, int(p.at))
		}
		if e != nil && !(p.shelf.gaps > 1 && contains(found, e)) {
			found = append(found, e)
		}
	}
	return found
}
