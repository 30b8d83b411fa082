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

// Topics of the events by which the log says that it was changed afterwards.
const (
	TopicRetained = "$sys.retained" // retention dropped events
	TopicRedacted = "$sys.redacted" // the payload of an event was erased
	systemSource  = "/avxrt/log"
)

func isAudit(topic string) bool { return topic == TopicRetained || topic == TopicRedacted }

// audit is the data of these events.
type audit struct {
	From   abi.Seq `json:"from"`
	To     abi.Seq `json:"to"`
	Reason string  `json:"reason"`
	Topics string  `json:"topics,omitempty"` // the pattern whose events were dropped
	Stream string  `json:"stream,omitempty"` // the key whose stream was truncated or closed
	Events int     `json:"events,omitempty"` // how many were dropped
}

// erasure is what happens to an event when its chunk is rewritten.
type erasure byte

const (
	keep   erasure = iota
	drop           // the event leaves; its seq stays empty
	redact         // its data and headers leave
)

// rewrite returns the chunk c, whose dictionaries are open, with events erased, or nil if
// there is nothing to erase. Keys and topics stay, since streams count their versions by them.
func rewrite(c *chunk, what func(i int) erasure) ([]byte, error) {
	if !c.whole() {
		return nil, damage(c.first, "an event does not fit into it")
	}
	le := binary.LittleEndian
	changed := false
	b := make([]byte, chunkHeaderLen, len(c.raw)+64)
	copy(b, c.raw[:chunkOffFirstCRC])
	for _, topic := range c.topics {
		b = append(le.AppendUint16(b, uint16(len(topic))), topic...)
	}
	for i := range c.keys {
		b = le.AppendUint64(b, uint64(c.keys[i].first))
		b = le.AppendUint16(b, uint16(c.keys[i].count))
		b = append(le.AppendUint16(b, uint16(len(c.keys[i].name))), c.keys[i].name...)
	}
	table := len(b)
	topics := table + 4*c.count
	b = append(b, make([]byte, 6*c.count)...)
	for i := range c.count {
		if c.dropped(i) {
			continue
		}
		e := what(i)
		if e == redact && c.raw[c.offset(i)+7]&eventRedacted != 0 {
			e = keep
		}
		changed = changed || e != keep
		if e != drop {
			le.PutUint32(b[table+4*i:], uint32(len(b)))
			le.PutUint16(b[topics+2*i:], uint16(c.topicOf(i)))
			b = appendErased(b, c.raw[c.offset(i):], e)
		}
	}
	if !changed {
		return nil, nil
	}
	crc := c.crc()
	if c.rewritten() {
		crc = le.Uint32(c.raw[chunkOffFirstCRC:])
	}
	flags := byte(chunkRewritten)
	if c.endsGroup() {
		flags |= chunkGroupEnd
	}
	before := c.before()
	b[chunkOffVersion], b[chunkOffFlags] = chunkVersion, flags
	le.PutUint32(b[chunkOffTable:], uint32(table))
	le.PutUint32(b[chunkOffFirstCRC:], crc)
	copy(b[chunkOffChain:], before[:])
	seal(b)
	return b, nil
}

// appendErased copies an event without what e takes from it.
func appendErased(b, ev []byte, e erasure) []byte {
	le := binary.LittleEndian
	head := eventHeaderLen + int(le.Uint16(ev[20:])) + int(le.Uint16(ev[22:])) + int(le.Uint16(ev[24:]))
	size := head + int(le.Uint16(ev[26:])) + int(le.Uint32(ev[28:]))
	if e == keep {
		return append(b, ev[:size]...)
	}
	n := len(b)
	b = append(b, ev[:head]...)
	le.PutUint16(b[n:], 0)
	b[n+7] |= eventRedacted
	le.PutUint16(b[n+26:], 0)
	le.PutUint32(b[n+28:], 0)
	return b
}

// loadChunk returns a copy of the chunk that holds seq, with its checksum checked.
func (l *Log) loadChunk(seq abi.Seq) (*chunk, error) {
	var c *chunk
	err := l.withChunk(seq, func(found *chunk) (err error) {
		c, err = decodeChunk(found.first, slices.Clone(found.raw))
		return err
	})
	return c, err
}

// RedactReport says what a redaction did and what it does not reach.
type RedactReport struct {
	Seq       abi.Seq
	Found     bool     // the event still had a payload
	Copies    int      // in dead letters, timers and undo records
	Unreached []string // where the payload may still be
}

