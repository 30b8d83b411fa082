package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Retention says which events may leave. The zero value keeps everything.
type Retention struct {
	MaxAge   time.Duration    // events that were appended longer ago
	MaxBytes int64            // the oldest events, as long as the log takes more than this on disk
	Topics   []TopicRetention // events of some topics, earlier than the others

	// Hold is the lowest cursor of the subscribers that are attached: age lets nothing leave
	// from there on; MaxBytes does. 0: nobody is waited for.
	Hold abi.Seq

	// Force lets a pass drop more than half of the events by age. Without it such a pass is
	// refused, since a clock that jumped looks just like that.
	Force bool
}

// TopicRetention drops events of some topics; the audit events [TopicRetained] and
// [TopicRedacted] stay as long as what they tell of, for [Log.Verify] wants them.
type TopicRetention struct {
	Pattern string // for the audit event
	Match   func(topic string) bool
	MaxAge  time.Duration
}

// RetainReport says what a pass of retention did.
type RetainReport struct {
	From, To abi.Seq // whole chunks that were dropped; 0, 0 if none
	Events   int     // single events that were dropped out of chunks
	Copied   int     // dead letters that got a copy of their event
	Reason   string
	Refused  string // why nothing more was dropped, "" if nothing was held back
}

// Retain makes one pass: whole chunks by size and age, then single events by topic, then
// what streams truncated. Each step that drops something appends an event [TopicRetained]
// in the same batch. It may be called at any time, from time to time; passes wait for each other.
func (l *Log) Retain(ctx context.Context, r Retention) (RetainReport, error) {
	l.erasing.Lock()
	defer l.erasing.Unlock()
	var report RetainReport
	if problem := l.ClockProblem(); problem != nil && !l.opts.wallAge && (r.MaxAge > 0 || len(r.Topics) > 0) {
		r.MaxAge, r.Topics, report.Refused = 0, nil, problem.Error()
	}
	err := l.retainWhole(ctx, r, &report)
	for i := 0; err == nil && i < len(r.Topics); i++ {
		err = l.retainTopics(ctx, r, &r.Topics[i], &report)
	}
	if err == nil {
		err = l.retainStreams(ctx, r.Hold, &report)
	}
	if err == nil && report.To != 0 {
		err = l.cleanIndex()
	}
	if l.opts.Observer.Retained != nil && (report.To != 0 || report.Events > 0 || report.Refused != "") {
		l.opts.Observer.Retained(report)
	}
	return report, err
}

// Trim drops the events before seq, in whole chunks: some of them may stay. reason goes
// into the audit event. Dead letters get copies of events that they point to.
func (l *Log) Trim(ctx context.Context, seq abi.Seq, reason string) (RetainReport, error) {
	l.erasing.Lock()
	defer l.erasing.Unlock()
	var report RetainReport
	err := l.trim(ctx, seq, reason, &report)
	if err == nil && report.To != 0 {
		err = l.cleanIndex()
	}
	return report, err
}

func (l *Log) retainWhole(ctx context.Context, r Retention, report *RetainReport) error {
	if r.MaxBytes > 0 {
		before, err := l.seqBySize(r.MaxBytes)
		if err != nil {
			return err
		}
		if err := l.trim(ctx, before, fmt.Sprintf("the log takes more than %d bytes", r.MaxBytes), report); err != nil {
			return err
		}
	}
	if r.MaxAge <= 0 {
		return nil
	}
	before, err := l.seqByAge(r.MaxAge)
	if err != nil {
		return err
	}
	if r.Hold != 0 && before > r.Hold {
		before = r.Hold
		report.Refused = fmt.Sprintf("a subscriber has yet to handle event %d", r.Hold)
	}
	if all := l.Head() - l.First() + 1; !r.Force && before > l.First() && before-l.First() > all/2 && all > maxChunkEvents {
		report.Refused = fmt.Sprintf("%d of %d events are older than %s; if the clock is right, force the pass", before-l.First(), all, r.MaxAge)
		return nil
	}
	return l.trim(ctx, before, fmt.Sprintf("older than %s", r.MaxAge), report)
}

