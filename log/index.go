package log

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
)

// index knows where the events of each stream lie. It follows the log in a goroutine of
// its own and reads the chunks' key dictionaries only. New postings are kept in memory;
// when there are many they are sorted and handed to the engine as one finished file.
//
// Rows that were written together are an epoch. A stream is looked for in the epochs whose
// filter does not exclude it, youngest first.
//
// It was on the commit path once, as a key per (stream, chunk) in the batch of the group:
// an insertion at a random place costs 2.5 µs, and appends over many keys were three times
// slower. A crash loses what is in memory; opening reads the log again behind the cursor
// that lies in the same file as the rows.
type index struct {
	l       *Log
	limit   int           // postings in memory before they are written
	poked   chan struct{} // capacity 1: the log has grown, or somebody waits
	stop    chan struct{} // closed when the sequencer, who may wait for the index, has ended
	opened  abi.Seq       // head when the store was opened
	scratch []uint16      // index of each key's first event, of a chunk without hints
	next    atomic.Uint64 // the sequencer pokes when the head reaches this seq
	merging sync.RWMutex  // held for writing while epochs are merged, for reading while a head is looked for

	mu struct {
		sync.Mutex
		epochs   []epoch // in the store, oldest first; the slice is never changed
		pending  *pending
		writing  *pending      // pending of before, until its file is in the store; it is not changed
		position abi.Seq       // everything up to here is in pending, writing or the store
		stored   abi.Seq       // everything up to here is in the store
		asked    abi.Seq       // somebody waits for stored to come here
		moved    chan struct{} // closed and replaced when position or err change
		err      error         // the index cannot go on
	}
}

// Limits of the index. Postings in memory take about 150 bytes each at worst, 16 where
// streams have many; a lag of
// a few thousand events saves a wake-up per append and costs a reader microseconds.
const (
	maxPendingPostings = 256 << 10
	indexLag           = 4096
)

// epoch is a part of the index that was written at once.
type epoch struct {
	number uint32
	upTo   abi.Seq // the log is covered up to here
	filter *filter // of its streams; nil: not known yet
}

func newIndex(l *Log, epochs []epoch, head abi.Seq) *index {
	x := &index{l: l, limit: l.opts.indexPostings, poked: make(chan struct{}, 1), stop: make(chan struct{}), opened: head}
	x.mu.pending, x.mu.epochs, x.mu.moved = newPending(nil), epochs, make(chan struct{})
	if n := len(epochs); n > 0 {
		x.mu.position, x.mu.stored = epochs[n-1].upTo, epochs[n-1].upTo
	}
	x.poke()
	return x
}

// readEpochs returns the epochs in the store, without their filters.
func readEpochs(db pebble.Reader) ([]epoch, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceIndex}, UpperBound: []byte{spaceIndex + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []epoch
	for it.First(); it.Valid(); {
		number, _, _, row := splitIndexKey(it.Key())
		if row || len(it.Value()) != 8 {
			return nil, fmt.Errorf("%w: epoch %d of the stream index has no beginning", ErrDamaged, number)
		}
		out = append(out, epoch{number: number, upTo: abi.Seq(binary.LittleEndian.Uint64(it.Value()))})
		it.SeekGE(epochKey(nil, number+1))
	}
	return out, it.Error()
}

// poke wakes the index.
func (x *index) poke() {
	select {
	case x.poked <- struct{}{}:
	default:
	}
}

// grown tells the index that the log has a new head.
func (x *index) grown(head abi.Seq) {
	if uint64(head) >= x.next.Load() {
		x.poke()
	}
}

// run is the index's goroutine. An error ends it; it then is everybody's who asks.
func (x *index) run() {
	chunks := chunkCursor{l: x.l, borrow: true, open: (*chunk).open}
	defer chunks.close()
	for {
		select {
		case <-x.poked:
		case <-x.stop:
			x.fail(ErrClosed)
			return
		}
		err := x.follow(&chunks)
		if err == nil && x.mustWrite() {
			err = x.write()
		}
		if err != nil {
			x.fail(err)
			return
		}
	}
}

func (x *index) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.err = err
	x.wakeAll()
}

// wakeAll needs mu.
func (x *index) wakeAll() {
	close(x.mu.moved)
	x.mu.moved = make(chan struct{})
}

// follow reads the log from the position to its head.
func (x *index) follow(chunks *chunkCursor) error {
	defer func() { x.next.Store(uint64(x.position()) + indexLag) }()
	for x.position() < x.l.Head() {
		select {
		case <-x.stop:
			return ErrClosed
		default:
		}
		next := max(x.position()+1, x.l.First())
		c, err := chunks.load(next, false)
		if err != nil {
			if next < x.l.First() {
				continue // retention overtook it
			}
			return fmt.Errorf("index the streams: %w", err)
		}
		if x.take(c) {
			if err := x.write(); err != nil {
				return fmt.Errorf("index the streams: %w", err)
			}
		}
	}
	return nil
}

