package abi

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"unsafe"
)

// Names of the headers that the host itself sets on events; guests cannot.
// They are CloudEvents extension attributes, hence the spelling.
const (
	HeaderCorrelation = "correlationid" // of the whole conversation; a root event's own id
	HeaderCausation   = "causationid"   // id of the event that caused this one
	HeaderHops        = "hops"          // how many subscribers lie between this event and its root, decimal
)

// HeaderTimer is the guest's: the name of a timer, of which its subscriber has one at most.
const HeaderTimer = "timer"

// MaxTimerName bounds that name.
const MaxTimerName = 255

// Headers is the encoded list of an event's extension attributes, in the order they were
// added: {u16 key length, u16 value length, key, value}…, exactly as in the frame. The
// zero value is the empty list. Strings that come out are views into the bytes.
type Headers []byte

const headerPrefix = 4 // two u16 lengths

// ErrHeader reports a header list that is cut or whose key or value is longer than 65,535 bytes.
var ErrHeader = errors.New("malformed headers")

// Get returns the value of the first header called key. A malformed tail reads as absent.
func (h Headers) Get(key string) (value string, ok bool) {
	for k, v := range h.All() {
		if k == key {
			return v, true
		}
	}
	return "", false
}

// All yields keys and values in order and stops at the first malformed entry;
// [Headers.Check] tells whether there is one.
func (h Headers) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		rest := []byte(h)
		for len(rest) > 0 {
			k, v, tail, ok := nextHeader(rest)
			if !ok || !yield(k, v) {
				return
			}
			rest = tail
		}
	}
}

// Check returns [ErrHeader] unless the whole list is well-formed.
func (h Headers) Check() error {
	rest := []byte(h)
	for len(rest) > 0 {
		_, _, tail, ok := nextHeader(rest)
		if !ok {
			return ErrHeader
		}
		rest = tail
	}
	return nil
}

// Append returns h with one more header at its end. It returns [ErrHeader] for an empty
// key and for a key or value that does not fit its 16-bit length.
func (h Headers) Append(key, value string) (Headers, error) {
	if key == "" || len(key) > math.MaxUint16 || len(value) > math.MaxUint16 {
		return h, ErrHeader
	}
	h = binary.LittleEndian.AppendUint16(h, uint16(len(key)))
	h = binary.LittleEndian.AppendUint16(h, uint16(len(value)))
	h = append(h, key...)
	return append(h, value...), nil
}

func nextHeader(b []byte) (key, value string, rest []byte, ok bool) {
	if len(b) < headerPrefix {
		return "", "", nil, false
	}
	klen := int(binary.LittleEndian.Uint16(b))
	vlen := int(binary.LittleEndian.Uint16(b[2:]))
	if klen == 0 || len(b)-headerPrefix < klen+vlen {
		return "", "", nil, false
	}
	b = b[headerPrefix:]
	return view(b[:klen]), view(b[klen : klen+vlen]), b[klen+vlen:], true
}

// view gives the string that lies in b without copying it. It is what keeps decoding free
// of allocations; the price is the rule that callers leave b alone while they use the string.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}
