package log

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// errCold says that a request names streams which must be looked up first.
var errCold = errors.New("a stream is not in memory")

// stage checks r and, if it holds, adds its writes to the batch and its events to staged.
func (s *sequencer) stage(r *request, batch *pebble.Batch) error {
	s.heads.mark()
	if r.err != nil { // the lookup of its streams failed
		return r.err
	}
	for _, h := range r.found {
		if s.heads.turns > r.turns+1 {
			return errCold // whatever was found may have been appended to and forgotten since
		}
		s.heads.insert(h.key, h.version, h.closed)
	}
	for _, key := range r.streams {
		if s.heads.get(key) == nil {
			return errCold
		}
	}
	switch {
	case r.attach != nil:
		return s.stageAttach(r.attach, batch)
	case r.commit != nil:
		if err := s.checkCommit(r.commit); err != nil {
			return err
		}
	case r.conditions != nil:
		if done, err := s.checkConditions(r); done || err != nil {
			return err
		}
	}
	staged := len(s.staged)
	err := s.stageEvents(r)
	if err == nil {
		err = s.stageRows(r, batch)
	}
	if err != nil {
		s.staged = s.staged[:staged]
		s.heads.rollback()
		s.dedupe.rollback()
		return err
	}
	s.dedupe.mark()
	return nil
}

// stageRows adds what r writes besides events. Where it fails nothing of r is in the batch,
// which other requests share: whatever can fail comes before the first write. A request
// with apply has a batch of its own.
func (s *sequencer) stageRows(r *request, batch *pebble.Batch) error {
	switch {
	case r.apply != nil:
		err := r.apply(s, batch)
		if err != nil {
			batch.Reset()
		}
		return err
	case r.commit != nil:
		return s.stageCommit(r, batch)
	case r.conditions != nil && r.conditions.Producer != "":
		return s.stageProducer(r, batch)
	}
	return nil
}

// stageEvents gives the events their seqs and versions.
func (s *sequencer) stageEvents(r *request) error {
	r.receipts = make([]Receipt, len(r.events))
	producer := r.conditions != nil && r.conditions.Producer != ""
	for i := range r.events {
		ev, receipt := &r.events[i], &r.receipts[i]
		receipt.ID, receipt.Durability = ev.ID, r.durability
		var hash uint64
		publish := r.published && ev.ID != "" && !producer
		if publish {
			hash = s.dedupe.hash(ev)
			first, err := s.duplicate(hash, ev)
			if err != nil {
				return err
			}
			if first != nil {
				s.l.counters.duplicates.Add(1)
				receipt.Seq, receipt.Version, receipt.Duplicate = first.Seq, first.Version, true
				continue
			}
		}
		st, version, err := s.version(i, ev)
		if err != nil {
			return err
		}
		s.staged = append(s.staged, staged{ev, st, version, stagedSize(ev), publish})
		receipt.Seq, receipt.Version = s.next()-1, version
		if publish {
			s.dedupe.add(hash, receipt.Seq)
		}
	}
	return nil
}

// next is the seq that the next staged event gets.
func (s *sequencer) next() abi.Seq { return s.head + abi.Seq(len(s.staged)) + 1 }

// version gives ev the next version of its key and checks the one that it expects.
func (s *sequencer) version(i int, ev *abi.Event) (*stream, abi.Version, error) {
	if ev.Key == "" {
		return nil, 0, nil
	}
	st := s.heads.get(ev.Key)
	switch {
	case st == nil:
		return nil, 0, errCold
	case st.closed:
		return nil, 0, &StreamClosedError{Index: i, Key: ev.Key}
	}
	version := s.heads.next(st)
	if ev.Version != 0 && ev.Version != version {
		return nil, 0, &VersionError{Index: i, Key: ev.Key, Want: ev.Version, Have: version - 1}
	}
	return st, version, nil
}

// duplicate returns the event that ev repeats, or nil. A hash hit is verified in the log.
func (s *sequencer) duplicate(hash uint64, ev *abi.Event) (*abi.Event, error) {
	seq, ok := s.dedupe.find(hash)
	if !ok || s.next()-seq > abi.Seq(s.dedupe.limit) {
		return nil, nil
	}
	first, err := s.event(seq)
	if errors.Is(err, ErrNotFound) {
		return nil, nil // retention dropped it: the window is what is in the log
	}
	if err != nil || first.ID != ev.ID || first.Source != ev.Source {
		return nil, err
	}
	return &first, nil
}

