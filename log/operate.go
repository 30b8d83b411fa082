package log

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// What operators do to a subscriber goes through the sequencer, alone in its group, and is
// durable before it is answered.

// Reset moves the cursor of a subscriber by hand, in all its lanes.
type Reset struct {
	Subscriber string
	To         abi.Seq // the next seq to handle; 0: behind the head as it is when the request is handled
	ReEmit     bool    // what events emit that were handled before counts again, under a new run
	EmptyState bool    // take out all its state of the version that it has

	// Lane tells which of n lanes an event is of; nil where there is one only.
	Lane LaneFunc

	back bool // to the state version before; see [Log.ReturnState]
}

// Reset applies r. It raises the fences, so a commit of a run that began before is refused.
// Blocked keys whose events will be read again are freed, and all of them where the cursor
// moves forward; what waited behind them, or is skipped, is remembered
// ([Control.Unhandled]). It returns where the cursor was put, or [ErrNotFound] if there is
// no such subscriber.
func (l *Log) Reset(ctx context.Context, r Reset) (to abi.Seq, err error) {
	req := &request{durability: Durable}
	req.apply = func(s *sequencer, batch *pebble.Batch) error {
		to, err = s.reset(r, batch)
		return err
	}
	return to, l.submit(ctx, req)
}

func (s *sequencer) reset(r Reset, batch *pebble.Batch) (abi.Seq, error) {
	if r.To == 0 {
		r.To = s.next()
	}
	if r.To > s.next() {
		return 0, fmt.Errorf("reset of %q to seq %d: %w; the log ends at %d", r.Subscriber, r.To, ErrNotFound, s.next()-1)
	}
	lanes, err := readLanes(s.l.db, r.Subscriber)
	if err == nil && len(lanes) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	control, err := s.l.Control(r.Subscriber)
	if err != nil {
		return 0, err
	}
	parked, err := s.l.Parked(r.Subscriber)
	if err != nil {
		return 0, err
	}
	if r.Lane == nil {
		r.Lane = func(string, abi.Seq, int) int { return 0 }
	}
	m := &move{was: control, lanes: lanes, to: r.To, lane: r.Lane, mark: max(control.Mark, r.To)}
	for _, c := range lanes {
		m.mark = max(m.mark, c.Next)
	}
	m.unhandled(parked)
	if control.Unhandled, err = m.bounded(s.l.First()); err != nil {
		return 0, fmt.Errorf("reset of %q: %w", r.Subscriber, err)
	}
	control.Mark = m.mark
	if control.ReEmit = r.ReEmit && r.To < control.Mark; control.ReEmit {
		control.Run++
	}
	control.Since, control.Began = s.l.opts.now(), r.To
	record := &change{s: s, owner: r.Subscriber, batch: batch}
	versions, err := s.l.Versions(r.Subscriber)
	if err != nil {
		return 0, err
	}
	record.forgetBuild(r.Subscriber) // what it was built from is another past now
	if r.back {
		record.goBack(r.Subscriber, versions)
	}
	for i := range parked {
		if !r.back && m.frees(&parked[i]) {
			record.remove(parkedKey(nil, r.Subscriber, &parked[i]))
		}
	}
	if r.EmptyState {
		record.removeAll(statePrefix(nil, r.Subscriber, versions.Serving))
	}
	record.remove(startKey(r.Subscriber)) // all events from there on, whatever it began with
	record.set(controlKey(nil, r.Subscriber), appendControl(nil, &control))
	for lane := range lanes {
		c := &lanes[lane]
		c.Next, c.Fence, c.Time, c.Strikes = r.To, c.Fence+1, control.Since, 0
		record.set(cursorKey(nil, LaneCursor(r.Subscriber, lane)), appendCursor(nil, *c))
	}
	if err := record.finish(); err != nil {
		return 0, err
	}
	for lane, c := range lanes {
		s.cursors[LaneCursor(r.Subscriber, lane)] = c
	}
	return r.To, nil
}

