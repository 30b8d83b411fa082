package log

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unsafe"

	"github.com/avx-platform/avxrt/abi"
)

// A chunk is the unit of storage: up to maxChunkEvents events that were appended together,
// as one value. The layout is in docs/format/log.md; the offsets below are that page in code.
//
// Why chunks: one key per event costs about 600 ns to append and 250 ns to replay, a chunk
// of 256 about 300 and 60. Why dictionaries: topics and keys repeat, and a reader that
// wants one topic decides per distinct topic, not per event.
const (
	chunkMagic   = 0x43585641 // "AVXC"
	chunkVersion = 1

	chunkOffMagic   = 0  // u32
	chunkOffVersion = 4  // u8; 5-7 zero
	chunkOffCRC     = 8  // u32, Castagnoli, of everything from offset 12
	chunkOffCount   = 12 // u32 events
	chunkOffFirst   = 16 // u64 seq of the first event
	chunkOffBase    = 24 // i64 appended time of the first event
	chunkOffTopics  = 32 // u32 entries of the topic dictionary
	chunkOffKeys    = 36 // u32 entries of the key dictionary
	chunkOffTable   = 40 // u32 where the offset table begins; 44: zero
	chunkHeaderLen  = 48

	eventHeaderLen = 32

	eventFlagPublished = 1 // the id was given by a publisher and takes part in deduplication

	maxChunkEvents = 512
	chunkSoftBytes = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunk is a decoded chunk. Its bytes never change, so events may point into it for ever.
type chunk struct {
	raw    []byte
	first  abi.Seq
	count  int
	base   int64
	topics []string
	keys   []string
	vers   []abi.Version // first version of keys[i] in this chunk
	table  []byte        // count offsets, u32 each
}

// last is the seq of the chunk's last event.
func (c *chunk) last() abi.Seq { return c.first + abi.Seq(c.count) - 1 }

// damage reports a chunk that does not hold what it should.
func damage(first abi.Seq, what string) error {
	return fmt.Errorf("%w: the chunk that begins at seq %d: %s", ErrDamaged, first, what)
}

// decodeChunk checks raw, which must be the value stored under first, and opens it. Only
// the header, the dictionaries and the checksum are read; events are decoded one by one.
func decodeChunk(first abi.Seq, raw []byte) (*chunk, error) {
	le := binary.LittleEndian
	if len(raw) < chunkHeaderLen || le.Uint32(raw) != chunkMagic {
		return nil, damage(first, "it does not begin like a chunk")
	}
	if raw[chunkOffVersion] != chunkVersion {
		return nil, damage(first, fmt.Sprintf("format %d, this program reads format %d", raw[chunkOffVersion], chunkVersion))
	}
	if crc32.Checksum(raw[chunkOffCount:], castagnoli) != le.Uint32(raw[chunkOffCRC:]) {
		return nil, damage(first, "wrong checksum")
	}
	c := &chunk{
		raw: raw, first: abi.Seq(le.Uint64(raw[chunkOffFirst:])), base: int64(le.Uint64(raw[chunkOffBase:])),
		count: int(le.Uint32(raw[chunkOffCount:])),
	}
	if c.first != first || c.count < 1 || c.count > maxChunkEvents {
		return nil, damage(first, fmt.Sprintf("it says seq %d and %d events", c.first, c.count))
	}
	if !c.openDictionaries() || !c.openTable() {
		return nil, damage(first, "its parts do not fit into it")
	}
	return c, nil
}

func (c *chunk) openDictionaries() bool {
	le := binary.LittleEndian
	topics, keys := le.Uint32(c.raw[chunkOffTopics:]), le.Uint32(c.raw[chunkOffKeys:])
	if topics > maxChunkEvents || keys > maxChunkEvents {
		return false
	}
	c.topics, c.keys, c.vers = make([]string, topics), make([]string, keys), make([]abi.Version, keys)
	rest := c.raw[chunkHeaderLen:]
	for i := range c.topics {
		var ok bool
		if c.topics[i], rest, ok = takeString(rest); !ok {
			return false
		}
	}
	for i := range c.keys {
		if len(rest) < 8 {
			return false
		}
		c.vers[i] = abi.Version(le.Uint64(rest))
		var ok bool
		if c.keys[i], rest, ok = takeString(rest[8:]); !ok {
			return false
		}
	}
	return true
}

func (c *chunk) openTable() bool {
	at := int(binary.LittleEndian.Uint32(c.raw[chunkOffTable:]))
	if at < chunkHeaderLen || at > len(c.raw) || len(c.raw)-at < 4*c.count {
		return false
	}
	c.table = c.raw[at : at+4*c.count]
	for i := range c.count {
		if c.offset(i) < chunkHeaderLen || c.offset(i) > len(c.raw)-eventHeaderLen || c.topicOf(i) >= len(c.topics) {
			return false
		}
	}
	return true
}

// offset returns where event i begins.
func (c *chunk) offset(i int) int { return int(binary.LittleEndian.Uint32(c.table[4*i:])) }

// takeString reads a u16 length and that many bytes.
func takeString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.LittleEndian.Uint16(b))
	if len(b)-2 < n {
		return "", nil, false
	}
	return view(b[2 : 2+n]), b[2+n:], true
}

// view gives the string that lies in b, without a copy; chunks never change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// topicOf returns the index in topics of event i, without decoding the rest of it.
func (c *chunk) topicOf(i int) int {
	return int(binary.LittleEndian.Uint16(c.raw[c.offset(i):]))
}

// published tells whether event i came from a publisher, not from a subscriber.
func (c *chunk) published(i int) bool {
	return c.raw[c.offset(i)+7]&eventFlagPublished != 0
}

// event decodes event i into ev. The checksum held, so a false answer means that this
// program or the one that wrote the chunk is wrong.
func (c *chunk) event(i int, ev *abi.Event) bool {
	le := binary.LittleEndian
	at := c.offset(i)
	h := c.raw[at : at+eventHeaderLen]
	topic, key := int(le.Uint16(h)), int(le.Uint16(h[2:]))
	if key > len(c.keys) {
		return false
	}
	*ev = abi.Event{
		Seq: c.first + abi.Seq(i), Kind: abi.Kind(h[6]), Time: int64(le.Uint64(h[8:])),
		Appended: c.base + int64(le.Uint32(h[16:])), Topic: c.topics[topic],
	}
	if key > 0 {
		ev.Key = c.keys[key-1]
		ev.Version = c.vers[key-1] + abi.Version(le.Uint16(h[4:]))
	}
	id, source, ctype, headers := int(le.Uint16(h[20:])), int(le.Uint16(h[22:])), int(le.Uint16(h[24:])), int(le.Uint16(h[26:]))
	data := int(le.Uint32(h[28:]))
	rest := c.raw[at+eventHeaderLen:]
	if len(rest) < id+source+ctype+headers+data {
		return false
	}
	ev.ID, rest = view(rest[:id]), rest[id:]
	ev.Source, rest = view(rest[:source]), rest[source:]
	ev.ContentType, rest = view(rest[:ctype]), rest[ctype:]
	ev.Headers, rest = abi.Headers(rest[:headers:headers]), rest[headers:]
	ev.Data = rest[:data:data]
	return true
}