// seqBySize returns the first event that may stay in a log of size bytes.
func (l *Log) seqBySize(size int64) (abi.Seq, error) {
	low, high := l.First(), l.Head()
	for low < high {
		middle := low + (high-low)/2
		used, err := l.db.EstimateDiskUsage(chunkKey(nil, middle), []byte{spaceChunk + 1})
		if err != nil {
			return 0, err
		}
		if int64(used) > size {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// trim drops the whole chunks before seq. The last chunk always stays, for it tells where
// the log ends.
func (l *Log) trim(ctx context.Context, seq abi.Seq, reason string, report *RetainReport) error {
	seq = min(seq, l.Head())
	if seq <= l.First() {
		return nil
	}
	c, err := l.loadChunk(seq)
	if err != nil {
		return err
	}
	from, before := l.First(), c.first
	if before <= from {
		return nil
	}
	if err := l.index.persist(before - 1); err != nil { // where streams go on is known from their events alone, until then
		return err
	}
	leaves := func(seq abi.Seq) bool { return seq < before }
	if err := l.copyLetters(ctx, leaves, report); err != nil {
		return err
	}
	ev, err := systemEvent(TopicRetained, audit{From: from, To: before - 1, Reason: reason})
	if err != nil {
		return err
	}
	r := &request{events: []abi.Event{ev}, size: stagedSize(&ev), durability: Durable, relieves: true}
	r.apply = func(_ *sequencer, batch *pebble.Batch) error {
		copied, err := l.copySome(batch, leaves, -1)
		report.Copied += copied
		if err != nil {
			return err
		}
		if err := l.forgetDropped(batch, before); err != nil {
			return err
		}
		l.first.Store(uint64(before))
		_ = batch.Set(metaFirst, binary.LittleEndian.AppendUint64(nil, uint64(before)), nil)
		return batch.DeleteRange(chunkKey(nil, from), chunkKey(nil, before), nil)
	}
	if err := l.submit(ctx, r); err != nil {
		return err
	}
	if report.From == 0 {
		report.From = from
	}
	report.To, report.Reason = before-1, reason
	return nil
}

// copyLetters gives the dead letters whose events are about to leave their copies, some at
// a time, so that appends need not wait long.
func (l *Log) copyLetters(ctx context.Context, leaves func(abi.Seq) bool, report *RetainReport) error {
	const some = 256
	for {
		copied := 0
		err := l.submit(ctx, &request{durability: Accepted, apply: func(_ *sequencer, batch *pebble.Batch) (err error) {
			copied, err = l.copySome(batch, leaves, some)
			return err
		}})
		report.Copied += copied
		if err != nil || copied < some {
			return err
		}
	}
}

// copySome copies the events of at most limit dead letters, of those that leave.
func (l *Log) copySome(batch *pebble.Batch, leaves func(abi.Seq) bool, limit int) (copied int, err error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceDeadLetter}, UpperBound: []byte{spaceDeadLetter + 1}})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for it.First(); it.Valid() && copied != limit; it.Next() {
		seq := chunkKeySeq(it.Key()[len(it.Key())-9:])
		if !leaves(seq) {
			continue
		}
		d, err := decodeDeadLetter(seq, it.Value())
		if err != nil {
			return copied, fmt.Errorf("%w: a dead letter of event %d: %v", ErrDamaged, seq, err)
		}
		if d.Event != nil {
			continue
		}
		ev, err := l.Event(seq)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return copied, err
		}
		d.Event = &ev
		_ = batch.Set(it.Key(), appendDeadLetter(nil, &d), nil)
		copied++
	}
	return copied, it.Error()
}

// retainTopics drops the events of some topics that are old enough out of their chunks.
func (l *Log) retainTopics(ctx context.Context, r Retention, t *TopicRetention, report *RetainReport) error {
	before, err := l.seqByAge(t.MaxAge)
	if err != nil {
		return err
	}
	if r.Hold != 0 {
		before = min(before, r.Hold)
	}
	from := max(l.First(), l.swept[t.Pattern])
	for from < before {
		n, next, err := l.sweep(ctx, from, before, t)
		if err != nil {
			return err
		}
		report.Events += n
		from = next
	}
	l.swept[t.Pattern] = from
	return nil
}

