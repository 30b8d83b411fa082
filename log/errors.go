package log

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Conditions that callers test with errors.Is.
var (
	ErrClosed       = errors.New("the log is closed")
	ErrFailed       = errors.New("the store can no longer keep its promises and takes nothing more; start the process again")
	ErrLocked       = errors.New("the data folder is in use by another process; stop it or choose another node.data")
	ErrNotFound     = errors.New("no such event")
	ErrFenced       = errors.New("the cursor was moved by somebody else since this run began")
	ErrDamaged      = errors.New("the store is damaged")
	ErrBusy         = errors.New("the queue of the log has been full for too long; the disk is slower than what is appended, try again later")
	ErrDiskFull     = errors.New("the disk of the data folder is almost full; events are refused until there is room again")
	ErrFormat       = errors.New("the store was written in a format that this program does not know; use the program that wrote it")
	ErrStreamClosed = errors.New("the stream was closed for ever")
)

// VersionError says that a stream is not at the version that an event or a condition expects.
type VersionError struct {
	Index int         // of the event in its request; -1: one of the conditions
	Key   string      // whose stream
	Want  abi.Version // the version that the event asked to become, or that the condition expects
	Have  abi.Version // the version that the stream is at
}

// Error names the stream and both versions.
func (e *VersionError) Error() string {
	if e.Index >= 0 {
		return fmt.Sprintf("version conflict: event %d must become version %d of key %q, whose stream is at %d", e.Index, e.Want, e.Key, e.Have)
	}
	want := fmt.Sprintf("be at version %d", e.Want)
	switch e.Want {
	case NoStream:
		want = "not exist"
	case StreamExists:
		want = "exist"
	}
	return fmt.Sprintf("version conflict: the stream of key %q must %s, it is at version %d", e.Key, want, e.Have)
}

// EventError says that an event cannot be stored.
type EventError struct {
	Index  int    // of the event in its request; -1: the request itself
	Field  string // which part is wrong
	Reason string
}

// Error names the event, the part and the reason.
func (e *EventError) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("%s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("event %d: %s: %s", e.Index, e.Field, e.Reason)
}

// StreamClosedError names the stream that takes no more events. It wraps [ErrStreamClosed].
type StreamClosedError struct {
	Index int // of the event in its request
	Key   string
}

// Error names the event and the stream.
func (e *StreamClosedError) Error() string {
	return fmt.Sprintf("event %d: key %q: %v", e.Index, e.Key, ErrStreamClosed)
}

// Unwrap returns [ErrStreamClosed].
func (e *StreamClosedError) Unwrap() error { return ErrStreamClosed }

// ProducerError says that a producer's sequence was used before, for something else or too
// long ago to know its receipts.
type ProducerError struct {
	Producer       string
	Sequence, Last uint64 // asked, and the last one that the store knows
	Events         int    // how many events the last one had
}

// Error names the producer and both sequences.
func (e *ProducerError) Error() string {
	if e.Sequence == e.Last {
		return fmt.Sprintf("producer %q: sequence %d was an append of %d events; use the next number for another append", e.Producer, e.Sequence, e.Events)
	}
	return fmt.Sprintf("producer %q: sequence %d is below the last one, %d; it was appended before", e.Producer, e.Sequence, e.Last)
}

// DamageError says what of a store is missing or not what it was. It wraps [ErrDamaged].
type DamageError struct {
	What     string  // what was found
	From, To abi.Seq // the events that are concerned; 0, 0 if none can be named
	Remedy   string  // what to do
}

// Error names what was found, the range and the remedy.
func (e *DamageError) Error() string {
	where := ""
	if e.To != 0 {
		where = fmt.Sprintf(" (events %d to %d)", e.From, e.To)
	}
	return fmt.Sprintf("%v: %s%s; %s", ErrDamaged, e.What, where, e.Remedy)
}

// Unwrap returns [ErrDamaged].
func (e *DamageError) Unwrap() error { return ErrDamaged }

// engineError makes an error of the engine that means damaged files to one of ours; at is
// the event that was being read, 0 if it was something else.
func engineError(at abi.Seq, err error) error {
	if err == nil || errors.Is(err, ErrDamaged) || !isDamage(err) {
		return err
	}
	return &DamageError{What: err.Error(), From: at, To: at, Remedy: "the others can be read; restore these from a backup"}
}

// isDamage tells errors that the files are to blame for from those of the system. The
// engine marks some of the former only.
func isDamage(err error) bool {
	for _, known := range []error{
		ErrClosed, ErrFailed, ErrLocked, ErrNotFound, ErrBusy, ErrDiskFull, ErrFormat, pebble.ErrClosed, os.ErrPermission, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return false
		}
	}
	var errno syscall.Errno
	return pebble.IsCorruptionError(err) || errors.Is(err, os.ErrNotExist) ||
		!errors.As(err, &errno)
}

func checkEvent(i int, ev *abi.Event) error {
	tooLong := func(field string, have, limit int) error {
		return &EventError{i, field, fmt.Sprintf("%d bytes, at most %d are allowed", have, limit)}
	}
	switch {
	case ev.Topic == "":
		return &EventError{i, "topic", "is empty; every event needs one"}
	case len(ev.Topic) > maxTopicBytes:
		return tooLong("topic", len(ev.Topic), maxTopicBytes)
	case len(ev.Key) > abi.MaxKeyBytes:
		return tooLong("key", len(ev.Key), abi.MaxKeyBytes)
	case len(ev.ID) > abi.MaxKeyBytes:
		return tooLong("id", len(ev.ID), abi.MaxKeyBytes)
	case len(ev.Source) > abi.MaxKeyBytes:
		return tooLong("source", len(ev.Source), abi.MaxKeyBytes)
	case len(ev.ContentType) > abi.MaxKeyBytes:
		return tooLong("content type", len(ev.ContentType), abi.MaxKeyBytes)
	case len(ev.Headers) > abi.MaxHeadersBytes:
		return tooLong("headers", len(ev.Headers), abi.MaxHeadersBytes)
	case abi.FrameLen(ev) > abi.MaxEventBytes:
		return tooLong("size", abi.FrameLen(ev), abi.MaxEventBytes)
	case ev.Key == "" && ev.Version != 0:
		return &EventError{i, "version", "an event without key has no stream and cannot expect a version"}
	}
	if err := ev.Headers.Check(); err != nil {
		return &EventError{i, "headers", err.Error()}
	}
	return nil
}
