package router

import (
	"math/bits"
	"strings"
)

// run is a row of segments without **. Bit i of literal is set where segment i is literal
// and not *.
type run struct {
	n       uint8
	literal uint32
}

// shape is what a pattern leaves when its literal segments are blanked out: it says which
// segments of a topic have to be looked at, and from which end they are counted.
//
//	head             users.created, users.*
//	head ** tail     users.**, a.**.z
//	head ** mid ** tail
//
// All patterns of one shape that can match a topic have the same hash, so one look into
// one hash table finds them, however many there are (tuple space search: Srinivasan, Suri,
// Varghese, Packet Classification using Tuple Space Search, 1999). A mid may lie at
// several places of a topic, and costs a look for each.
type shape struct {
	gaps            uint8
	head, mid, tail run
}

// shapeOf returns the shape of a pattern in normal form.
func shapeOf(text string) shape {
	var s shape
	r := &s.head
	for segment := range strings.SplitSeq(text, ".") {
		switch {
		case segment == many && s.gaps == 0:
			s.gaps, r = 1, &s.tail
			continue
		case segment == many:
			s.gaps, s.mid, s.tail = 2, s.tail, run{}
			continue
		case segment != one:
			r.literal |= 1 << r.n
		}
		r.n++
	}
	return s
}

// least returns how many segments a topic must have.
func (s *shape) least() int { return int(s.head.n) + int(s.mid.n) + int(s.tail.n) }

// cost returns how many looks a match may take, which the limit on shapes counts: one, or
// with a mid one for each place that it may have in a topic of the usual length.
func (s *shape) cost() int {
	if s.gaps < 2 {
		return 1
	}
	return max(1, MaxSegments-s.least()+1)
}

// hash returns the hash of what the shape looks at in q, with its mid at segment mid. It
// is never one of the two marks of a table.
func (s *shape) hash(q *query, mid int) uint64 {
	sum := q.sum(s.head, 0, headFactors)
	if s.gaps > 0 {
		sum += q.sum(s.tail, q.n-int(s.tail.n), tailFactors)
		if s.gaps > 1 {
			sum += q.sum(s.mid, mid, midFactors)
		}
	}
	sum ^= sum >> 32
	sum *= 0x9e3779b97f4a7c15
	sum ^= sum >> 29
	return max(sum, slotDead+1)
}

// fits says whether the pattern text, which has this shape, matches q with its mid at
// segment mid. Hashes only find candidates; this decides.
func (s *shape) fits(text string, q *query, mid int) bool {
	at, ok := s.head.fits(text, 0, q, 0)
	if !ok || s.gaps == 0 {
		return ok
	}
	at += len(many + ".")
	if s.gaps > 1 {
		if at, ok = s.mid.fits(text, at, q, mid); !ok {
			return false
		}
		at += len(many + ".")
	}
	_, ok = s.tail.fits(text, at, q, q.n-int(s.tail.n))
	return ok
}

// fits compares the segments of text from byte at with those of q from segment start, and
// returns the byte behind them. Neighbouring literal segments are compared as one.
func (r run) fits(text string, at int, q *query, start int) (int, bool) {
	for i := 0; i < int(r.n); {
		same := bits.TrailingZeros32(^(r.literal >> i))
		if same == 0 { // *.
			at += len(one + ".")
			i++
			continue
		}
		from, to := int(q.off[start+i]), int(q.off[start+i+same])-1
		end := at + to - from
		if end > len(text) || text[at:end] != q.topic[from:to] || end < len(text) && text[end] != '.' {
			return 0, false
		}
		at = end + 1
		i += same
	}
	return at, true
}