// move is a reset being worked out: what was never dealt with below the mark that it
// leaves. That is what waits behind blocked keys now, what the reset skips, and what an
// earlier reset found so, where the cursor has not been since.
type move struct {
	was   Control
	lanes []Cursor // before
	to    abi.Seq
	mark  abi.Seq // the new one
	lane  LaneFunc
	spans []Span
}

func (m *move) laneOf(key string, seq abi.Seq) int { return m.lane(key, seq, len(m.lanes)) }

func (m *move) cursorOf(p *Parked) abi.Seq { return m.lanes[m.laneOf(p.Key, p.First)].Next }

// frees says whether a blocked key is let go: forward it is, backward its events are read
// again if all that wait are.
func (m *move) frees(p *Parked) bool { return m.to > m.cursorOf(p) || p.First >= m.to }

func (m *move) add(s Span) {
	if s.From < s.To {
		m.spans = append(m.spans, s)
	}
}

// waits adds what of a blocked key waits from one seq to below another. An event that is held is
// none of that: it is a dead letter, whose row tells what becomes of its emits until it is handled.
func (m *move) waits(p *Parked, from, below abi.Seq) {
	from = max(from, p.First)
	if p.Held {
		from = max(from, p.First+1)
	}
	if p.Key == "" {
		below = min(below, p.First+1)
	}
	if !m.frees(p) { // what the cursor will not come to again is the key's to run
		m.add(Span{Key: p.Key, From: from, To: min(below, m.to), Waits: true})
		from = max(from, m.to)
	}
	m.add(Span{Key: p.Key, From: from, To: below})
}

func (m *move) unhandled(parked []Parked) {
	byKey := map[string][]int{}
	for i := range parked {
		m.waits(&parked[i], m.was.Mark, m.cursorOf(&parked[i]))
		byKey[parked[i].Key] = append(byKey[parked[i].Key], i)
	}
	for _, old := range m.was.Unhandled {
		if !old.Waits {
			low := old
			low.To = min(low.To, m.was.Began)
			m.add(low)
			m.ahead(old)
		}
		if old.Key != "" { // there may be thousands of either
			for _, i := range byKey[old.Key] {
				m.stillWaits(old, &parked[i])
			}
			continue
		}
		for i := range parked {
			m.stillWaits(old, &parked[i])
		}
	}
	m.ahead(Span{From: m.was.Mark, To: m.mark}) // what lanes have not come to, and others have or the reset skips
}

// ahead adds what of a span the lanes have not come to: what none of them has, and, of what the
// foremost has, what is of those behind it.
func (m *move) ahead(s Span) {
	if s.Key != "" {
		s.From = max(s.From, m.lanes[m.laneOf(s.Key, s.From)].Next)
		m.add(s)
		return
	}
	for _, l := range s.Lanes {
		if l.Lanes == len(m.lanes) {
			s.From = max(s.From, m.lanes[l.Lane].Next)
			m.add(s)
			return
		}
	}
	foremost := abi.Seq(0)
	for _, c := range m.lanes {
		foremost = max(foremost, c.Next)
	}
	for lane, c := range m.lanes {
		part := s
		part.From, part.To = max(s.From, c.Next), min(s.To, foremost)
		part.Lanes = append(slices.Clone(s.Lanes), LaneOf{lane, len(m.lanes)})
		m.add(part)
	}
	s.From = max(s.From, foremost)
	m.add(s)
}

// stillWaits adds what of an old span a blocked key keeps from being handled.
func (m *move) stillWaits(old Span, p *Parked) {
	if old.Key != "" && old.Key != p.Key || !old.inLanes(p.Key, p.First, m.lane) {
		return
	}
	if old.Waits {
		m.waits(p, old.From, old.To)
	} else {
		m.waits(p, max(old.From, m.was.Began), min(old.To, m.cursorOf(p)))
	}
}

