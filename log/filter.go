package log

// filter answers "was this added?" with no, or with probably. It grows by layers of
// doubling size; each is a Bloom filter whose bits for one entry lie in one 64-byte
// block (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007),
// so that a question costs one cache miss a layer. With 12 bits an entry about one
// question in a hundred is answered wrongly with probably.
type filter struct {
	layers []filterLayer
}

type filterLayer struct {
	blocks [][8]uint64
	left   int // entries that may still be added
}

const (
	filterBits       = 12
	filterProbes     = 6
	filterFirstLayer = 1 << 12 // entries
	// maxFilterEntries bounds the memory to 96 MiB. What comes after is not noted, and the
	// filter answers probably to everything.
	maxFilterEntries = 1 << 26
)

func newFilter() *filter { return &filter{} }

// newFilterFor returns a filter of one layer, for at most n entries.
func newFilterFor(n int) *filter { return &filter{layers: []filterLayer{newFilterLayer(n)}} }

func newFilterLayer(n int) filterLayer {
	return filterLayer{blocks: make([][8]uint64, n*filterBits/512+1), left: n}
}

func (f *filter) add(hash uint64) {
	if len(f.layers) == 0 || f.layers[len(f.layers)-1].left == 0 {
		size := filterFirstLayer << len(f.layers)
		if size > maxFilterEntries/2 {
			return
		}
		f.layers = append(f.layers, newFilterLayer(size))
	}
	l := &f.layers[len(f.layers)-1]
	l.left--
	block := l.block(hash)
	for probe := range filterProbes {
		bit := hash >> (9 * probe) & 511
		block[bit>>6] |= 1 << (bit & 63)
	}
}

func (f *filter) has(hash uint64) bool {
	if f.full() {
		return true
	}
	for i := range f.layers {
		if f.layers[i].has(hash) {
			return true
		}
	}
	return false
}

// full tells whether entries may have been left out.
func (f *filter) full() bool {
	n := len(f.layers)
	return n > 0 && f.layers[n-1].left == 0 && filterFirstLayer<<n > maxFilterEntries/2
}

func (l *filterLayer) block(hash uint64) *[8]uint64 {
	// The probes take 54 low bits; the block wants others, so it is mixed first (the
	// finaliser of MurmurHash3).
	hash ^= hash >> 33
	hash *= 0xff51afd7ed558ccd
	hash ^= hash >> 33
	return &l.blocks[hash%uint64(len(l.blocks))]
}

func (l *filterLayer) has(hash uint64) bool {
	block := l.block(hash)
	for probe := range filterProbes {
		bit := hash >> (9 * probe) & 511
		if block[bit>>6]&(1<<(bit&63)) == 0 {
			return false
		}
	}
	return true
}
