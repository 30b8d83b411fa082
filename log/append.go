package log

import (
	"context"

	"github.com/avx-platform/avxrt/abi"
)

// Durability is what an append waits for.
type Durability uint8

// The two answers.
const (
	Durable  Durability = iota // on disk: survives kill -9 and power loss
	Accepted                   // visible to readers, on disk within Options.SyncEvery
)

// String gives the word that the manifest and the API use.
func (d Durability) String() string {
	if d == Accepted {
		return "accepted"
	}
	return "durable"
}

// Receipt says what became of one event.
type Receipt struct {
	ID         string
	Seq        abi.Seq
	Version    abi.Version // 0 for an event without key
	Durability Durability  // what was reached
	Duplicate  bool        // it was there already; Seq and Version are the first one's
}

// request is what the queue carries.
type request struct {
	events     []abi.Event
	published  bool // ids are the publisher's: deduplicate
	commit     *Commit
	attach     *Attachment
	durability Durability

	receipts []Receipt
	err      error
	done     chan struct{} // closed by the sequencer or the sync waiter, once
}

// Append appends the events of a publisher, all or none, in their order, and returns a
// receipt for each. The events may be reused afterwards.
//
// An event with Version n != 0 must become version n of its key's stream, else the whole
// request is refused with a [*VersionError]. An event that cannot be stored gives an
// [*EventError]. Seq, Appended, Attempt and Left are ignored; Time 0 becomes the time of appending.
//
// ctx bounds the wait for a place in the queue; once queued, the append runs to its end.
func (l *Log) Append(ctx context.Context, events []abi.Event, d Durability) ([]Receipt, error) {
	for i := range events {
		if err := checkEvent(i, &events[i]); err != nil {
			l.counters.refused.Add(1)
			return nil, err
		}
	}
	r := &request{events: events, published: true, durability: d}
	if err := l.submit(ctx, r); err != nil {
		return nil, err
	}
	return r.receipts, nil
}

// Sync returns when everything that readers could see when it was called is on disk.
func (l *Log) Sync(ctx context.Context) error {
	return l.submit(ctx, &request{durability: Durable})
}

// submit queues r and waits for its answer.
func (l *Log) submit(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	select {
	case <-l.closing:
		return ErrClosed
	default:
	}
	select {
	case l.queue <- r:
	case <-l.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-r.done:
		return r.err
	case <-l.stopped:
	}
	select { // the sequencer may have answered it on its way out
	case <-r.done:
		return r.err
	default:
		return ErrClosed
	}
}