// mustWrite tells whether somebody waits for what is only in memory.
func (x *index) mustWrite() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.mu.stored < x.mu.asked
}

// persist returns when the rows in the store cover the log up to seq: the log may then
// lose what is below.
func (x *index) persist(seq abi.Seq) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.mu.stored < seq && x.mu.err == nil {
		x.mu.asked = max(x.mu.asked, seq)
		moved := x.mu.moved
		x.poke()
		x.mu.Unlock()
		<-moved
		x.mu.Lock()
	}
	if x.mu.stored >= seq {
		return nil
	}
	return x.mu.err
}

func (x *index) position() abi.Seq {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.mu.position
}

// take notes the streams of c and says whether it is time to write.
func (x *index) take(c *chunk) bool {
	if c.hints == nil {
		x.scratch = firstEvents(x.scratch, c)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.pending.add(c, x.scratch)
	x.mu.position = c.last()
	x.wakeAll()
	return len(x.mu.pending.list) >= x.limit
}

// firstEvents returns, per key of c, the index of its first event that is still there.
func firstEvents(at []uint16, c *chunk) []uint16 {
	at = append(at[:0], make([]uint16, len(c.keys))...)
	for i := c.count - 1; i >= 0; i-- {
		if c.dropped(i) {
			continue
		}
		if key := c.keyOf(i); key > 0 && key <= len(at) {
			at[key-1] = uint16(i)
		}
	}
	return at
}

// write brings the postings in memory into the store, as one file.
func (x *index) write() error {
	x.mu.Lock()
	writing := x.mu.pending
	x.mu.writing, x.mu.pending = writing, newPending(writing)
	e := epoch{number: 1, upTo: x.mu.position}
	if n := len(x.mu.epochs); n > 0 {
		e.number = x.mu.epochs[n-1].number + 1
	}
	x.mu.Unlock()
	lists := writing.byStream()
	rows := make([]indexRow, len(lists))
	e.filter = newFilterFor(len(rows))
	for i := range rows {
		rows[i] = indexRow{hashStream(writing.streams[i].name), &lists[i]}
		e.filter.add(rows[i].hash.filterHash())
	}
	slices.SortFunc(rows, func(a, b indexRow) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	if err := x.ingest(e, rows); err != nil {
		return err
	}
	x.mu.Lock()
	x.mu.epochs = append(slices.Clone(x.mu.epochs), e)
	x.mu.writing, x.mu.stored = nil, e.upTo
	x.wakeAll()
	x.mu.Unlock()
	return nil
}

// indexRow is a stream on its way into a file.
type indexRow struct {
	hash streamHash
	p    *postings
}

const indexFile = "streams.ingest"

// ingest writes the file of an epoch and hands it to the engine.
func (x *index) ingest(e epoch, rows []indexRow) error {
	fs := x.l.fs
	path := fs.PathJoin(x.l.dir, indexFile)
	file, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(file), x.l.engine.MakeWriterOptions(6, x.l.db.TableFormat()))
	err = w.Set(epochKey(nil, e.number), binary.LittleEndian.AppendUint64(nil, uint64(e.upTo)))
	var key, value []byte
	for i := 0; err == nil && i < len(rows); i++ {
		first := rows[i].p.first
		for list := rows[i].p.list; err == nil && len(list) > 0; {
			n := min(len(list), maxRowPostings)
			key, value = indexKey(key[:0], e.number, rows[i].hash, first), appendIndexRow(value[:0], list[:n])
			err = w.Set(key, value)
			for _, p := range list[:n] {
				first += abi.Version(p.count)
			}
			list = list[n:]
		}
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return errors.Join(err, fs.Remove(path))
	}
	return x.l.db.Ingest(x.l.ctx, []string{path})
}

// wait returns when the index covers the log up to seq.
func (x *index) wait(seq abi.Seq) error {
	for {
		x.mu.Lock()
		position, err, moved := x.mu.position, x.mu.err, x.mu.moved
		x.mu.Unlock()
		if position >= seq {
			return nil
		}
		if err != nil {
			return err
		}
		x.poke()
		<-moved
	}
}

// head returns the version of the stream's last event as far as the index has read, 0 if
// it knows none. It never forgets a stream whose events retention dropped.
func (x *index) head(key string) (abi.Version, error) {
	x.merging.RLock()
	defer x.merging.RUnlock()
	view := x.look(key)
	if n := len(view.memory); n > 0 {
		return view.memory[n-1].next - 1, nil
	}
	if len(view.epochs) == 0 {
		return 0, nil
	}
	it, err := indexRows(x.l.db)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for _, e := range slices.Backward(view.epochs) {
		if it.SeekLT(indexKey(nil, e.number, view.hash, math.MaxUint64)) {
			if p, err := rowOf(it, e.number, view.hash); p != nil || err != nil {
				return p.last(), err
			}
		}
		if err := it.Error(); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// streamView is where the postings of one stream may be, all at one moment.
type streamView struct {
	hash   streamHash
	epochs []epoch     // in the store, oldest first, those that the filters leave
	memory []*postings // not in the store yet, oldest first
}

// look returns the view of a stream. The postings are copies.
func (x *index) look(key string) streamView {
	v := streamView{hash: hashStream(key)}
	x.mu.Lock()
	for _, m := range []*pending{x.mu.writing, x.mu.pending} {
		if p := m.of(key); p != nil {
			v.memory = append(v.memory, p)
		}
	}
	epochs := x.mu.epochs
	x.mu.Unlock()
	for _, e := range epochs {
		if e.filter == nil || e.filter.has(v.hash.filterHash()) {
			v.epochs = append(v.epochs, e)
		}
	}
	return v
}

func indexRows(db pebble.Reader) (*pebble.Iterator, error) {
	return db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceIndex}, UpperBound: []byte{spaceIndex + 1}})
}