// event returns the event at seq, which may be staged.
func (s *sequencer) event(seq abi.Seq) (abi.Event, error) {
	if seq <= s.head {
		return s.l.Event(seq)
	}
	st := &s.staged[seq-s.head-1]
	ev := *st.ev
	ev.Seq, ev.Version = seq, st.version
	return ev, nil
}

// checkCommit refuses a commit whose run did not begin at the present cursor.
func (s *sequencer) checkCommit(c *Commit) error {
	have, err := s.cursor(LaneCursor(c.Subscriber, c.Lane))
	if err != nil {
		return err
	}
	if c.Reads != nil {
		if s.writes[c.Subscriber] == nil {
			s.writes[c.Subscriber] = &laneWrites{floor: s.number - 1}
		}
		if err := s.writes[c.Subscriber].check(c); err != nil {
			return err
		}
	}
	if have.Next != c.From || have.Fence != c.Fence || c.To < c.From {
		return ErrFenced
	}
	_, err = s.undo.owner(c.Subscriber)
	return err
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

func (s *sequencer) stageCommit(r *request, batch *pebble.Batch) error {
	c := r.commit
	timers, err := s.planTimers(r)
	if err != nil {
		return err
	}
	kept, err := s.l.lettersToKeep(c)
	if err != nil {
		return err
	}
	cursor := Cursor{Next: c.To, Fence: c.Fence, Digest: c.Digest, Time: s.l.opts.now(), Strikes: c.Strikes}
	if err := s.moveCursor(LaneCursor(c.Subscriber, c.Lane), cursor, r.images, batch); err != nil {
		return err
	}
	for i := range c.Writes {
		w := &c.Writes[i]
		key := append(statePrefix(nil, c.Subscriber, c.StateVersion), w.Key...)
		if w.Delete {
			_ = batch.Delete(key, nil)
		} else {
			_ = batch.Set(key, w.Value, nil)
		}
	}
	stageLetters(c, kept, batch)
	stageParked(c, batch)
	s.stageTimers(c.Subscriber, &timers, batch)
	if w := s.writes[c.Subscriber]; w != nil {
		w.add(s.number, c)
	}
	s.l.counters.commits.Add(1)
	return nil
}

// moveCursor sets a cursor and writes the undo record of that and of images.
func (s *sequencer) moveCursor(name string, c Cursor, images []byte, batch *pebble.Batch) error {
	key := cursorKey(nil, name)
	var row []byte
	if before, ok := s.cursors[name]; ok {
		row = appendCursor(nil, before)
	}
	if err := s.undo.add(batch, ownerOf(name), s.next()-1, putImage(images, key, row)); err != nil {
		return err
	}
	s.cursors[name] = c
	return batch.Set(key, appendCursor(nil, c), nil)
}

func (s *sequencer) stageAttach(a *Attachment, batch *pebble.Batch) error {
	c, err := s.cursor(a.Subscriber)
	if errors.Is(err, ErrNotFound) {
		if a.Next == 0 {
			a.Next = s.next()
		}
		if _, err = s.undo.owner(ownerOf(a.Subscriber)); err != nil {
			return err
		}
		c = Cursor{Next: a.Next, Time: s.l.opts.now()}
		var images []byte
		if a.KeepHead {
			if images, err = appendImage(nil, s.l.db, startKey(a.Subscriber)); err != nil {
				return err
			}
			_ = batch.Set(startKey(a.Subscriber), binary.LittleEndian.AppendUint64(nil, uint64(s.next()-1)), nil)
		}
		if a.StateVersion != 0 {
			if images, err = s.beginVersions(a, images, batch); err != nil {
				return err
			}
		}
		err = s.moveCursor(a.Subscriber, c, images, batch)
	}
	a.cursor = c
	return err
}

// keepImages writes the undo record of rows that belong to no subscriber.
func (s *sequencer) keepImages(batch *pebble.Batch, keys ...[]byte) error {
	var images []byte
	for _, key := range keys {
		var err error
		if images, err = appendImage(images, s.l.db, key); err != nil {
			return err
		}
	}
	return s.undo.add(batch, "", s.next()-1, images)
}
