//go:build !wasip1

package avx

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// Fake is a host for native tests. Put config and state in, call [Fake.Deliver], and look
// at what came out. It keeps the rules of the real host that handlers rely on: what a
// failing handler staged is dropped.
//
// The calls of this package go to the fake that delivered last, so tests that use fakes
// must not run in parallel.
type Fake struct {
	Config map[string]string
	State  map[string]string
	Emits  []Emitted
	Logs   []string
	Reply  string // to the last event

	now     int64
	emits   []Emitted
	reply   string
	written map[string]*string // nil: deleted
}

// Emitted is an event that a handler emitted, or a timer that it set or, with Timer alone,
// cancelled. The fake fires none: deliver them as events of kind 4.
type Emitted struct {
	Topic, Key, ContentType, Data string

	Headers string // but for the timer's name: "a=1 b=2"
	Version uint64 // that it expects; 0: any
	Timer   string // its name
	Time    int64  // when it is due; 0: not a timer
}

var host *Fake

// Deliver gives ev to the handler and returns its error.
func (f *Fake) Deliver(ev *Event) error {
	host, f.now, f.emits, f.reply, f.Reply, f.written = f, ev.Time, nil, "", "", map[string]*string{}
	if f.State == nil {
		f.State = map[string]string{}
	}
	err := handle(ev)
	if err != nil {
		return err
	}
	f.Emits, f.Reply = append(f.Emits, f.emits...), f.reply
	for k, v := range f.written {
		if v == nil {
			delete(f.State, k)
		} else {
			f.State[k] = *v
		}
	}
	return nil
}

func give(value string, buf []byte) int32 {
	if len(value) <= len(buf) {
		copy(buf, value)
	}
	return int32(len(value))
}

func hostFail(int32, string) {}

func hostEmit(frame []byte) int32 {
	var ev Event
	ev.decode(frame)
	e := Emitted{
		Topic: strings.Clone(ev.Topic), Key: strings.Clone(ev.Key), ContentType: strings.Clone(ev.ContentType), Data: string(ev.Data),
		Version: ev.Version, Time: ev.Time,
	}
	for name, value := range ev.Headers() {
		if name == headerTimer {
			e.Timer = strings.Clone(value)
			continue
		}
		if e.Headers != "" {
			e.Headers += " "
		}
		e.Headers += name + "=" + value
	}
	host.emits = append(host.emits, e)
	return 0
}

func hostReply(data []byte) int32 {
	host.reply = string(data)
	return 0
}

func (f *Fake) get(key string) (string, bool) {
	if v, ok := f.written[key]; ok {
		if v == nil {
			return "", false
		}
		return *v, true
	}
	v, ok := f.State[key]
	return v, ok
}

func hostGet(key string, buf []byte) int32 {
	v, ok := host.get(key)
	if !ok {
		return int32(NotFound)
	}
	return give(v, buf)
}

func hostSet(key string, value []byte) int32 {
	v := string(value)
	host.written[strings.Clone(key)] = &v
	return 0
}

func hostDelete(key string) int32 {
	host.written[strings.Clone(key)] = nil
	return 0
}

func hostScan(prefix, after string, buf []byte) int32 {
	keys := slices.Collect(maps.Keys(host.State))
	keys = slices.AppendSeq(keys, maps.Keys(host.written))
	slices.SortFunc(keys, cmp.Compare[string])
	out := buf[:0]
	for _, k := range slices.Compact(keys) {
		v, ok := host.get(k)
		if !ok || !strings.HasPrefix(k, prefix) || k <= after {
			continue
		}
		if size := 8 + len(k) + len(v); size > cap(buf)-len(out) {
			if len(out) == 0 {
				return int32(size)
			}
			break
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(len(k)))
		out = binary.LittleEndian.AppendUint32(out, uint32(len(v)))
		out = append(append(out, k...), v...)
	}
	return int32(len(out))
}

func hostConf(key string, buf []byte) int32 {
	v, ok := host.Config[key]
	if !ok {
		return int32(NotFound)
	}
	return give(v, buf)
}

func hostLog(_ int32, message string) { host.Logs = append(host.Logs, strings.Clone(message)) }
func hostNow() int64                  { return host.now }
func hostRand(b []byte)               { clear(b) }
