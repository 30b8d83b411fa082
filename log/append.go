package log

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

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

// Expected is a condition on one stream as it is before the append.
type Expected struct {
	Key     string
	Version abi.Version // the version the stream must be at, or one of the two below
}

// What a stream may be expected to be, besides at a version. Any version is expected by
// not naming the stream.
const (
	NoStream     abi.Version = 0              // no event was ever appended to it
	StreamExists abi.Version = math.MaxUint64 // it is at some version
)

// Conditions make an append depend on more than its own events. The zero value asks for nothing.
type Conditions struct {
	// Streams must all be as expected, else nothing is appended and the answer is a
	// [*VersionError] with Index -1. They need not be streams of the events. Where all events
	// were appended before, that is answered instead: a retry finds its own first try.
	Streams []Expected

	// Producer and Sequence make the append idempotent for as long as the store lives. A
	// sequence must be above the producer's last one; gaps are allowed. The last one again
	// is answered with the receipts of then, an older one with a [*ProducerError]. Such
	// an append does not take part in deduplication by (source, id).
	Producer string
	Sequence uint64
}

// request is what the queue carries.
type request struct {
	events     []abi.Event
	size       int  // of the events in a chunk
	published  bool // ids are the publisher's: deduplicate
	conditions *Conditions
	commit     *Commit
	images     []byte // before-images of what commit changes, without the cursor's
	attach     *Attachment
	streams    []string                              // to be looked up for apply
	apply      func(*sequencer, *pebble.Batch) error // runs alone in its group, behind the events
	relieves   bool                                  // a full disk does not stop it: it makes room, or must be said
	durability Durability

	cold     []string    // streams that the sequencer did not know
	found    []foundHead // what the index says about them
	turns    uint64      // of heads when they were cold
	receipts []Receipt
	err      error
	done     chan struct{} // closed by the sequencer or the sync waiter, once
}

// foundHead is the answer of the index for one cold stream.
type foundHead struct {
	key     string
	version abi.Version
	closed  bool
}

// Append appends the events of a publisher, all or none, in their order, and returns a
// receipt for each. The events may be reused afterwards.
//
// An event with Version n != 0 must become version n of its key's stream, else the whole
// request is refused with a [*VersionError]. An event that cannot be stored gives an
// [*EventError], one for a stream that was closed [ErrStreamClosed], a full disk
// [ErrDiskFull], a queue that stays full [ErrBusy]. Seq, Appended, Attempt and Left are
// ignored; Time 0 becomes the time of appending.
//
// ctx bounds the wait for a place in the queue; once queued, the append runs to its end.
func (l *Log) Append(ctx context.Context, events []abi.Event, d Durability) ([]Receipt, error) {
	return l.AppendIf(ctx, events, Conditions{}, d)
}

// AppendIf is [Log.Append] under conditions.
func (l *Log) AppendIf(ctx context.Context, events []abi.Event, c Conditions, d Durability) ([]Receipt, error) {
	r := &request{events: events, published: true, conditions: &c, durability: d}
	if err := l.check(r); err != nil {
		return nil, err
	}
	if err := l.submit(ctx, r); err != nil {
		return nil, err
	}
	return r.receipts, nil
}

// maxRequestBytes bounds what is appended as a whole: the engine panics at a
// batch of 4 GiB, and its memory is taken at once.
const maxRequestBytes = 256 << 20

// check looks at what can be seen without the sequencer.
func (l *Log) check(r *request) error {
	for i := range r.events {
		if err := checkEvent(i, &r.events[i]); err != nil {
			l.counters.refused.Add(1)
			return err
		}
		r.size += stagedSize(&r.events[i])
	}
	if r.size > maxRequestBytes {
		l.counters.refused.Add(1)
		return &EventError{-1, "size", fmt.Sprintf("the events take %d bytes, at most %d may be appended at once; use several appends", r.size, maxRequestBytes)}
	}
	if r.conditions != nil {
		if err := r.conditions.check(); err != nil {
			l.counters.refused.Add(1)
			return err
		}
	}
	return nil
}

// Sync returns when everything that readers could see when it was called is on disk.
func (l *Log) Sync(ctx context.Context) error {
	return l.submit(ctx, &request{durability: Durable})
}

// submit queues r and waits for its answer.
func (l *Log) submit(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	if !l.sequencer.direct(r) {
		if err := l.enqueue(ctx, r); err != nil {
			return err
		}
	}
	defer func() {
		if r.apply != nil {
			l.lettersChanged.Add(1)
		}
	}()
	select {
	case <-r.done:
		return r.err
	case <-l.stopped:
	}
	select { // the sequencer may have answered it on its way out
	case <-r.done:
		return r.err
	default:
		return l.ended()
	}
}

// enqueue finds r a place in the queue. A queue that is full and stays full for
// Options.QueueWait is answered with [ErrBusy]: the publisher should know, not pile up.
func (l *Log) enqueue(ctx context.Context, r *request) error {
	select {
	case <-l.closing:
		return l.ended()
	default:
	}
	select {
	case l.queue <- r:
		return nil
	default:
	}
	patience := time.NewTimer(l.opts.QueueWait)
	defer patience.Stop()
	select {
	case l.queue <- r:
		return nil
	case <-l.closing:
		return l.ended()
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		l.counters.refused.Add(1)
		return ErrBusy
	}
}
