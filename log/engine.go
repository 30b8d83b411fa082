package log

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// engineOptions are Pebble's for this layout. The figures behind them: large, sequential
// values want large blocks and files; the index keyspaces are small.
func engineOptions(dir string, opts Options, lock *pebble.Lock) *pebble.Options {
	o := &pebble.Options{
		// The default format loses synced events without a word after one flipped bit in the WAL.
		FormatMajorVersion:          pebble.FormatNewest,
		FS:                          opts.fs,
		Lock:                        lock,
		Logger:                      engineLogger{opts.Logger, opts.OnFatal},
		CacheSize:                   opts.CacheBytes,
		MemTableSize:                32 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               256 << 20,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             1 << 20,
		FlushDelayDeleteRange:       10 * time.Second,
	}
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 32 << 20
	}
	for i := range o.Levels {
		l := &o.Levels[i]
		l.BlockSize, l.IndexBlockSize = 32<<10, 256<<10
		l.FilterPolicy = bloom.FilterPolicy(10)
		l.Compression = func() *sstable.CompressionProfile { return sstable.FastestCompression }
	}
	o.Experimental.ReadSamplingMultiplier = -1 // a replay must not start compactions
	o.Experimental.SpanPolicyFunc = cutSpans
	o.EventListener = engineListener(dir, opts.Logger)
	return o
}

// cutSpans keeps the keyspaces in files of their own. Without it a file holds the end of
// the log and some index keys, overlaps everything, and the log is rewritten twice.
func cutSpans(start []byte) (pebble.SpanPolicy, []byte, error) {
	for _, border := range []byte{spaceStream, spaceStream + 1, spaceChunk, spaceChunk + 1} {
		if len(start) == 0 || start[0] < border {
			return pebble.SpanPolicy{}, []byte{border}, nil
		}
	}
	return pebble.SpanPolicy{}, nil, nil
}

func engineListener(dir string, logger *slog.Logger) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			logger.Error("the storage engine works again and again at the same job", "dir", dir, "error", err)
		},
		// Pebble's own handler ends the process; one bad block must not stop the readers of the rest.
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			logger.Error("a file of the store is damaged; reads of its range fail", "path", info.Path, "details", info.Details)
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			logger.Warn("appends wait for the disk", "reason", info.Reason)
		},
	}
}

// engineLogger passes the engine's words on. Fatalf means that the store cannot keep its
// promises any more: the process has to end.
type engineLogger struct {
	logger  *slog.Logger
	onFatal func(reason string)
}

// Infof drops the engine's chatter; what matters comes through the listener.
func (engineLogger) Infof(string, ...any) {}

// Errorf logs.
func (l engineLogger) Errorf(format string, args ...any) {
	l.logger.Error("storage engine", "message", fmt.Sprintf(format, args...))
}

// Fatalf ends the process through Options.OnFatal.
func (l engineLogger) Fatalf(format string, args ...any) { l.onFatal(fmt.Sprintf(format, args...)) }
