package log

import (
	"crypto/sha256"
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
	chunkVersion = 2

	chunkOffMagic    = 0  // u32
	chunkOffVersion  = 4  // u8
	chunkOffFlags    = 5  // u8; 6-7 zero
	chunkOffCRC      = 8  // u32, Castagnoli, of everything else; in format 1 of what follows
	chunkOffCount    = 12 // u32 events
	chunkOffFirst    = 16 // u64 seq of the first event
	chunkOffBase     = 24 // i64 appended time of the first event
	chunkOffTopics   = 32 // u32 entries of the topic dictionary
	chunkOffKeys     = 36 // u32 entries of the key dictionary
	chunkOffTable    = 40 // u32 where the offset table begins
	chunkOffFirstCRC = 44 // u32 the crc as first written if the chunk was rewritten, else zero
	chunkOffChain    = 48 // 16 bytes: the chain before this chunk
	chunkHeaderLen   = 64
	chunkHeaderLenV1 = 48 // format 1: no first crc, no chain

	chunkRewritten = 1 // flag: events were erased since the chunk was first written
	chunkGroupEnd  = 2 // flag: the last chunk of its group; a store may be forked behind it

	eventHeaderLen = 32

	eventPublished = 1 // flag: the id was given by a publisher and takes part in deduplication
	eventRedacted  = 2 // flag: data and headers were erased

	maxChunkEvents = 512
	chunkSoftBytes = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chain stands for everything in the log up to a chunk: the first half of SHA-256 over the
// chain before the chunk, its first seq, its count and its crc as first written. Erasing
// events by retention or redaction keeps it; anything else that changes the past does not.
type chain [16]byte

// chunk is an opened chunk. Its bytes never change while it is in use, so events point into it.
type chunk struct {
	raw    []byte
	format byte
	first  abi.Seq
	count  int
	base   int64
	header int // length of the header
	ntopic int
	nkey   int
	table  []byte // count offsets, u32 each; 0: the event was dropped by retention
	topic  []byte // count indexes into topics, u16 each; empty in format 1, where the events have them

	topics []string   // filled by openTopics
	keysAt int        // where the key dictionary begins, once the topics are open
	keys   []keyEntry // filled by openKeys
	hints  []keyHint  // per key, of a chunk that this process wrote; else nil
}

// keyEntry is one key of a chunk: the version of its first event here, and how many there are.
type keyEntry struct {
	name  string
	first abi.Version
	count int
}

// last is the seq of the chunk's last event.
func (c *chunk) last() abi.Seq { return c.first + abi.Seq(c.count) - 1 }

// damage reports a chunk that does not hold what it should.
func damage(first abi.Seq, what string) error {
	return fmt.Errorf("%w: the chunk that begins at seq %d: %s", ErrDamaged, first, what)
}

// decodeChunk checks raw, which must be the value stored under first, and opens it.
func decodeChunk(first abi.Seq, raw []byte) (*chunk, error) {
	c := &chunk{}
	return c, c.openChecked(first, raw)
}

// openChecked is open with the checksum.
func (c *chunk) openChecked(first abi.Seq, raw []byte) error {
	if err := c.openHeader(first, raw); err != nil {
		return err
	}
	if checksum(raw) != c.crc() {
		return damage(first, "wrong checksum")
	}
	return c.open(first, raw)
}

// open makes c the chunk in raw, without looking at the checksum: the engine has one of
// its own for every block that it reads and every record of its write-ahead log, and to
// compute this one too took half of the time of a replay. Verification does. What c's
// slices hold is reused, so that a replay of many small chunks does not allocate.
func (c *chunk) open(first abi.Seq, raw []byte) error {
	if err := c.openSome(first, raw); err != nil {
		return err
	}
	if !c.openKeys() {
		return damage(first, "its parts do not fit into it")
	}
	return nil
}

// openSome is open without the keys: enough to find the wanted events. A reader of few
// events then looks at the header, the topics and two columns of most chunks only.
func (c *chunk) openSome(first abi.Seq, raw []byte) error {
	if err := c.openHeader(first, raw); err != nil {
		return err
	}
	if !c.openTopics() || !c.checkTable() {
		return damage(first, "its parts do not fit into it")
	}
	return nil
}

// openHeader is enough for [chunk.event] of a single event.
func (c *chunk) openHeader(first abi.Seq, raw []byte) error {
	le := binary.LittleEndian
	if len(raw) < chunkHeaderLenV1 || le.Uint32(raw) != chunkMagic {
		return damage(first, "it does not begin like a chunk")
	}
	c.raw, c.format, c.header = raw, raw[chunkOffVersion], chunkHeaderLen
	switch {
	case c.format == 1:
		c.header = chunkHeaderLenV1
	case c.format != chunkVersion:
		return damage(first, fmt.Sprintf("format %d, this program reads formats 1 to %d", c.format, chunkVersion))
	case len(raw) < chunkHeaderLen:
		return damage(first, "it does not begin like a chunk")
	}
	c.first, c.base = abi.Seq(le.Uint64(raw[chunkOffFirst:])), int64(le.Uint64(raw[chunkOffBase:]))
	count, topics, keys := le.Uint32(raw[chunkOffCount:]), le.Uint32(raw[chunkOffTopics:]), le.Uint32(raw[chunkOffKeys:])
	if c.first != first || count < 1 || count > maxChunkEvents {
		return damage(first, fmt.Sprintf("it says seq %d and %d events", c.first, count))
	}
	c.count, c.ntopic, c.nkey = int(count), int(topics), int(keys)
	at := int64(le.Uint32(raw[chunkOffTable:]))
	end := at + 4*int64(count)
	behind := end
	if c.format != 1 {
		behind += 2 * int64(count)
	}
	if topics > maxChunkEvents || keys > maxChunkEvents || at < int64(c.header) || behind > int64(len(raw)) {
		return damage(first, "its parts do not fit into it")
	}
	c.table, c.topic = raw[at:end], raw[end:behind]
	c.topics, c.keys = c.topics[:0], c.keys[:0]
	return nil
}

// openTopics lists the topics.
func (c *chunk) openTopics() bool {
	rest := c.raw[c.header:]
	for range c.ntopic {
		topic, next, ok := takeString(rest)
		if !ok {
			return false
		}
		c.topics, rest = append(c.topics, topic), next
	}
	c.keysAt = len(c.raw) - len(rest)
	return true
}

// openKeys lists the keys, unless they are; the topics must be open.
func (c *chunk) openKeys() bool {
	if len(c.keys) == c.nkey {
		return true
	}
	c.keys = c.keys[:0]
	rest := c.raw[c.keysAt:]
	for range c.nkey {
		entry, next, ok := c.takeKey(rest)
		if !ok {
			return false
		}
		c.keys, rest = append(c.keys, entry), next
	}
	return c.format != 1 || c.countKeys()
}

// takeKey reads an entry of the key dictionary. Format 1 did not say how many events a key has.
func (c *chunk) takeKey(b []byte) (entry keyEntry, rest []byte, ok bool) {
	fixed := 10
	if c.format == 1 {
		fixed = 8
	}
	if len(b) < fixed {
		return entry, nil, false
	}
	entry.first = abi.Version(binary.LittleEndian.Uint64(b))
	if c.format != 1 {
		entry.count = int(binary.LittleEndian.Uint16(b[8:]))
	}
	entry.name, rest, ok = takeString(b[fixed:])
	return entry, rest, ok
}

func (c *chunk) countKeys() bool {
	for i := range c.count {
		at := c.offset(i)
		if at > len(c.raw)-eventHeaderLen {
			return false
		}
		if key := c.keyOf(i); key > len(c.keys) {
			return false
		} else if key > 0 {
			c.keys[key-1].count++
		}
	}
	return true
}

// checkTable sees to it that every event lies within the chunk and names a topic of it. The
// keys are in the events themselves, away from the columns; [chunk.event] checks those.
func (c *chunk) checkTable() bool {
	for i := range c.count {
		at := c.offset(i)
		if at == 0 {
			continue
		}
		if at < c.header || at > len(c.raw)-eventHeaderLen || c.topicOf(i) >= c.ntopic {
			return false
		}
	}
	return true
}

// checksum is what the crc of a chunk must be.
func checksum(raw []byte) uint32 {
	if raw[chunkOffVersion] == 1 {
		return crc32.Checksum(raw[chunkOffCount:], castagnoli)
	}
	return crc32.Update(crc32.Checksum(raw[:chunkOffCRC], castagnoli), castagnoli, raw[chunkOffCount:])
}

func (c *chunk) crc() uint32 { return binary.LittleEndian.Uint32(c.raw[chunkOffCRC:]) }

func (c *chunk) flags() byte { return c.raw[chunkOffFlags] }

// endsGroup tells whether no group reaches over the end of this chunk. Format 1 did not
// say; its groups were one chunk but for the largest.
func (c *chunk) endsGroup() bool { return c.format == 1 || c.flags()&chunkGroupEnd != 0 }

// rewritten tells whether events of this chunk were erased.
func (c *chunk) rewritten() bool { return c.format != 1 && c.flags()&chunkRewritten != 0 }

// before is the chain up to this chunk; for format 1, which had none, it is zero.
func (c *chunk) before() (h chain) {
	if c.format != 1 {
		copy(h[:], c.raw[chunkOffChain:])
	}
	return h
}

// after is the chain up to and with this chunk.
func (c *chunk) after() chain {
	crc := c.crc()
	if c.rewritten() {
		crc = binary.LittleEndian.Uint32(c.raw[chunkOffFirstCRC:])
	}
	return nextChain(c.before(), c.first, c.count, crc)
}

func nextChain(before chain, first abi.Seq, count int, crc uint32) chain {
	le := binary.LittleEndian
	b := make([]byte, 0, 32)
	b = append(b, before[:]...)
	b = le.AppendUint64(b, uint64(first))
	b = le.AppendUint32(b, uint32(count))
	b = le.AppendUint32(b, crc)
	sum := sha256.Sum256(b)
	return chain(sum[:16])
}

// offset returns where event i begins, 0 if it was dropped.
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

// view gives the string that lies in b, without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// topicOf returns the index in the topic dictionary of event i, which must not be dropped.
// The indexes lie side by side, so that a reader who wants few events reads little memory.
func (c *chunk) topicOf(i int) int {
	if c.format == 1 {
		return int(binary.LittleEndian.Uint16(c.raw[c.offset(i):]))
	}
	return int(binary.LittleEndian.Uint16(c.topic[2*i:]))
}

// keyOf returns the index in the key dictionary of event i plus one, 0 if it has no key.
func (c *chunk) keyOf(i int) int { return int(binary.LittleEndian.Uint16(c.raw[c.offset(i)+2:])) }

// dropped tells whether retention took event i out of the chunk.
func (c *chunk) dropped(i int) bool { return c.offset(i) == 0 }

// published tells whether event i came from a publisher, not from a subscriber.
func (c *chunk) published(i int) bool { return c.raw[c.offset(i)+7]&eventPublished != 0 }

// whole tells whether every event can be decoded; the dictionaries must be open.
func (c *chunk) whole() bool {
	var ev abi.Event
	for i := range c.count {
		if !c.dropped(i) && !c.event(i, &ev) {
			return false
		}
	}
	return true
}

// event decodes event i, which must not be dropped, into ev. A false answer means that
// this program or the one that wrote the chunk is wrong, where the checksum held.
func (c *chunk) event(i int, ev *abi.Event) bool {
	le := binary.LittleEndian
	at := c.offset(i)
	if at > len(c.raw)-eventHeaderLen {
		return false
	}
	h := c.raw[at : at+eventHeaderLen]
	ev.Seq, ev.Kind, ev.Flags, ev.Attempt, ev.Left = c.first+abi.Seq(i), abi.Kind(h[6]), 0, 0, 0
	ev.Time, ev.Appended = int64(le.Uint64(h[8:])), c.base+int64(le.Uint32(h[16:]))
	if !c.name(c.topicOf(i), int(le.Uint16(h[2:])), abi.Version(le.Uint16(h[4:])), ev) {
		return false
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

// name fills in topic, key and version.
func (c *chunk) name(topic, key int, delta abi.Version, ev *abi.Event) bool {
	ev.Key, ev.Version = "", 0
	if len(c.topics) != c.ntopic || len(c.keys) != c.nkey {
		return c.walkNames(topic, key, delta, ev)
	}
	if topic >= len(c.topics) || key > len(c.keys) {
		return false
	}
	ev.Topic = c.topics[topic]
	if key > 0 {
		ev.Key, ev.Version = c.keys[key-1].name, c.keys[key-1].first+delta
	}
	return true
}

// walkNames is name for a chunk whose dictionaries were not opened: it steps over the
// entries, which takes well under a microsecond and no memory.
func (c *chunk) walkNames(topic, key int, delta abi.Version, ev *abi.Event) bool {
	if topic >= c.ntopic || key > c.nkey {
		return false
	}
	rest, ok := c.raw[c.header:], true
	var name string
	for i := range c.ntopic {
		if name, rest, ok = takeString(rest); !ok {
			return false
		}
		if i == topic {
			ev.Topic = name
			if key == 0 {
				return true
			}
		}
	}
	var entry keyEntry
	for range key {
		if entry, rest, ok = c.takeKey(rest); !ok {
			return false
		}
	}
	ev.Key, ev.Version = entry.name, entry.first+delta
	return true
}

// numberOf returns key's index in the key dictionary plus one, or a number that no event has.
func (c *chunk) numberOf(key string) int {
	if len(c.topics) != c.ntopic && !c.openTopics() || !c.openKeys() {
		return c.nkey + 1
	}
	for i := range c.keys {
		if c.keys[i].name == key {
			return i + 1
		}
	}
	return c.nkey + 1
}
