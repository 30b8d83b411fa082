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
	disorder := ""
	was, began, err := w.images(it, func(key, value []byte) {
		switch {
		case key[0] == spaceParked:
			disorder = "a key was blocked"
		case key[0] == spaceDeadLetter && value != nil:
			disorder = "a dead letter was handled by hand"
		case key[0] == spaceCursor:
			disorder = "it had more than one lane"
		}
	})
	switch {
	case err != nil:
		return err
	case disorder != "":
		return pastf("since then %s, so its events did not run in the order of the log", disorder)
	case began:
		return pastf("it began at seq %d", w.cursor.Next)
	case w.moved(was):
		return pastf("the cursor was set to seq %d by hand", w.cursor.Next)
	}
	w.cursor = was
	return nil
}

// images takes the state that an undo record has over what is known so far, gives other rows to
// other, and returns the cursor of then; began says that there was none.
func (w *rewinder) images(it *pebble.Iterator, other func(key, value []byte)) (was Cursor, began bool, err error) {
	record, err := it.ValueAndErr()
	if err != nil {
		return was, false, engineError(0, err)
	}
	was = w.cursor // a timer that fired changes no cursor
	var bad error
	err = eachImage(record, func(key, value []byte) {
		switch {
		case bytes.Equal(key, w.cursorAt):
			if began = value == nil; !began {
				was, bad = decodeCursor(value)
			}
		case bytes.HasPrefix(key, w.prefix):
			w.before[string(key[len(w.prefix):])] = bytes.Clone(value)
		default:
			other(key, value)
		}
	})
	switch {
	case err != nil:
		return was, began, fmt.Errorf("%w: an undo record: %v", ErrDamaged, err)
	case bad != nil:
		return was, began, fmt.Errorf("%w: a cursor in an undo record: %v", ErrDamaged, bad)
	}
	return was, began, nil
}

// moved says whether a cursor did not come from was by a commit.
func (w *rewinder) moved(was Cursor) bool {
	return was.Next > w.cursor.Next || was.Fence != w.cursor.Fence
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
