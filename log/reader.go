package log

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// ReadOptions say what a reader wants.
type ReadOptions struct {
	From     abi.Seq                 // the first seq; forward 0 is the beginning, backward 0 is the end
	Backward bool                    // from the youngest to the oldest
	Match    func(topic string) bool // which topics; nil: all. Asked once per distinct topic of a chunk
	Durable  bool                    // stop at DurableSeq instead of the head: for everything that leaves the process
	Borrow   bool                    // events are valid until the next call only, and nothing is copied for them: for loops that go on to the end, since a reader that rests keeps old files alive
}

// Reader walks over the events of a log. It belongs to one goroutine. At the end of the
// log Next says false, and a forward reader says true again once there is more; [Log.Wait]
// tells when.
type Reader struct {
	l      *Log
	opts   ReadOptions
	next   abi.Seq // the next seq to look at; backward: 0 is the end
	chunk  *chunk  // the chunk that holds next, if loaded
	wanted []bool  // per topic of chunk
	any    bool    // one of them is wanted
	chunks chunkCursor
	holes  uint64
	err    error
}

// NewReader returns a reader; the caller closes it.
func (l *Log) NewReader(opts ReadOptions) *Reader {
	r := &Reader{l: l, opts: opts, next: opts.From, chunks: chunkCursor{l: l, borrow: opts.Borrow, open: (*chunk).openSome}}
	r.chunks.wants = r.wants
	r.chunks.narrow = opts.Durable // it feeds somebody outside: there may be thousands, and each may stop to read for ever
	if border := l.tail.border(opts.Durable); opts.Backward && (r.next == 0 || r.next > border) {
		r.next = border
	} else if !opts.Backward {
		r.next = max(r.next, 1)
	}
	return r
}

// Next decodes the next wanted event into ev and returns true, or returns false at the
// end of what may be read, or on an error, which Err then returns.
func (r *Reader) Next(ev *abi.Event) bool {
	border := r.l.tail.border(r.opts.Durable)
	for r.err == nil && r.next != 0 && r.next <= border {
		if r.chunk == nil || r.next > r.chunk.last() || r.next < r.chunk.first {
			if !r.load() {
				continue
			}
		}
		i := int(r.next - r.chunk.first)
		if !r.any {
			r.skipChunk()
			continue
		}
		if !r.opts.Backward {
			i = r.skim(i)
			r.next = r.chunk.first + abi.Seq(i)
			if i == r.chunk.count || r.next > border {
				continue
			}
		}
		r.step()
		switch {
		case r.chunk.dropped(i):
			r.holes++
			continue
		case !r.wanted[r.chunk.topicOf(i)]:
			continue
		}
		if !r.chunk.openKeys() || !r.chunk.event(i, ev) {
			r.err = damage(r.chunk.first, "an event does not fit into it")
			return false
		}
		return true
	}
	return false
}

// skim returns the index of the first wanted event from i on, or the chunk's count.
func (r *Reader) skim(i int) int {
	c := r.chunk
	if c.format == 1 {
		return i
	}
	table, topic, wanted := c.table, c.topic, r.wanted
	for ; i < c.count; i++ {
		switch {
		case binary.LittleEndian.Uint32(table[4*i:]) == 0:
			r.holes++
		case wanted[binary.LittleEndian.Uint16(topic[2*i:])]:
			return i
		}
	}
	return i
}

func (r *Reader) step() {
	if r.opts.Backward {
		r.next--
	} else {
		r.next++
	}
}

// skipChunk passes over a chunk without a wanted topic.
func (r *Reader) skipChunk() {
	if r.opts.Backward {
		r.next = r.chunk.first - 1
	} else {
		r.next = r.chunk.last() + 1
	}
}

// Position returns the seq of the next event that Next will look at: everything before it
// in the reading direction was given, not wanted, or is no longer there.
func (r *Reader) Position() abi.Seq { return min(r.next, r.l.tail.border(r.opts.Durable)+1) }

// Holes returns how many events the reader passed over because retention had dropped them.
func (r *Reader) Holes() uint64 { return r.holes }

// Err returns the error that ended the reading, nil at the plain end.
func (r *Reader) Err() error { return r.err }

// Close releases what the reader holds; it may be called twice.
func (r *Reader) Close() error { return r.chunks.close() }

