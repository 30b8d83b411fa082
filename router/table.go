package router

import "sync/atomic"

// table holds the entries of one shape by hash: a trie over the high bits of the hash whose
// leaves are small open-addressed tables. Readers need no lock; there is one writer at a
// time. No change copies more than one leaf, so a change costs the same whether a thousand
// or a million entries are in the table; a rehash of the whole, or a directory that
// doubles, would not.
//
// The garbage collector keeps what a reader still looks at: a leaf or entry that was
// replaced stays as it was.
type table[T any] struct {
	root  atomic.Pointer[node[T]]
	count int // of entries; the writer's
}

// node is either a leaf and has slots, or inner and has children.
type node[T any] struct {
	slots    []slot[T]
	children *[fanOut]atomic.Pointer[node[T]]
	depth    uint8
	used     int // slots that are not free; the writer's
	live     int // slots with an entry; the writer's
}

// slot keeps hash and entry in one cache line: at a million entries a look costs two
// misses of the cache, slot and entry, and they are nearly all that it costs.
type slot[T any] struct {
	hash  atomic.Uint64 // slotFree, slotDead, or that of the entry
	entry atomic.Pointer[entry[T]]
}

const (
	slotFree = 0
	slotDead = 1 // had an entry: a search goes on behind it

	fanOutBits = 4
	fanOut     = 1 << fanOutBits // a million entries are three levels deep, which caches hold
	maxDepth   = 8               // below, a leaf just grows; without 2^40 entries none gets there
)

// leafSizes are the numbers of slots of a leaf. Above 512 bytes they fill a size class of
// Go's allocator but for its header of 8 bytes; the largest is what a change copies at most.
var leafSizes = [...]int{4, 8, 16, 32, 63, 95, 127, 167, 203, 303, 383, 591}

func newLeaf[T any](depth uint8, entries int) *node[T] {
	size := 4 * (entries + 1)
	for _, s := range leafSizes {
		if s >= 4*entries/3+2 {
			size = s
			break
		}
	}
	return &node[T]{slots: make([]slot[T], size), depth: depth}
}

// full says whether one more used slot would be more than three in four.
func (n *node[T]) full() bool { return 4*(n.used+1) > 3*len(n.slots) }

// at returns the slot at which a search for hash begins; the high bits chose the leaf.
func (n *node[T]) at(hash uint64) int { return int(uint64(uint32(hash)) * uint64(len(n.slots)) >> 32) }

// after returns the slot behind i.
func (n *node[T]) after(i int) int {
	if i++; i == len(n.slots) {
		return 0
	}
	return i
}

func branch(hash uint64, depth uint8) uint64 {
	return hash >> (64 - fanOutBits - fanOutBits*depth) & (fanOut - 1)
}

// leaf returns the leaf that hash belongs into, nil if the table is empty.
func (t *table[T]) leaf(hash uint64) *node[T] {
	n := t.root.Load()
	for n != nil && n.children != nil {
		n = n.children[branch(hash, n.depth)].Load()
	}
	return n
}

// get returns the entry with this hash that fits the query, or nil.
func (t *table[T]) get(hash uint64, s *shape, q *query, mid int) *entry[T] {
	n := t.leaf(hash)
	if n == nil {
		return nil
	}
	return n.get(hash, n.at(hash), s, q, mid)
}

// get looks from slot i on.
func (n *node[T]) get(hash uint64, i int, s *shape, q *query, mid int) *entry[T] {
	for ; ; i = n.after(i) {
		switch n.slots[i].hash.Load() {
		case hash:
			// The entry is nil, or another one, where the slot was given up meanwhile.
			if e := n.slots[i].entry.Load(); e != nil && s.fits(e.pattern.text, q, mid) {
				return e
			}
		case slotFree:
			return nil
		}
	}
}

// slot returns the leaf and slot where the entry of a pattern is, or nil. The writer alone calls it.
func (t *table[T]) slot(hash uint64, p Pattern) (*node[T], int) {
	n := t.leaf(hash)
	if n == nil {
		return nil, 0
	}
	for i := n.at(hash); ; i = n.after(i) {
		switch n.slots[i].hash.Load() {
		case hash:
			if n.slots[i].entry.Load().pattern == p {
				return n, i
			}
		case slotFree:
			return nil, 0
		}
	}
}

// insert adds an entry that is not in the table yet.
func (t *table[T]) insert(hash uint64, e *entry[T]) {
	t.count++
	place := &t.root
	n := place.Load()
	if n == nil {
		n = newLeaf[T](0, 0)
		place.Store(n)
	}
	for {
		for n.children != nil {
			place = &n.children[branch(hash, n.depth)]
			n = place.Load()
		}
		if !n.full() {
			n.put(hash, e)
			return
		}
		n = n.rebuilt()
		place.Store(n)
	}
}

// put writes an entry into a leaf that is not full. Readers may be looking: the entry is
// there before its hash is.
func (n *node[T]) put(hash uint64, e *entry[T]) {
	i := n.at(hash)
	for n.slots[i].hash.Load() > slotDead {
		i = n.after(i)
	}
	if n.slots[i].hash.Load() == slotFree {
		n.used++
	}
	n.live++
	n.slots[i].entry.Store(e)
	n.slots[i].hash.Store(hash)
}

// rebuilt returns a node with the entries of the leaf and room for more: a leaf, or an
// inner node above sixteen.
func (n *node[T]) rebuilt() *node[T] {
	if 4*(n.live+1) > 3*leafSizes[len(leafSizes)-1] && n.depth < maxDepth {
		return n.split()
	}
	leaf := newLeaf[T](n.depth, n.live+n.live/8+1)
	for i := range n.slots {
		if h := n.slots[i].hash.Load(); h > slotDead {
			leaf.put(h, n.slots[i].entry.Load())
		}
	}
	return leaf
}

func (n *node[T]) split() *node[T] {
	inner := &node[T]{children: new([fanOut]atomic.Pointer[node[T]]), depth: n.depth}
	var counts [fanOut]int
	for i := range n.slots {
		if h := n.slots[i].hash.Load(); h > slotDead {
			counts[branch(h, n.depth)]++
		}
	}
	for b, count := range counts {
		inner.children[b].Store(newLeaf[T](n.depth+1, count+1))
	}
	for i := range n.slots {
		if h := n.slots[i].hash.Load(); h > slotDead {
			inner.children[branch(h, n.depth)].Load().put(h, n.slots[i].entry.Load())
		}
	}
	return inner
}

// remove takes the entry of a pattern out.
func (t *table[T]) remove(hash uint64, p Pattern) {
	n, i := t.slot(hash, p)
	if n == nil {
		return
	}
	t.count--
	n.live--
	mark := uint64(slotDead)
	if n.slots[n.after(i)].hash.Load() == slotFree { // no search goes on behind it
		mark = slotFree
		n.used--
	}
	n.slots[i].hash.Store(mark)
	n.slots[i].entry.Store(nil)
	if len(n.slots) > leafSizes[0] && 8*n.live < len(n.slots) {
		t.shrink(hash)
	}
}

// shrink replaces the leaf of hash by a smaller one.
func (t *table[T]) shrink(hash uint64) {
	place := &t.root
	for n := place.Load(); n.children != nil; n = place.Load() {
		place = &n.children[branch(hash, n.depth)]
	}
	place.Store(place.Load().rebuilt())
}
