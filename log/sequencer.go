package log

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// sequencer is the one writer. It takes what waits in the queue as a group, checks each
// request against the present, and writes the group as one batch. While the batch of one
// group is on its way to the disk the next group forms by itself: no timer delays anybody.
//
// The checks of a request see what the requests before it in the same group will have
// done; a refused request leaves the group without a trace and the others go on. So does
// one that names streams which are not in memory: it comes back when they were looked up.
//
// A caller that finds nobody at work and nothing queued does the sequencer's work for its
// own request: that saves two changes of goroutines, which cost more than an append of one
// event. Whoever works holds mu, so there still is one writer. Only accepted requests take
// this way: durable ones wait for the disk anyway, and form better groups in the queue.
//
// Encoding on the callers' goroutines was considered: seqs, versions and the dictionaries
// of a chunk are known only here, and a second copy costs as much as the encoding.
type sequencer struct {
	l          *Log
	mu         sync.Mutex    // held by whoever works; guards all that follows
	ended      bool          // nobody may work any more
	due        chan struct{} // capacity 1: a caller left something for the sequencer's goroutine
	heads      *heads
	dedupe     *dedupe
	cursors    map[string]Cursor
	writes     map[string]*laneWrites // of subscribers whose lanes share their state
	number     uint64                 // of the group that is being staged
	undo       *undoLog
	timerGroup timerGroup
	producers  map[string]producerRow
	writer     *chunkWriter

	head     abi.Seq // last seq given
	appended int64   // last appended time given
	chain    chain   // up to head
	quiet    uint64  // how many groups without events there have been; see mark

	held     []*request // taken from the queue, but not for this group
	staged   []staged   // of the group
	retired  abi.Seq    // last seq given or staged when heads last forgot a generation
	unsynced time.Time  // when the oldest write without fsync was applied; zero: none
	inFlight chan flight

	lookups chan *request // on their way to the index
	back    chan *request // and back
	away    int           // requests that are there
	filters chan *filter  // the streams that existed at open, once they are known
}

// flight is a group that waits for its fsync.
type flight struct {
	batch   *pebble.Batch // nil: nothing to write, but those before it must land first
	mark    mark          // how far the store is on disk afterwards
	bytes   int
	waiting []*request
}

// Bounds of a group: enough to make the fixed cost of a batch small, small enough for the
// engine's memtable (a batch of half its size would be flushed on its own).
const (
	maxGroupEvents = 4096
	maxGroupBytes  = 4 << 20
	maxInFlight    = 16
	maxLookups     = 256
)

func newSequencer(l *Log, end logEnd) *sequencer {
	s := &sequencer{
		l: l, dedupe: newDedupe(l.opts.DedupeWindow), cursors: map[string]Cursor{}, writes: map[string]*laneWrites{},
		undo: newUndoLog(l.db, l.opts.UndoBytes), producers: map[string]producerRow{}, writer: newChunkWriter(),
		head: end.head, appended: end.appended, chain: end.chain, quiet: end.quiet, retired: end.head,
		inFlight: make(chan flight, maxInFlight), due: make(chan struct{}, 1),
		lookups: make(chan *request, maxLookups), back: make(chan *request, maxLookups),
		filters: make(chan *filter, 1),
	}
	s.heads = newHeads(l.opts.heads, s.retire)
	return s
}

// retire waits until the index knows every stream that is about to be forgotten: they were
// last used before the generation before was, by an event that may only have been staged
// then. What was staged and then refused never comes, so it is not waited for.
func (s *sequencer) retire() {
	if err := s.l.index.wait(min(s.retired, s.head)); err != nil {
		s.l.fail("the stream index: " + err.Error())
	}
	s.retired = s.next() - 1
}

// run is the sequencer's goroutine.
func (s *sequencer) run() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(s.inFlight)
	defer close(s.lookups)
	defer close(s.l.index.stop)
	timer := time.NewTimer(s.l.opts.SyncEvery)
	defer timer.Stop()
	for s.work(timer) {
	}
	s.drain()
	s.ended = true
}

