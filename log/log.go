package log

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Log is an open store. See the package documentation for what it promises.
type Log struct {
	dir   string
	opts  Options
	db    *pebble.DB
	lock  *pebble.Lock
	tail  *tail
	queue chan *request // bound: Options.QueueLength; full: the caller waits for its context

	closing   chan struct{} // closed by Close: no new requests
	stopped   chan struct{} // closed when both goroutines have ended
	closeOnce sync.Once
	closeErr  error

	counters counters
}

// Open opens the store in dir, or makes one where there is none. It returns an error that
// wraps [ErrLocked] if another process has it, and [ErrDamaged] if what is there cannot be read.
func Open(dir string, opts Options) (*Log, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if err := opts.fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, opts.fs)
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w (%v)", dir, ErrLocked, err)
	}
	l := &Log{
		dir: dir, opts: opts, lock: lock, queue: make(chan *request, opts.QueueLength),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := l.start(); err != nil {
		if l.db != nil {
			_ = l.db.Close()
		}
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", dir, err), lock.Close())
	}
	return l, nil
}

// start opens the engine, reads where the log ends and starts the goroutines.
func (l *Log) start() error {
	db, err := pebble.Open(l.dir, engineOptions(l.dir, l.opts, l.lock))
	if err != nil {
		return err
	}
	l.db = db
	if err := checkFormat(db); err != nil {
		return err
	}
	head, appended, err := lastEvent(db)
	if err != nil {
		return err
	}
	l.tail = newTail(int(l.opts.TailBytes), head)
	s := newSequencer(l, head, appended)
	if err := s.loadDedupe(); err != nil {
		return err
	}
	l.worker(s.run, s.waitSyncs)
	return nil
}

// worker runs the two goroutines of the log until Close.
func (l *Log) worker(jobs ...func()) {
	var wg sync.WaitGroup
	for _, job := range jobs {
		wg.Go(job)
	}
	go func() {
		wg.Wait()
		close(l.stopped)
	}()
}

// Close answers what is queued, brings everything to disk and closes the store. Readers
// and snapshots must be closed before. It may be called more than once.
func (l *Log) Close() error {
	l.closeOnce.Do(func() {
		close(l.closing)
		<-l.stopped
		l.tail.close()
		l.closeErr = errors.Join(l.db.Close(), l.lock.Close())
	})
	return l.closeErr
}

// Dir returns the folder that the store lies in.
func (l *Log) Dir() string { return l.dir }

// Head returns the seq of the last event that readers can see, 0 if the log is empty.
func (l *Log) Head() abi.Seq { return l.tail.border(false) }

// DurableSeq returns the seq up to which everything is on disk. What leaves the process
// must not come from above it.
func (l *Log) DurableSeq() abi.Seq { return l.tail.border(true) }

// Wait returns when the event at seq may be read, durable or not as asked; or with the
// context's error, or [ErrClosed].
func (l *Log) Wait(ctx context.Context, seq abi.Seq, durable bool) error {
	return l.tail.wait(ctx, seq, durable)
}

// Metrics are the log's counters since it was opened, and a few sizes of now.
type Metrics struct {
	Head, Durable  abi.Seq
	Appended       uint64 // events
	Duplicates     uint64 // published events that were there already
	Refused        uint64 // requests: version conflicts, bad events, fenced commits
	Commits        uint64 // of subscribers
	Groups         uint64 // batches written
	Syncs          uint64 // fsyncs waited for
	ChunkBytes     uint64 // written
	QueueLength    int    // requests that wait now
	DiskBytes      uint64
	FlushedBytes   uint64
	CompactedBytes uint64
}

// counters are the running part of Metrics.
type counters struct {
	appended, duplicates, refused, commits, groups, syncs, chunkBytes atomic.Uint64
}

// Metrics returns a snapshot of the figures.
func (l *Log) Metrics() Metrics {
	m := l.db.Metrics()
	c := &l.counters
	out := Metrics{
		Head: l.Head(), Durable: l.DurableSeq(), Appended: c.appended.Load(), Duplicates: c.duplicates.Load(),
		Refused: c.refused.Load(), Commits: c.commits.Load(), Groups: c.groups.Load(), Syncs: c.syncs.Load(),
		ChunkBytes: c.chunkBytes.Load(), QueueLength: len(l.queue), DiskBytes: m.DiskSpaceUsage(),
	}
	for i := range m.Levels {
		out.FlushedBytes += m.Levels[i].TableBytesFlushed
		out.CompactedBytes += m.Levels[i].TableBytesCompacted
	}
	return out
}

var (
	metaFormat = append([]byte{spaceMeta}, "format"...)
	metaStore  = append([]byte{spaceMeta}, "store"...)
)

const storeFormat = "1"

// checkFormat reads the version of the layout, or writes it into a new store together
// with a random identity.
func checkFormat(db *pebble.DB) error {
	value, closer, err := db.Get(metaFormat)
	if errors.Is(err, pebble.ErrNotFound) {
		b := db.NewBatch()
		defer b.Close()
		_ = b.Set(metaFormat, []byte(storeFormat), nil)
		_ = b.Set(metaStore, []byte(rand.Text()), nil)
		return b.Commit(pebble.Sync)
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	if string(value) != storeFormat {
		return fmt.Errorf("the store has format %q, this program reads %q; use the program that wrote it", value, storeFormat)
	}
	return nil
}

// lastEvent returns the seq and appended time of the last event in the store.
func lastEvent(db *pebble.DB) (abi.Seq, int64, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: chunkKey(nil, 0), UpperBound: []byte{spaceChunk + 1}})
	if err != nil {
		return 0, 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, 0, it.Error()
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return 0, 0, err
	}
	c, err := decodeChunk(chunkKeySeq(it.Key()), value)
	if err != nil {
		return 0, 0, err
	}
	return c.last(), c.base + int64(c.count) - 1, nil
}
