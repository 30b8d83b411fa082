package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// What operators do to a subscriber goes through the sequencer, alone in its group, and is
// durable before it is answered.

// Reset moves the cursor of a subscriber by hand.
type Reset struct {
	Subscriber   string
	To           abi.Seq // the next seq to handle; 0: behind the head as it is when the request is handled
	ReEmit       bool    // what events emit that were handled before counts again, under a new run
	EmptyState   bool    // take out all its state of StateVersion
	StateVersion uint32
}

// Reset applies r and returns the cursor. It raises the fence, so a commit of a run that
// began before is refused. Blocked keys whose events will be read again are freed, and all
// of them where the cursor moves forward; what waited behind them, or is skipped, is remembered
// ([Control.Unhandled]). It returns [ErrNotFound] if there is no such subscriber.
func (l *Log) Reset(ctx context.Context, r Reset) (c Cursor, err error) {
	req := &request{durability: Durable}
	req.apply = func(s *sequencer, batch *pebble.Batch) error {
		c, err = s.reset(r, batch)
		return err
	}
	return c, l.submit(ctx, req)
}

func (s *sequencer) reset(r Reset, batch *pebble.Batch) (Cursor, error) {
	if r.To == 0 {
		r.To = s.next()
	}
	if r.To > s.next() {
		return Cursor{}, fmt.Errorf("reset of %q to seq %d: %w; the log ends at %d", r.Subscriber, r.To, ErrNotFound, s.next()-1)
	}
	was, err := s.cursor(r.Subscriber)
	if err != nil {
		return Cursor{}, err
	}
	control, err := s.l.Control(r.Subscriber)
	if err != nil {
		return Cursor{}, err
	}
	parked, err := s.l.Parked(r.Subscriber)
	if err != nil {
		return Cursor{}, err
	}
	control.Unhandled = unhandled(control, was.Next, r.To, parked)
	control.Mark = max(control.Mark, was.Next, r.To)
	if control.ReEmit = r.ReEmit && r.To < control.Mark; control.ReEmit {
		control.Run++
	}
	control.Since, control.Began = s.l.opts.now(), r.To
	record := &change{s: s, owner: r.Subscriber, batch: batch}
	for i := range parked {
		if p := &parked[i]; frees(p, was.Next, r.To) {
			record.remove(parkedKey(nil, r.Subscriber, p))
		}
	}
	if r.EmptyState {
		record.removeAll(statePrefix(nil, r.Subscriber, r.StateVersion))
	}
	record.set(controlKey(nil, r.Subscriber), appendControl(nil, &control))
	now := Cursor{Next: r.To, Fence: was.Fence + 1, Digest: was.Digest, Time: control.Since}
	record.set(cursorKey(nil, r.Subscriber), appendCursor(nil, now))
	if err := record.finish(); err != nil {
		return Cursor{}, err
	}
	s.cursors[r.Subscriber] = now
	return now, nil
}

// unhandled returns what was never dealt with below the mark that a reset of the cursor to
// the seq to leaves: what waits behind blocked keys now, what the reset skips, and what an
// earlier reset found so, where the cursor has not been since.
func unhandled(c Control, cursor, to abi.Seq, parked []Parked) []Span {
	var spans []Span
	add := func(s Span) {
		if s.From < s.To {
			spans = append(spans, s)
		}
	}
	waits := func(p *Parked, from, below abi.Seq) {
		from = max(from, p.First)
		if p.Key == "" {
			below = min(below, p.First+1)
		}
		if !frees(p, cursor, to) { // what the cursor will not come to again is the key's to run
			add(Span{Key: p.Key, From: from, To: min(below, to), Waits: true})
			from = max(from, to)
		}
		add(Span{Key: p.Key, From: from, To: below})
	}
	for i := range parked {
		waits(&parked[i], c.Mark, cursor)
	}
	for _, old := range c.Unhandled {
		from, below := max(old.From, c.Began), min(old.To, cursor)
		if old.Waits {
			from, below = old.From, old.To
		} else {
			add(Span{Key: old.Key, From: old.From, To: min(old.To, c.Began)})
			add(Span{Key: old.Key, From: max(old.From, cursor), To: old.To})
		}
		for i := range parked {
			if old.Key == "" || old.Key == parked[i].Key {
				waits(&parked[i], from, below)
			}
		}
	}
	add(Span{From: max(cursor, c.Mark), To: to})
	return spans
}

// frees says whether a reset from cursor to the seq to frees a blocked key: forward, it is
// let go; backward, its events are read again if all that wait are.
func frees(p *Parked, cursor, to abi.Seq) bool { return to > cursor || p.First >= to }

