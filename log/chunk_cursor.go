package log

import (
	"errors"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// chunkCursor loads chunks one after the other, from the tail where it has them.
//
// An open iterator of the engine keeps every file and memtable of its moment alive. A
// reader may rest for hours between two events, so unless it borrows it holds copies: a
// window of the chunks that come next, filled in one go. Who borrows keeps the iterator
// until the next load, and promises to go on.
type chunkCursor struct {
	l      *Log
	borrow bool // chunks are valid until the next load only
	narrow bool // a window is one chunk
	open   func(c *chunk, first abi.Seq, raw []byte) error
	wants  func(*chunk) bool // which chunks a window copies; nil: all
	it     *pebble.Iterator
	passed int    // bytes since it was opened
	window []kept // what comes next, in reading order
	own    chunk  // the chunk that load returned, if it is not the tail's
	slab   []byte // copies of small chunks, which would else be an allocation each
}

// kept is the copy of a chunk, or a range of chunks of which nothing is wanted.
type kept struct {
	first, last abi.Seq
	raw         []byte // nil: nothing is wanted
}

const (
	// windowBytes bounds what a resting reader holds: four large chunks, so that opening an
	// iterator costs some 20 ns an event.
	windowBytes = 4 * chunkSoftBytes
	// reopenBytes is how much is read through one iterator.
	reopenBytes = 64 << 20
	// slabBytes is as much as one large chunk: keeping one event keeps no more than that.
	slabBytes = chunkSoftBytes
)

// load returns the chunk that holds seq; of one that wants excluded perhaps no more than
// its range.
func (k *chunkCursor) load(seq abi.Seq, backward bool) (*chunk, error) {
	if c := k.l.tail.find(seq); c != nil {
		k.window = nil
		_ = k.close() // back in memory: an open iterator would only keep old files alive
		return c, nil
	}
	if k.borrow {
		first, raw, err := k.read(seq, backward)
		if err != nil {
			return nil, err
		}
		return &k.own, k.open(&k.own, first, raw)
	}
	if len(k.window) == 0 || seq < k.window[0].first || seq > k.window[0].last {
		if err := k.fill(seq, backward); err != nil {
			return nil, err
		}
	}
	next := k.window[0]
	k.window = k.window[1:]
	if next.raw == nil {
		k.own = chunk{first: next.first, count: int(next.last-next.first) + 1}
		return &k.own, nil
	}
	return &k.own, k.open(&k.own, next.first, next.raw)
}

// fill reads a window that begins with the chunk of seq. Where something goes wrong behind
// that chunk the window ends there; the next one will meet it.
func (k *chunkCursor) fill(seq abi.Seq, backward bool) error {
	k.window = nil
	defer func() { _ = k.close() }()
	limit := windowBytes
	if k.narrow {
		limit = 1
	}
	for copied, read := 0, 0; copied < limit && read < reopenBytes; {
		first, raw, err := k.read(seq, backward)
		if err == nil {
			err = k.open(&k.own, first, raw)
		}
		if err != nil {
			if len(k.window) > 0 {
				return nil
			}
			return err
		}
		read += len(raw)
		e := kept{first: k.own.first, last: k.own.last()}
		if k.wants == nil || k.wants(&k.own) {
			e.raw = k.keep(raw)
			copied += len(raw)
		}
		k.append(e, backward)
		if seq = e.last + 1; backward {
			seq = e.first - 1
		}
		if seq == 0 || seq > k.l.Head() || k.l.tail.find(seq) != nil {
			break
		}
	}
	return nil
}

// append puts e into the window, as one with the range before if nothing is wanted of both.
func (k *chunkCursor) append(e kept, backward bool) {
	n := len(k.window) - 1
	switch {
	case n < 0 || e.raw != nil || k.window[n].raw != nil:
		k.window = append(k.window, e)
	case backward:
		k.window[n].first = e.first
	default:
		k.window[n].last = e.last
	}
}

// read returns the chunk that holds seq, in the engine's memory. The iterator is kept, so
// that the next chunk in the same direction costs one step.
func (k *chunkCursor) read(seq abi.Seq, backward bool) (first abi.Seq, raw []byte, err error) {
	if k.it != nil && k.passed < reopenBytes && k.advance(backward) {
		if first, raw, err = k.take(); err != nil || holds(first, raw, seq) {
			return first, raw, err
		}
	}
	if err := k.close(); err != nil {
		return 0, nil, err
	}
	it, err := chunkRows(k.l.db, math.MaxUint64)
	if err != nil {
		return 0, nil, err
	}
	k.it, k.passed = it, 0
	if !it.SeekLT(chunkKey(nil, seq+1)) {
		return 0, nil, errors.Join(it.Error(), damage(seq, "it is missing"))
	}
	first, raw, err = k.take()
	if err == nil && !holds(first, raw, seq) {
		err = damage(seq, "it is missing")
	}
	return first, raw, err
}

// chunkRows iterates over the chunks that begin at last or below.
func chunkRows(db pebble.Reader, last abi.Seq) (*pebble.Iterator, error) {
	upper := []byte{spaceChunk + 1}
	if last < math.MaxUint64 {
		upper = chunkKey(nil, last+1)
	}
	return db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceChunk}, UpperBound: upper})
}

// holds tells whether seq lies in the chunk, or the chunk is too damaged to tell.
func holds(first abi.Seq, raw []byte, seq abi.Seq) bool {
	var c chunk
	return c.openHeader(first, raw) != nil || first <= seq && seq <= c.last()
}

func (k *chunkCursor) advance(backward bool) bool {
	if backward {
		return k.it.Prev()
	}
	return k.it.Next()
}

func (k *chunkCursor) take() (first abi.Seq, raw []byte, err error) {
	raw, err = k.it.ValueAndErr()
	k.passed += len(raw)
	return chunkKeySeq(k.it.Key()), raw, err
}

// keep copies b to where nobody writes again.
func (k *chunkCursor) keep(b []byte) []byte {
	if len(b) > slabBytes/8 {
		return append([]byte(nil), b...)
	}
	if len(b) > cap(k.slab)-len(k.slab) {
		k.slab = make([]byte, 0, slabBytes)
	}
	n := len(k.slab)
	k.slab = append(k.slab, b...)
	return k.slab[n:len(k.slab):len(k.slab)]
}

func (k *chunkCursor) close() error {
	if k.it == nil {
		return nil
	}
	err := k.it.Close()
	k.it = nil
	return err
}
