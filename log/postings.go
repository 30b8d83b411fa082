package log

import (
	"encoding/binary"

	"github.com/avx-platform/avxrt/abi"
)

// posting says that count events of a stream lie in the chunk that begins at seq chunk,
// the first of them at index at.
type posting struct {
	chunk abi.Seq
	count uint16
	at    uint16
}

// postings are the places of consecutive versions of one stream.
type postings struct {
	first abi.Version // of the first posting
	next  abi.Version // the version behind the last posting
	list  []posting
}

func (p *postings) add(first abi.Version, where posting) {
	if len(p.list) == 0 {
		p.first = first
	}
	p.list = append(p.list, where)
	p.next = first + abi.Version(where.count)
}

// last is the last version, 0 of no postings.
func (p *postings) last() abi.Version {
	if p == nil {
		return 0
	}
	return p.next - 1
}

// An index row holds postings of one stream: a version byte, then per posting as uvarints
// the chunk's first seq (less that of the posting before), the count and the index. The
// row's key gives the stream and the first version. A row takes at most maxRowPostings.
const (
	indexRowVersion = 1
	maxRowPostings  = 1024
)

func appendIndexRow(b []byte, list []posting) []byte {
	b = append(b, indexRowVersion)
	var before abi.Seq
	for _, p := range list {
		b = binary.AppendUvarint(b, uint64(p.chunk-before))
		b = binary.AppendUvarint(b, uint64(p.count))
		b = binary.AppendUvarint(b, uint64(p.at))
		before = p.chunk
	}
	return b
}

// decodeIndexRow appends the postings in b to list.
func decodeIndexRow(first abi.Version, b []byte) (*postings, error) {
	if len(b) == 0 || b[0] != indexRowVersion {
		return nil, errRow
	}
	r := &rowReader{b: b[1:]}
	p := &postings{}
	var chunk abi.Seq
	for len(r.b) > 0 {
		chunk += abi.Seq(r.num())
		count, at := r.num(), r.num()
		if r.err != nil || count == 0 || count > maxChunkEvents || at >= maxChunkEvents || len(p.list) == maxRowPostings {
			return nil, errRow
		}
		version := first
		if len(p.list) > 0 {
			version = p.next
		}
		p.add(version, posting{chunk, uint16(count), uint16(at)})
	}
	if len(p.list) == 0 {
		return nil, errRow
	}
	return p, nil
}

// The index is written in epochs, each a file of its own with a key range of its own: the
// engine takes it to the lowest level as it is and never rewrites it. One range for all
// was measured too: every compaction of index files took files of the log with it, a third
// of what was written was written again, and appends over many keys were half as fast.

// indexKey is the key of the row of a stream that begins with version first.
func indexKey(dst []byte, epoch uint32, h streamHash, first abi.Version) []byte {
	dst = append(epochKey(dst, epoch), h[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(first))
}

// epochKey is the first key of an epoch. Its row holds the seq up to which the epochs
// until this one cover the log.
func epochKey(dst []byte, epoch uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, spaceIndex), epoch)
}

const (
	epochKeyLen = 1 + 4
	indexKeyLen = epochKeyLen + 16 + 8
)

// splitIndexKey takes the key of a row apart; ok is false for an epoch's first key.
func splitIndexKey(key []byte) (epoch uint32, h streamHash, first abi.Version, ok bool) {
	if len(key) < epochKeyLen {
		return 0, h, 0, false
	}
	epoch = binary.BigEndian.Uint32(key[1:])
	if len(key) != indexKeyLen {
		return epoch, h, 0, false
	}
	copy(h[:], key[epochKeyLen:])
	return epoch, h, abi.Version(binary.BigEndian.Uint64(key[indexKeyLen-8:])), true
}