// Pause writes down that a subscriber shall run nothing, or that it shall again. The log
// keeps the word and does not act on it. It returns [ErrNotFound] if there is no such subscriber.
func (l *Log) Pause(ctx context.Context, subscriber string, paused bool, reason string) error {
	r := &request{durability: Durable, relieves: true}
	r.apply = func(s *sequencer, batch *pebble.Batch) error {
		if _, err := s.cursor(subscriber); err != nil {
			return err
		}
		control, err := l.Control(subscriber)
		if err != nil {
			return err
		}
		control.Paused, control.Reason, control.Since = paused, reason, l.opts.now()
		record := &change{s: s, owner: subscriber, batch: batch}
		record.set(controlKey(nil, subscriber), appendControl(nil, &control))
		return record.finish()
	}
	return l.submit(ctx, r)
}

// Dropped says what a subscriber left behind.
type Dropped struct {
	StateKeys, DeadLetters, BlockedKeys int
}

// DropSubscriber forgets a subscriber: cursor, state, dead letters and blocked keys. One
// that is attached under its name later is a new one. What stays is the control row with
// the mark, under a new run: what the new one emits for events that the old one handled
// does not get ids that are in the log already. It returns [ErrNotFound] if there is no
// such subscriber.
func (l *Log) DropSubscriber(ctx context.Context, subscriber string) (d Dropped, err error) {
	r := &request{durability: Durable, relieves: true}
	r.apply = func(s *sequencer, batch *pebble.Batch) error {
		d, err = s.drop(subscriber, batch)
		return err
	}
	return d, l.submit(ctx, r)
}

func (s *sequencer) drop(subscriber string, batch *pebble.Batch) (d Dropped, err error) {
	was, err := s.cursor(subscriber)
	if err != nil {
		return d, err
	}
	control, err := s.l.Control(subscriber)
	if err != nil {
		return d, err
	}
	control = Control{Mark: max(control.Mark, was.Next), Run: control.Run + 1, ReEmit: true, Since: s.l.opts.now()}
	record := &change{s: s, owner: subscriber, batch: batch}
	for _, space := range subscriberSpaces {
		n := record.removeAll(named(nil, space, subscriber))
		switch space {
		case spaceState:
			d.StateKeys = n
		case spaceDeadLetter:
			d.DeadLetters = n
		case spaceParked:
			d.BlockedKeys = n
		}
	}
	record.set(controlKey(nil, subscriber), appendControl(nil, &control))
	if err := record.finish(); err != nil {
		return d, err
	}
	delete(s.cursors, subscriber)
	return d, nil
}

// change is a change of a subscriber's rows with its undo record. The first error sticks.
// Nothing of it is in the batch before finish.
type change struct {
	s      *sequencer
	owner  string
	batch  *pebble.Batch
	images []byte
	large  bool // more than an undo record shall hold
	err    error
	writes []func()
}

// maxChangeImages bounds the undo record of one change. A change of more, which takes out
// a large state, cannot be undone: a fork then goes back to behind it at most.
const maxChangeImages = 8 << 20

func (c *change) keep(key []byte) {
	if c.err == nil && !c.large {
		c.images, c.err = appendImage(c.images, c.s.l.db, key)
		c.large = len(c.images) > maxChangeImages
	}
}

func (c *change) set(key, value []byte) {
	c.keep(key)
	c.writes = append(c.writes, func() { _ = c.batch.Set(key, value, nil) })
}

func (c *change) remove(key []byte) {
	c.keep(key)
	c.writes = append(c.writes, func() { _ = c.batch.Delete(key, nil) })
}

// removeAll takes out the rows that begin with prefix and returns their number.
func (c *change) removeAll(prefix []byte) (n int) {
	if c.err != nil {
		return 0
	}
	it, err := c.s.l.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		c.err = err
		return 0
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if n++; !c.large {
			value, err := it.ValueAndErr()
			if err != nil {
				c.err = err
				return n
			}
			if value == nil {
				value = []byte{}
			}
			c.images = putImage(c.images, it.Key(), value)
			c.large = len(c.images) > maxChangeImages
		}
	}
	c.err = it.Error()
	c.writes = append(c.writes, func() { _ = c.batch.DeleteRange(prefix, successor(prefix), nil) })
	return n
}

// finish writes the change and what undoes it.
func (c *change) finish() error {
	if c.err != nil {
		return engineError(0, c.err)
	}
	head := c.s.next() - 1
	var err error
	if c.large {
		err = c.s.undo.cut(c.batch, c.owner, head)
	} else {
		err = c.s.undo.add(c.batch, c.owner, head, c.images)
	}
	if err != nil {
		return err
	}
	for _, write := range c.writes {
		write()
	}
	return nil
}

// cut drops the records of an owner and makes head the lowest seq that a fork can go to.
func (u *undoLog) cut(batch *pebble.Batch, owner string, head abi.Seq) error {
	o, err := u.owner(owner)
	if err != nil {
		return err
	}
	o.first = o.last
	return errors.Join(batch.DeleteRange(undoKey(owner, 0, 1), successor(named(nil, spaceUndo, owner)), nil),
		batch.Set(undoFloorKey(owner), binary.LittleEndian.AppendUint64(nil, uint64(head)), nil))
}
