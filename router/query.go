package router

import (
	"hash/maphash"
	"math/bits"
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
func (q *query) split(seed maphash.Seed, topic string) bool {
	if topic == "" || len(topic) > MaxTopicBytes {
		return false
	}
	q.topic = topic
	n, start := 0, 0
	for start <= len(topic) {
		if n == maxLevels {
			return false
		}
		end := len(topic)
		if i := strings.IndexByte(topic[start:], '.'); i >= 0 {
			end = start + i
		}
		q.off[n] = uint16(start)
		q.h[n] = maphash.String(seed, topic[start:end])
		n++
		start = end + 1
	}
	q.off[n] = uint16(start)
	q.n = n
	return true
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
