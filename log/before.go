package log

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Before is where a subscriber was when the commit began that took one of its lanes over an event.
type Before struct {
	Next    abi.Seq      // the lane's cursor; its events from there to the event ran in one commit with it
	Digest  string       // the module that made the commit
	Back    []StateWrite // make, of the state in the snapshot, that of then
	Blocked []Parked     // the keys that were blocked, of all lanes
}

// Before returns where a subscriber was when the commit began that ev was handled in, by
// the lane that is ev's. What that commit read nobody changed before it was made, so its run saw
// the state of then, whatever other lanes were at. It returns [ErrNotFound] where the undo records
// do not reach back that far, where the cursor was moved by hand since, and where ev did not run in
// the order of the log.
func (s *Snapshot) Before(subscriber string, version uint32, lane int, ev *abi.Event) (Before, error) {
	wrong := func(err error) error {
		return fmt.Errorf("state of %q before seq %d: %w", subscriber, ev.Seq, err)
	}
	w, err := s.newRewinder(subscriber, version, lane)
	if err != nil {
		return Before{}, err
	}
	it, err := undoRecords(s.snap, subscriber)
	if err != nil {
		return Before{}, err
	}
	defer it.Close()
	w.letterAt = deadLetterKey(nil, subscriber, ev.Seq)
	own := string(parkedKey(nil, subscriber, &Parked{Key: ev.Key, First: ev.Seq}))
	var after Cursor
	waited := false // an attempt of ev failed in the commit
	for it.Last(); w.cursor.Next > ev.Seq; it.Prev() {
		if !it.Valid() {
			return Before{}, wrong(pastf("the undo records reach back to seq %d", w.cursor.Next))
		}
		after, waited = w.cursor, false
		if p := w.parked[own]; p != nil {
			row, err := decodeParked(p)
			if err != nil {
				return Before{}, wrong(fmt.Errorf("%w: a blocked key in an undo record: %v", ErrDamaged, err))
			}
			waited = row.First == ev.Seq
		}
		if err := w.back(it); err != nil {
			return Before{}, wrong(err)
		}
	}
	if after.Next == 0 {
		return Before{}, wrong(pastf("it is not handled yet"))
	}
	b := Before{Next: w.cursor.Next, Digest: after.Digest, Back: w.writes()}
	for _, row := range w.parked {
		if row == nil {
			continue
		}
		p, err := decodeParked(row)
		if err != nil {
			return Before{}, wrong(fmt.Errorf("%w: a blocked key in an undo record: %v", ErrDamaged, err))
		}
		b.Blocked = append(b.Blocked, p)
	}
	switch {
	case w.settled:
		err = wrong(pastf("it was a dead letter, which was handled by hand or after a reset"))
	case waited || b.Held(ev):
		err = wrong(pastf("it had to wait for another attempt, or behind one of its key, so it did not run in the order of the log"))
	}
	return b, err
}

// Held says whether an event waited then because its key was blocked. One whose row says that its own
// attempt begins runs in the order of the log.
func (b *Before) Held(ev *abi.Event) bool {
	return ev.Key != "" && slices.ContainsFunc(b.Blocked, func(p Parked) bool {
		return p.Key == ev.Key && p.First <= ev.Seq && !(p.Running && p.First == ev.Seq)
	})
}

// newRewinder begins at the snapshot, with what is blocked there.
func (s *Snapshot) newRewinder(subscriber string, version uint32, lane int) (*rewinder, error) {
	name := LaneCursor(subscriber, lane)
	now, err := readCursor(s.snap, name)
	if err != nil {
		return nil, err
	}
	w := &rewinder{
		cursorAt: cursorKey(nil, name), prefix: statePrefix(nil, subscriber, version), cursor: now,
		before: map[string][]byte{}, parked: map[string][]byte{},
	}
	prefix := named(nil, spaceParked, subscriber)
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return nil, engineError(0, err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		w.parked[string(it.Key())] = bytes.Clone(it.Value())
	}
	return w, engineError(0, it.Error())
}

// back takes back one commit of any lane.
func (w *rewinder) back(it *pebble.Iterator) error {
	was, began, err := w.images(it, func(key, value []byte) {
		switch {
		case key[0] == spaceParked:
			w.parked[string(key)] = bytes.Clone(value)
		case bytes.Equal(key, w.letterAt):
			w.settled = w.settled || value != nil
		}
	})
	switch {
	case err != nil:
		return err
	case began:
		return pastf("its partition began at seq %d", w.cursor.Next)
	case w.moved(was):
		return pastf("since then a reset, a change of its partitions or another state version set the cursor to seq %d", w.cursor.Next)
	}
	w.cursor = was
	return nil
}