// rowOf decodes the row that it is at, nil if it is not of this epoch and stream.
func rowOf(it *pebble.Iterator, number uint32, h streamHash) (*postings, error) {
	n, hash, first, ok := splitIndexKey(it.Key())
	if !ok || n != number || hash != h {
		return nil, nil
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	p, err := decodeIndexRow(first, value)
	if err != nil {
		return nil, fmt.Errorf("%w: a row of the stream index: %v", ErrDamaged, err)
	}
	return p, nil
}

// existing reads the rows of the epochs that were in the store when it was opened, gives
// these epochs their filters, and returns the filter of all streams that existed then.
func (x *index) existing() (*filter, error) {
	if err := x.wait(x.opened); err != nil {
		return nil, err
	}
	all := newFilter()
	if err := x.rowsOfStreams(all); err != nil {
		return nil, err
	}
	x.mu.Lock()
	for _, m := range []*pending{x.mu.writing, x.mu.pending} {
		if m == nil {
			continue
		}
		for i := range m.streams {
			all.add(hashStream(m.streams[i].name).filterHash())
		}
	}
	epochs := x.mu.epochs
	x.mu.Unlock()
	for _, e := range epochs {
		f, err := x.readFilter(e.number, all)
		if err != nil {
			return nil, err
		}
		x.mu.Lock()
		x.mu.epochs = slices.Clone(x.mu.epochs)
		for i := range x.mu.epochs {
			if x.mu.epochs[i].number == e.number {
				x.mu.epochs[i].filter = f
			}
		}
		x.mu.Unlock()
	}
	return all, nil
}

// rowsOfStreams adds the streams that have a row of their own, for a stream may be closed
// before it has an event.
func (x *index) rowsOfStreams(all *filter) error {
	it, err := x.l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceStream}, UpperBound: []byte{spaceStream + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if h := it.Key()[1:]; len(h) == 16 {
			all.add(streamHash(h).filterHash())
		}
	}
	return it.Error()
}

// readFilter reads the streams of an epoch and adds them to all.
func (x *index) readFilter(number uint32, all *filter) (*filter, error) {
	it, err := x.l.db.NewIter(&pebble.IterOptions{LowerBound: epochKey(nil, number), UpperBound: epochKey(nil, number+1)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var hashes []uint64
	var last streamHash
	for it.First(); it.Valid(); it.Next() {
		if _, h, _, ok := splitIndexKey(it.Key()); ok && (len(hashes) == 0 || h != last) {
			hashes, last = append(hashes, h.filterHash()), h
		}
		select {
		case <-x.l.closing:
			return nil, ErrClosed
		default:
		}
	}
	f := newFilterFor(len(hashes))
	for _, h := range hashes {
		f.add(h)
		all.add(h)
	}
	return f, it.Error()
}

// before returns the epochs that cover nothing but events below seq.
func (x *index) before(seq abi.Seq) []epoch {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for n < len(x.mu.epochs) && x.mu.epochs[n].upTo < seq {
		n++
	}
	return x.mu.epochs[:n:n]
}

// merged puts one epoch in the place of the oldest ones.
func (x *index) merged(old []epoch, into epoch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.epochs = append([]epoch{into}, x.mu.epochs[len(old):]...)
}