// Redact erases the data and the headers of the event at seq for ever: in the log, in
// copies that dead letters, timers and undo records hold, and in the engine's old files, before it
// returns. Its topic, key, id, source and times stay, and an event [TopicRedacted] with
// the reason is appended. Redacting again repeats what may have been cut short.
func (l *Log) Redact(ctx context.Context, seq abi.Seq, reason string) (RedactReport, error) {
	report := RedactReport{Seq: seq, Unreached: []string{
		"what subscribers made of it: their state and the events that they emitted",
		"backups, forks and exports that were made before", "what left the process: effects, replies, logs",
	}}
	if seq == 0 || seq > l.Head() {
		return report, fmt.Errorf("event %d: %w; the log ends at %d", seq, ErrNotFound, l.Head())
	}
	l.erasing.Lock()
	defer l.erasing.Unlock()
	ev, err := systemEvent(TopicRedacted, audit{From: seq, To: seq, Reason: reason})
	if err != nil {
		return report, err
	}
	r := &request{events: []abi.Event{ev}, size: stagedSize(&ev), durability: Durable}
	var raw []byte
	var c *chunk
	r.apply = func(s *sequencer, batch *pebble.Batch) error {
		c, err = l.loadChunk(seq)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err == nil {
			if i := int(seq - c.first); !c.dropped(i) && isAudit(c.topics[c.topicOf(i)]) {
				return fmt.Errorf("event %d tells of an erasure and is kept as long as what it tells of", seq)
			}
			raw, err = rewrite(c, func(i int) erasure {
				if c.first+abi.Seq(i) == seq {
					return redact
				}
				return keep
			})
			if err != nil {
				return err
			}
		}
		if report.Copies, err = l.redactCopies(batch, seq); err != nil {
			return err
		}
		if report.Found = raw != nil; report.Found {
			_ = batch.Set(chunkKey(nil, c.first), raw, nil)
		}
		return nil
	}
	if err := l.submit(ctx, r); err != nil {
		return report, err
	}
	if raw != nil {
		if err := l.tail.replace(c.first, raw); err != nil {
			return report, err
		}
	}
	return report, l.scrub(ctx, seq)
}

// redactCopies erases the payload in the rows that hold the event.
func (l *Log) redactCopies(batch *pebble.Batch, seq abi.Seq) (copies int, err error) {
	ev, err := l.Event(seq)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	erased := func(key, value []byte) []byte {
		if key[0] == spaceTimer {
			return eraseTimer(key, value, seq, ev.ID)
		}
		if key[0] != spaceDeadLetter || chunkKeySeq(key[len(key)-9:]) != seq {
			return nil
		}
		d, err := decodeDeadLetter(seq, value)
		if err != nil || d.Event == nil || len(d.Event.Data)+len(d.Event.Headers) == 0 {
			return nil
		}
		d.Event.Data, d.Event.Headers = nil, nil
		return appendDeadLetter(nil, &d)
	}
	for _, space := range []byte{spaceDeadLetter, spaceTimer, spaceUndo} {
		it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
		if err != nil {
			return copies, err
		}
		for it.First(); it.Valid(); it.Next() {
			value := erased(it.Key(), it.Value())
			if space == spaceUndo {
				value = mapImages(it.Value(), erased)
			}
			if value != nil {
				_ = batch.Set(it.Key(), value, nil)
				copies++
			}
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			return copies, err
		}
	}
	return copies, nil
}

// scrub waits until no file of the engine holds what was just overwritten: neither an old
// table nor a write-ahead log, which the engine would keep to be used again.
func (l *Log) scrub(ctx context.Context, seq abi.Seq) error {
	fs := l.opts.fs
	names, err := fs.List(l.dir)
	if err != nil {
		return err
	}
	old := slices.DeleteFunc(names, func(name string) bool { return !isWAL(name) })
	l.noReuse.Add(1)
	defer l.noReuse.Add(-1)
	if err := l.db.Flush(); err != nil {
		return err
	}
	for _, space := range [][2][]byte{
		{chunkKey(nil, seq-min(seq, maxChunkEvents)), chunkKey(nil, seq+1)}, {{spaceDeadLetter}, {spaceDeadLetter + 1}}, {{spaceTimer}, {spaceTimer + 1}}, {{spaceUndo}, {spaceUndo + 1}},
	} {
		if err := l.db.Compact(ctx, space[0], space[1], false); err != nil {
			return fmt.Errorf("rewrite the engine's files: %w", err)
		}
	}
	const tries = 200 // a few seconds: files are removed in the background
	for range tries {
		if l.scrubbed(old) {
			return nil
		}
		if err := l.db.Set(append([]byte{spaceMeta}, "scrub"...), nil, pebble.Sync); err != nil {
			return err
		}
		if err := l.db.Flush(); err != nil {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("the payload is erased, but the engine still keeps an old file of it; close open readers and snapshots and redact the event again")
}

// scrubbed tells whether the files are gone and no old table is left.
func (l *Log) scrubbed(files []string) bool {
	names, err := l.opts.fs.List(l.dir)
	if err != nil {
		return false
	}
	for _, name := range files {
		if slices.Contains(names, name) {
			return false
		}
	}
	m := l.db.Metrics()
	return m.Table.ObsoleteCount == 0 && m.Table.ZombieCount == 0
}

func isWAL(name string) bool { return len(name) > 4 && name[len(name)-4:] == ".log" }
