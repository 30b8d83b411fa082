package log

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Fork makes a store of its own in the new folder dir: this one as it was when its head
// was seq, with the cursors, state, dead letters and timers of then, while everything goes on
// here. It returns the head of the fork, which is the last border of a group of appends at
// or below seq. A [*ForkError] says that the undo records do not reach back that far.
func (l *Log) Fork(ctx context.Context, dir string, seq abi.Seq) (abi.Seq, error) {
	if _, err := l.opts.fs.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return 0, errors.Join(fmt.Errorf("fork to %s: the folder is there already; give a new one", dir), err)
	}
	if seq > l.Head() {
		return 0, fmt.Errorf("fork at seq %d: %w; the log ends at %d", seq, ErrNotFound, l.Head())
	}
	if err := clearPartial(l.opts.fs, dir+partial); err != nil {
		return 0, fmt.Errorf("fork to %s: %w", dir, err)
	}
	if err := l.forkBase(ctx, dir+partial, seq); err != nil {
		return 0, fmt.Errorf("fork to %s: %w", dir, errors.Join(err, l.opts.fs.RemoveAll(dir+partial)))
	}
	at, err := l.takeBack(dir+partial, seq)
	if err != nil {
		return 0, fmt.Errorf("fork to %s: %w", dir, errors.Join(err, l.opts.fs.RemoveAll(dir+partial)))
	}
	return at, moveFolder(l.opts.fs, dir+partial, dir)
}

// forkBase makes the copy that becomes the fork, while retention waits.
func (l *Log) forkBase(ctx context.Context, dir string, seq abi.Seq) error {
	l.erasing.Lock()
	defer l.erasing.Unlock()
	if err := l.forkFloor(seq); err != nil {
		return err
	}
	_, err := l.checkpoint(ctx, dir)
	return err
}

// forkFloor refuses a fork that would end below the first append of which retention left
// the end: the fork would have no event, and begin with seqs that were given long ago.
func (l *Log) forkFloor(seq abi.Seq) error {
	first := l.First()
	if first == 1 {
		return nil
	}
	floor, ends := first-1, false
	for !ends {
		if err := l.withChunk(floor+1, func(c *chunk) error {
			floor, ends = c.last(), c.endsGroup()
			return nil
		}); err != nil {
			return engineError(floor+1, err)
		}
	}
	if seq < floor {
		return &ForkError{Seq: seq, Floor: floor, Dropped: true}
	}
	return nil
}

// takeBack takes the store in dir, which is nobody else's, back to seq.
func (l *Log) takeBack(dir string, seq abi.Seq) (at abi.Seq, err error) {
	o := l.engine.Clone()
	o.Lock, o.FS, o.EventListener = nil, l.opts.fs, nil
	db, err := pebble.Open(dir, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if at, err = groupBorder(db, seq); err != nil {
		return 0, err
	}
	if err := undoTo(db, at); err != nil {
		return 0, err
	}
	epochs, err := readEpochs(db)
	if err != nil {
		return 0, err
	}
	b := db.NewBatch()
	defer b.Close()
	if _, err := cutIndex(db, b, epochs, l.First(), at); err != nil {
		return 0, err
	}
	store := rand.Text()[:20]
	_ = b.Set(metaStore, []byte(store), nil)
	_ = b.Set(append([]byte{spaceMeta}, "parent"...), fmt.Appendf(nil, "%s %d", l.store, at), nil)
	_ = b.DeleteRange(chunkKey(nil, at+1), []byte{spaceChunk + 1}, nil)
	if err := b.Commit(pebble.Sync); err != nil {
		return 0, err
	}
	end, err := readEnd(db)
	if err != nil {
		return 0, err
	}
	return at, writeMark(l.opts.fs, dir, store, end.mark())
}

// groupBorder returns the last seq at or below seq behind which no group reaches: an append
// and a commit are in the fork as a whole or not at all.
func groupBorder(db *pebble.DB, seq abi.Seq) (abi.Seq, error) {
	it, err := chunkRows(db, seq)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	var c chunk
	for ok := it.Last(); ok; ok = it.Prev() {
		value, err := it.ValueAndErr()
		if err != nil {
			return 0, err
		}
		if err := c.openHeader(chunkKeySeq(it.Key()), value); err != nil {
			return 0, err
		}
		if c.last() <= seq && c.endsGroup() {
			return c.last(), nil
		}
	}
	return 0, it.Error()
}
