package log

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// sequencer is the one writer. It takes what waits in the queue as a group, checks each
// request against the present, and writes the group as one batch. While the batch of one
// group is on its way to the disk the next group forms by itself: no timer delays anybody.
//
// The checks of a request see what the requests before it in the same group will have
// done; a refused request leaves the group without a trace and the others go on.
type sequencer struct {
	l       *Log
	heads   *heads
	dedupe  *dedupe
	cursors map[string]Cursor
	writer  *chunkWriter

	head     abi.Seq // last seq given
	appended int64   // last appended time given

	staged   []staged  // of the group
	unsynced time.Time // when the oldest write without fsync was applied; zero: none
	inFlight chan flight
}

// flight is a group that waits for its fsync.
type flight struct {
	batch   *pebble.Batch // nil: nothing to write, but those before it must land first
	head    abi.Seq
	waiting []*request
}

// Bounds of a group: enough to make the fixed cost of a batch small, small enough for the
// engine's memtable (a batch of half its size would be flushed on its own).
const (
	maxGroupEvents = 4096
	maxGroupBytes  = 4 << 20
	maxInFlight    = 16
)

func newSequencer(l *Log, head abi.Seq, appended int64) *sequencer {
	return &sequencer{
		l: l, heads: newHeads(l.db), dedupe: newDedupe(l.opts.DedupeWindow), cursors: map[string]Cursor{},
		writer: newChunkWriter(), head: head, appended: appended, inFlight: make(chan flight, maxInFlight),
	}
}

// loadDedupe refills the window from the end of the log.
func (s *sequencer) loadDedupe() error {
	window := abi.Seq(s.dedupe.limit)
	if window == 0 || s.head == 0 {
		return nil
	}
	from := abi.Seq(1)
	if s.head > window {
		from = s.head - window + 1
	}
	r := s.l.NewReader(ReadOptions{From: from})
	defer r.Close()
	var ev abi.Event
	for r.Next(&ev) {
		if i := int(ev.Seq - r.chunk.first); ev.ID != "" && r.chunk.published(i) {
			s.dedupe.add(s.dedupe.hash(&ev), ev.Seq)
		}
	}
	s.dedupe.mark()
	return r.Err()
}

// run is the sequencer's goroutine.
func (s *sequencer) run() {
	defer close(s.inFlight)
	timer := time.NewTimer(s.l.opts.SyncEvery)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if !s.unsynced.IsZero() {
			timer.Reset(time.Until(s.unsynced.Add(s.l.opts.SyncEvery)))
			due = timer.C
		}
		select {
		case r := <-s.l.queue:
			s.process(s.gather(r))
		case <-due:
			s.process(nil)
		case <-s.l.closing:
			s.drain()
			return
		}
	}
}

// drain answers what is still queued and syncs what is not on disk.
func (s *sequencer) drain() {
	for {
		select {
		case r := <-s.l.queue:
			s.process(s.gather(r))
			continue
		default:
		}
		s.process([]*request{{durability: Durable, done: make(chan struct{})}})
		return
	}
}

// gather takes what waits behind first, up to the bounds of a group.
func (s *sequencer) gather(first *request) []*request {
	group := []*request{first}
	events, size := len(first.events), requestBytes(first)
	for events < maxGroupEvents && size < maxGroupBytes {
		select {
		case r := <-s.l.queue:
			group = append(group, r)
			events += len(r.events)
			size += requestBytes(r)
		default:
			return group
		}
	}
	return group
}

func requestBytes(r *request) int {
	size := 0
	for i := range r.events {
		size += abi.FrameLen(&r.events[i])
	}
	return size
}

// process writes one group. An empty group brings what is not on disk yet to disk.
func (s *sequencer) process(group []*request) {
	s.staged = s.staged[:0]
	batch := s.l.db.NewBatch()
	sync := len(group) == 0 || (!s.unsynced.IsZero() && time.Since(s.unsynced) >= s.l.opts.SyncEvery)
	var accepted, durable []*request
	for _, r := range group {
		if err := s.stage(r, batch); err != nil {
			s.refuse(r, err)
			continue
		}
		if r.durability == Durable {
			durable = append(durable, r)
		} else {
			accepted = append(accepted, r)
		}
	}
	sync = sync || len(durable) > 0
	chunks := s.encode(batch)
	s.write(batch, chunks, sync, durable)
	for _, r := range accepted {
		close(r.done)
	}
}

