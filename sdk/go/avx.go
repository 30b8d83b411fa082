package avx

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// Failure is an error that says what shall become of the event.
type Failure struct {
	Code   int32 // 1 retry, 2 reject, 3 skip, 4 stop, from 100 on a code of your own
	Reason string
}

// Error returns the reason.
func (f *Failure) Error() string { return f.Reason }

// Retry makes the host try the event again later, with the back-off of the manifest.
func Retry(reason string) error { return &Failure{1, reason} }

// Reject makes the event a dead letter at once: it will never work.
func Reject(reason string) error { return &Failure{2, reason} }

// Skip lets the event pass; nothing that was staged for it is kept.
func Skip(reason string) error { return &Failure{3, reason} }

// Stop stops the subscriber at this event.
func Stop(reason string) error { return &Failure{4, reason} }

// Status is a refusal of the host.
type Status int32

// The host's refusals.
const (
	NotFound    Status = -1
	Invalid     Status = -2
	TooLarge    Status = -3
	Denied      Status = -4 // the manifest does not grant the topic
	Quota       Status = -5
	Conflict    Status = -6
	Unavailable Status = -7
	ReadOnly    Status = -8
	NoEvent     Status = -9
	Unsupported Status = -10
)

// Error says what was refused and, where the manifest can help, what to change in it. These
// are the words of the other SDKs.
func (s Status) Error() string {
	switch s {
	case NotFound:
		return "not found"
	case Invalid:
		return "the host takes the call for invalid: look at its topic, key and sizes"
	case TooLarge:
		return "too large for the host"
	case Denied:
		return "the host denied it: grant the topic in the manifest's emits"
	case Quota:
		return "over a quota of this event (limits)"
	case Conflict:
		return "version conflict"
	case Unavailable:
		return "unavailable now"
	case ReadOnly:
		return "this call may only read"
	case NoEvent:
		return "no event is in hand: handlers alone may do this"
	case Unsupported:
		return "this host does not have it"
	}
	return "the host answered " + strconv.Itoa(int(s))
}

func check(n int32) error {
	if n < 0 {
		return Status(n)
	}
	return nil
}

// Kinds of events.
const (
	KindEvent   = 1 // one that matched
	KindTimer   = 4 // a timer that is due
	KindControl = 6 // word from the host
)

var handler, control func(*Event) error

// HandleControl sets the handler of word from the host, kind 6, which is ignored otherwise.
// docs/abi.md says under "Control frames" what there is. Call it from init.
func HandleControl(h func(ev *Event) error) { control = h }

// handle gives an event to the handler of its kind.
func handle(ev *Event) error {
	switch {
	case ev.Kind != KindControl:
		return handler(ev)
	case control != nil:
		return control(ev)
	}
	return nil
}

// Handle sets the handler. Call it from init.
func Handle(h func(ev *Event) error) { handler = h }

// Emit stages an event with JSON data. It returns [Denied] unless the manifest grants the topic.
func Emit(topic, key string, data []byte) error { return EmitAs(topic, key, "", data) }

// EmitAs stages an event with a content type; "" means JSON.
func EmitAs(topic, key, contentType string, data []byte) error {
	return Draft{Topic: topic, Key: key, ContentType: contentType, Data: data}.Emit()
}

// Draft is an event to emit, with everything that one can have.
type Draft struct {
	Topic, Key  string
	ContentType string // "" means JSON
	Headers     []byte // of [AppendHeader]
	Data        []byte
	Version     uint64 // that it must become in the stream of Key; 1: the first; 0: any
	Time        int64  // at which it is appended, nanoseconds since 1970 UTC, which makes it a timer; 0: now
}

// Emit stages the event.
func (d Draft) Emit() error {
	frameBuf = appendFrame(frameBuf, &d)
	return check(hostEmit(frameBuf))
}

// Timer stages an event that is appended at a time (nanoseconds since 1970 UTC; [Now] is
// the present) and comes with kind 4. The subscriber has one timer of each name, of at most
// 255 bytes: the next one replaces it, [Cancel] takes it out. An empty name is none.
func Timer(name string, time int64, topic, key string, data []byte) error {
	d := Draft{Topic: topic, Key: key, Data: data, Time: time}
	if name != "" {
		d.Headers = AppendHeader(nil, headerTimer, name)
	}
	return d.Emit()
}

