package log

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// ReadOptions say what a reader wants.
type ReadOptions struct {
	From    abi.Seq                 // the first seq; 0 and 1 are the beginning
	Match   func(topic string) bool // which topics; nil: all. Asked once per distinct topic of a chunk
	Durable bool                    // stop at DurableSeq instead of the head: for everything that leaves the process
}

// Reader walks forward over the events of a log. It belongs to one goroutine. At the end
// of the log Next says false, and true again once there is more; [Log.Wait] tells when.
type Reader struct {
	l       *Log
	opts    ReadOptions
	next    abi.Seq // the next seq to look at
	chunk   *chunk  // the chunk that holds next, if loaded
	wanted  []bool  // per topic of chunk
	it      *pebble.Iterator
	skipped uint64
	err     error
}

// NewReader returns a reader; the caller closes it.
func (l *Log) NewReader(opts ReadOptions) *Reader {
	return &Reader{l: l, opts: opts, next: max(opts.From, 1)}
}

// Next decodes the next wanted event into ev and returns true, or returns false at the
// end of what may be read, or on an error, which Err then returns.
func (r *Reader) Next(ev *abi.Event) bool {
	border := r.l.tail.border(r.opts.Durable)
	for r.err == nil && r.next <= border {
		if r.chunk == nil || r.next > r.chunk.last() {
			if !r.load() {
				return false
			}
			if r.wanted == nil {
				r.next = r.chunk.last() + 1
				continue
			}
		}
		i := int(r.next - r.chunk.first)
		r.next++
		if !r.wanted[r.chunk.topicOf(i)] {
			continue
		}
		if !r.chunk.event(i, ev) {
			r.err = damage(r.chunk.first, "an event does not fit into it")
			return false
		}
		return true
	}
	return false
}

// Position returns the seq of the next event that Next will look at: everything below was
// given or not wanted.
func (r *Reader) Position() abi.Seq { return min(r.next, r.l.tail.border(r.opts.Durable)+1) }

// Err returns the error that ended the reading, nil at the plain end.
func (r *Reader) Err() error { return r.err }

// Close releases what the reader holds; it may be called twice.
func (r *Reader) Close() error {
	if r.it == nil {
		return nil
	}
	err := r.it.Close()
	r.it = nil
	return err
}

// load finds the chunk that holds r.next and decides which of its topics are wanted;
// wanted is nil if none is.
func (r *Reader) load() bool {
	c := r.l.tail.find(r.next)
	if c != nil {
		_ = r.Close() // back in memory: an open iterator would only pin old files
	} else if c, r.err = r.fromStore(); r.err != nil {
		return false
	}
	r.chunk, r.wanted = c, r.wanted[:0]
	any := false
	for _, topic := range c.topics {
		want := r.opts.Match == nil || r.opts.Match(topic)
		any = any || want
		r.wanted = append(r.wanted, want)
	}
	if !any {
		r.wanted = nil
	}
	return true
}

// fromStore reads the chunk that holds r.next. The iterator is kept, so that a replay
// costs one step a chunk.
func (r *Reader) fromStore() (*chunk, error) {
	if r.it != nil && r.it.Next() {
		if c, err := r.copyChunk(); err != nil || (c.first <= r.next && r.next <= c.last()) {
			return c, err
		}
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	it, err := r.l.db.NewIter(&pebble.IterOptions{LowerBound: chunkKey(nil, 0), UpperBound: []byte{spaceChunk + 1}})
	if err != nil {
		return nil, err
	}
	r.it = it
	if !it.SeekLT(chunkKey(nil, r.next+1)) {
		if err := it.Error(); err != nil {
			return nil, err
		}
		return nil, damage(r.next, "it is missing")
	}
	c, err := r.copyChunk()
	if err == nil && r.next > c.last() {
		return nil, damage(r.next, "it is missing")
	}
	return c, err
}

// copyChunk takes the chunk out of the iterator, whose memory is about to be reused.
func (r *Reader) copyChunk() (*chunk, error) {
	value, err := r.it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return decodeChunk(chunkKeySeq(r.it.Key()), bytes.Clone(value))
}

// Event returns the event at seq, or [ErrNotFound]. It may lie above DurableSeq.
func (l *Log) Event(seq abi.Seq) (abi.Event, error) {
	if seq == 0 || seq > l.Head() {
		return abi.Event{}, ErrNotFound
	}
	r := l.NewReader(ReadOptions{From: seq})
	defer r.Close()
	var ev abi.Event
	if !r.Next(&ev) {
		if r.err != nil {
			return abi.Event{}, r.err
		}
		return abi.Event{}, ErrNotFound
	}
	return ev, nil
}
