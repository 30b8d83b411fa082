package log

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// engineOptions are Pebble's for this layout. The figures behind them: large, sequential
// values want large blocks and files; the index keyspaces are small.
func (l *Log) engineOptions() *pebble.Options {
	opts := l.opts
	o := &pebble.Options{
		// The default format loses synced events without a word after one flipped bit in the WAL.
		FormatMajorVersion:          pebble.FormatNewest,
		FS:                          l.fs,
		Lock:                        l.lock,
		Logger:                      engineLogger{opts.Logger, l.fail},
		CacheSize:                   opts.CacheBytes,
		MemTableSize:                opts.memTable,
		MaxOpenFiles:                l.maxFiles,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               256 << 20,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             1 << 20,
		FlushDelayDeleteRange:       10 * time.Second,
	}
	files := &compression{written: l.counters.chunkBytes.Load}
	files.mu.at = time.Now()
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 32 << 20
	}
	for i := range o.Levels {
		l := &o.Levels[i]
		l.BlockSize, l.IndexBlockSize = 32<<10, 256<<10
		l.FilterPolicy = bloom.FilterPolicy(10)
		l.Compression = files.profile
	}
	o.Experimental.ReadSamplingMultiplier = -1 // a replay must not start compactions
	o.Experimental.SpanPolicyFunc = cutSpans
	o.EventListener = l.engineListener()
	return o
}

// compression decides for each file that the engine begins. Compressing costs a fifth of
// the time of an append; while events come so fast that every core is needed for them they
// are stored as they are. Old files are moved between levels, so they stay like that.
type compression struct {
	written func() uint64 // bytes of chunks so far
	mu      struct {
		sync.Mutex
		bytes uint64 // as of at
		at    time.Time
		hurry bool // the decision of then
	}
}

// compressBelow is the rate of chunk bytes a second up to which files are compressed. MinLZ
// does about 500 MB a second on a core of the machine that this was measured on: at this
// rate that is a fifth of a core.
const compressBelow = 100 << 20

func (c *compression) profile() *sstable.CompressionProfile {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.mu.at) > 50*time.Millisecond { // files often begin together
		bytes := c.written()
		c.mu.hurry = float64(bytes-c.mu.bytes)/now.Sub(c.mu.at).Seconds() > compressBelow
		c.mu.at, c.mu.bytes = now, bytes
	}
	if c.mu.hurry {
		return sstable.NoCompression
	}
	return sstable.FastestCompression
}

// cutSpans keeps the keyspaces in files of their own. Without it a file holds the end of
// the log and some index keys, overlaps everything, and the log is rewritten twice.
func cutSpans(start []byte) (pebble.SpanPolicy, []byte, error) {
	for _, border := range []byte{spaceIndex, spaceIndex + 1, spaceChunk, spaceChunk + 1} {
		if len(start) == 0 || start[0] < border {
			return pebble.SpanPolicy{}, []byte{border}, nil
		}
	}
	return pebble.SpanPolicy{}, nil, nil
}

func (l *Log) engineListener() *pebble.EventListener {
	logger := l.opts.Logger
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			l.counters.engineErrors.Add(1)
			logger.Error("the storage engine works again and again at the same job", "dir", l.dir, "error", err)
		},
		// Pebble's own handler ends the process; one bad block must not stop the readers of the rest.
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			l.damaged(&DamageError{
				What:   fmt.Sprintf("the file %s: %v", info.Path, info.Details),
				Remedy: "reads of its range fail; run avxrt verify to see which events, and restore them from a backup",
			})
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			l.counters.stalls.Add(1)
			logger.Warn("appends wait for the disk", "reason", info.Reason)
			if l.opts.Observer.Stalled != nil {
				l.opts.Observer.Stalled(info.Reason)
			}
		},
		WriteStallEnd: func() {
			if l.opts.Observer.Resumed != nil {
				l.opts.Observer.Resumed()
			}
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

// Fatalf ends the process through Options.OnFatal. The engine does not expect it to return.
func (l engineLogger) Fatalf(format string, args ...any) {
	l.onFatal(fmt.Sprintf(format, args...))
	select {}
}
