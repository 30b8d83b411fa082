package log

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// heads knows the version at which each stream is. Recently used streams are in memory;
// the others are looked up in the stream index. The sequencer alone uses it.
//
// Memory is bounded by two generations of half the limit each: when the young one is
// full, the old one is forgotten. That is a plain approximation of LRU without a list.
type heads struct {
	db         *pebble.DB
	young, old map[string]abi.Version
	half       int
	undo       []headUndo
}

// headUndo restores what a refused request changed.
type headUndo struct {
	key  string
	have abi.Version
}

// maxHeads bounds the streams in memory: about 100 bytes each.
const maxHeads = 1 << 18

func newHeads(db *pebble.DB) *heads {
	return &heads{db: db, young: map[string]abi.Version{}, half: maxHeads / 2}
}

// get returns the version of key's last event, 0 if the stream does not exist.
func (h *heads) get(key string) (abi.Version, error) {
	if v, ok := h.young[key]; ok {
		return v, nil
	}
	v, ok := h.old[key]
	if !ok {
		var err error
		if v, err = lookupHead(h.db, key); err != nil {
			return 0, err
		}
	}
	h.store(key, v)
	return v, nil
}

func (h *heads) store(key string, v abi.Version) {
	if len(h.young) >= h.half {
		h.old, h.young = h.young, make(map[string]abi.Version, h.half)
	}
	h.young[key] = v
}

// next gives key's next version to the caller, revocable until mark is called again.
func (h *heads) next(key string) (abi.Version, error) {
	have, err := h.get(key)
	if err != nil {
		return 0, err
	}
	h.undo = append(h.undo, headUndo{key, have})
	h.store(key, have+1)
	return have + 1, nil
}

// mark forgets what could be undone.
func (h *heads) mark() { h.undo = h.undo[:0] }

// rollback takes back every next since mark.
func (h *heads) rollback() {
	for i := len(h.undo) - 1; i >= 0; i-- {
		h.store(h.undo[i].key, h.undo[i].have)
	}
	h.mark()
}

// lookupHead reads the version of a stream's last event from the index: the last row
// of the stream says where its youngest versions begin and how many there are.
func lookupHead(db *pebble.DB, key string) (abi.Version, error) {
	prefix := streamKey(nil, hashStream(key), 0)[:17]
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, it.Error()
	}
	first := abi.Version(binary.BigEndian.Uint64(it.Key()[17:]))
	_, count, ok := decodeStreamRow(it.Value())
	if !ok {
		return 0, errRow
	}
	return first + abi.Version(count) - 1, nil
}

// A stream row says: these count versions lie in the chunk that begins at seq first.

func appendStreamRow(b []byte, first abi.Seq, count uint16) []byte {
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint64(b, uint64(first)), count)
}

func decodeStreamRow(b []byte) (first abi.Seq, count uint16, ok bool) {
	if len(b) != 10 {
		return 0, 0, false
	}
	return abi.Seq(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint16(b[8:]), true
}
