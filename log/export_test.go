package log

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
)

// WithFS gives a log a file system of the test's.
func WithFS(o Options, fs vfs.FS) Options {
	o.fs = fs
	return o
}

// EncodeChunk encodes events of versions 1, 2, … per key as a chunk.
func EncodeChunk(first abi.Seq, base int64, events []abi.Event) []byte {
	versions := map[string]abi.Version{}
	list := make([]staged, len(events))
	for i := range events {
		versions[events[i].Key]++
		list[i] = staged{ev: &events[i], version: versions[events[i].Key], published: i%2 == 0}
	}
	return newChunkWriter().encode(first, base, list)
}

// DecodeChunk opens a chunk and returns its events.
func DecodeChunk(first abi.Seq, raw []byte) ([]abi.Event, error) {
	c, err := decodeChunk(first, raw)
	if err != nil {
		return nil, err
	}
	events := make([]abi.Event, c.count)
	for i := range events {
		if !c.event(i, &events[i]) {
			return nil, damage(first, "an event does not fit into it")
		}
	}
	return events, nil
}

// Rows decodes a row as both kinds.
func Rows(b []byte) {
	_, _ = decodeCursor(b)
	_, _ = decodeDeadLetter(1, b)
}

// Resealed returns raw with the magic, version and checksum that it should have, so that
// fuzzing reaches what lies behind them.
func Resealed(raw []byte) []byte {
	if len(raw) < chunkHeaderLen {
		return raw
	}
	b := append([]byte(nil), raw...)
	le := binary.LittleEndian
	le.PutUint32(b, chunkMagic)
	b[chunkOffVersion] = chunkVersion
	le.PutUint32(b[chunkOffCRC:], crc32.Checksum(b[chunkOffCount:], castagnoli))
	return b
}
