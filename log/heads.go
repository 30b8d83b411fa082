package log

import (
	"strings"

	"github.com/avx-platform/avxrt/abi"
)

// stream is what the sequencer knows about one stream in use.
type stream struct {
	key     string
	version abi.Version // of its last event; 0: it has none
	closed  bool        // tombstoned: nothing may be appended
	number  uint32      // see keyHint

	// The stream's place in the chunk that is being planned; see chunkWriter.
	chunk uint64
	first abi.Version
	entry uint16
	count uint16
	at    uint16 // index of its first event
}

// heads knows the version at which each stream is: recently used streams in memory, a
// filter for those that certainly do not exist, and the word "cold" for the rest, which
// the caller looks up in the stream index away from the sequencer. The sequencer alone uses it.
//
// Memory is bounded by two generations of half the limit each: when the young one is
// full, the old one is forgotten. That is a plain approximation of LRU without a list.
type heads struct {
	young, old map[string]*stream
	half       int
	turns      uint64 // how often a generation was forgotten
	numbers    uint32 // streams that were ever in memory, modulo maxStreamNumbers
	filter     *filter
	loaded     *filter // streams that existed when the store was opened; nil until it is built
	undo       []headUndo
	retire     func() // called before a generation is forgotten: the index must have caught up
}

// headUndo restores what a refused request changed.
type headUndo struct {
	stream *stream
	have   abi.Version
}

// maxHeads bounds the streams in memory: about 150 bytes each.
const maxHeads = 1 << 20

func newHeads(limit int, retire func()) *heads {
	return &heads{young: map[string]*stream{}, half: limit / 2, filter: newFilter(), retire: retire}
}

// get returns the stream of key, or nil if it is cold.
func (h *heads) get(key string) *stream {
	if st, ok := h.young[key]; ok {
		return st
	}
	if st, ok := h.old[key]; ok {
		h.store(st)
		return st
	}
	if h.loaded == nil {
		return nil
	}
	hash := hashStream(key).filterHash()
	if h.loaded.has(hash) || h.filter.has(hash) {
		return nil
	}
	h.filter.add(hash)
	return h.insert(key, 0, false)
}

// insert makes key known, unless it is.
func (h *heads) insert(key string, version abi.Version, closed bool) *stream {
	if st, ok := h.young[key]; ok {
		return st
	}
	if st, ok := h.old[key]; ok {
		return st
	}
	st := &stream{key: strings.Clone(key), version: version, closed: closed, number: h.numbers}
	h.numbers = (h.numbers + 1) % maxStreamNumbers
	if version == 0 && h.loaded == nil {
		h.filter.add(hashStream(key).filterHash())
	}
	h.store(st)
	return st
}

func (h *heads) store(st *stream) {
	if len(h.young) >= h.half {
		h.retire()
		h.old, h.young = h.young, make(map[string]*stream, h.half)
		h.turns++
	}
	h.young[st.key] = st
}

// next gives the stream's next version to the caller, revocable until mark is called again.
func (h *heads) next(st *stream) abi.Version {
	h.undo = append(h.undo, headUndo{st, st.version})
	st.version++
	return st.version
}

// mark forgets what could be undone.
func (h *heads) mark() { h.undo = h.undo[:0] }

// rollback takes back every next since mark.
func (h *heads) rollback() {
	for i := len(h.undo) - 1; i >= 0; i-- {
		h.undo[i].stream.version = h.undo[i].have
	}
	h.mark()
}