func (s *sequencer) refuse(r *request, err error) {
	s.l.counters.refused.Add(1)
	r.err = err
	close(r.done)
}

// stage checks r and, if it holds, adds its writes to the batch and its events to staged.
func (s *sequencer) stage(r *request, batch *pebble.Batch) error {
	switch {
	case r.attach != nil:
		return s.stageAttach(r.attach, batch)
	case r.commit != nil:
		if err := s.checkCursor(r.commit); err != nil {
			return err
		}
	}
	mark := len(s.staged)
	s.heads.mark()
	if err := s.stageEvents(r); err != nil {
		s.staged = s.staged[:mark]
		s.heads.rollback()
		s.dedupe.rollback()
		return err
	}
	s.dedupe.mark()
	if r.commit != nil {
		return s.stageCommit(r.commit, batch)
	}
	return nil
}

// stageEvents gives the events their seqs and versions.
func (s *sequencer) stageEvents(r *request) error {
	r.receipts = make([]Receipt, len(r.events))
	for i := range r.events {
		ev, receipt := &r.events[i], &r.receipts[i]
		receipt.ID, receipt.Durability = ev.ID, r.durability
		var hash uint64
		publish := r.published && ev.ID != ""
		if publish {
			hash = s.dedupe.hash(ev)
			first, err := s.duplicate(hash, ev)
			if err != nil {
				return err
			}
			if first != nil {
				receipt.Seq, receipt.Version, receipt.Duplicate = first.Seq, first.Version, true
				continue
			}
		}
		version, err := s.version(i, ev)
		if err != nil {
			return err
		}
		s.staged = append(s.staged, staged{ev, version, publish})
		receipt.Seq, receipt.Version = s.head+abi.Seq(len(s.staged)), version
		if publish {
			s.dedupe.add(hash, receipt.Seq)
		}
	}
	return nil
}

// version gives ev the next version of its key and checks the one that it expects.
func (s *sequencer) version(i int, ev *abi.Event) (abi.Version, error) {
	if ev.Key == "" {
		return 0, nil
	}
	version, err := s.heads.next(ev.Key)
	if err == nil && ev.Version != 0 && ev.Version != version {
		err = &VersionError{Index: i, Key: ev.Key, Want: ev.Version, Have: version - 1}
	}
	return version, err
}

// duplicate returns the event that ev repeats, or nil. A hash hit is verified in the log.
func (s *sequencer) duplicate(hash uint64, ev *abi.Event) (*abi.Event, error) {
	seq, ok := s.dedupe.find(hash)
	if !ok {
		return nil, nil
	}
	var first abi.Event
	if seq > s.head {
		st := s.staged[seq-s.head-1]
		first = *st.ev
		first.Seq, first.Version = seq, st.version
	} else {
		var err error
		if first, err = s.l.Event(seq); err != nil {
			return nil, err
		}
	}
	if first.ID != ev.ID || first.Source != ev.Source {
		return nil, nil
	}
	s.l.counters.duplicates.Add(1)
	return &first, nil
}

// checkCursor refuses a commit whose run did not begin at the present cursor.
func (s *sequencer) checkCursor(c *Commit) error {
	have, err := s.cursor(c.Subscriber)
	if err != nil {
		return err
	}
	if have.Next != c.From || have.Fence != c.Fence || c.To < c.From {
		return ErrFenced
	}
	return nil
}

func (s *sequencer) cursor(subscriber string) (Cursor, error) {
	if c, ok := s.cursors[subscriber]; ok {
		return c, nil
	}
	c, err := readCursor(s.l.db, subscriber)
	if err == nil {
		s.cursors[subscriber] = c
	}
	return c, err
}

