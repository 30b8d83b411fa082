package log

import (
	"encoding/binary"

	"github.com/avx-platform/avxrt/abi"
)

// staged is an event that has its version and waits to be encoded.
type staged struct {
	ev        *abi.Event
	stream    *stream // nil: an event without key
	version   abi.Version
	size      int // of the event in a chunk, without dictionaries
	published bool
}

func stagedSize(ev *abi.Event) int {
	return 4 + 2 + eventHeaderLen + len(ev.ID) + len(ev.Source) + len(ev.ContentType) + len(ev.Headers) + len(ev.Data)
}

// chunkWriter encodes staged events into chunks: plan decides how many events go into the
// next one and how large it will be, encode writes it. It is reused from chunk to chunk.
//
// A key's place in the dictionary is kept in its stream, together with the number of the
// chunk that it is meant for: that saves a map lookup per event.
type chunkWriter struct {
	number  uint64 // of the chunk that is planned
	topics  map[string]uint16
	names   []string // topics in the order of their entries
	streams []*stream
	lastTop string // topics come in runs
	lastIdx uint16
}

func newChunkWriter() *chunkWriter { return &chunkWriter{topics: map[string]uint16{}} }

// plan fills the dictionaries for the next chunk and returns how many of the events it
// takes: at most maxChunkEvents, and no more than chunkSoftBytes unless a single event is larger.
func (w *chunkWriter) plan(events []staged) (count, size int) {
	w.number++
	clear(w.topics)
	w.names, w.streams, w.lastTop = w.names[:0], w.streams[:0], ""
	size = chunkHeaderLen
	for i := range events {
		s := &events[i]
		if i == maxChunkEvents || (i > 0 && size+s.size > chunkSoftBytes) {
			return i, size
		}
		size += s.size
		if s.ev.Topic != w.lastTop {
			size += w.enterTopic(s.ev.Topic)
		}
		if st := s.stream; st != nil {
			if st.chunk != w.number {
				st.chunk, st.entry, st.first, st.count, st.at = w.number, uint16(len(w.streams)), s.version, 0, uint16(i)
				w.streams = append(w.streams, st)
				size += 12 + len(st.key)
			}
			st.count++
		}
	}
	return len(events), size
}

// hints returns those of the planned chunk.
func (w *chunkWriter) hints() []keyHint {
	hints := make([]keyHint, len(w.streams))
	for i, st := range w.streams {
		hints[i] = keyHint{st.number, st.at}
	}
	return hints
}

// enterTopic makes topic the latest and returns how much the dictionary grew.
func (w *chunkWriter) enterTopic(topic string) int {
	index, ok := w.topics[topic]
	w.lastTop = topic
	if ok {
		w.lastIdx = index
		return 0
	}
	w.lastIdx = uint16(len(w.names))
	w.topics[topic] = w.lastIdx
	w.names = append(w.names, topic)
	return 2 + len(topic)
}

// encode writes the planned events into b, which has exactly the planned size and becomes
// the chunk. The first event gets seq first and time base, the i-th base+i.
func (w *chunkWriter) encode(b []byte, first abi.Seq, base int64, before chain, flags byte, events []staged) {
	le := binary.LittleEndian
	clear(b[:chunkHeaderLen])
	b = b[:chunkHeaderLen]
	for _, topic := range w.names {
		b = append(le.AppendUint16(b, uint16(len(topic))), topic...)
	}
	for _, st := range w.streams {
		b = le.AppendUint64(b, uint64(st.first))
		b = le.AppendUint16(b, st.count)
		b = append(le.AppendUint16(b, uint16(len(st.key))), st.key...)
	}
	table := len(b)
	topics := table + 4*len(events)
	b = b[:topics+2*len(events)]
	w.lastTop = ""
	for i := range events {
		if topic := events[i].ev.Topic; topic != w.lastTop {
			w.enterTopic(topic)
		}
		le.PutUint32(b[table+4*i:], uint32(len(b)))
		le.PutUint16(b[topics+2*i:], w.lastIdx)
		b = w.appendEvent(b, i, base, &events[i])
	}
	le.PutUint32(b[chunkOffMagic:], chunkMagic)
	b[chunkOffVersion], b[chunkOffFlags] = chunkVersion, flags
	le.PutUint32(b[chunkOffCount:], uint32(len(events)))
	le.PutUint64(b[chunkOffFirst:], uint64(first))
	le.PutUint64(b[chunkOffBase:], uint64(base))
	le.PutUint32(b[chunkOffTopics:], uint32(len(w.names)))
	le.PutUint32(b[chunkOffKeys:], uint32(len(w.streams)))
	le.PutUint32(b[chunkOffTable:], uint32(table))
	copy(b[chunkOffChain:], before[:])
	seal(b)
}

// seal writes the checksum.
func seal(b []byte) {
	binary.LittleEndian.PutUint32(b[chunkOffCRC:], checksum(b))
}

func (w *chunkWriter) appendEvent(b []byte, i int, base int64, s *staged) []byte {
	le := binary.LittleEndian
	ev := s.ev
	var key, delta uint16
	if s.stream != nil {
		key, delta = s.stream.entry+1, uint16(s.version-s.stream.first)
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
		flags = eventPublished
	}
	n := len(b)
	b = b[:n+eventHeaderLen]
	h := b[n:]
	le.PutUint16(h, 0)
	le.PutUint16(h[2:], key)
	le.PutUint16(h[4:], delta)
	h[6], h[7] = kind, flags
	le.PutUint64(h[8:], uint64(at))
	le.PutUint32(h[16:], uint32(i)) // appended time is base+i: strictly increasing, and a group takes far less than its length in ns
	le.PutUint16(h[20:], uint16(len(ev.ID)))
	le.PutUint16(h[22:], uint16(len(ev.Source)))
	le.PutUint16(h[24:], uint16(len(ev.ContentType)))
	le.PutUint16(h[26:], uint16(len(ev.Headers)))
	le.PutUint32(h[28:], uint32(len(ev.Data)))
	b = append(b, ev.ID...)
	b = append(b, ev.Source...)
	b = append(b, ev.ContentType...)
	b = append(b, ev.Headers...)
	return append(b, ev.Data...)
}