// MaxSpans bounds [Control.Unhandled]: the spans that three resets over as many blocked keys as a
// subscriber may have leave, in a row of a few MiB.
const MaxSpans = 1 << 16

// ErrTooManySpans says that a reset would leave more than [MaxSpans].
var ErrTooManySpans = errors.New("too much was passed over before")

// coalesce returns spans of the same events in fewer: those that touch are one, and what left the
// log, which begins at first, is in none. It orders spans.
func coalesce(spans []Span, first abi.Seq) []Span {
	slices.SortFunc(spans, func(a, b Span) int {
		return cmp.Or(a.compareKind(&b), cmp.Compare(a.From, b.From))
	})
	var out []Span
	for _, s := range spans {
		if s.From = max(s.From, first); s.From >= s.To {
			continue
		}
		if n := len(out); n > 0 && out[n-1].compareKind(&s) == 0 && out[n-1].To >= s.From {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// bounded returns the spans of a move in as few as it takes, or [ErrTooManySpans].
func (m *move) bounded(first abi.Seq) ([]Span, error) {
	spans := coalesce(m.spans, first)
	if n := len(spans); n > MaxSpans && n > len(m.was.Unhandled) {
		return nil, fmt.Errorf("%w: %d ranges of events would be, and %d is the most; let its blocked keys go on (redrive or drop their dead letters), then reset it to earliest and let it catch up", ErrTooManySpans, n, MaxSpans)
	}
	return spans, nil
}

// compareKind orders spans by all but their seqs.
func (s *Span) compareKind(o *Span) int {
	waits := 0
	if s.Waits != o.Waits {
		waits = 1
		if o.Waits {
			waits = -1
		}
	}
	return cmp.Or(cmp.Compare(s.Key, o.Key), waits, slices.CompareFunc(s.Lanes, o.Lanes, func(a, b LaneOf) int {
		return cmp.Or(cmp.Compare(a.Lanes, b.Lanes), cmp.Compare(a.Lane, b.Lane))
	}))
}

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
	StateKeys, DeadLetters, BlockedKeys, Timers int
}

// DropSubscriber forgets a subscriber: cursor, state, dead letters, blocked keys and timers. One
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
	lanes, err := readLanes(s.l.db, subscriber)
	if err == nil && len(lanes) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return d, err
	}
	control, err := s.l.Control(subscriber)
	if err != nil {
		return d, err
	}
	control = Control{Mark: control.Mark, Run: control.Run + 1, ReEmit: true, Since: s.l.opts.now()}
	history, err := s.l.Generations(subscriber)
	if err != nil {
		return d, err
	}
	record := &change{s: s, owner: subscriber, batch: batch}
	for lane, c := range lanes {
		control.Mark = max(control.Mark, c.Next)
		record.remove(cursorKey(nil, LaneCursor(subscriber, lane)))
	}
	record.remove(startKey(subscriber))
	d.Timers = record.count(timerKey(nil, subscriber, 0, "")[:3+len(subscriber)])
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
	record.forgetLetters(subscriber)
	record.set(controlKey(nil, subscriber), appendControl(nil, &control))
	if err := record.finish(); err != nil {
		return d, err
	}
	if err := s.forgetModules([]Revision{{Subscriber: subscriber, gone: history}}, batch); err != nil {
		return d, err
	}
	for lane := range lanes {
		delete(s.cursors, LaneCursor(subscriber, lane))
	}
	delete(s.writes, subscriber)
	s.l.timers.count(subscriber, -d.Timers)
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

// count returns the number of rows that begin with prefix.
func (c *change) count(prefix []byte) (n int) {
	it, err := c.s.l.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		c.err = err
		return 0
	}
	for it.First(); it.Valid(); it.Next() {
		n++
	}
	if err := it.Close(); err != nil && c.err == nil {
		c.err = err
	}
	return n
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
