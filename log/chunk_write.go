package log

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/avx-platform/avxrt/abi"
)

// staged is an event that has its seq and version and waits to be encoded.
type staged struct {
	ev        *abi.Event
	version   abi.Version
	published bool
}

// chunkWriter encodes staged events into chunks. It is reused from group to group; what
// it returns is freshly allocated because it lives on in the tail.
type chunkWriter struct {
	topics map[string]uint16
	keys   map[string]keyEntry
	order  []string // keys in the order of their entries
	names  []string // topics likewise
}

// keyEntry is one key's place in the dictionary, how many events it has here and the
// version of the first of them.
type keyEntry struct {
	index uint16
	count uint16
	first abi.Version
}

func newChunkWriter() *chunkWriter {
	return &chunkWriter{topics: map[string]uint16{}, keys: map[string]keyEntry{}}
}

// cut returns how many of the events go into the next chunk: at most maxChunkEvents, and
// no more than chunkSoftBytes unless a single event is larger.
func cut(events []staged) int {
	size := 0
	for i := range events {
		size += abi.FrameLen(events[i].ev)
		if i == maxChunkEvents || (i > 0 && size > chunkSoftBytes) {
			return i
		}
	}
	return len(events)
}

// encode writes the events, of which the first gets seq first and time base (the i-th
// base+i), as one chunk.
func (w *chunkWriter) encode(first abi.Seq, base int64, events []staged) []byte {
	size := w.collect(events)
	b := make([]byte, chunkHeaderLen, size)
	le := binary.LittleEndian
	for _, topic := range w.names {
		b = append(le.AppendUint16(b, uint16(len(topic))), topic...)
	}
	for _, key := range w.order {
		b = le.AppendUint64(b, uint64(w.keys[key].first))
		b = append(le.AppendUint16(b, uint16(len(key))), key...)
	}
	table := len(b)
	b = append(b, make([]byte, 4*len(events))...)
	for i := range events {
		le.PutUint32(b[table+4*i:], uint32(len(b)))
		b = w.appendEvent(b, i, base, &events[i])
	}
	le.PutUint32(b[chunkOffMagic:], chunkMagic)
	b[chunkOffVersion] = chunkVersion
	le.PutUint32(b[chunkOffCount:], uint32(len(events)))
	le.PutUint64(b[chunkOffFirst:], uint64(first))
	le.PutUint64(b[chunkOffBase:], uint64(base))
	le.PutUint32(b[chunkOffTopics:], uint32(len(w.names)))
	le.PutUint32(b[chunkOffKeys:], uint32(len(w.order)))
	le.PutUint32(b[chunkOffTable:], uint32(table))
	le.PutUint32(b[chunkOffCRC:], crc32.Checksum(b[chunkOffCount:], castagnoli))
	return b
}

// collect fills the dictionaries and returns the size of the chunk.
func (w *chunkWriter) collect(events []staged) int {
	clear(w.topics)
	clear(w.keys)
	w.names, w.order = w.names[:0], w.order[:0]
	size := chunkHeaderLen + (4+eventHeaderLen)*len(events)
	for i := range events {
		ev := events[i].ev
		if _, ok := w.topics[ev.Topic]; !ok {
			w.topics[ev.Topic] = uint16(len(w.names))
			w.names = append(w.names, ev.Topic)
			size += 2 + len(ev.Topic)
		}
		if ev.Key != "" {
			entry, ok := w.keys[ev.Key]
			if !ok {
				entry = keyEntry{index: uint16(len(w.order)), first: events[i].version}
				w.order = append(w.order, ev.Key)
				size += 10 + len(ev.Key)
			}
			entry.count++
			w.keys[ev.Key] = entry
		}
		size += len(ev.ID) + len(ev.Source) + len(ev.ContentType) + len(ev.Headers) + len(ev.Data)
	}
	return size
}

func (w *chunkWriter) appendEvent(b []byte, i int, base int64, s *staged) []byte {
	le := binary.LittleEndian
	ev := s.ev
	var key, delta uint16
	if ev.Key != "" {
		entry := w.keys[ev.Key]
		key, delta = entry.index+1, uint16(s.version-entry.first)
	}
	at := ev.Time
	if at == 0 {
		at = base + int64(i) // no time of the publisher's: it happened when it came in
	}
	kind, flags := byte(ev.Kind), byte(0)
	if kind == 0 {
		kind = byte(abi.KindEvent)
	}
	if s.published {
		flags = eventFlagPublished
	}
	b = le.AppendUint16(b, w.topics[ev.Topic])
	b = le.AppendUint16(b, key)
	b = le.AppendUint16(b, delta)
	b = append(b, kind, flags)
	b = le.AppendUint64(b, uint64(at))
	b = le.AppendUint32(b, uint32(i)) // appended time is base+i: strictly increasing, and a group takes far less than its length in ns
	b = le.AppendUint16(b, uint16(len(ev.ID)))
	b = le.AppendUint16(b, uint16(len(ev.Source)))
	b = le.AppendUint16(b, uint16(len(ev.ContentType)))
	b = le.AppendUint16(b, uint16(len(ev.Headers)))
	b = le.AppendUint32(b, uint32(len(ev.Data)))
	b = append(b, ev.ID...)
	b = append(b, ev.Source...)
	b = append(b, ev.ContentType...)
	b = append(b, ev.Headers...)
	return append(b, ev.Data...)
}
