package avx

import (
	"encoding/binary"
	"iter"
	"unsafe"
)

// Layout of a frame; a test holds it against the host's.
const (
	headerLen      = 96
	offTotal       = 0
	offHeaderLen   = 4
	offFlags       = 6
	offSeq         = 8
	offTime        = 16
	offVersion     = 24
	offKind        = 32
	offAttempt     = 36
	offTopic       = 44
	offKey         = 48
	offID          = 52
	offSource      = 56
	offContentType = 60
	offHeaders     = 64
	offData        = 68
	offAppended    = 72
)

// Event is what a handler gets. Its strings and slices point into the receive buffer and
// are valid until the handler returns.
type Event struct {
	Seq      uint64 // position in the log
	Version  uint64 // position in the stream of Key
	Time     int64  // the publisher's time, nanoseconds since 1970 UTC
	Appended int64  // the host's time of appending
	Attempt  uint32 // from 1
	Kind     uint16 // 1: an event, 4: a timer that is due, 6: word from the host
	Flags    uint16

	Topic, Key, ID, Source, ContentType string
	Data                                []byte

	headers []byte
}

// Header returns the first header called name.
func (e *Event) Header(name string) (value string, ok bool) {
	for k, v := range e.Headers() {
		if k == name {
			return v, true
		}
	}
	return "", false
}

// Headers goes over the headers.
func (e *Event) Headers() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for h := e.headers; len(h) >= 4; {
			k, v := int(binary.LittleEndian.Uint16(h)), int(binary.LittleEndian.Uint16(h[2:]))
			if len(h)-4 < k+v || !yield(text(h[4:4+k]), text(h[4+k:4+k+v])) {
				return
			}
			h = h[4+k+v:]
		}
	}
}

// text is b as a string, without a copy.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// decode opens a frame, which the host made, so its lengths hold.
func (e *Event) decode(b []byte) {
	le := binary.LittleEndian
	rest := b[le.Uint16(b[offHeaderLen:]):]
	part := func(off int) []byte {
		n := le.Uint32(b[off:])
		p := rest[:n:n]
		rest = rest[n:]
		return p
	}
	e.Topic, e.Key, e.ID = text(part(offTopic)), text(part(offKey)), text(part(offID))
	e.Source, e.ContentType = text(part(offSource)), text(part(offContentType))
	e.headers, e.Data = part(offHeaders), part(offData)
	e.Flags, e.Kind = le.Uint16(b[offFlags:]), le.Uint16(b[offKind:])
	e.Seq, e.Version, e.Attempt = le.Uint64(b[offSeq:]), le.Uint64(b[offVersion:]), le.Uint32(b[offAttempt:])
	e.Time, e.Appended = int64(le.Uint64(b[offTime:])), int64(le.Uint64(b[offAppended:]))
}

// zeroHeader is where a header begins.
var zeroHeader [headerLen]byte

// appendFrame writes an event to emit.
func appendFrame(b []byte, d *Draft) []byte {
	le := binary.LittleEndian
	b = append(b[:0], zeroHeader[:]...)
	le.PutUint32(b[offTotal:], uint32(headerLen+len(d.Topic)+len(d.Key)+len(d.ContentType)+len(d.Headers)+len(d.Data)))
	le.PutUint16(b[offHeaderLen:], headerLen)
	le.PutUint16(b[offKind:], KindEvent)
	le.PutUint64(b[offTime:], uint64(d.Time))
	le.PutUint64(b[offVersion:], d.Version)
	le.PutUint32(b[offTopic:], uint32(len(d.Topic)))
	le.PutUint32(b[offKey:], uint32(len(d.Key)))
	le.PutUint32(b[offContentType:], uint32(len(d.ContentType)))
	le.PutUint32(b[offHeaders:], uint32(len(d.Headers)))
	le.PutUint32(b[offData:], uint32(len(d.Data)))
	b = append(append(append(b, d.Topic...), d.Key...), d.ContentType...)
	return append(append(b, d.Headers...), d.Data...)
}

// headerTimer is the name of the header that names a timer.
const headerTimer = "timer"

// AppendHeader appends a header to those of a [Draft]. Each of its parts has at most 65,535
// bytes, and all of them 4 KiB: the host refuses what has more.
func AppendHeader(b []byte, key, value string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(key)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return append(append(b, key...), value...)
}
