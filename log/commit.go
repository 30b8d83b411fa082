package log

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Commit is everything that one run of a subscriber changes. It is applied as a whole or
// not at all; that is what exactly-once rests on.
type Commit struct {
	Subscriber   string
	Lane         int // whose cursor moves; 0 where the subscriber has one only
	StateVersion uint32
	From, To     abi.Seq // the cursor moves from From, where the run began, to To
	Reads        *Reads  // checked, if the subscriber has more than one lane
	Fence        uint64  // as the run found it
	Digest       string  // the module that ran
	Strikes      int     // as [Cursor] has them

	Emits       []abi.Event  // appended; their ids are the host's, so they pass no deduplication
	Writes      []StateWrite // later ones win over earlier ones of the same key
	DeadLetters []DeadLetter
	Settled     []abi.Seq      // dead letters that are dealt with: they leave, and come back with a state version that is kept
	Dropped     []DeadLetter   // that an operator wants no more: they leave, and it is remembered what they were
	Parked      []ParkedChange // keys that it blocks or frees
	Timers      []TimerChange  // that it sets or cancels, in order
}

// StateWrite sets or deletes one key of a subscriber's state.
type StateWrite struct {
	Key, Value []byte
	Delete     bool
}

// Commit applies c and returns the receipts of its emits. It returns [ErrFenced] if the
// cursor is not where the run began, and a [*VersionError] if an emit expected another
// version; nothing is changed then. A subscriber's commits must come one after the other.
// The memory of c may be reused afterwards.
func (l *Log) Commit(ctx context.Context, c *Commit, d Durability) ([]Receipt, error) {
	r := &request{events: c.Emits, commit: c, durability: d}
	if err := l.check(r); err != nil {
		return nil, err
	}
	if l.opts.UndoBytes >= 0 {
		var err error
		if r.images, err = l.commitImages(c); err != nil {
			return nil, err
		}
	}
	for i := range c.Writes {
		r.size += len(c.Writes[i].Key) + len(c.Writes[i].Value)
	}
	r.size += len(r.images)
	if err := l.checkTimers(r, c.Timers); err != nil {
		return nil, err
	}
	if err := l.submit(ctx, r); err != nil {
		return nil, err
	}
	l.timers.committed(c)
	if len(c.DeadLetters)+len(c.Settled)+len(c.Dropped) > 0 {
		l.lettersChanged.Add(1)
	}
	return r.receipts, nil
}

// commitImages reads what the keys that c changes hold now. Nobody else writes them, so it
// need not be done by the sequencer.
func (l *Log) commitImages(c *Commit) (images []byte, err error) {
	prefix := statePrefix(nil, c.Subscriber, c.StateVersion)
	key := prefix
	for i := 0; err == nil && i < len(c.Writes); i++ {
		key = append(key[:len(prefix)], c.Writes[i].Key...)
		images, err = appendImage(images, l.db, key)
	}
	for i := 0; err == nil && i < len(c.DeadLetters); i++ {
		images, err = l.letterImages(images, c.Subscriber, c.DeadLetters[i].Seq)
	}
	for i := 0; err == nil && i < len(c.Settled); i++ {
		images, err = l.leavingImages(images, c.Subscriber, c.Settled[i])
	}
	for i := 0; err == nil && i < len(c.Dropped); i++ {
		images, err = l.leavingImages(images, c.Subscriber, c.Dropped[i].Seq)
	}
	for i := 0; err == nil && i < len(c.Parked); i++ {
		images, err = appendImage(images, l.db, parkedKey(nil, c.Subscriber, &c.Parked[i].Parked))
	}
	return images, err
}

// Attachment makes a subscriber known to the log.
type Attachment struct {
	Subscriber string
	Next       abi.Seq // where a new subscriber begins; 0: after the head as it is when the request is handled
	KeepHead   bool    // a new subscriber's row says where the head was then, see [Log.StartHead]

	// StateVersion is what a new subscriber's state begins with, see [Log.Versions]. 0: no row is written.
	StateVersion uint32

	cursor Cursor
}

// Attach returns the cursor of a subscriber, which it makes, durably, if there is none.
func (l *Log) Attach(ctx context.Context, a Attachment) (Cursor, error) {
	if a.Subscriber == "" || len(a.Subscriber) > 255 {
		return Cursor{}, fmt.Errorf("subscriber name %q: 1 to 255 bytes are allowed", a.Subscriber)
	}
	r := &request{attach: &a, durability: Durable}
	if err := l.submit(ctx, r); err != nil {
		return Cursor{}, err
	}
	return a.cursor, nil
}

// StartHead returns where the head was when a subscriber was attached with KeepHead, 0 for
// others.
func (l *Log) StartHead(subscriber string) (abi.Seq, error) {
	n, err := readUint64(l.db, startKey(subscriber))
	return abi.Seq(n), err
}

// Cursor returns where a subscriber stands, or [ErrNotFound] if it was never attached.
func (l *Log) Cursor(subscriber string) (Cursor, error) { return readCursor(l.db, subscriber) }

func readCursor(db pebble.Reader, subscriber string) (Cursor, error) {
	value, closer, err := db.Get(cursorKey(nil, subscriber))
	if errors.Is(err, pebble.ErrNotFound) {
		return Cursor{}, ErrNotFound
	}
	if err != nil {
		return Cursor{}, engineError(0, err)
	}
	defer closer.Close()
	c, err := decodeCursor(value)
	if err != nil {
		return Cursor{}, fmt.Errorf("%w: the cursor of %q: %v", ErrDamaged, subscriber, err)
	}
	return c, nil
}