// sweepBytes bounds the chunks that are rewritten in one batch.
const sweepBytes = 1 << 20

// sweep rewrites some chunks and returns how many events it dropped and where to go on.
func (l *Log) sweep(ctx context.Context, from, before abi.Seq, t *TopicRetention) (events int, next abi.Seq, err error) {
	chunks := chunkCursor{l: l, borrow: true, open: (*chunk).openChecked} // what is sealed again must be right
	defer chunks.close()
	w := rewriting{l: l, leaves: map[abi.Seq]bool{}}
	next = from
	for next < before && w.size < sweepBytes {
		c, err := chunks.load(next, false)
		if err != nil {
			return 0, next, err
		}
		err = w.add(c, func(i int) erasure {
			topic := c.topics[c.topicOf(i)]
			if c.first+abi.Seq(i) < before && !isAudit(topic) && t.Match(topic) {
				return drop
			}
			return keep
		})
		if err != nil {
			return 0, next, err
		}
		next = c.last() + 1
	}
	a := audit{From: from, To: next - 1, Reason: fmt.Sprintf("older than %s", t.MaxAge), Topics: t.Pattern}
	return w.events, min(next, before), w.commit(ctx, a)
}

// retainStreams drops the events of streams that were truncated or closed, below hold.
func (l *Log) retainStreams(ctx context.Context, hold abi.Seq, report *RetainReport) error {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceStream}, UpperBound: []byte{spaceStream + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		row, err := decodeStreamRow(it.Value())
		if err != nil {
			return fmt.Errorf("%w: the row of a stream: %v", ErrDamaged, err)
		}
		n, err := l.retainStream(ctx, row, hold)
		report.Events += n
		if err != nil {
			return err
		}
	}
	return it.Error()
}

// retainStream drops what is below the stream's first version, up to the chunk that a
// subscriber has yet to handle.
func (l *Log) retainStream(ctx context.Context, row streamRow, hold abi.Seq) (events int, err error) {
	s, err := l.Stream(row.key)
	if err != nil {
		return 0, err
	}
	from := row.from
	if row.closed {
		from = s.Version + 1
	}
	if from <= row.swept || from == 0 {
		return 0, nil
	}
	places, err := l.placesOf(row.key, from)
	if err != nil {
		return 0, err
	}
	held := len(places)
	if hold != 0 {
		places = slices.DeleteFunc(places, func(first abi.Seq) bool { return first+maxChunkEvents > hold })
	}
	held -= len(places)
	for len(places) > 0 {
		w := rewriting{l: l, leaves: map[abi.Seq]bool{}}
		a := audit{From: places[0], Reason: "the stream was truncated", Stream: row.key}
		for len(places) > 0 && w.size < sweepBytes {
			c, err := l.loadChunk(places[0])
			if errors.Is(err, ErrNotFound) { // dropped as a whole
				places = places[1:]
				continue
			}
			if err != nil {
				return events, err
			}
			if err := w.addStream(c, row.key, from); err != nil {
				return events, err
			}
			a.To, places = c.last(), places[1:]
		}
		if err := w.commit(ctx, a); err != nil {
			return events, err
		}
		events += w.events
	}
	if held > 0 { // the next pass looks again
		return events, nil
	}
	return events, l.changeStream(ctx, row.key, func(s *streamRow) { s.swept = from })
}

// placesOf returns the chunks in which versions of the stream below from lie.
func (l *Log) placesOf(key string, from abi.Version) ([]abi.Seq, error) {
	r := &StreamReader{l: l, name: key, low: 1, high: from - 1, view: l.index.look(key)}
	var seqs []abi.Seq
	for r.nextRow() {
		for _, p := range r.places {
			seqs = append(seqs, p.chunk)
		}
		r.places = r.places[:0]
	}
	return seqs, errors.Join(r.err, r.Close())
}

