package log

import (
	"errors"
	"fmt"

	"github.com/avx-platform/avxrt/abi"
)

// Conditions that callers test with errors.Is.
var (
	ErrClosed   = errors.New("the log is closed")
	ErrLocked   = errors.New("the data folder is in use by another process; stop it or choose another node.data")
	ErrNotFound = errors.New("no such event")
	ErrFenced   = errors.New("the cursor was moved by somebody else since this run began")
	ErrDamaged  = errors.New("the store is damaged")
)

// VersionError says that an event's key is not at the version that the event expects.
type VersionError struct {
	Index int         // of the event in its request
	Key   string      // whose stream
	Want  abi.Version // the version that the event asked to become
	Have  abi.Version // the version that the stream is at
}

// Error names the stream and both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("version conflict: event %d must become version %d of key %q, whose stream is at %d", e.Index, e.Want, e.Key, e.Have)
}

// EventError says that an event cannot be stored.
type EventError struct {
	Index  int    // of the event in its request
	Field  string // which part is wrong
	Reason string
}

// Error names the event, the part and the reason.
func (e *EventError) Error() string {
	return fmt.Sprintf("event %d: %s: %s", e.Index, e.Field, e.Reason)
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
