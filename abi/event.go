package abi

import (
	"bytes"
	"strings"
)

// Seq is the global position of an event in the log. The first event has 1; 0 means "none".
type Seq uint64

// Version is the position of an event in the stream of its key. The first has 1; an event
// without key has 0 and belongs to no stream.
type Version uint64

// Kind says why the guest is called.
type Kind uint16

// The kinds of a frame.
const (
	KindEvent   Kind = 1 // an event that matched a pattern of the subscriber
	KindCommand Kind = 2 // a command bound to the module; wants a reply
	KindQuery   Kind = 3 // a query; state is read-only, wants a reply
	KindTimer   Kind = 4 // a durable timer that is due
	KindHTTP    Kind = 5 // an HTTP request; wants a reply
	KindControl Kind = 6 // word from the host itself, for example a gap left by retention
)

// Flags qualify a delivery.
type Flags uint16

// The flags of a frame.
const (
	FlagReplay      Flags = 1 // handled before: emits are checked and dropped
	FlagShadow      Flags = 2 // a rehearsal: nothing is kept
	FlagRedelivered Flags = 4 // an earlier attempt did not commit
	FlagReadOnly    Flags = 8 // state cannot be written
)

// Event is what publishers append and subscribers get: CloudEvents' attributes plus the
// positions that the log gives. The zero value is an event without topic, which the log refuses.
//
// An Event that comes out of [DecodeFrame] or out of the log borrows its strings and
// slices; see there for how long they live.
type Event struct {
	Seq      Seq     // position in the log; set by the host
	Version  Version // position in the key's stream; set by the host. On the way in: 0, or the version this event must become
	Time     int64   // the publisher's time, nanoseconds since 1970 UTC
	Appended int64   // the host's time of appending, same unit, strictly increasing along the log
	Attempt  uint32  // which try of delivery this is, from 1; 0 in the log
	Left     uint32  // how many events are left in this batch; a hint
	Kind     Kind
	Flags    Flags

	Topic       string // what it is about: users.created
	Key         string // the stream it belongs to: order-123; may be empty
	ID          string // unique together with Source
	Source      string // who published it
	ContentType string // of Data; empty means application/json
	Headers     Headers
	Data        []byte
}

// Clone returns a copy that shares no memory with e.
func (e *Event) Clone() Event {
	c := *e
	c.Topic = strings.Clone(e.Topic)
	c.Key = strings.Clone(e.Key)
	c.ID = strings.Clone(e.ID)
	c.Source = strings.Clone(e.Source)
	c.ContentType = strings.Clone(e.ContentType)
	c.Headers = Headers(bytes.Clone(e.Headers))
	c.Data = bytes.Clone(e.Data)
	return c
}
