package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
)

// WithFS gives a log a file system of the test's.
func WithFS(o Options, fs vfs.FS) Options {
	o.fs = fs
	return o
}

// WithClock gives a log a clock of the test's.
func WithClock(o Options, now func() time.Time) Options {
	o.now = now
	return o
}

// WithHeads lets a log keep so few streams in memory.
func WithHeads(o Options, streams int) Options {
	o.heads = streams
	return o
}

// WithWallAge plants a breach: retention believes the wall clock.
func WithWallAge(o Options) Options {
	o.wallAge = true
	return o
}

// AppendRefused appends events in a request that writes a cursor and then refuses itself.
func AppendRefused(l *Log, events []abi.Event, subscriber string, refusal error) error {
	r := &request{events: events, published: true, durability: Durable}
	if err := l.check(r); err != nil {
		return err
	}
	r.apply = func(_ *sequencer, batch *pebble.Batch) error {
		_ = batch.Set(cursorKey(nil, subscriber), appendCursor(nil, Cursor{Next: 7}), nil)
		return refusal
	}
	return l.submit(context.Background(), r)
}

// WithSizes makes the engine's memory and the index's small, so that little data fills files.
func WithSizes(o Options, memTable uint64, indexPostings int) Options {
	o.memTable, o.indexPostings = memTable, indexPostings
	return o
}

// EncodeChunk encodes events of versions 1, 2, … per key as a chunk that ends its group.
func EncodeChunk(first abi.Seq, base int64, events []abi.Event) []byte {
	streams := map[string]*stream{}
	list := make([]staged, len(events))
	for i := range events {
		ev := &events[i]
		list[i] = staged{ev: ev, size: stagedSize(ev), published: i%2 == 0}
		if ev.Key != "" {
			if streams[ev.Key] == nil {
				streams[ev.Key] = &stream{key: ev.Key}
			}
			list[i].stream = streams[ev.Key]
			list[i].stream.version++
			list[i].version = list[i].stream.version
		}
	}
	w := newChunkWriter()
	n, size := w.plan(list)
	b := make([]byte, size)
	w.encode(b, first, base, chain{1, 2, 3}, chunkGroupEnd, list[:n])
	return b
}

// DecodeChunk opens a chunk and returns its events.
func DecodeChunk(first abi.Seq, raw []byte) ([]abi.Event, error) {
	c, err := decodeChunk(first, raw)
	if err != nil {
		return nil, err
	}
	events := make([]abi.Event, c.count)
	for i := range events {
		if c.dropped(i) {
			continue
		}
		if !c.event(i, &events[i]) {
			return nil, damage(first, "an event does not fit into it")
		}
	}
	return events, nil
}

// UseChunk does with raw what readers, the index and retention do with a chunk that
// nobody has checked.
func UseChunk(first abi.Seq, raw []byte) {
	var c chunk
	var ev abi.Event
	if c.openSome(first, raw) != nil {
		return
	}
	for i := range c.count {
		if !c.dropped(i) && c.openKeys() {
			_ = c.event(i, &ev)
		}
	}
	if c.open(first, raw) != nil {
		return
	}
	p := newPending(nil)
	p.add(&c, firstEvents(nil, &c))
	p.byStream()
	_, _ = rewrite(&c, func(i int) erasure { return erasure(i % 3) })
	for _, key := range c.keys {
		r := StreamReader{name: key.name, chunk: c}
		r.find(place{posting: posting{chunk: first, count: uint16(key.count)}, first: key.first})
	}
	_, _, _ = c.after(), c.endsGroup(), c.last()
}

// SplitKeys takes key apart in every way.
func SplitKeys(key []byte) {
	_, _, _, _ = splitIndexKey(key)
	_, _, _, _ = splitUndoKey(key)
	_ = successor(key)
}

// Rows decodes b as every kind of row.
func Rows(b []byte) {
	_, _ = decodeCursor(b)
	_, _ = decodeDeadLetter(1, b)
	_, _ = decodeProducer(b)
	_, _ = decodeStreamRow(b)
	_, _ = decodeIndexRow(1, b)
	_, _, _ = decodeMark(b)
	_ = mapImages(b, func(_, value []byte) []byte { return value })
}

// Resealed returns raw with the magic, version and checksum that it should have, so that
// fuzzing reaches what lies behind them.
func Resealed(raw []byte) []byte {
	if len(raw) < chunkHeaderLen {
		return raw
	}
	b := append([]byte(nil), raw...)
	le := binary.LittleEndian
	le.PutUint32(b, chunkMagic)
	if b[chunkOffVersion] != 1 {
		b[chunkOffVersion] = chunkVersion
	}
	seal(b)
	return b
}

// KeepsFiles tells whether r has an iterator of the engine open, which keeps its files alive.
func KeepsFiles(r *Reader) bool { return r.chunks.it != nil }

// Postings lists everything that the stream index says once all of it is in the store:
// "hash version chunk count at".
func Postings(l *Log) ([]string, error) {
	if err := l.index.persist(l.Head()); err != nil {
		return nil, err
	}
	var out []string
	add := func(h streamHash, p *postings) {
		first := p.first
		for _, where := range p.list {
			out = append(out, fmt.Sprintf("%x %04d %d %d %d", h, first, where.chunk, where.count, where.at))
			first += abi.Version(where.count)
		}
	}
	it, err := indexRows(l.db)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		number, h, _, ok := splitIndexKey(it.Key())
		if !ok {
			continue
		}
		p, err := rowOf(it, number, h)
		if err != nil {
			return nil, err
		}
		add(h, p)
	}
	slices.Sort(out)
	return out, nil
}

// DropIndex takes the index out of a store that nobody has open, so that it is built again
// when it is opened.
func DropIndex(dir string, fs vfs.FS) error {
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest, Logger: engineLogger{slog.New(slog.DiscardHandler), nil}})
	if err != nil {
		return err
	}
	return errors.Join(db.DeleteRange([]byte{spaceIndex}, []byte{spaceIndex + 1}, pebble.Sync), db.Close())
}

// PersistIndex brings the stream index to disk.
func PersistIndex(l *Log) error { return l.index.persist(l.Head()) }

// TailSize returns how many chunks are in memory, and how many bytes the tail counts.
func TailSize(l *Log) (chunks, bytes int) {
	l.tail.mu.RLock()
	defer l.tail.mu.RUnlock()
	return len(l.tail.mu.chunks), l.tail.mu.bytes
}

// ReadFilters reads the filters of the epochs as at open; what it returns hands them over.
func ReadFilters(l *Log) func() {
	read := map[uint32]*filter{}
	l.index.mu.Lock()
	epochs := l.index.mu.epochs
	l.index.mu.Unlock()
	for _, e := range epochs {
		read[e.number], _ = l.index.readFilter(e.number, newFilter())
	}
	return func() {
		for number, f := range read {
			l.index.know(number, f)
		}
	}
}
