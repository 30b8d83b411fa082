package log

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Undo records make [Fork] possible: with every commit of a subscriber, and with every
// other change of a row, the store keeps what the changed keys held before. A record's key
// is its owner (a subscriber, or "" for rows that belong to nobody), the head of the log
// after the change, and a number that grows by the record's size, so that the first and
// last record of an owner tell how many bytes all of them have.
//
//	value: a version byte, then per changed key: its length and bytes, then 0 if it was
//	absent, else 1 + the length of its value, and the value
const undoVersion = 1

// undoFloor is the number of the row that says how far the records of an owner reach back:
// a fork at a lower seq is not possible. It sorts before all records.
func undoFloorKey(owner string) []byte { return undoKey(owner, 0, 0) }

func undoKey(owner string, head abi.Seq, number uint64) []byte {
	key := binary.BigEndian.AppendUint64(named(nil, spaceUndo, owner), uint64(head))
	return binary.BigEndian.AppendUint64(key, number)
}

func splitUndoKey(key []byte) (owner string, head abi.Seq, number uint64, ok bool) {
	if len(key) < 2 || len(key) != 2+int(key[1])+16 {
		return "", 0, 0, false
	}
	rest := key[2+int(key[1]):]
	return string(key[2 : 2+int(key[1])]), abi.Seq(binary.BigEndian.Uint64(rest)), binary.BigEndian.Uint64(rest[8:]), true
}

// appendImage adds what key holds in db to a record.
func appendImage(record []byte, db pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return putImage(record, key, nil), nil
	}
	if err != nil {
		return nil, err
	}
	if value == nil {
		value = []byte{}
	}
	return putImage(record, key, value), closer.Close()
}

// putImage adds a key and what it held to a record; nil is nothing.
func putImage(record, key, value []byte) []byte {
	record = appendBytes(record, key)
	if value == nil {
		return append(record, 0)
	}
	return append(binary.AppendUvarint(record, uint64(len(value))+1), value...)
}