func (s *sequencer) stageCommit(c *Commit, batch *pebble.Batch) error {
	for i := range c.Writes {
		w := &c.Writes[i]
		key := append(statePrefix(nil, c.Subscriber, c.StateVersion), w.Key...)
		if w.Delete {
			_ = batch.Delete(key, nil)
		} else {
			_ = batch.Set(key, w.Value, nil)
		}
	}
	for i := range c.DeadLetters {
		d := &c.DeadLetters[i]
		_ = batch.Set(deadLetterKey(nil, c.Subscriber, d.Seq), appendDeadLetter(nil, d), nil)
	}
	s.l.counters.commits.Add(1)
	s.setCursor(c.Subscriber, Cursor{Next: c.To, Fence: c.Fence, Digest: c.Digest, Time: s.l.opts.now()}, batch)
	return nil
}

func (s *sequencer) setCursor(subscriber string, c Cursor, batch *pebble.Batch) {
	s.cursors[subscriber] = c
	_ = batch.Set(cursorKey(nil, subscriber), appendCursor(nil, c), nil)
}

func (s *sequencer) stageAttach(a *Attachment, batch *pebble.Batch) error {
	c, err := s.cursor(a.Subscriber)
	if errors.Is(err, ErrNotFound) {
		if a.Next == 0 {
			a.Next = s.head + abi.Seq(len(s.staged)) + 1
		}
		c, err = Cursor{Next: a.Next, Time: s.l.opts.now()}, nil
		s.setCursor(a.Subscriber, c, batch)
	}
	a.cursor = c
	return err
}

// encode turns the staged events into chunks, adds them and their stream rows to the
// batch, and returns them opened for the tail.
func (s *sequencer) encode(batch *pebble.Batch) []*chunk {
	var chunks []*chunk
	for rest := s.staged; len(rest) > 0; {
		n := cut(rest)
		first, base := s.head+1, max(s.appended+1, s.l.opts.now().UnixNano())
		raw := s.writer.encode(first, base, rest[:n])
		for _, key := range s.writer.order {
			entry := s.writer.keys[key]
			row := appendStreamRow(nil, first, entry.count)
			_ = batch.Set(streamKey(nil, hashStream(key), entry.first), row, nil)
		}
		_ = batch.Set(chunkKey(nil, first), raw, nil)
		c, err := decodeChunk(first, raw)
		if err != nil {
			panic("log: a chunk that was just encoded does not decode: " + err.Error())
		}
		chunks = append(chunks, c)
		s.head += abi.Seq(n)
		s.appended = base + int64(n) - 1
		s.l.counters.appended.Add(uint64(n))
		s.l.counters.chunkBytes.Add(uint64(len(raw)))
		rest = rest[n:]
	}
	return chunks
}

// write applies the batch, makes its events visible and, where a sync is due, hands the
// group to the sync waiter.
func (s *sequencer) write(batch *pebble.Batch, chunks []*chunk, sync bool, durable []*request) {
	empty := batch.Empty()
	if empty && (!sync || s.unsynced.IsZero()) {
		_ = batch.Close()
		if len(durable) > 0 { // nothing new, yet what they saw may still be on its way
			s.inFlight <- flight{head: s.head, waiting: durable}
		}
		return
	}
	if empty {
		_ = batch.LogData(nil, nil) // something that a sync can be asked for
	}
	var err error
	if sync {
		err = s.l.db.ApplyNoSyncWait(batch, pebble.Sync)
	} else {
		err = s.l.db.Apply(batch, pebble.NoSync)
	}
	if err != nil {
		s.l.opts.OnFatal("write to the store: " + err.Error())
	}
	s.l.counters.groups.Add(1)
	if len(chunks) > 0 {
		s.l.tail.publish(chunks, s.head)
	}
	if sync {
		s.unsynced = time.Time{}
		s.inFlight <- flight{batch: batch, head: s.head, waiting: durable}
		return
	}
	_ = batch.Close()
	if s.unsynced.IsZero() {
		s.unsynced = time.Now()
	}
}

// waitSyncs is the sync waiter's goroutine: it answers durable requests in order.
func (s *sequencer) waitSyncs() {
	for f := range s.inFlight {
		if f.batch != nil {
			if err := f.batch.SyncWait(); err != nil {
				s.l.opts.OnFatal("bring the store to disk: " + err.Error())
			}
			s.l.counters.syncs.Add(1)
			_ = f.batch.Close()
		}
		s.l.tail.setDurable(f.head)
		for _, r := range f.waiting {
			close(r.done)
		}
	}
}
