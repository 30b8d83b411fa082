package abi

import (
	"encoding/binary"
	"fmt"
	"math"
)

// HeaderLen is the length of the fixed part that this version writes (hlen in the layout).
const HeaderLen = 96

// Offsets of the fixed fields. The layout is documented in docs/abi.md; tests in sdk hold
// each SDK's own constants against it.
const (
	offTotal       = 0  // u32 length of the whole frame
	offHeaderLen   = 4  // u16
	offFlags       = 6  // u16
	offSeq         = 8  // u64
	offTime        = 16 // i64
	offVersion     = 24 // u64
	offKind        = 32 // u16; 34: reserved
	offAttempt     = 36 // u32
	offLeft        = 40 // u32
	offTopic       = 44 // u32 length, and so on for the seven variable parts
	offKey         = 48
	offID          = 52
	offSource      = 56
	offContentType = 60
	offHeaders     = 64
	offData        = 68
	offAppended    = 72 // i64; 80: reserved up to HeaderLen
)

// FrameError reports a frame that cannot be decoded.
type FrameError struct {
	Field string // which field is wrong: "total length", "topic", …
	Have  uint64 // what it says
	Limit uint64 // the most it may say
}

// Error names the field and the bound.
func (e *FrameError) Error() string {
	return fmt.Sprintf("malformed event frame: %s is %d, at most %d fits", e.Field, e.Have, e.Limit)
}

// FrameLen returns the length of e as a frame.
func FrameLen(e *Event) int {
	return HeaderLen + len(e.Topic) + len(e.Key) + len(e.ID) + len(e.Source) +
		len(e.ContentType) + len(e.Headers) + len(e.Data)
}

// AppendFrame appends e as a frame to dst and returns the extended slice. The frame must
// stay below 4 GiB, which [MaxEventBytes] guarantees for everything that the log took in.
func AppendFrame(dst []byte, e *Event) []byte {
	total := FrameLen(e)
	if uint64(total) > math.MaxUint32 {
		panic("abi: frame of 4 GiB or more: the caller checks MaxEventBytes first")
	}
	start := len(dst)
	dst = append(dst, zeroHeader[:]...)
	putHeader(dst[start:], e, uint32(total))
	dst = append(dst, e.Topic...)
	dst = append(dst, e.Key...)
	dst = append(dst, e.ID...)
	dst = append(dst, e.Source...)
	dst = append(dst, e.ContentType...)
	dst = append(dst, e.Headers...)
	return append(dst, e.Data...)
}

// PutFrame writes e as a frame to the start of dst and returns its length. If dst is
// shorter than [FrameLen] it writes nothing and returns the length that is needed, which
// is the answer of the host function next, too.
func PutFrame(dst []byte, e *Event) int {
	total := FrameLen(e)
	if total > len(dst) {
		return total
	}
	putHeader(dst, e, uint32(total))
	rest := dst[HeaderLen:]
	rest = rest[copy(rest, e.Topic):]
	rest = rest[copy(rest, e.Key):]
	rest = rest[copy(rest, e.ID):]
	rest = rest[copy(rest, e.Source):]
	rest = rest[copy(rest, e.ContentType):]
	rest = rest[copy(rest, e.Headers):]
	copy(rest, e.Data)
	return total
}

// DecodeFrame reads the frame that fills exactly b into e. The strings and slices of e are
// views into b. Every error is a [*FrameError] or [ErrHeader]; e is then unspecified.
func DecodeFrame(b []byte, e *Event) error {
	if len(b) < HeaderLen {
		return &FrameError{"length of the frame's bytes", uint64(len(b)), HeaderLen}
	}
	le := binary.LittleEndian
	if total := le.Uint32(b[offTotal:]); uint64(total) != uint64(len(b)) {
		return &FrameError{"total length", uint64(total), uint64(len(b))}
	}
	hlen := int(le.Uint16(b[offHeaderLen:]))
	if hlen < HeaderLen || hlen > len(b) {
		return &FrameError{"header length", uint64(hlen), uint64(len(b))}
	}
	e.Flags = Flags(le.Uint16(b[offFlags:]))
	e.Seq = Seq(le.Uint64(b[offSeq:]))
	e.Time = int64(le.Uint64(b[offTime:]))
	e.Version = Version(le.Uint64(b[offVersion:]))
	e.Kind = Kind(le.Uint16(b[offKind:]))
	e.Attempt = le.Uint32(b[offAttempt:])
	e.Left = le.Uint32(b[offLeft:])
	e.Appended = int64(le.Uint64(b[offAppended:]))
	return decodeParts(b, hlen, e)
}

// decodeParts slices the variable parts off in their order. It is written out, not a loop
// over a table, because the table would make e escape and cost an allocation an event.
func decodeParts(b []byte, hlen int, e *Event) error {
	p := parts{header: b, rest: b[hlen:]}
	e.Topic = view(p.take(offTopic, "topic length"))
	e.Key = view(p.take(offKey, "key length"))
	e.ID = view(p.take(offID, "id length"))
	e.Source = view(p.take(offSource, "source length"))
	e.ContentType = view(p.take(offContentType, "content-type length"))
	e.Headers = Headers(p.take(offHeaders, "headers length"))
	e.Data = p.take(offData, "data length")
	if p.err != nil {
		return p.err
	}
	if len(p.rest) != 0 {
		return &FrameError{"sum of the part lengths", uint64(len(b) - hlen - len(p.rest)), uint64(len(b) - hlen)}
	}
	return e.Headers.Check()
}

// parts walks over the variable parts of a frame; the first error sticks.
type parts struct {
	header, rest []byte
	err          error
}

func (p *parts) take(off int, field string) []byte {
	if p.err != nil {
		return nil
	}
	n := binary.LittleEndian.Uint32(p.header[off:])
	if uint64(n) > uint64(len(p.rest)) {
		p.err = &FrameError{field, uint64(n), uint64(len(p.rest))}
		return nil
	}
	part := p.rest[:n:n]
	p.rest = p.rest[n:]
	return part
}

var zeroHeader [HeaderLen]byte

func putHeader(b []byte, e *Event, total uint32) {
	le := binary.LittleEndian
	clear(b[:HeaderLen])
	le.PutUint32(b[offTotal:], total)
	le.PutUint16(b[offHeaderLen:], HeaderLen)
	le.PutUint16(b[offFlags:], uint16(e.Flags))
	le.PutUint64(b[offSeq:], uint64(e.Seq))
	le.PutUint64(b[offTime:], uint64(e.Time))
	le.PutUint64(b[offVersion:], uint64(e.Version))
	le.PutUint16(b[offKind:], uint16(e.Kind))
	le.PutUint32(b[offAttempt:], e.Attempt)
	le.PutUint32(b[offLeft:], e.Left)
	le.PutUint32(b[offTopic:], uint32(len(e.Topic)))
	le.PutUint32(b[offKey:], uint32(len(e.Key)))
	le.PutUint32(b[offID:], uint32(len(e.ID)))
	le.PutUint32(b[offSource:], uint32(len(e.Source)))
	le.PutUint32(b[offContentType:], uint32(len(e.ContentType)))
	le.PutUint32(b[offHeaders:], uint32(len(e.Headers)))
	le.PutUint32(b[offData:], uint32(len(e.Data)))
	le.PutUint64(b[offAppended:], uint64(e.Appended))
}
