package log

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/avx-platform/avxrt/abi"
)

// Cursor is where a subscriber stands.
type Cursor struct {
	Next   abi.Seq   // the next seq that it has not dealt with
	Fence  uint64    // raised by whoever moves the cursor by hand; a commit must know it
	Digest string    // the module that committed last, "" if none did
	Time   time.Time // of the last commit, to the nanosecond

	// Strikes is how many events in a row before Next that module gave up because it trapped on
	// them. The log keeps the number and does not act on it.
	Strikes int
}

// DeadLetter is an event that a subscriber gave up. It points to the event in the log;
// where retention drops that, it gets a copy.
type DeadLetter struct {
	Seq      abi.Seq
	Reason   string // why, in one word of the delivery machine: "trap", "timeout", "reject", …
	Message  string // what the guest or the host said
	Code     int    // the guest's code, 0 if it gave none
	Attempts int
	Digest   string // the module that failed
	Time     time.Time
	Event    *abi.Event // the copy, nil while the event is in the log
	LetterMore
}

// rowVersion is the first byte of cursor and dead letter rows.
const rowVersion = 1

var errRow = errors.New("malformed row")

// Rows are a version byte, then numbers as uvarints and strings as uvarint length and
// bytes, in the order of the struct's fields.

func appendRowString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// rowReader takes a row apart; the first error sticks.
type rowReader struct {
	b   []byte
	err error
}

func newRowReader(b []byte) *rowReader {
	if len(b) == 0 || b[0] != rowVersion {
		return &rowReader{err: errRow}
	}
	return &rowReader{b: b[1:]}
}

func (r *rowReader) num() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.err = nil, errRow
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *rowReader) str() string {
	n := r.num()
	if n > uint64(len(r.b)) {
		r.b, r.err = nil, errRow
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func appendCursor(b []byte, c Cursor) []byte {
	b = append(b, rowVersion)
	b = binary.AppendUvarint(b, uint64(c.Next))
	b = binary.AppendUvarint(b, c.Fence)
	b = appendRowString(b, c.Digest)
	b = binary.AppendUvarint(b, uint64(c.Time.UnixNano()))
	if c.Strikes != 0 { // it came later than the row
		b = binary.AppendUvarint(b, uint64(c.Strikes))
	}
	return b
}

func decodeCursor(b []byte) (Cursor, error) {
	r := newRowReader(b)
	c := Cursor{Next: abi.Seq(r.num()), Fence: r.num(), Digest: r.str()}
	c.Time = time.Unix(0, int64(r.num()))
	if r.err == nil && len(r.b) > 0 {
		c.Strikes = int(r.num())
	}
	return c, r.err
}

func appendDeadLetter(b []byte, d *DeadLetter) []byte {
	b = append(b, rowVersion)
	b = appendRowString(b, d.Reason)
	b = appendRowString(b, d.Message)
	b = binary.AppendUvarint(b, uint64(d.Code))
	b = binary.AppendUvarint(b, uint64(d.Attempts))
	b = appendRowString(b, d.Digest)
	b = binary.AppendUvarint(b, uint64(d.Time.UnixNano()))
	if d.Event != nil {
		b = abi.AppendFrame(b, d.Event)
	}
	return b
}

func decodeDeadLetter(seq abi.Seq, b []byte) (DeadLetter, error) {
	r := newRowReader(b)
	d := DeadLetter{Seq: seq, Reason: r.str(), Message: r.str(), Code: int(r.num()), Attempts: int(r.num()), Digest: r.str()}
	d.Time = time.Unix(0, int64(r.num()))
	if r.err == nil && len(r.b) > 0 {
		var ev abi.Event
		if err := abi.DecodeFrame(r.b, &ev); err != nil {
			return d, err
		}
		ev = ev.Clone()
		d.Event = &ev
	}
	return d, r.err
}
