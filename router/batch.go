package router

// batchSize is how many topics of a batch are looked up side by side: enough to fill the
// time of a cache miss, few enough to keep what they need in the first-level cache.
const batchSize = 8

// suspect is a pattern that may match: its hash is that of a topic of the batch.
type suspect[T any] struct {
	shelf *shelf[T]
	entry *entry[T]
	at    int // its mid
}

// MatchBatch matches many topics, each as [Router.Match] does, and calls yield with the
// index of the topic until it says false. key returns the key of the topic with an index;
// nil is a key of "". All topics are matched against what was subscribed when it began.
//
// With many subscriptions the price of a match is waiting for memory. A batch asks for the
// entries of several topics first and looks at them afterwards, so the waits overlap.
func (r *Router[T]) MatchBatch(topics []string, key func(i int) string, yield func(i int, m Match[T]) bool) {
	limit := r.published.Load()
	var queries [batchSize]query
	var room [8 * batchSize]suspect[T]
	var entries [inlineEntries]*entry[T]
	for start := 0; start < len(topics); start += batchSize {
		block := topics[start:min(start+batchSize, len(topics))]
		suspects := room[:0]
		var ends [batchSize]int
		for i, topic := range block {
			if queries[i].split(r.seed, topic) {
				suspects = r.suspects(&queries[i], suspects)
			}
			ends[i] = len(suspects)
		}
		from := 0
		for i, topic := range block {
			found := confirm(&queries[i], suspects[from:ends[i]], entries[:0])
			from = ends[i]
			if len(found) == 0 {
				continue
			}
			to := reach{topic: topic, limit: limit}
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

// suspects appends what may match the query.
func (r *Router[T]) suspects(q *query, list []suspect[T]) []suspect[T] {
	list = r.scopeOf(q).suspects(q, list)
	if q.topic[0] != '$' {
		list = r.leading.suspects(q, list)
	}
	return list
}

func (sc *scope[T]) suspects(q *query, list []suspect[T]) []suspect[T] {
	v := sc.view.Load()
	if v == nil {
		return list
	}
	for _, sh := range v.shapes[v.begin[q.n]:v.begin[q.n+1]] {
		list = sh.suspect(q, 0, list)
	}
	for _, sh := range v.shapes[v.begin[maxLevels+1]:] {
		for at, last := sh.places(q); at <= last; at++ {
			list = sh.suspect(q, at, list)
		}
	}
	return list
}

func (sh *shelf[T]) suspect(q *query, at int, list []suspect[T]) []suspect[T] {
	if e := sh.table.candidate(sh.hash(q, at)); e != nil {
		list = append(list, suspect[T]{sh, e, at})
	}
	return list
}

// confirm appends the entries of the suspects that do match.
func confirm[T any](q *query, list []suspect[T], found []*entry[T]) []*entry[T] {
	for _, s := range list {
		e := s.entry
		if !s.shelf.fits(e.pattern.text, q, s.at) { // the hash of another one; there may be a third
			e = s.shelf.table.get(s.shelf.hash(q, s.at), &s.shelf.shape, q, s.at)
		}
		if e != nil && !(s.shelf.gaps > 1 && contains(found, e)) {
			found = append(found, e)
		}
	}
	return found
}