// Cancel takes out the timer of that name; there need be none.
func Cancel(name string) error { return Timer(name, 0, "", "", nil) }

var frameBuf, valueBuf []byte

// Get returns key's value and whether there is one. It is valid until the next Get.
func Get(key string) (value []byte, ok bool) {
	for {
		n := hostGet(key, valueBuf)
		switch {
		case n < 0:
			return nil, false
		case int(n) <= len(valueBuf):
			return valueBuf[:n], true
		}
		valueBuf = make([]byte, n)
	}
}

// Set writes a key of the state.
func Set(key string, value []byte) error { return check(hostSet(key, value)) }

// Delete removes a key of the state.
func Delete(key string) error { return check(hostDelete(key)) }

// GetInt reads a number, which the state keeps as decimal text; absent reads as 0.
func GetInt(key string) int64 {
	value, _ := Get(key)
	n, _ := strconv.ParseInt(text(value), 10, 64)
	return n
}

// SetInt writes a number as decimal text.
func SetInt(key string, n int64) error {
	var d [20]byte
	return Set(key, strconv.AppendInt(d[:0], n, 10))
}

// Add adds to a number of the state. A sum beyond 64 bits is an error, and rejects the event
// where the handler returns it.
func Add(key string, delta int64) error {
	n := GetInt(key)
	sum := n + delta
	if (n^sum)&(delta^sum) < 0 {
		return Reject("a total beyond 64 bits")
	}
	return SetInt(key, sum)
}

// Scan calls fn for the keys that begin with prefix, ascending, until fn says false. What
// fn gets is valid during the call.
func Scan(prefix string, fn func(key string, value []byte) bool) error {
	buf := make([]byte, 4096)
	after := ""
	for {
		n := hostScan(prefix, after, buf)
		switch {
		case n < 0:
			return Status(n)
		case n == 0:
			return nil
		case int(n) > len(buf):
			buf = make([]byte, n)
			continue
		}
		for page := buf[:n]; len(page) > 0; {
			k, v := binary.LittleEndian.Uint32(page), binary.LittleEndian.Uint32(page[4:])
			key, value := page[8:8+k], page[8+k:8+k+v]
			if !fn(text(key), value) {
				return nil
			}
			after, page = string(key), page[8+k+v:]
		}
	}
}

// Conf returns a value of the manifest's config for this subscriber.
func Conf(key string) (value string, ok bool) {
	buf := make([]byte, 256)
	for {
		n := hostConf(key, buf)
		switch {
		case n < 0:
			return "", false
		case int(n) <= len(buf):
			return string(buf[:n]), true
		}
		buf = make([]byte, n)
	}
}

// ConfInt returns a number of the config; absent where there is none, or it is no number.
func ConfInt(key string, absent int64) int64 {
	value, ok := Conf(key)
	if n, err := strconv.ParseInt(value, 10, 64); ok && err == nil {
		return n
	}
	return absent
}

// Reply answers a command, query or HTTP frame.
func Reply(data []byte) error { return check(hostReply(data)) }

// Levels of Log.
const (
	Trace = iota
	Debug
	Info
	Warn
	Error
)

// Log writes a line of the node's log, which adds subscriber and event.
func Log(level int32, message string) { hostLog(level, message) }

// Now returns the event's time, nanoseconds since 1970 UTC.
func Now() int64 { return hostNow() }

// Rand fills b with randomness that is the same whenever this event is handled. Make no
// secrets from it.
func Rand(b []byte) { hostRand(b) }

// fail tells the host about an error of the handler.
func fail(err error) {
	f := verdict(err)
	hostFail(f.Code, f.Reason)
}

// verdict is what becomes of the event for an error of the handler. A version conflict is
// tried again, as the host does with one that it finds itself.
func verdict(err error) *Failure {
	var f *Failure
	var s Status
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &s) && s == Conflict:
		return &Failure{1, err.Error()}
	}
	return &Failure{2, err.Error()}
}
