package log

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// Snapshot is the store as it was at one moment, between two commits. The caller closes it.
type Snapshot struct {
	snap   *pebble.Snapshot
	number uint64
	store  string
}

// Snapshot returns a view of now. It is cheap to take; kept long, it holds old data on disk.
func (l *Log) Snapshot() *Snapshot {
	number := l.applied.Load() // first, so that the snapshot has all commits up to it
	return &Snapshot{l.db.NewSnapshot(), number, l.store}
}

// Number grows with the commits that the snapshot has; see [Reads].
func (s *Snapshot) Number() uint64 { return s.number }

// Close releases the snapshot.
func (s *Snapshot) Close() error { return s.snap.Close() }

// State returns the keyed state of one subscriber in the snapshot.
func (s *Snapshot) State(subscriber string, version uint32) *State {
	return &State{snap: s.snap, prefix: statePrefix(nil, subscriber, version)}
}

// State reads the keyed state of a subscriber. It is for one goroutine, and lives as long
// as its snapshot.
type State struct {
	snap   *pebble.Snapshot
	prefix []byte
	key    []byte // scratch
}

func (s *State) full(key []byte) []byte {
	s.key = append(append(s.key[:0], s.prefix...), key...)
	return s.key
}

// Get returns a copy of key's value.
func (s *State) Get(key []byte) (value []byte, ok bool, err error) {
	v, closer, err := s.snap.Get(s.full(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, engineError(0, err)
	}
	value = bytes.Clone(v)
	return value, true, closer.Close()
}

// Scan calls fn for the keys that begin with prefix and lie above after, ascending, until
// fn says false. What fn gets is valid during the call.
func (s *State) Scan(prefix, after []byte, fn func(key, value []byte) bool) error {
	lower := bytes.Clone(s.full(prefix))
	upper := successor(lower)
	if bytes.Compare(after, prefix) >= 0 && len(after) > 0 {
		lower = append(bytes.Clone(s.full(after)), 0)
	}
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return engineError(0, err)
		}
		if !fn(it.Key()[len(s.prefix):], value) {
			return nil
		}
	}
	return engineError(0, it.Error())
}

// Digest returns a SHA-256 over all keys and values, in hexadecimal: equal state has equal
// digests, whatever way led to it.
func (s *State) Digest() (string, error) {
	h := sha256.New()
	var size [16]byte
	err := s.Scan(nil, nil, func(key, value []byte) bool {
		binary.LittleEndian.PutUint64(size[:], uint64(len(key)))
		binary.LittleEndian.PutUint64(size[8:], uint64(len(value)))
		h.Write(size[:])
		h.Write(key)
		h.Write(value)
		return true
	})
	return hex.EncodeToString(h.Sum(nil)), err
}
