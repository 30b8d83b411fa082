package log

import (
	"strings"

	"github.com/avx-platform/avxrt/abi"
)

// pending holds the postings that are not in the store yet: one list in the order of the
// log, in which the postings of a stream are linked backwards. The index guards it.
//
// It was a map from key to a slice of postings once. Hashing every key of every chunk and
// growing the slices took a tenth of the time of an append.
type pending struct {
	slots   map[string]int32 // index in streams
	streams []pendingStream
	list    []linked
	hinted  []int32 // per number of a keyHint: the slot it had when last seen, plus 1
}

// pendingStream is a stream with postings in the list.
type pendingStream struct {
	name  string
	first abi.Version // of its first posting
	next  abi.Version // the version behind its last posting
	count int32       // postings
	last  int32       // index of its last posting in the list
}

// linked is a posting, its stream, and the index of the one before, -1 if there is none.
type linked struct {
	posting
	slot, before int32
}

// keyHint says of one entry of a chunk's key dictionary what the sequencer knew when it
// wrote the chunk: a number that it gave to the stream, which saves the index a look into
// its map, and the index of the key's first event. Numbers are given again after
// maxStreamNumbers streams, so a number is worth nothing unless the name fits too.
type keyHint struct {
	number uint32
	at     uint16
}

// maxStreamNumbers bounds the table of hints to 8 MiB: twice as many as there are streams
// in the sequencer's memory.
const maxStreamNumbers = 2 * maxHeads

func newPending(like *pending) *pending {
	p := &pending{slots: make(map[string]int32)}
	if like != nil { // the next one will be as large
		p.slots = make(map[string]int32, len(like.slots))
		p.list = make([]linked, 0, len(like.list))
		p.streams = make([]pendingStream, 0, len(like.streams))
		p.hinted = make([]int32, len(like.hinted))
	}
	return p
}

// add notes the entries of c's key dictionary. at has the index of each key's first event.
func (p *pending) add(c *chunk, at []uint16) {
	for i := range c.keys {
		entry := &c.keys[i]
		where := posting{chunk: c.first, count: uint16(entry.count)}
		var slot int32
		if c.hints != nil {
			where.at = c.hints[i].at
			slot = p.hintedSlot(c.hints[i].number, entry)
		} else {
			where.at = at[i]
			slot = p.slot(entry)
		}
		s := &p.streams[slot]
		p.list = append(p.list, linked{where, slot, s.last})
		s.last, s.next = int32(len(p.list)-1), entry.first+abi.Version(entry.count)
		s.count++
	}
}

// hintedSlot returns the slot of entry's stream, by the number if that is still its own.
func (p *pending) hintedSlot(number uint32, entry *keyEntry) int32 {
	for int(number) >= len(p.hinted) {
		p.hinted = append(p.hinted, 0)
	}
	if slot := p.hinted[number] - 1; slot >= 0 && p.streams[slot].name == entry.name {
		return slot
	}
	slot := p.slot(entry)
	p.hinted[number] = slot + 1
	return slot
}

// slot returns the slot of entry's stream, a new one if it has none.
func (p *pending) slot(entry *keyEntry) int32 {
	if slot, ok := p.slots[entry.name]; ok {
		return slot
	}
	slot := int32(len(p.streams))
	name := strings.Clone(entry.name)
	p.slots[name] = slot
	p.streams = append(p.streams, pendingStream{name: name, first: entry.first, last: -1})
	return slot
}

// of returns a copy of the postings of a stream, nil if there are none.
func (p *pending) of(key string) *postings {
	if p == nil {
		return nil
	}
	slot, ok := p.slots[key]
	if !ok {
		return nil
	}
	s := &p.streams[slot]
	list := make([]posting, s.count)
	for i, at := len(list)-1, s.last; i >= 0; i-- {
		list[i], at = p.list[at].posting, p.list[at].before
	}
	return &postings{first: s.first, next: s.next, list: list}
}

// byStream returns the postings of each stream, in the order of streams. It is a counting
// sort: to follow the links of every stream would be a cache miss a posting.
func (p *pending) byStream() []postings {
	sorted := make([]posting, len(p.list))
	out := make([]postings, len(p.streams))
	end := 0
	for i := range out {
		s := &p.streams[i]
		begin := end
		end += int(s.count)
		out[i] = postings{first: s.first, next: s.next, list: sorted[begin:begin:end]}
	}
	for i := range p.list {
		to := &out[p.list[i].slot]
		to.list = append(to.list, p.list[i].posting)
	}
	return out
}
