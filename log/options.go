package log

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
)

// Options tune a log. The zero value is ready for use.
type Options struct {
	// CacheBytes is the size of the block cache for reads of old events and cold state.
	// Default 256 MiB, taken only as reads need it; the engine counts what waits in memory
	// to be flushed (up to 128 MiB) against it.
	CacheBytes int64

	// TailBytes bounds the most recent chunks that are kept in memory, so that live
	// subscribers never read from disk. Default 32 MiB.
	TailBytes int64

	// DedupeWindow is how far back in the log, in events, a published event is found by its
	// (source, id). Default 1,000,000; about 40 bytes of memory for each published one.
	// Negative: none.
	DedupeWindow int

	// QueueLength bounds the requests that wait for the sequencer. Default 4,096.
	QueueLength int

	// QueueWait is how long a caller that finds the queue full waits for a place before
	// it gets [ErrBusy]. Default 5 s; its context may end the wait earlier.
	QueueWait time.Duration

	// SyncEvery is the longest time that an accepted event may wait for its fsync.
	// Default 10 ms.
	SyncEvery time.Duration

	// UndoBytes bounds the undo records of each subscriber: how far [Fork] can go back.
	// Default 64 MiB, and 1 GiB for all together. Negative: none are kept.
	UndoBytes int64

	// MinFree is how much room on the disk is left to the engine: with less, events and
	// commits get [ErrDiskFull], reads go on, and there is no need to start again once
	// there is room. Default 256 MiB, or an eighth of a disk below 2 GiB. Negative: off.
	MinFree int64

	// Ballast is the size of a file that only takes room, and is given up when the disk
	// is full in spite of MinFree. Default 16 MiB. Negative: none.
	Ballast int64

	// VerifyEvery is how often a piece of the log, about 16 MiB, is read again and checked
	// in the background. Default 10 s. Negative: never.
	VerifyEvery time.Duration

	// AcceptLoss opens a store from which events are missing as if they had never been.
	// What is lost is logged, told to the observer and appended as an event, $sys.loss.
	AcceptLoss bool

	// Observer is told what an operator must see. Optional.
	Observer Observer

	// Logger gets what an operator should know. Default: discard.
	Logger *slog.Logger

	// OnFatal is called when the store can no longer keep its promises, for example after
	// a failed fsync. It must end the process: going on would acknowledge what is lost.
	// Default: log the reason and exit with code 75, which means "start me again".
	OnFatal func(reason string)

	fs            vfs.FS           // for tests: a file system with faults
	now           func() time.Time // for tests: a clock that jumps
	indexPostings int              // for tests: how many postings of the stream index stay in memory
	memTable      uint64           // for tests: the engine's memtable
	heads         int              // for tests: how many streams are in memory
	wallAge       bool             // for tests: a planted breach, events are as old as the wall clock says
}

// Observer is a set of funcs, each of which may be nil. They are called from goroutines of
// the log and must return soon; they must not call the log.
type Observer struct {
	DiskFull  func(free uint64)         // events are refused from now on
	DiskFreed func(free uint64)         // and taken again
	Damaged   func(err *DamageError)    // found at open or by verification
	Stalled   func(reason string)       // appends wait for the engine
	Resumed   func()                    // and go on
	Verified  func(upTo abi.Seq)        // the background verification reached the end of the log
	Retained  func(report RetainReport) // retention or erasure changed the log
	Failed    func(reason string)       // the log takes nothing more; the process is about to end
}

// ExitTryAgain is the exit code of a process whose store failed (EX_TEMPFAIL in sysexits.h).
const ExitTryAgain = 75

func (o Options) withDefaults() Options {
	setDefault(&o.CacheBytes, 256<<20)
	setDefault(&o.TailBytes, 32<<20)
	setDefault(&o.DedupeWindow, 1_000_000)
	setDefault(&o.QueueLength, 4096)
	setDefault(&o.QueueWait, 5*time.Second)
	setDefault(&o.UndoBytes, 64<<20)
	setDefault(&o.Ballast, 16<<20)
	setDefault(&o.VerifyEvery, 10*time.Second)
	setDefault(&o.indexPostings, maxPendingPostings)
	setDefault(&o.memTable, 32<<20)
	setDefault(&o.heads, maxHeads)
	setDefault(&o.SyncEvery, 10*time.Millisecond)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnFatal == nil {
		logger := o.Logger
		o.OnFatal = func(reason string) {
			logger.Error("the store cannot go on; start avxrt again", "reason", reason)
			os.Exit(ExitTryAgain)
		}
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o Options) validate() error {
	for name, value := range map[string]int64{
		"CacheBytes": o.CacheBytes, "TailBytes": o.TailBytes, "QueueLength": int64(o.QueueLength), "SyncEvery": int64(o.SyncEvery),
		"QueueWait": int64(o.QueueWait),
	} {
		if value < 0 {
			return fmt.Errorf("log option %s is %d, it must not be negative", name, value)
		}
	}
	return nil
}
