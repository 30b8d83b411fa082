package log

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// cutIndex lets batch take out of the stream index what it says of events above head, and
// returns the epochs that are left. The index reaches over the end of the log in a fork, and
// after a crash: its files are on disk at once, the events that they tell of may not be yet.
//
// An epoch whose events are all in the log from first on is dropped as a whole, for it is
// built again from them. Of one that is older than that, only the index knows at which
// version its streams go on, so it keeps what lies below head.
func cutIndex(db pebble.Reader, batch *pebble.Batch, epochs []epoch, first, head abi.Seq) ([]epoch, error) {
	kept, covered := 0, abi.Seq(0)
	for kept < len(epochs) && epochs[kept].upTo <= head {
		covered = epochs[kept].upTo
		kept++
	}
	if kept == len(epochs) {
		return epochs, nil
	}
	drop := epochs[kept].number
	if covered+1 < first {
		if err := cutEpoch(db, batch, drop, head); err != nil {
			return nil, err
		}
		epochs[kept].upTo = head
		kept, drop = kept+1, drop+1
	}
	return epochs[:kept:kept], batch.DeleteRange(epochKey(nil, drop), []byte{spaceIndex + 1}, nil)
}

// cutEpoch takes the postings above head out of one epoch.
func cutEpoch(db pebble.Reader, batch *pebble.Batch, number uint32, head abi.Seq) error {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: epochKey(nil, number), UpperBound: epochKey(nil, number+1)})
	if err != nil {
		return err
	}
	defer it.Close()
	_ = batch.Set(epochKey(nil, number), binary.LittleEndian.AppendUint64(nil, uint64(head)), nil)
	for it.First(); it.Valid(); it.Next() {
		_, h, _, ok := splitIndexKey(it.Key())
		if !ok {
			continue
		}
		p, err := rowOf(it, number, h)
		if err != nil {
			return err
		}
		n := len(p.list)
		for n > 0 && p.list[n-1].chunk > head {
			n--
		}
		switch n {
		case len(p.list):
		case 0:
			_ = batch.Delete(it.Key(), nil)
		default:
			_ = batch.Set(it.Key(), appendIndexRow(nil, p.list[:n]), nil)
		}
	}
	return it.Error()
}

// endIndex sees to it that the index ends where the log does. What it takes out is on disk
// when it returns, since the next file of the index will be.
func endIndex(db *pebble.DB, epochs []epoch, first, head abi.Seq) ([]epoch, error) {
	batch := db.NewBatch()
	defer batch.Close()
	epochs, err := cutIndex(db, batch, epochs, first, head)
	if err != nil || batch.Empty() {
		return epochs, err
	}
	return epochs, batch.Commit(pebble.Sync)
}
