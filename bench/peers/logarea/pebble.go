package logarea

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/log"
)

// pebbleStore keeps one key an event, the plain way to keep a log in a key-value store. Its
// best: a batch of writes committed as one; pebble.Sync, which groups the commits of all
// writers before one fsync, as the safe setting; the tuning that our log gives its own engine,
// and no compression, as there while events come this fast.
type pebbleStore struct {
	db    *pebble.DB
	write *pebble.WriteOptions
	seq   atomic.Uint64 // the last one given; the writers share it
}

func openPebble(dir string, d log.Durability) (store, error) {
	opts := &pebble.Options{
		FormatMajorVersion: pebble.FormatNewest, Logger: harness.Quiet{},
		CacheSize: 256 << 20, MemTableSize: 64 << 20, MemTableStopWritesThreshold: 4,
		L0StopWritesThreshold: 1000, LBaseMaxBytes: 256 << 20, BytesPerSync: 1 << 20, WALBytesPerSync: 1 << 20,
	}
	for i := range opts.Levels {
		l := &opts.Levels[i]
		l.BlockSize, l.IndexBlockSize = 32<<10, 256<<10
		l.Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		opts.TargetFileSizes[i] = 32 << 20
	}
	opts.Experimental.ReadSamplingMultiplier = -1
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, err
	}
	p := &pebbleStore{db: db, write: pebble.Sync}
	if d == log.Accepted {
		p.write = pebble.NoSync
	}
	return p, nil
}

func (p *pebbleStore) writer() writer { return &pebbleWriter{pebbleStore: p} }

// sync is how Pebble is asked to bring what was written without sync to disk.
func (p *pebbleStore) sync() error { return p.db.LogData(nil, pebble.Sync) }

// Close leaves what is in the memtable to the next open, which makes files of it.
func (p *pebbleStore) Close() error { return p.db.Close() }

func (p *pebbleStore) replay(topic string, _ bool, visit func(seq uint64, topic string, data []byte)) error {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return err
	}
	var ev abi.Event
	for it.First(); it.Valid(); it.Next() {
		if err := abi.DecodeFrame(it.Value(), &ev); err != nil {
			return errors.Join(err, it.Close())
		}
		if topic == "" || ev.Topic == topic {
			visit(binary.BigEndian.Uint64(it.Key()), ev.Topic, ev.Data)
		}
	}
	return it.Close()
}

type pebbleWriter struct {
	*pebbleStore
	key   [8]byte
	frame []byte
	one   [1]abi.Event
}

func (w *pebbleWriter) append(evs []abi.Event) error {
	b := w.db.NewBatch()
	last := w.seq.Add(uint64(len(evs)))
	for i := range evs {
		binary.BigEndian.PutUint64(w.key[:], last-uint64(len(evs)-1-i))
		w.frame = abi.AppendFrame(w.frame[:0], &evs[i])
		if err := b.Set(w.key[:], w.frame, nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return errors.Join(b.Commit(w.write), b.Close())
}

func (w *pebbleWriter) appendOne(ev *abi.Event) error {
	w.one[0] = *ev
	return w.append(w.one[:])
}

func (w *pebbleWriter) settle() error { return nil }