// load finds the chunk that holds r.next and decides which of its topics are wanted. It
// says false where there is none: the position has moved on, or there is an error.
func (r *Reader) load() bool {
	if first := r.l.First(); r.next < first {
		r.dropped(first)
		return false
	}
	r.chunk = nil
	c, err := r.chunks.load(r.next, r.opts.Backward)
	if err != nil {
		if first := r.l.First(); r.next < first { // retention overtook the reader
			r.dropped(first)
		} else {
			r.err = engineError(r.next, err)
		}
		return false
	}
	r.chunk, r.wanted, r.any = c, r.wanted[:0], false
	for _, topic := range c.topics {
		want := r.opts.Match == nil || r.opts.Match(topic)
		r.any = r.any || want
		r.wanted = append(r.wanted, want)
	}
	return true
}

// wants tells whether a topic of c is wanted.
func (r *Reader) wants(c *chunk) bool {
	return r.opts.Match == nil || slices.ContainsFunc(c.topics, r.opts.Match)
}

// dropped moves over what lies below first.
func (r *Reader) dropped(first abi.Seq) {
	if r.opts.Backward {
		r.holes += uint64(r.next)
		r.next = 0
		return
	}
	r.holes += uint64(first - r.next)
	r.next = first
}

// Event returns the event at seq, or [ErrNotFound] if there is none or retention dropped
// it. It may lie above DurableSeq. Its memory is its own.
func (l *Log) Event(seq abi.Seq) (abi.Event, error) {
	var ev abi.Event
	if seq < l.First() || seq > l.Head() { // what was dropped a moment ago is still in the tail
		return ev, ErrNotFound
	}
	err := l.withChunk(seq, func(c *chunk) error {
		i := int(seq - c.first)
		if c.dropped(i) {
			return ErrNotFound
		}
		if !c.event(i, &ev) {
			return damage(c.first, "an event does not fit into it")
		}
		ev = ev.Clone()
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = engineError(seq, err)
	}
	return ev, err
}

// withChunk calls fn with the chunk that holds seq, whose dictionaries are not opened and
// which is valid during the call. [ErrNotFound] says that retention dropped it.
func (l *Log) withChunk(seq abi.Seq, fn func(*chunk) error) error {
	if c := l.tail.find(seq); c != nil {
		return fn(c)
	}
	if done, err := l.withPlaced(seq, fn); done || err != nil {
		return err
	}
	it, err := chunkRows(l.db, math.MaxUint64)
	if err != nil {
		return err
	}
	defer it.Close()
	if !it.SeekLT(chunkKey(nil, seq+1)) {
		if err := it.Error(); err != nil {
			return err
		}
		return l.missing(seq)
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	var c chunk
	if err := c.openHeader(chunkKeySeq(it.Key()), value); err != nil {
		return err
	}
	if seq > c.last() {
		return l.missing(seq)
	}
	l.places.note(seq, c.first)
	return fn(&c)
}

// withPlaced is withChunk for a seq whose chunk is known; done is false where it is not.
func (l *Log) withPlaced(seq abi.Seq, fn func(*chunk) error) (done bool, err error) {
	first := l.places.of(seq)
	if first == 0 || first > seq {
		return false, nil
	}
	value, closer, err := l.db.Get(chunkKey(nil, first))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer closer.Close()
	var c chunk
	if err := c.openHeader(first, value); err != nil || seq > c.last() {
		return false, err
	}
	return true, fn(&c)
}

// places remembers in which chunk some seqs lie. To look up a key that is known costs a
// tenth of finding the last one below a seq: for that the engine copies the chunk and reads
// the one before. An entry may be wrong or overwritten at any time; it is only a guess.
type places [1 << 14]atomic.Uint64 // first seqs of chunks

// placeSpan is how many neighbouring seqs share an entry.
const placeSpan = 64

func (p *places) of(seq abi.Seq) abi.Seq { return abi.Seq(p[seq/placeSpan%abi.Seq(len(p))].Load()) }

func (p *places) note(seq, first abi.Seq) { p[seq/placeSpan%abi.Seq(len(p))].Store(uint64(first)) }

func (l *Log) missing(seq abi.Seq) error {
	if seq < l.First() {
		return ErrNotFound
	}
	return damage(seq, "it is missing")
}
