package log

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Rewind returns what the state of a subscriber was before: the writes that make, of the
// state in the snapshot, the one after the youngest commit whose cursor was at or below
// seq, and that cursor. It returns [ErrNotFound] where the undo records do not reach back
// that far, or where the cursor was moved by hand in between.
func (s *Snapshot) Rewind(subscriber string, version uint32, seq abi.Seq) (cursor abi.Seq, back []StateWrite, err error) {
	now, err := readCursor(s.snap, subscriber)
	if err != nil {
		return 0, nil, err
	}
	it, err := undoRecords(s.snap, subscriber)
	if err != nil {
		return 0, nil, err
	}
	defer it.Close()
	w := &rewinder{cursorAt: cursorKey(nil, subscriber), prefix: statePrefix(nil, subscriber, version), cursor: now, before: map[string][]byte{}}
	for it.Last(); w.cursor.Next > seq; it.Prev() {
		if !it.Valid() {
			return 0, nil, fmt.Errorf("state of %q as of seq %d: %w", subscriber, seq, pastf("the undo records reach back to seq %d", w.cursor.Next))
		}
		if err := w.step(it); err != nil {
			return 0, nil, fmt.Errorf("state of %q as of seq %d: %w", subscriber, seq, err)
		}
	}
	return w.cursor.Next, w.writes(), it.Error()
}

// rewinder goes back through the undo records of one subscriber.
type rewinder struct {
	cursorAt, prefix []byte
	cursor           Cursor
	before           map[string][]byte // state key → value; nil: it was absent

	// For [Snapshot.Before] alone.
	parked   map[string][]byte // rows of blocked keys by key; nil: it was absent
	letterAt []byte            // the key of the event's dead letter
	settled  bool              // it left the store again
}

// step takes back one commit.
func (w *rewinder) step(it *pebble.Iterator) error {
	record, err := it.ValueAndErr()
	if err != nil {
		return engineError(0, err)
	}
	was, began := w.cursor, false // a timer that fired changes no cursor
	var bad error
	disorder := ""
	err = eachImage(record, func(key, value []byte) {
		switch {
		case bytes.Equal(key, w.cursorAt):
			if began = value == nil; !began {
				was, bad = decodeCursor(value)
			}
		case bytes.HasPrefix(key, w.prefix):
			w.before[string(key[len(w.prefix):])] = bytes.Clone(value)
		case key[0] == spaceParked:
			disorder = "a key was blocked"
		case key[0] == spaceDeadLetter && value != nil:
			disorder = "a dead letter was handled by hand"
		case key[0] == spaceCursor && !bytes.Equal(key, w.cursorAt):
			disorder = "it had more than one lane"
		}
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w: an undo record: %v", ErrDamaged, err)
	case bad != nil:
		return fmt.Errorf("%w: a cursor in an undo record: %v", ErrDamaged, bad)
	case disorder != "":
		return pastf("since then %s, so its events did not run in the order of the log", disorder)
	case began:
		return pastf("it began at seq %d", w.cursor.Next)
	case was.Next > w.cursor.Next || was.Fence != w.cursor.Fence:
		return pastf("the cursor was set to seq %d by hand", w.cursor.Next)
	}
	w.cursor = was
	return nil
}

// pastError says why a state of the past cannot be had. It is an [ErrNotFound] without its words,
// since the event is there.
type pastError string

func pastf(format string, args ...any) error { return pastError(fmt.Sprintf(format, args...)) }

func (e pastError) Error() string        { return string(e) }
func (e pastError) Is(target error) bool { return target == ErrNotFound }

func (w *rewinder) writes() []StateWrite {
	back := make([]StateWrite, 0, len(w.before))
	for key, value := range w.before {
		back = append(back, StateWrite{Key: []byte(key), Value: value, Delete: value == nil})
	}
	slices.SortFunc(back, func(a, b StateWrite) int { return bytes.Compare(a.Key, b.Key) })
	return back
}
