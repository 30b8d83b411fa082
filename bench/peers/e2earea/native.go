package e2earea

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/bench/peers/harness"
)

// native is a handler in Go that keeps its counters and the seq of the last message in Pebble,
// one batch for both, so that a message counts exactly once whenever it is killed: the fastest
// safe consumer that was found. The batch is not synced, as ours is not: after a power loss the
// consumer goes on from the older seq that its store has.
type native struct {
	db     *pebble.DB
	counts counters
	dirty  map[string]bool // changed since the last commit
	seq    uint64
	events atomic.Int64 // committed
	fresh  int          // handled and not committed
}

var cursorKey = []byte("cursor")

func openNative(dir string) (*native, error) {
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: harness.Quiet{}})
	if err != nil {
		return nil, err
	}
	n := &native{db: db, dirty: map[string]bool{}}
	if n.counts, err = n.state(); err == nil {
		n.seq, err = n.cursor()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return n, nil
}

// cursor reads the seq of the last message that was committed, 0 if there is none.
func (n *native) cursor() (uint64, error) {
	v, closer, err := n.db.Get(cursorKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), closer.Close()
}

// handle counts one message.
func (n *native) handle(seq uint64, data []byte) error {
	if seq != n.seq+1 {
		return fmt.Errorf("message %d follows %d", seq, n.seq)
	}
	name, add, err := parse(data)
	if err != nil {
		return err
	}
	n.counts[string(name)] += add
	if !n.dirty[string(name)] { // reading a map by bytes makes no string, writing does
		n.dirty[string(name)] = true
	}
	n.seq = seq
	n.fresh++
	return nil
}

// commit writes what changed and the cursor.
func (n *native) commit() error {
	b := n.db.NewBatch()
	for name := range n.dirty {
		if err := b.Set([]byte("counter/"+name), strconv.AppendInt(nil, n.counts[name], 10), nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	if err := b.Set(cursorKey, binary.BigEndian.AppendUint64(nil, n.seq), nil); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := errors.Join(b.Commit(pebble.NoSync), b.Close()); err != nil {
		return err
	}
	clear(n.dirty)
	n.events.Add(int64(n.fresh))
	n.fresh = 0
	return nil
}

// state reads the counters from the store, not from memory.
func (n *native) state() (counters, error) {
	it, err := n.db.NewIter(&pebble.IterOptions{LowerBound: []byte("counter/"), UpperBound: []byte("counter0")})
	if err != nil {
		return nil, err
	}
	c := counters{}
	for it.First(); it.Valid(); it.Next() {
		v, err := strconv.ParseInt(string(it.Value()), 10, 64)
		if err != nil {
			return nil, errors.Join(err, it.Close())
		}
		c[string(it.Key()[len("counter/"):])] = v
	}
	return c, it.Close()
}
