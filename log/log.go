package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
)

// Log is an open store. See the package documentation for what it promises.
type Log struct {
	dir       string
	opts      Options
	fs        vfs.FS // opts.fs, behind which the disk may be full
	store     string // identity of the store
	boot      uint64
	clean     bool
	settled   atomic.Bool   // what an unclean end asks for was done, see Settled
	applied   atomic.Uint64 // number of the last group whose batch readers of the store see
	maxFiles  int
	engine    *pebble.Options
	db        *pebble.DB
	lock      *pebble.Lock
	tail      *tail
	index     *index
	marks     *marker
	disk      *disk
	sequencer *sequencer
	queue     chan *request      // bound: Options.QueueLength; full: the caller waits for Options.QueueWait
	first     atomic.Uint64      // seq of the first event that retention left
	erasing   sync.Mutex         // held by whoever rewrites or drops chunks; guards swept
	swept     map[string]abi.Seq // how far retention by a pattern has come in this process
	seen      atomic.Pointer[sighting]
	places    places
	leaps     *leaps
	timers    timers

	letterCounts   letterCounts
	lettersChanged atomic.Uint64 // grows when dead letters may have come or gone

	clock   clock
	noReuse atomic.Int32 // old write-ahead logs must not be used again while it is not 0

	ctx       context.Context // of what the log itself does; ends with Close
	cancel    context.CancelFunc
	closing   chan struct{} // closed by Close: no new requests
	stopped   chan struct{} // closed when all goroutines have ended
	closeOnce sync.Once
	closeErr  error
	broken    atomic.Bool // nothing is acknowledged any more

	counters counters
}

// Open opens the store in dir, or makes one where there is none. The error wraps
// [ErrLocked] if another process has it, and [ErrDamaged], as a [*DamageError], if what is
// there cannot be read or is less than it was.
func Open(dir string, opts Options) (*Log, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	files, err := fileLimit()
	if err != nil {
		return nil, err
	}
	if err := opts.fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if err := ownFiles(opts.fs, dir); err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", dir, err)
	}
	lock, err := pebble.LockDirectory(dir, opts.fs)
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w (%v)", dir, ErrLocked, err)
	}
	l := &Log{
		dir: dir, opts: opts, lock: lock, maxFiles: files, queue: make(chan *request, opts.QueueLength), swept: map[string]abi.Seq{},
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if err := l.start(); err != nil {
		l.cancel()
		if l.db != nil {
			_ = l.db.Close()
		}
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", dir, engineError(0, err)), lock.Close())
	}
	return l, nil
}

// start opens the engine, reads where the log ends and starts the goroutines.
func (l *Log) start() error {
	l.disk = newDisk(l)
	l.fs = markerFS{&guardFS{l.disk.wrap(reuseFS{l.opts.fs, &l.noReuse}), l.fail}}
	l.engine = l.engineOptions()
	cut, err := l.openEngine()
	if err != nil {
		return err
	}
	end, loss, err := l.recover()
	if err != nil {
		return err
	}
	if cut != nil {
		loss = cut
	}
	if err := l.countBoot(); err != nil {
		return err
	}
	l.tail = newTail(int(l.opts.TailBytes), end.head)
	if l.leaps, err = readLeaps(l.db); err != nil {
		return err
	}
	if err := l.timers.load(l.db); err != nil {
		return err
	}
	if err := l.loadClock(); err != nil {
		return err
	}
	epochs, err := readEpochs(l.db)
	if err != nil {
		return err
	}
	if epochs, err = endIndex(l.db, epochs, l.First(), end.head); err != nil {
		return err
	}
	l.index = newIndex(l, epochs, end.head)
	l.marks = newMarker(l, end.mark())
	if loss == nil {
		if err := writeMark(l.fs, l.dir, l.store, end.mark()); err != nil {
			return fmt.Errorf("write the head mark: %w", err)
		}
	}
	s := newSequencer(l, end)
	l.sequencer = s
	if err := s.loadDedupe(); err != nil {
		return err
	}
	l.worker(s.run, s.waitSyncs, s.resolveAll, s.loadFilter, l.index.run, func() { l.marks.run(end.mark()) }, l.verifyAlways)
	if loss != nil {
		return l.reportLoss(loss)
	}
	return nil
}

