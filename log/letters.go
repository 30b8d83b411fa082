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

	// Newer says that the state version which is kept has handled the event, and only one that
	// came after it gave it up: should the kept one come back, the letter leaves.
	Newer bool

	// Dropped says that the letter is gone, because an operator wanted it no more. What else is
	// known stays, until the event is handled or given up again.
	Dropped bool

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
	return m.Fuel == 0 && m.Run == 0 && !m.Replayed && len(m.Tries) == 0 && !m.Newer && !m.Dropped
}

const (
	letterNewer = 1 << iota
	letterDropped
)

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
	more := uint64(0)
	if m.Newer {
		more |= letterNewer
	}
	if m.Dropped {
		more |= letterDropped
	}
	if more != 0 { // it came later than the row
		b = binary.AppendUvarint(b, more)
	}
	return b
}

func decodeLetterMore(b []byte) (LetterMore, error) {
	r := newRowReader(b)
	m := LetterMore{Fuel: int64(r.num()), Run: r.num(), Replayed: r.num() == 1}
	for n := r.num(); n > 0 && r.err == nil; n-- {
		m.Tries = append(m.Tries, Try{Time: time.Unix(0, int64(r.num())), Reason: r.str(), Message: r.str(), Digest: r.str()})
	}
	if r.err == nil && len(r.b) > 0 {
		more := r.num()
		m.Newer, m.Dropped = more&letterNewer != 0, more&letterDropped != 0
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

// leavingImages is letterImages for a letter that leaves, which what is remembered for the kept
// state version may hold before or afterwards.
func (l *Log) leavingImages(images []byte, subscriber string, seq abi.Seq) ([]byte, error) {
	images, err := l.letterImages(images, subscriber, seq)
	if err != nil {
		return nil, err
	}
	return l.letterImages(images, keptLetters(subscriber), seq)
}

// stageLetters writes and takes out the dead letters of a commit; kept are those to be remembered.
func stageLetters(c *Commit, kept []DeadLetter, batch *pebble.Batch) {
	for i := range kept {
		setLetter(batch, keptLetters(c.Subscriber), &kept[i])
	}
	for _, seq := range c.Settled {
		deleteLetter(batch, c.Subscriber, seq)
	}
	for i := range c.Dropped {
		d := &c.Dropped[i]
		more := LetterMore{Run: d.Run, Replayed: d.Replayed, Newer: d.Newer, Dropped: true}
		_ = batch.Delete(deadLetterKey(nil, c.Subscriber, d.Seq), nil)
		_ = batch.Set(letterMoreKey(nil, c.Subscriber, d.Seq), appendLetterMore(nil, &more), nil)
		deleteLetter(batch, keptLetters(c.Subscriber), d.Seq)
	}
	for i := range c.DeadLetters {
		setLetter(batch, c.Subscriber, &c.DeadLetters[i])
	}
}

// deleteLetter takes out both rows of a dead letter.
func deleteLetter(batch *pebble.Batch, name string, seq abi.Seq) {
	_ = batch.Delete(deadLetterKey(nil, name, seq), nil)
	_ = batch.Delete(letterMoreKey(nil, name, seq), nil)
}

// setLetter writes both rows of a dead letter.
func setLetter(batch *pebble.Batch, name string, d *DeadLetter) {
	_ = batch.Set(deadLetterKey(nil, name, d.Seq), appendDeadLetter(nil, d), nil)
	if d.LetterMore.empty() {
		_ = batch.Delete(letterMoreKey(nil, name, d.Seq), nil)
	} else {
		_ = batch.Set(letterMoreKey(nil, name, d.Seq), appendLetterMore(nil, &d.LetterMore), nil)
	}
}

// keptLetters is the name under which the dead letters of a subscriber are remembered that are the
// kept state version's, and that the present one has handled: should the kept one come back, its
// state does not have them, and they are dead letters again. They are rows like other letters'
// because all that holds for those (copies of events that leave the log, erasure) holds for them.
func keptLetters(subscriber string) string { return subscriber + laneMark + "kept" }

// lettersToKeep returns the dead letters that a commit settles and that are to be remembered.
func (l *Log) lettersToKeep(c *Commit) (kept []DeadLetter, err error) {
	if len(c.Settled) == 0 {
		return nil, nil
	}
	v, err := l.Versions(c.Subscriber)
	if err != nil || v.Kept == 0 {
		return nil, err
	}
	for _, seq := range c.Settled {
		if seq >= v.KeptAt {
			continue // it will come to it
		}
		err := l.DeadLetters(c.Subscriber, seq-1, func(d DeadLetter) bool {
			if d.Seq == seq && !d.Newer {
				d.Replayed = true // what it emitted is in the log now
				kept = append(kept, d)
			}
			return false
		})
		if err != nil {
			return nil, err
		}
	}
	return kept, nil
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

// DroppedLetters calls fn for the events of a subscriber whose seq is above after and whose dead
// letter was dropped, in order, until fn says false. Those that were handled, or given up, since
// are none.
func (l *Log) DroppedLetters(subscriber string, after abi.Seq, fn func(seq abi.Seq, more LetterMore) bool) error {
	return l.letterMores(subscriber, after, func(seq abi.Seq, more LetterMore) bool { return !more.Dropped || fn(seq, more) })
}

// letterMores calls fn for what else is known of the events above after, until it says false.
func (l *Log) letterMores(subscriber string, after abi.Seq, fn func(seq abi.Seq, more LetterMore) bool) error {
	prefix := named(nil, spaceLetterMore, subscriber)
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: letterMoreKey(nil, subscriber, after+1), UpperBound: successor(prefix)})
	if err != nil {
		return engineError(0, err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		seq := chunkKeySeq(it.Key()[len(prefix)-1:])
		more, err := decodeLetterMore(it.Value())
		if err != nil {
			return fmt.Errorf("%w: what else is known of dead letter %d of %q: %v", ErrDamaged, seq, subscriber, err)
		}
		if !fn(seq, more) {
			return nil
		}
	}
	return engineError(0, it.Error())
}

// forgetDropped takes out what is remembered of dropped dead letters whose events leave the log:
// those below before will not be handled again.
func (l *Log) forgetDropped(batch *pebble.Batch, before abi.Seq) error {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceLetterMore}, UpperBound: []byte{spaceLetterMore + 1}})
	if err != nil {
		return engineError(0, err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		key := it.Key()
		if chunkKeySeq(key[len(key)-9:]) >= before {
			continue
		}
		if more, err := decodeLetterMore(it.Value()); err == nil && more.Dropped {
			_ = batch.Delete(key, nil)
		}
	}
	return engineError(0, it.Error())
}