func appendBytes(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// eachImage calls fn for the keys of a record with what they held; nil is nothing.
func eachImage(record []byte, fn func(key, value []byte)) error {
	if len(record) == 0 || record[0] != undoVersion {
		return errRow
	}
	r := &rowReader{b: record[1:]}
	for len(r.b) > 0 {
		key, n := r.str(), r.num()
		if r.err != nil || n > uint64(len(r.b))+1 {
			return errRow
		}
		if n == 0 {
			fn([]byte(key), nil)
			continue
		}
		fn([]byte(key), r.b[:n-1:n-1])
		r.b = r.b[n-1:]
	}
	return r.err
}

// applyImages puts back what a record holds.
func applyImages(batch *pebble.Batch, record []byte) error {
	return eachImage(record, func(key, value []byte) {
		if value == nil {
			_ = batch.Delete(key, nil)
		} else {
			_ = batch.Set(key, value, nil)
		}
	})
}

// mapImages returns the record with the values that change returns instead of its own, or
// nil if change returned nil for all of them.
func mapImages(record []byte, change func(key, value []byte) []byte) []byte {
	if len(record) == 0 || record[0] != undoVersion {
		return nil
	}
	r, out, changed := &rowReader{b: record[1:]}, []byte{undoVersion}, false
	for len(r.b) > 0 {
		key, n := r.str(), r.num()
		if r.err != nil || n > uint64(len(r.b))+1 {
			return nil
		}
		if n == 0 {
			out = putImage(out, []byte(key), nil)
			continue
		}
		value := r.b[: n-1 : n-1]
		r.b = r.b[n-1:]
		if v := change([]byte(key), value); v != nil {
			value, changed = v, true
		}
		out = putImage(out, []byte(key), value)
	}
	if !changed {
		return nil
	}
	return out
}

// undoLog keeps the records within their bounds. The sequencer alone uses it.
type undoLog struct {
	db     *pebble.DB
	limit  int64 // bytes an owner; negative: no records are kept
	owners map[string]*undoOwner
}

// undoOwner is where the records of an owner begin and end, by number.
type undoOwner struct {
	first, last uint64
}

// maxUndoBytes bounds the records of a store; each owner then gets its share.
const maxUndoBytes = 1 << 30

func newUndoLog(db *pebble.DB, limit int64) *undoLog {
	return &undoLog{db: db, limit: limit, owners: map[string]*undoOwner{}}
}

// add puts a record of images into the batch and drops the oldest ones of the owner where
// there are too many. Where it fails the batch is as it was.
func (u *undoLog) add(batch *pebble.Batch, owner string, head abi.Seq, images []byte) error {
	o, err := u.owner(owner)
	if err != nil {
		return err
	}
	if u.limit < 0 {
		return batch.Set(undoFloorKey(owner), binary.LittleEndian.AppendUint64(nil, uint64(head)), nil)
	}
	keyLen, valueLen := 2+len(owner)+16, 1+len(images)
	last := o.last + uint64(keyLen+valueLen)
	if limit := min(u.limit, maxUndoBytes/int64(len(u.owners))); int64(last-o.first) > limit {
		if err := u.trim(batch, owner, o, last-uint64(limit*3/4)); err != nil {
			return err
		}
	}
	o.last = last
	op := batch.SetDeferred(keyLen, valueLen)
	copy(op.Key, undoKey(owner, head, o.last))
	op.Value[0] = undoVersion
	copy(op.Value[1:], images)
	return op.Finish()
}

// owner loads where the records of an owner begin and end.
func (u *undoLog) owner(owner string) (*undoOwner, error) {
	if o := u.owners[owner]; o != nil {
		return o, nil
	}
	o := &undoOwner{}
	it, err := undoRecords(u.db, owner)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	if it.First() {
		_, _, o.first, _ = splitUndoKey(it.Key())
	}
	if it.Last() {
		_, _, o.last, _ = splitUndoKey(it.Key())
	}
	if err := it.Error(); err != nil {
		return nil, err
	}
	u.owners[owner] = o
	return o, nil
}

// undoRecords iterates over the records of an owner.
func undoRecords(db pebble.Reader, owner string) (*pebble.Iterator, error) {
	return db.NewIter(&pebble.IterOptions{
		LowerBound: undoKey(owner, 0, 1), UpperBound: successor(named(nil, spaceUndo, owner)),
	})
}

// trim drops the records up to the number behind. What is in the batch stays.
func (u *undoLog) trim(batch *pebble.Batch, owner string, o *undoOwner, behind uint64) error {
	it, err := undoRecords(u.db, owner)
	if err != nil {
		return err
	}
	defer it.Close()
	var floor abi.Seq
	var end []byte
	first := o.first
	for it.First(); it.Valid(); it.Next() {
		_, head, number, _ := splitUndoKey(it.Key())
		if number > behind {
			break
		}
		end, floor = append(end[:0], it.Key()...), head
		first = number
	}
	if err := it.Error(); err != nil || end == nil {
		return err
	}
	o.first = first
	_ = batch.DeleteRange(undoKey(owner, 0, 1), append(end, 0), nil)
	return batch.Set(undoFloorKey(owner), binary.LittleEndian.AppendUint64(nil, uint64(floor)), nil)
}

// undoTo puts every row back to what it was when the head of the log was seq. It fails,
// and changes nothing, where the records do not reach back that far.
func undoTo(db *pebble.DB, seq abi.Seq) error {
	batch := db.NewBatch()
	defer batch.Close()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceUndo}, UpperBound: []byte{spaceUndo + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	// Backwards through the owners and, within each, from the youngest record to the oldest:
	// owners never share a key, so their order does not matter.
	for it.Last(); it.Valid(); it.Prev() {
		owner, head, number, ok := splitUndoKey(it.Key())
		if !ok {
			return fmt.Errorf("%w: an undo record", ErrDamaged)
		}
		switch {
		case head == 0 && number == 0:
			if floor := abi.Seq(binary.LittleEndian.Uint64(append(bytes.Clone(it.Value()), make([]byte, 8)...))); floor > seq {
				return &ForkError{Seq: seq, Floor: floor, Owner: owner}
			}
		case head > seq:
			if err := applyImages(batch, it.Value()); err != nil {
				return fmt.Errorf("%w: an undo record of %q at seq %d", ErrDamaged, owner, head)
			}
			_ = batch.Delete(it.Key(), nil)
		}
	}
	if err := it.Error(); err != nil {
		return err
	}
	return batch.Commit(pebble.NoSync)
}

// ForkError says that a store cannot be taken back as far as was asked.
type ForkError struct {
	Seq     abi.Seq // asked
	Floor   abi.Seq // the lowest that is possible
	Owner   string  // whose records reach back no further; "" for rows of the log itself
	Dropped bool    // it is retention that dropped what lies below, not the records
}

// Error names the lowest possible seq and the reason.
func (e *ForkError) Error() string {
	if e.Dropped {
		return fmt.Sprintf("a fork at seq %d is not possible: retention left the appends from the one that ends at seq %d; fork there, or replay from a backup", e.Seq, e.Floor)
	}
	who := "the log"
	if e.Owner != "" {
		who = fmt.Sprintf("subscriber %q", e.Owner)
	}
	return fmt.Sprintf("a fork at seq %d is not possible: the undo records of %s reach back to seq %d; fork there, or replay from a backup", e.Seq, who, e.Floor)
}
