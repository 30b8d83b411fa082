package log

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// MaxLanes is how many cursors one subscriber may have.
const MaxLanes = 64

// laneMark is between a subscriber's name and the number of a lane in the name of a cursor.
// It cannot be in a subscriber's own name.
const laneMark = "\x00"

// LaneCursor returns the name of the cursor of a subscriber's lane, for [Log.Cursor] and
// [Log.Attach]. A subscriber that reads the log by several lanes has a cursor for each;
// that of lane 0 has the subscriber's own name.
func LaneCursor(subscriber string, lane int) string {
	if lane == 0 {
		return subscriber
	}
	return subscriber + laneMark + strconv.Itoa(lane)
}

// ownerOf returns the subscriber that a cursor belongs to.
func ownerOf(cursor string) string {
	owner, _, _ := strings.Cut(cursor, laneMark)
	return owner
}

// Lanes returns the cursors of a subscriber by lane, none if it was never attached.
func (l *Log) Lanes(subscriber string) ([]Cursor, error) { return readLanes(l.db, subscriber) }

func readLanes(db pebble.Reader, subscriber string) ([]Cursor, error) {
	var lanes []Cursor
	for lane := range MaxLanes {
		c, err := readCursor(db, LaneCursor(subscriber, lane))
		if err == ErrNotFound {
			break
		}
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, c)
	}
	return lanes, nil
}

// SetLanes gives a subscriber n lanes that all stand at next, and takes its others away.
// Commits of runs that began before are refused. All of it happens at once, and is durable
// before it returns.
func (l *Log) SetLanes(ctx context.Context, subscriber string, n int, next abi.Seq) error {
	if n < 1 || n > MaxLanes {
		return fmt.Errorf("%d lanes: 1 to %d are allowed", n, MaxLanes)
	}
	return l.submit(ctx, &request{durability: Durable, apply: func(s *sequencer, batch *pebble.Batch) error {
		had, err := readLanes(l.db, subscriber)
		if err != nil {
			return err
		}
		fence := uint64(0)
		for _, c := range had {
			fence = max(fence, c.Fence+1)
		}
		var images []byte
		for lane := range max(n, len(had)) {
			name := LaneCursor(subscriber, lane)
			key := cursorKey(nil, name)
			if images, err = appendImage(images, l.db, key); err != nil {
				return err
			}
			if lane >= n {
				delete(s.cursors, name)
				_ = batch.Delete(key, nil)
				continue
			}
			c := Cursor{Next: next, Fence: fence, Time: l.opts.now()}
			if len(had) > 0 {
				c.Digest, c.Strikes = had[0].Digest, strikesOfAll(had)
			}
			s.cursors[name] = c
			_ = batch.Set(key, appendCursor(nil, c), nil)
		}
		return s.undo.add(batch, subscriber, s.next()-1, images)
	}})
}

// strikesOfAll returns how many strikes all lanes have that are about to become others: where one
// of them has fewer, or another module, that speaks for the module of the others, too.
func strikesOfAll(lanes []Cursor) int {
	fewest := lanes[0].Strikes
	for _, c := range lanes[1:] {
		if c.Digest != lanes[0].Digest {
			return 0
		}
		fewest = min(fewest, c.Strikes)
	}
	return fewest
}