// worker runs the goroutines of the log until Close.
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
		l.cancel()
		l.tail.close()
		if !l.failed() {
			if l.clean || l.settled.Load() {
				closed := binary.LittleEndian.AppendUint64(nil, l.boot)
				_ = l.db.Set(metaClosed, closed, pebble.Sync) // without it the next opening takes care, no more
			}
			l.closeErr = writeMark(l.fs, l.dir, l.store, l.marks.latest())
		}
		l.closeErr = errors.Join(l.closeErr, l.db.Close(), l.lock.Close())
	})
	return l.closeErr
}

// fail is called when a promise can no longer be kept. It does not return where
// Options.OnFatal ends the process; where it does return, nothing is acknowledged any more.
func (l *Log) fail(reason string) {
	if !l.broken.CompareAndSwap(false, true) {
		return
	}
	if l.opts.Observer.Failed != nil {
		l.opts.Observer.Failed(reason)
	}
	l.opts.OnFatal(reason)
}

func (l *Log) failed() bool { return l.broken.Load() }

// answer tells the caller of r that it is done.
func (l *Log) answer(r *request) {
	if l.failed() {
		r.err = ErrFailed
	}
	close(r.done)
}

// ended says why a request cannot be taken.
func (l *Log) ended() error {
	if l.failed() {
		return ErrFailed
	}
	return ErrClosed
}

// damaged tells everybody who should know.
func (l *Log) damaged(err *DamageError) {
	l.counters.damages.Add(1)
	l.opts.Logger.Error("damage", "error", err)
	if l.opts.Observer.Damaged != nil {
		l.opts.Observer.Damaged(err)
	}
}

// Dir returns the folder that the store lies in.
func (l *Log) Dir() string { return l.dir }

// Boot returns how often the store was opened, this time included. The seq of an event that
// was accepted and then lost by a crash is given again; together with the boot it is not.
func (l *Log) Boot() uint64 { return l.boot }

// Clean says whether the store was closed by [Log.Close] before it was opened. If not, the
// process was killed, or ended itself, or the machine did.
func (l *Log) Clean() bool { return l.clean }

// Settled says that whoever handles events has taken the care that an unclean end asks for. Until
// then a store that was opened after one counts as not closed cleanly whoever closes it: a
// verification in between must not end that care.
func (l *Log) Settled() { l.settled.Store(true) }

// Head returns the seq of the last event that readers can see, 0 if the log is empty.
func (l *Log) Head() abi.Seq { return l.tail.border(false) }

// First returns the seq of the first event that is still there; retention moves it.
func (l *Log) First() abi.Seq { return abi.Seq(l.first.Load()) }

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
	First          abi.Seq
	Indexed        abi.Seq // the stream index knows the log up to here
	DiskBytes      uint64  // of the store
	DiskFree       uint64  // on its disk, as last seen; 0: not known
	DiskFull       bool    // events are refused
	FlushedBytes   uint64  // from memory into files
	CompactedBytes uint64  // rewritten from files into files
	MovedFiles     uint64  // taken to another level without being rewritten
	L0Sublevels    int     // how many files a read of the youngest level looks into, at worst
	Damages        uint64  // found
	Stalls         uint64  // times that appends had to wait for the engine
	EngineErrors   uint64  // jobs of the engine that it had to try again
	Verified       abi.Seq // where the background verification is
	TimersFired    uint64  // appended because their time had come
}

// counters are the running part of Metrics.
type counters struct {
	appended, duplicates, refused, commits, groups, syncs, chunkBytes atomic.Uint64
	damages, stalls, engineErrors, verified                           atomic.Uint64
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
	out.First, out.Indexed, out.Verified = l.First(), l.index.position(), abi.Seq(c.verified.Load())
	out.TimersFired = l.timers.fired.Load()
	out.DiskFree, out.DiskFull = l.disk.state()
	out.Damages, out.Stalls, out.EngineErrors = c.damages.Load(), c.stalls.Load(), c.engineErrors.Load()
	out.MovedFiles, out.L0Sublevels = uint64(m.Compact.MoveCount), int(m.Levels[0].Sublevels)
	for i := range m.Levels {
		out.FlushedBytes += m.Levels[i].TableBytesFlushed
		out.CompactedBytes += m.Levels[i].TableBytesCompacted
	}
	return out
}
