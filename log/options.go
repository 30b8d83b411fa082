package log

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options tune a log. The zero value is ready for use.
type Options struct {
	// CacheBytes is the size of the block cache for reads of old events and cold state.
	// Default 64 MiB; more helps replays that do not fit.
	CacheBytes int64

	// TailBytes bounds the most recent chunks that are kept in memory, so that live
	// subscribers never read from disk. Default 32 MiB.
	TailBytes int64

	// DedupeWindow is how many of the last published events are remembered by (source,
	// id). Default 1,000,000; about 40 bytes of memory each. Negative: none.
	DedupeWindow int

	// QueueLength bounds the requests that wait for the sequencer. A caller that finds it
	// full waits until its context ends. Default 4,096.
	QueueLength int

	// SyncEvery is the longest time that an accepted event may wait for its fsync.
	// Default 10 ms.
	SyncEvery time.Duration

	// Logger gets what an operator should know. Default: discard.
	Logger *slog.Logger

	// OnFatal is called when the store can no longer keep its promises, for example after
	// a failed fsync. It must end the process: going on would acknowledge what is lost.
	// Default: log the reason and exit with code 75, which means "start me again".
	OnFatal func(reason string)

	fs  vfs.FS           // for tests: a file system with faults
	now func() time.Time // for tests: a clock that jumps
}

// ExitTryAgain is the exit code of a process whose store failed (EX_TEMPFAIL in sysexits.h).
const ExitTryAgain = 75

func (o Options) withDefaults() Options {
	setDefault(&o.CacheBytes, 64<<20)
	setDefault(&o.TailBytes, 32<<20)
	setDefault(&o.DedupeWindow, 1_000_000)
	setDefault(&o.QueueLength, 4096)
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
	} {
		if value < 0 {
			return fmt.Errorf("log option %s is %d, it must not be negative", name, value)
		}
	}
	return nil
}
