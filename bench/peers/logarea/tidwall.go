package logarea

import (
	"sync"

	"github.com/tidwall/wal"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// walStore is a write-ahead log of segment files. Its best: WriteBatch, one write and one sync
// for a batch; the binary format; reads without copying, with room in its cache for the
// segments of the test. The safe setting is the default; NoSync is the other. It has no group
// commit, and wants the indexes in order: concurrent publishers of single events go through a
// [grouper], as its users would write it.
type walStore struct {
	l     *wal.Log
	group *grouper
	mu    struct {
		sync.Mutex
		next  uint64 // guarded, with the order of the writes
		batch wal.Batch
		frame []byte
	}
}

func openTidwall(dir string, d log.Durability) (store, error) {
	l, err := wal.Open(dir, &wal.Options{NoSync: d == log.Accepted, NoCopy: true, SegmentCacheSize: 64})
	if err != nil {
		return nil, err
	}
	last, err := l.LastIndex()
	s := &walStore{l: l}
	s.mu.next = last + 1
	s.group = newGrouper(s.append)
	return s, err
}

func (s *walStore) writer() writer { return s }
func (s *walStore) sync() error    { return s.l.Sync() }

func (s *walStore) Close() error {
	s.group.close()
	return s.l.Close()
}

func (s *walStore) replay(topic string, _ bool, visit func(seq uint64, topic string, data []byte)) error {
	var ev abi.Event
	for seq := uint64(1); seq < s.mu.next; seq++ {
		frame, err := s.l.Read(seq)
		if err != nil {
			return err
		}
		if err := abi.DecodeFrame(frame, &ev); err != nil {
			return err
		}
		if topic == "" || ev.Topic == topic {
			visit(seq, ev.Topic, ev.Data)
		}
	}
	return nil
}

func (s *walStore) append(evs []abi.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.batch.Clear()
	for i := range evs {
		s.mu.frame = abi.AppendFrame(s.mu.frame[:0], &evs[i])
		s.mu.batch.Write(s.mu.next+uint64(i), s.mu.frame)
	}
	if err := s.l.WriteBatch(&s.mu.batch); err != nil {
		return err
	}
	s.mu.next += uint64(len(evs))
	return nil
}

func (s *walStore) appendOne(ev *abi.Event) error { return s.group.append(ev) }
func (s *walStore) settle() error                 { return nil }