// rewriting collects chunks that are to be replaced in one batch.
type rewriting struct {
	l      *Log
	raws   [][]byte
	firsts []abi.Seq
	size   int
	events int
	leaves map[abi.Seq]bool
}

func (w *rewriting) add(c *chunk, what func(i int) erasure) error {
	raw, err := rewrite(c, func(i int) erasure {
		e := what(i)
		if e == drop {
			w.leaves[c.first+abi.Seq(i)] = true
		}
		return e
	})
	if raw == nil {
		w.size += len(c.raw) / 64 // reading is work too
		return err
	}
	w.raws, w.firsts = append(w.raws, raw), append(w.firsts, c.first)
	w.size += len(raw)
	w.events = len(w.leaves)
	return nil
}

// addStream drops the events of a stream below a version.
func (w *rewriting) addStream(c *chunk, key string, from abi.Version) error {
	number := c.numberOf(key)
	return w.add(c, func(i int) erasure {
		if c.keyOf(i) == number {
			version := c.keys[number-1].first + abi.Version(binary.LittleEndian.Uint16(c.raw[c.offset(i)+4:]))
			if version < from {
				return drop
			}
		}
		return keep
	})
}

// commit replaces the chunks and appends the audit event. Dead letters that point to the
// events that leave get their copies before.
func (w *rewriting) commit(ctx context.Context, a audit) error {
	if len(w.raws) == 0 {
		return nil
	}
	var report RetainReport
	leaves := func(seq abi.Seq) bool { return w.leaves[seq] }
	if err := w.l.copyLetters(ctx, leaves, &report); err != nil {
		return err
	}
	a.Events = w.events
	ev, err := systemEvent(TopicRetained, a)
	if err != nil {
		return err
	}
	r := &request{events: []abi.Event{ev}, size: stagedSize(&ev), durability: Durable}
	r.apply = func(_ *sequencer, batch *pebble.Batch) error {
		if _, err := w.l.copySome(batch, leaves, -1); err != nil {
			return err
		}
		for i, raw := range w.raws {
			_ = batch.Set(chunkKey(nil, w.firsts[i]), raw, nil)
		}
		return nil
	}
	if err := w.l.submit(ctx, r); err != nil {
		return err
	}
	for i, raw := range w.raws {
		if err := w.l.tail.replace(w.firsts[i], raw); err != nil {
			return err
		}
	}
	return nil
}

// cleanIndex merges the epochs of the stream index that point to nothing but dropped
// chunks into one row a stream, which says at which version the stream goes on.
func (l *Log) cleanIndex() error {
	l.index.merging.Lock()
	defer l.index.merging.Unlock()
	old := l.index.before(l.First())
	if len(old) < 2 {
		return nil
	}
	last := map[streamHash]*postings{}
	into := old[len(old)-1]
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: epochKey(nil, old[0].number), UpperBound: epochKey(nil, into.number+1)})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		number, h, _, ok := splitIndexKey(it.Key())
		if !ok {
			continue
		}
		p, err := rowOf(it, number, h)
		if err != nil {
			return err
		}
		last[h] = p
	}
	batch := l.db.NewBatch()
	defer batch.Close()
	_ = batch.DeleteRange(epochKey(nil, old[0].number), epochKey(nil, into.number+1), nil)
	_ = batch.Set(epochKey(nil, into.number), binary.LittleEndian.AppendUint64(nil, uint64(into.upTo)), nil)
	into.filter = newFilterFor(len(last))
	for h, p := range last {
		tail := p.list[len(p.list)-1]
		first := p.next - abi.Version(tail.count)
		_ = batch.Set(indexKey(nil, into.number, h, first), appendIndexRow(nil, []posting{tail}), nil)
		into.filter.add(h.filterHash())
	}
	if err := errors.Join(it.Error(), batch.Commit(pebble.NoSync)); err != nil {
		return err
	}
	l.index.merged(old, into)
	return nil
}
