package log

import (
	"errors"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// StreamOptions say which events of a stream a reader wants.
type StreamOptions struct {
	From     abi.Version // the first version; forward 0 is the beginning, backward 0 is the end
	Backward bool
	Durable  bool // leave out what is not on disk yet: for everything that leaves the process
}

// StreamReader walks over the events of one stream as it was when the reader was made. It
// belongs to one goroutine.
type StreamReader struct {
	l      *Log
	name   string // the stream's key
	opts   StreamOptions
	low    abi.Version // the first version that may be given
	high   abi.Version // the last
	border abi.Seq     // the last seq

	view streamView       // where the postings are; what was read is taken out
	rows *pebble.Iterator // of the index; nil: at the beginning of an epoch
	more bool             // rows is at a row of the epoch that is next

	places []place // of the current row, in reading order

	chunk  chunk
	held   io.Closer // of chunk's memory
	events []int     // indexes in chunk that are still to be given, in reading order
	err    error
}

// place is a posting and the version of its first event.
type place struct {
	posting
	first abi.Version
}

// ReadStream returns a reader of key's stream; the caller closes it. It waits until the
// index knows everything that readers of the log can see.
func (l *Log) ReadStream(key string, opts StreamOptions) (*StreamReader, error) {
	border := l.tail.border(opts.Durable)
	s, err := l.Stream(key)
	if err != nil {
		return nil, err
	}
	r := &StreamReader{l: l, name: key, opts: opts, low: max(s.From, 1), high: s.Version, border: border}
	if s.Closed {
		r.high = 0
	}
	if opts.Backward && opts.From != 0 {
		r.high = min(r.high, opts.From)
	} else if !opts.Backward {
		r.low = max(r.low, opts.From)
	}
	if r.low > r.high {
		return r, nil
	}
	r.view = l.index.look(key)
	return r, nil
}

// Next decodes the next event into ev, valid until the next call, and returns true; false
// at the end of the stream, or on an error, which Err then returns.
func (r *StreamReader) Next(ev *abi.Event) bool {
	for r.err == nil && r.low <= r.high {
		if len(r.events) > 0 {
			i := r.events[0]
			r.events = r.events[1:]
			if !r.chunk.event(i, ev) {
				r.err = damage(r.chunk.first, "an event does not fit into it")
				return false
			}
			if ev.Version < r.low || ev.Version > r.high || ev.Seq > r.border {
				continue
			}
			if r.opts.Backward {
				r.high = ev.Version - 1
			} else {
				r.low = ev.Version + 1
			}
			return true
		}
		if len(r.places) == 0 && !r.nextRow() {
			return false
		}
		if r.err = r.load(); r.err != nil {
			return false
		}
	}
	return false
}

// nextRow takes the places of the next row that has some between low and high.
func (r *StreamReader) nextRow() bool {
	for {
		p := r.nextPostings()
		if p == nil || r.err != nil {
			return false
		}
		first := p.first
		for _, where := range p.list {
			if behind := first + abi.Version(where.count); behind > r.low && first <= r.high {
				r.places = append(r.places, place{where, first})
			}
			first += abi.Version(where.count)
		}
		if r.opts.Backward {
			slices.Reverse(r.places)
		}
		if len(r.places) > 0 {
			return true
		}
	}
}

// nextPostings takes the next row out of the view: forward the epochs come first, oldest
// first, then what is in memory; backward the other way round. nil is the end.
func (r *StreamReader) nextPostings() *postings {
	v := &r.view
	switch {
	case r.opts.Backward && len(v.memory) > 0:
		n := len(v.memory) - 1
		p := v.memory[n]
		v.memory = v.memory[:n]
		return p
	case len(v.epochs) > 0:
		if p := r.nextInEpoch(); p != nil || r.err != nil {
			return p
		}
		if r.more = false; r.opts.Backward {
			v.epochs = v.epochs[:len(v.epochs)-1]
		} else {
			v.epochs = v.epochs[1:]
		}
		return r.nextPostings()
	case len(v.memory) > 0:
		p := v.memory[0]
		v.memory = v.memory[1:]
		return p
	}
	return nil
}

// nextInEpoch returns the next row of the stream in the epoch that is being read, nil if
// there is none.
func (r *StreamReader) nextInEpoch() *postings {
	if r.rows == nil {
		if r.rows, r.err = indexRows(r.l.db); r.err != nil {
			return nil
		}
	}
	e := r.view.epochs[0]
	if r.opts.Backward {
		e = r.view.epochs[len(r.view.epochs)-1]
	}
	switch {
	case !r.more && r.opts.Backward:
		r.rows.SeekLT(indexKey(nil, e.number, r.view.hash, r.high+1))
	case !r.more: // the row that holds low begins at low or before
		if !r.rows.SeekLT(indexKey(nil, e.number, r.view.hash, r.low+1)) || !r.rowMatches(e.number) {
			r.rows.SeekGE(indexKey(nil, e.number, r.view.hash, 0))
		}
	case r.opts.Backward:
		r.rows.Prev()
	default:
		r.rows.Next()
	}
	r.more = true
	if r.err = r.rows.Error(); r.err != nil || !r.rows.Valid() {
		return nil
	}
	var p *postings
	p, r.err = rowOf(r.rows, e.number, r.view.hash)
	return p
}

func (r *StreamReader) rowMatches(epoch uint32) bool {
	number, h, _, ok := splitIndexKey(r.rows.Key())
	return ok && number == epoch && h == r.view.hash
}

// load opens the chunk of the next place and finds the stream's events in it.
func (r *StreamReader) load() error {
	p := r.places[0]
	r.places = r.places[1:]
	r.events = r.events[:0]
	if err := r.release(); err != nil {
		return err
	}
	if p.first > r.high || p.first+abi.Version(p.count) <= r.low || p.chunk < r.l.First() {
		return nil
	}
	raw := r.raw(p.chunk)
	if raw == nil {
		value, closer, err := r.l.db.Get(chunkKey(nil, p.chunk))
		if errors.Is(err, pebble.ErrNotFound) {
			if err = r.l.missing(p.chunk); errors.Is(err, ErrNotFound) {
				return nil // retention was faster
			}
		}
		if err != nil {
			return err
		}
		raw, r.held = value, closer
	}
	if err := r.chunk.openHeader(p.chunk, raw); err != nil {
		return err
	}
	r.find(p)
	return nil
}

// raw returns the chunk's bytes if they are in memory.
func (r *StreamReader) raw(first abi.Seq) []byte {
	if c := r.l.tail.find(first); c != nil && c.first == first {
		return c.raw
	}
	return nil
}

// find lists the events of the place. The index names the first; where retention dropped
// that one since, the stream is looked for in the dictionary.
func (r *StreamReader) find(p place) {
	i, key := int(p.at), 0
	if i < r.chunk.count && !r.chunk.dropped(i) {
		key = r.chunk.keyOf(i)
	} else {
		i, key = 0, r.chunk.numberOf(r.name)
	}
	for ; i < r.chunk.count && len(r.events) < int(p.count); i++ {
		if !r.chunk.dropped(i) && r.chunk.keyOf(i) == key {
			r.events = append(r.events, i)
		}
	}
	if r.opts.Backward {
		slices.Reverse(r.events)
	}
}

func (r *StreamReader) release() error {
	if r.held == nil {
		return nil
	}
	err := r.held.Close()
	r.held = nil
	return err
}

// Err returns the error that ended the reading, nil at the plain end.
func (r *StreamReader) Err() error { return r.err }

// Close releases what the reader holds; it may be called twice.
func (r *StreamReader) Close() error {
	err := r.release()
	if r.rows != nil {
		err = errors.Join(err, r.rows.Close())
		r.rows = nil
	}
	return err
}