// work does one thing and says whether there is more to come. It needs mu, which it lets go
// while there is nothing to do.
func (s *sequencer) work(timer *time.Timer) bool {
	if r := s.takeHeld(); r != nil {
		s.process(s.gather(r))
		return true
	}
	var late <-chan time.Time
	if !s.unsynced.IsZero() {
		timer.Reset(time.Until(s.unsynced.Add(s.l.opts.SyncEvery)))
		late = timer.C
	}
	s.mu.Unlock()
	var r *request
	var f *filter
	back, sync, more := false, false, true
	select {
	case r = <-s.l.queue:
	case r = <-s.back:
		back = true
	case f = <-s.filters:
	case <-late:
		sync = true
	case <-s.due:
	case <-s.l.closing:
		more = false
	}
	s.mu.Lock()
	switch {
	case r != nil:
		if back {
			s.away--
		}
		s.process(s.gather(r))
	case f != nil:
		s.heads.loaded = f
	case sync && !s.unsynced.IsZero() && time.Since(s.unsynced) >= s.l.opts.SyncEvery:
		s.process(nil)
	}
	return more
}

// direct handles r on the caller's goroutine, if it may and nobody else is at work.
func (s *sequencer) direct(r *request) bool {
	if r.durability != Accepted || r.apply != nil || len(s.l.queue) > 0 || !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	if s.ended || len(s.held) > 0 {
		return false
	}
	synced := s.unsynced.IsZero()
	s.process([]*request{r})
	if len(s.held) > 0 || synced && !s.unsynced.IsZero() { // the goroutine does not know of it
		select {
		case s.due <- struct{}{}:
		default:
		}
	}
	return true
}

// drain answers what is still queued and syncs what is not on disk.
func (s *sequencer) drain() {
	for {
		r := s.takeHeld()
		if r == nil {
			select {
			case r = <-s.l.queue:
			default:
			}
		}
		if r == nil && s.away > 0 {
			r = <-s.back
			s.away--
		}
		if r == nil {
			break
		}
		s.process(s.gather(r))
	}
	s.process([]*request{{durability: Durable, done: make(chan struct{})}})
}

func (s *sequencer) takeHeld() (r *request) {
	if len(s.held) > 0 {
		r, s.held = s.held[0], s.held[1:]
	}
	return r
}

// gather takes what waits behind first, up to the bounds of a group. A request with apply
// reads the store, so it must not share a group with what is not written yet.
func (s *sequencer) gather(first *request) []*request {
	group := []*request{first}
	if first.apply != nil {
		return group
	}
	events, size := len(first.events), first.size
	for events < maxGroupEvents && size < maxGroupBytes {
		select {
		case r := <-s.l.queue:
			if r.apply != nil || size+r.size > maxGroupBytes {
				s.held = append(s.held, r)
				return group
			}
			group = append(group, r)
			events += len(r.events)
			size += r.size
		default:
			return group
		}
	}
	return group
}

// process writes one group. An empty group brings what is not on disk yet to disk.
func (s *sequencer) process(group []*request) {
	s.staged = s.staged[:0]
	s.number++
	if len(s.producers) > maxProducers {
		clear(s.producers)
	}
	size := 0
	for _, r := range group {
		size += r.size + r.size/8 + 64
	}
	batch := s.l.db.NewBatch(pebble.WithInitialSizeBytes(size + 512))
	sync := len(group) == 0 || (!s.unsynced.IsZero() && time.Since(s.unsynced) >= s.l.opts.SyncEvery)
	var accepted, durable []*request
	full := s.l.disk.check(size)
	for _, r := range group {
		err := full
		if err == nil || !r.grows() {
			err = s.stage(r, batch)
		}
		switch {
		case err == errCold:
			s.lookUp(r)
		case err != nil:
			s.refuse(r, err)
		case r.durability == Durable:
			durable = append(durable, r)
		default:
			accepted = append(accepted, r)
		}
	}
	sync = sync || len(durable) > 0
	chunks, bytes := s.encode(batch)
	s.write(batch, chunks, bytes, sync, durable)
	s.l.applied.Store(s.number) // also where nothing was written, or a run could be refused for ever
	for _, r := range accepted {
		s.l.answer(r)
	}
}

