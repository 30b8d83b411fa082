package log

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Parked is a key of events that a subscriber has blocked: one of them failed and will be
// tried again, and the later ones wait behind it, though the cursor has passed them. The
// log keeps the row and does not act on it.
type Parked struct {
	Key      string      // "": the event at First has no key and waits alone
	First    abi.Seq     // the first event that waits, or where to look for it
	Version  abi.Version // its version in the stream of its key
	Attempts int
	Next     int64 // unix ns
	Held     bool  // until an operator says so
	Running  bool  // an attempt began and its end was not committed
}

// ParkedChange is a row that a commit writes, or takes out.
type ParkedChange struct {
	Parked
	Gone bool
}

const (
	parkedHeld = 1 << iota
	parkedRunning
)

// parkedKey is that of a blocked key, or of an event without one. The two cannot meet:
// they differ in length.
func parkedKey(dst []byte, subscriber string, p *Parked) []byte {
	dst = named(dst, spaceParked, subscriber)
	if p.Key == "" {
		return binary.BigEndian.AppendUint64(dst, uint64(p.First))
	}
	h := hashStream(p.Key)
	return append(dst, h[:]...)
}

func appendParked(b []byte, p *Parked) []byte {
	flags := uint64(0)
	if p.Held {
		flags |= parkedHeld
	}
	if p.Running {
		flags |= parkedRunning
	}
	b = appendRowString(append(b, rowVersion), p.Key)
	for _, n := range []uint64{uint64(p.First), uint64(p.Version), uint64(p.Attempts), uint64(p.Next), flags} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func decodeParked(b []byte) (Parked, error) {
	r := newRowReader(b)
	p := Parked{Key: r.str(), First: abi.Seq(r.num()), Version: abi.Version(r.num()), Attempts: int(r.num()), Next: int64(r.num())}
	flags := r.num()
	p.Held, p.Running = flags&parkedHeld != 0, flags&parkedRunning != 0
	return p, r.err
}

// stageParked writes the rows of a commit.
func stageParked(c *Commit, batch *pebble.Batch) {
	for i := range c.Parked {
		p := &c.Parked[i]
		key := parkedKey(nil, c.Subscriber, &p.Parked)
		if p.Gone {
			_ = batch.Delete(key, nil)
		} else {
			_ = batch.Set(key, appendParked(nil, &p.Parked), nil)
		}
	}
}

// Parked returns what a subscriber has blocked, those without a key by their seq, and then
// those with one in no order.
func (l *Log) Parked(subscriber string) ([]Parked, error) {
	prefix := named(nil, spaceParked, subscriber)
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return nil, engineError(0, err)
	}
	defer it.Close()
	var all []Parked
	for it.First(); it.Valid(); it.Next() {
		p, err := decodeParked(it.Value())
		if err != nil {
			return nil, fmt.Errorf("%w: a blocked key of %q: %v", ErrDamaged, subscriber, err)
		}
		all = append(all, p)
	}
	return all, engineError(0, it.Error())
}