// lettersSince makes what the present version gave up, for all that the one before it did, dead
// letters like others: it is about to be the one that is kept.
func (c *change) lettersSince(subscriber string) {
	c.newerLetters(subscriber, func(seq abi.Seq, more LetterMore) {
		more.Newer = false
		c.set(letterMoreKey(nil, subscriber, seq), appendLetterMore(nil, &more))
	})
}

// leaveLetters takes out what only the present version gave up, or an operator dropped of that:
// the one that is kept comes back, which has handled it. What that one gave up and the present one
// handled are dead letters again.
func (c *change) leaveLetters(subscriber string) {
	c.newerLetters(subscriber, func(seq abi.Seq, _ LetterMore) {
		c.remove(deadLetterKey(nil, subscriber, seq))
		c.remove(letterMoreKey(nil, subscriber, seq))
	})
	err := c.s.l.DeadLetters(keptLetters(subscriber), 0, func(d DeadLetter) bool {
		c.set(deadLetterKey(nil, subscriber, d.Seq), appendDeadLetter(nil, &d))
		c.set(letterMoreKey(nil, subscriber, d.Seq), appendLetterMore(nil, &d.LetterMore))
		return c.err == nil
	})
	if c.err == nil {
		c.err = err
	}
	c.forgetLetters(subscriber)
}

// forgetLetters takes out what is remembered of the kept version's dead letters: it is kept no more.
func (c *change) forgetLetters(subscriber string) {
	c.removeAll(named(nil, spaceDeadLetter, keptLetters(subscriber)))
	c.removeAll(named(nil, spaceLetterMore, keptLetters(subscriber)))
}

func (c *change) newerLetters(subscriber string, fn func(seq abi.Seq, more LetterMore)) {
	err := c.s.l.letterMores(subscriber, 0, func(seq abi.Seq, more LetterMore) bool {
		if more.Newer {
			fn(seq, more)
		}
		return c.err == nil
	})
	if c.err == nil {
		c.err = err
	}
}
