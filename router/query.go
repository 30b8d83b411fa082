package router

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"strings"
)

// query is a topic taken apart for one match. It lives on the stack of the match.
type query struct {
	topic string
	n     int                   // segments
	off   [maxLevels + 1]uint16 // where they begin; the last one ends at off[n]-1
	h     [maxLevels]uint64     // their hashes
}

// split takes the topic apart and says whether any pattern could match it: what has more
// segments or bytes than the limits allow was never checked, and has no match.
func (q *query) split(seed *seed, topic string) bool {
	if topic == "" || len(topic) > MaxTopicBytes {
		return false
	}
	q.topic = topic
	n, start := 0, 0
	for start <= len(topic) {
		end := len(topic)
		if i := strings.IndexByte(topic[start:], '.'); i >= 0 {
			end = start + i
		}
		if n == maxLevels || end == start {
			return false
		}
		q.off[n] = uint16(start)
		q.h[n] = seed.hash(topic[start:end])
		n++
		start = end + 1
	}
	q.off[n] = uint16(start)
	q.n = n
	return true
}

// seed keeps others from choosing segments that collide: it differs per router.
type seed struct {
	a, b uint64
	long maphash.Seed
}

func newSeed() seed { return seed{rand.Uint64(), rand.Uint64(), maphash.MakeSeed()} }

// hash is that of a segment. Up to 16 bytes, which nearly all have, take one multiplication
// of 64 by 64 bits (as in Wang Yi's wyhash), half the time of maphash. Patterns are found
// by it and then compared, so a collision costs time and nothing else.
func (s *seed) hash(segment string) uint64 {
	n := len(segment)
	var x, y uint64
	switch {
	case n > 16:
		return maphash.String(s.long, segment)
	case n >= 8:
		x, y = word(segment), word(segment[n-8:])
	case n >= 4:
		x, y = uint64(half(segment)), uint64(half(segment[n-4:]))
	default:
		x = uint64(segment[0]) | uint64(segment[n>>1])<<8 | uint64(segment[n-1])<<16
	}
	hi, lo := bits.Mul64(x^s.a, y^s.b^uint64(n)<<56)
	return hi ^ lo
}

// word and half return the first eight and four bytes of s; the compiler makes one load of each.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func half(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// sum combines the hashes of the literal segments of r, which begins at segment start.
func (q *query) sum(r run, start int, factors *[maxLevels]uint64) uint64 {
	var sum uint64
	for m := r.literal; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m) & (maxLevels - 1)
		sum += q.h[(start+i)&(maxLevels-1)] * factors[i]
	}
	return sum
}

// The factors tell places apart. They are odd, and random rather than regular: with equal
// distances between them a.b.b.a and b.a.a.b would have the same sum.
var (
	headFactors = makeFactors(1)
	midFactors  = makeFactors(2)
	tailFactors = makeFactors(3)
)

// makeFactors is Steele, Lea and Flood's splitmix64.
func makeFactors(seed uint64) *[maxLevels]uint64 {
	var f [maxLevels]uint64
	for i := range f {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		f[i] = z ^ z>>31 | 1
	}
	return &f
}
