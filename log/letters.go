package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// LetterMore is what else is known of a dead letter. It has a row of its own, because it
// came later than the letter's.
type LetterMore struct {
	Fuel int64 // burnt by the last attempt; 0: not known

	// Run and Replayed say what becomes of what the event emits, should it succeed: with
	// neither, it never brought anything forth and its emits count.
	Run      uint64 // it failed while a reset with re-emission was replayed: they count, under this run
	Replayed bool   // it had been handled before it failed in a replay: they are in the log already

	Tries []Try // the attempts that were made by hand before the last one, at most [MaxTries], oldest first
}

// Try is one attempt to handle a dead letter again.
type Try struct {
	Time            time.Time
	Reason, Message string
	Digest          string // the module that failed
}

// MaxTries is how many earlier attempts by hand a dead letter remembers.
const MaxTries = 16

func (m *LetterMore) empty() bool {
	return m.Fuel == 0 && m.Run == 0 && !m.Replayed && len(m.Tries) == 0
}

func appendLetterMore(b []byte, m *LetterMore) []byte {
	flags := uint64(0)
	if m.Replayed {
		flags = 1
	}
	b = append(b, rowVersion)
	for _, n := range []uint64{uint64(m.Fuel), m.Run, flags, uint64(len(m.Tries))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, t := range m.Tries {
		b = binary.AppendUvarint(b, uint64(t.Time.UnixNano()))
		b = appendRowString(appendRowString(appendRowString(b, t.Reason), t.Message), t.Digest)
	}
	return b
}

func decodeLetterMore(b []byte) (LetterMore, error) {
	r := newRowReader(b)
	m := LetterMore{Fuel: int64(r.num()), Run: r.num(), Replayed: r.num() == 1}
	for n := r.num(); n > 0 && r.err == nil; n-- {
		m.Tries = append(m.Tries, Try{Time: time.Unix(0, int64(r.num())), Reason: r.str(), Message: r.str(), Digest: r.str()})
	}
	return m, r.err
}

// letterImages adds what a dead letter's rows hold to an undo record.
func (l *Log) letterImages(images []byte, subscriber string, seq abi.Seq) ([]byte, error) {
	images, err := appendImage(images, l.db, deadLetterKey(nil, subscriber, seq))
	if err != nil {
		return nil, err
	}
	return appendImage(images, l.db, letterMoreKey(nil, subscriber, seq))
}

// stageLetters writes and takes out the dead letters of a commit.
func stageLetters(c *Commit, batch *pebble.Batch) {
	for _, seq := range c.Settled {
		_ = batch.Delete(deadLetterKey(nil, c.Subscriber, seq), nil)
		_ = batch.Delete(letterMoreKey(nil, c.Subscriber, seq), nil)
	}
	for i := range c.DeadLetters {
		d := &c.DeadLetters[i]
		_ = batch.Set(deadLetterKey(nil, c.Subscriber, d.Seq), appendDeadLetter(nil, d), nil)
		if d.LetterMore.empty() {
			_ = batch.Delete(letterMoreKey(nil, c.Subscriber, d.Seq), nil)
		} else {
			_ = batch.Set(letterMoreKey(nil, c.Subscriber, d.Seq), appendLetterMore(nil, &d.LetterMore), nil)
		}
	}
}

// DeadLetters calls fn for the dead letters of a subscriber whose seq is above after, in
// order, until fn says false.
func (l *Log) DeadLetters(subscriber string, after abi.Seq, fn func(DeadLetter) bool) error {
	prefix := named(nil, spaceDeadLetter, subscriber)
	it, err := l.db.NewIter(&pebble.IterOptions{
		LowerBound: deadLetterKey(nil, subscriber, after+1), UpperBound: successor(prefix),
	})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		seq := chunkKeySeq(it.Key()[len(prefix)-1:])
		d, err := decodeDeadLetter(seq, it.Value())
		if err == nil {
			d.LetterMore, err = l.letterMore(subscriber, seq)
		}
		if err != nil {
			return fmt.Errorf("%w: dead letter %d of %q: %v", ErrDamaged, seq, subscriber, err)
		}
		if !fn(d) {
			return nil
		}
	}
	return engineError(0, it.Error())
}

func (l *Log) letterMore(subscriber string, seq abi.Seq) (LetterMore, error) {
	value, closer, err := l.db.Get(letterMoreKey(nil, subscriber, seq))
	if errors.Is(err, pebble.ErrNotFound) {
		return LetterMore{}, nil
	}
	if err != nil {
		return LetterMore{}, err
	}
	defer closer.Close()
	return decodeLetterMore(value)
}