// grows tells whether r needs a disk with room.
func (r *request) grows() bool { return !r.relieves && (r.size > 0 || r.commit != nil) }

func (s *sequencer) refuse(r *request, err error) {
	s.l.counters.refused.Add(1)
	r.err = err
	close(r.done)
}

// encode turns the staged events into chunks in the batch, and returns them opened for the
// tail. They lie in the batch's own memory, which is therefore not given back to the engine.
func (s *sequencer) encode(batch *pebble.Batch) (chunks []*chunk, bytes int) {
	for rest := s.staged; len(rest) > 0; {
		n, size := s.writer.plan(rest)
		wall := s.l.opts.now().UnixNano()
		first, base := s.head+1, max(s.appended+1, wall)
		s.l.leaps.watch(first, wall, batch)
		var flags byte
		if n == len(rest) {
			flags = chunkGroupEnd
		}
		op := batch.SetDeferred(9, size)
		chunkKey(op.Key[:0], first)
		s.writer.encode(op.Value, first, base, s.chain, flags, rest[:n])
		c := &chunk{hints: s.writer.hints()}
		if err := errors.Join(op.Finish(), c.openHeader(first, op.Value)); err != nil || !c.openTopics() || !c.openKeys() {
			panic("log: a chunk that was just encoded does not open")
		}
		chunks = append(chunks, c)
		s.head += abi.Seq(n)
		s.appended = base + int64(n) - 1
		s.chain = c.after()
		s.l.counters.appended.Add(uint64(n))
		s.l.counters.chunkBytes.Add(uint64(size))
		bytes += size
		rest = rest[n:]
	}
	return chunks, bytes
}

// write applies the batch, makes its events visible and, where a sync is due, hands the
// group to the sync waiter.
func (s *sequencer) write(batch *pebble.Batch, chunks []*chunk, bytes int, sync bool, durable []*request) {
	empty := batch.Empty()
	if empty && (!sync || s.unsynced.IsZero()) {
		_ = batch.Close()
		if len(durable) > 0 { // nothing new, yet what they saw may still be on its way
			s.inFlight <- flight{mark: s.mark(), waiting: durable}
		}
		return
	}
	switch {
	case empty:
		_ = batch.LogData(nil, nil) // something that a sync can be asked for
	case len(chunks) == 0:
		s.quiet++
		_ = batch.Set(metaQuiet, binary.LittleEndian.AppendUint64(nil, s.quiet), nil)
	}
	var err error
	if sync {
		err = s.l.db.ApplyNoSyncWait(batch, pebble.Sync)
	} else {
		err = s.l.db.Apply(batch, pebble.NoSync)
	}
	if err != nil {
		s.l.fail("write to the store: " + err.Error())
	}
	s.l.counters.groups.Add(1)
	if len(chunks) > 0 {
		s.l.tail.publish(chunks, s.head)
		s.l.index.grown(s.head)
	}
	if sync {
		s.unsynced = time.Time{}
		s.inFlight <- flight{batch: batch, mark: s.mark(), bytes: bytes, waiting: durable}
		return
	}
	if len(chunks) == 0 { // else the tail has its memory
		_ = batch.Close()
	}
	if s.unsynced.IsZero() {
		s.unsynced = time.Now()
	}
}

// mark says how far the store is with what was staged so far.
func (s *sequencer) mark() mark { return mark{seq: s.head, chain: s.chain, quiet: s.quiet} }

// waitSyncs is the sync waiter's goroutine: it answers durable requests in order.
func (s *sequencer) waitSyncs() {
	for f := range s.inFlight {
		if f.batch != nil {
			if err := f.batch.SyncWait(); err != nil {
				s.l.fail("bring the store to disk: " + err.Error())
			}
			s.l.counters.syncs.Add(1)
			if f.bytes == 0 { // else the tail has its memory
				_ = f.batch.Close()
			}
		}
		if !s.l.failed() {
			s.l.tail.setDurable(f.mark.seq)
			s.l.marks.reached(f.mark, f.bytes)
		}
		for _, r := range f.waiting {
			s.l.answer(r)
		}
	}
}
