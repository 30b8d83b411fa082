package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Stream is what a stream is besides its events.
type Stream struct {
	Key     string
	Version abi.Version // of the last event that was ever appended; 0: no such stream
	From    abi.Version // events before this one are truncated; 0 and 1: none
	Closed  bool        // tombstoned: it reads as empty and takes no events any more
}

// streamRow is the part of Stream that is stored; without a row nothing is truncated.
type streamRow struct {
	key    string
	from   abi.Version
	closed bool
	swept  abi.Version // events below this version have left the log
}

func appendStreamRow(b []byte, s *streamRow) []byte {
	closed := uint64(0)
	if s.closed {
		closed = 1
	}
	b = appendRowString(append(b, rowVersion), s.key)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(s.from)), closed)
	return binary.AppendUvarint(b, uint64(s.swept))
}

func decodeStreamRow(b []byte) (streamRow, error) {
	r := newRowReader(b)
	s := streamRow{key: r.str(), from: abi.Version(r.num()), closed: r.num() != 0, swept: abi.Version(r.num())}
	return s, r.err
}

func readStreamRow(db pebble.Reader, key string) (streamRow, error) {
	value, closer, err := db.Get(streamKey(nil, spaceStream, hashStream(key)))
	if errors.Is(err, pebble.ErrNotFound) {
		return streamRow{}, nil
	}
	if err != nil {
		return streamRow{}, err
	}
	defer closer.Close()
	s, err := decodeStreamRow(value)
	if err != nil {
		return s, fmt.Errorf("%w: the row of stream %q: %v", ErrDamaged, key, err)
	}
	return s, nil
}

// Stream returns what is known about the stream of key. A stream that was never written
// has version 0.
func (l *Log) Stream(key string) (Stream, error) {
	if err := l.index.wait(l.Head()); err != nil {
		return Stream{}, err
	}
	version, err := l.index.head(key)
	if err != nil {
		return Stream{}, err
	}
	row, err := readStreamRow(l.db, key)
	return Stream{Key: key, Version: version, From: row.from, Closed: row.closed}, err
}

// TruncateStream hides the events of key's stream before version from stream readers, and
// marks them for the next pass of retention. Readers of the log see them until then. It
// cannot be taken back: a lower version than before changes nothing.
func (l *Log) TruncateStream(ctx context.Context, key string, version abi.Version) error {
	return l.changeStream(ctx, key, func(s *streamRow) { s.from = max(s.from, version) })
}

// CloseStream puts a tombstone on key's stream: it reads as empty, takes no more events
// ([ErrStreamClosed]), and its events leave with the next pass of retention.
func (l *Log) CloseStream(ctx context.Context, key string) error {
	return l.changeStream(ctx, key, func(s *streamRow) { s.closed = true })
}

func (l *Log) changeStream(ctx context.Context, key string, change func(*streamRow)) error {
	if key == "" || len(key) > abi.MaxKeyBytes {
		return &EventError{0, "key", fmt.Sprintf("a stream's key has 1 to %d bytes", abi.MaxKeyBytes)}
	}
	return l.submit(ctx, &request{durability: Durable, streams: []string{key}, apply: func(s *sequencer, batch *pebble.Batch) error {
		row, err := readStreamRow(l.db, key)
		if err != nil {
			return err
		}
		row.key = key
		change(&row)
		at := streamKey(nil, spaceStream, hashStream(key))
		if err := s.keepImages(batch, at); err != nil {
			return err
		}
		if st := s.heads.get(key); st != nil {
			st.closed = row.closed
		}
		return batch.Set(at, appendStreamRow(nil, &row), nil)
	}})
}

// SaveSnapshot keeps data as the snapshot of key's stream at version, which the stream must have reached.
func (l *Log) SaveSnapshot(ctx context.Context, key string, version abi.Version, data []byte) error {
	if len(data) > abi.MaxEventBytes {
		return fmt.Errorf("a snapshot of %d bytes; at most %d are allowed", len(data), abi.MaxEventBytes)
	}
	return l.submit(ctx, &request{size: len(data), durability: Durable, streams: []string{key}, apply: func(s *sequencer, batch *pebble.Batch) error {
		if st := s.heads.get(key); st == nil || version == 0 || version > st.version {
			return fmt.Errorf("%w: version %d of key %q, of which a snapshot was to be kept", ErrNotFound, version, key)
		}
		at := binary.BigEndian.AppendUint64(streamKey(nil, spaceSnapshot, hashStream(key)), uint64(version))
		if err := s.keepImages(batch, at); err != nil {
			return err
		}
		return batch.Set(at, data, nil)
	}})
}

// LatestSnapshot returns the snapshot of key's stream with the highest version that is at
// most limit, or [ErrNotFound]. A reader of the stream goes on at the version behind it.
func (l *Log) LatestSnapshot(key string, limit abi.Version) (version abi.Version, data []byte, err error) {
	prefix := streamKey(nil, spaceSnapshot, hashStream(key))
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return 0, nil, err
	}
	defer it.Close()
	bound := successor(prefix)
	if limit+1 != 0 {
		bound = binary.BigEndian.AppendUint64(streamKey(nil, spaceSnapshot, hashStream(key)), uint64(limit+1))
	}
	if !it.SeekLT(bound) {
		return 0, nil, errors.Join(it.Error(), ErrNotFound)
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return 0, nil, err
	}
	return abi.Version(binary.BigEndian.Uint64(it.Key()[len(prefix):])), append([]byte(nil), value...), nil
}
