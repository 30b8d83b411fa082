package logarea

import (
	"encoding/binary"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// boltStore keeps one key an event in a bucket. Its best: full pages, since keys only grow; the
// free list as a map, and not written with each commit, which is safe; one transaction a
// batch; DB.Batch, which makes one transaction of concurrent single writes, and which begins
// when as many as there are publishers wait instead of after its 10 ms. The safe setting is the
// default; NoSync is the only one that does not wait for the disk.
type boltStore struct{ db *bbolt.DB }

var boltBucket = []byte("events")

func openBolt(dir string, d log.Durability) (store, error) {
	db, err := bbolt.Open(filepath.Join(dir, "events.db"), 0o600, &bbolt.Options{
		NoSync: d == log.Accepted, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30,
	})
	if err != nil {
		return nil, err
	}
	db.MaxBatchSize = publishers
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(boltBucket)
		return err
	})
	return &boltStore{db}, err
}

func (s *boltStore) writer() writer { return &boltWriter{boltStore: s} }
func (s *boltStore) sync() error    { return s.db.Sync() }
func (s *boltStore) Close() error   { return s.db.Close() }

func (s *boltStore) replay(topic string, _ bool, visit func(seq uint64, topic string, data []byte)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(boltBucket).Cursor()
		var ev abi.Event
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if err := abi.DecodeFrame(v, &ev); err != nil {
				return err
			}
			if topic == "" || ev.Topic == topic {
				visit(binary.BigEndian.Uint64(k), ev.Topic, ev.Data)
			}
		}
		return nil
	})
}

type boltWriter struct {
	*boltStore
	frames []byte // of a batch: bbolt wants them unchanged until the transaction ends
}

func (w *boltWriter) append(evs []abi.Event) error {
	w.frames = w.frames[:0]
	return w.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(boltBucket)
		for i := range evs {
			if err := w.put(b, &evs[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *boltWriter) appendOne(ev *abi.Event) error {
	return w.db.Batch(func(tx *bbolt.Tx) error {
		w.frames = w.frames[:0]
		return w.put(tx.Bucket(boltBucket), ev)
	})
}

func (w *boltWriter) put(b *bbolt.Bucket, ev *abi.Event) error {
	b.FillPercent = 1
	seq, err := b.NextSequence()
	if err != nil {
		return err
	}
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], seq)
	from := len(w.frames)
	w.frames = abi.AppendFrame(w.frames, ev)
	return b.Put(key[:], w.frames[from:])
}

func (w *boltWriter) settle() error { return nil }
