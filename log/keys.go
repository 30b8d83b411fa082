package log

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/avx-platform/avxrt/abi"
)

// Every key of the store begins with one of these bytes. The keyspaces that are written at
// random sort before the log, which is last: SSTs then split at the border and old chunks
// are moved between levels, not rewritten.
const (
	spaceMeta       = 0x01 // name → value
	spaceCursor     = 0x10 // subscriber → cursor row
	spaceState      = 0x11 // subscriber, state version, key → value
	spaceProducer   = 0x12 // producer → producer row
	spaceDeadLetter = 0x13 // subscriber, seq → dead letter row
	spaceParked     = 0x14 // subscriber, hash of the key or seq → parked row
	spaceTimer      = 0x15 // subscriber, 0, due, id → timer row; subscriber, 1, name → where that one is
	spaceSnapshot   = 0x16 // stream hash, version → snapshot of the stream
	spaceStream     = 0x17 // stream hash → stream row
	spaceUndo       = 0x18 // owner, head, number → before-images
	spaceGeneration = 0x19 // subscriber, number → generation row
	spaceModule     = 0x1a // digest, number of the piece → a piece of the module
	spaceControl    = 0x1b // subscriber → control row
	spaceLetterMore = 0x1c // subscriber, seq → what else is known of a dead letter
	spaceVersion    = 0x1d // subscriber → state version row, and rows of the version that is being built
	spaceIndexV1    = 0x40 // format 1: stream hash, first version → where these versions lie
	spaceIndex      = 0x41 // stream hash, first version → postings
	spaceChunk      = 0x80 // first seq → chunk
)

// subscriberSpaces are those in which a subscriber has rows of its own behind its name, and
// which it leaves empty when it is dropped. Its cursors have names of their own, and the
// control row stays.
var subscriberSpaces = []byte{spaceState, spaceDeadLetter, spaceParked, spaceTimer, spaceGeneration, spaceLetterMore, spaceVersion}

const maxTopicBytes = 255

// streamHash identifies a stream in the index. 128 bits of SHA-256: collisions can be
// ignored even for keys chosen by an attacker, which a faster hash would not promise.
type streamHash [16]byte

func hashStream(key string) streamHash {
	sum := sha256.Sum256([]byte(key))
	return streamHash(sum[:16])
}

func chunkKey(dst []byte, first abi.Seq) []byte {
	return binary.BigEndian.AppendUint64(append(dst, spaceChunk), uint64(first))
}

func chunkKeySeq(key []byte) abi.Seq { return abi.Seq(binary.BigEndian.Uint64(key[1:])) }

// filterHash is the part of the hash that goes into a filter.
func (h streamHash) filterHash() uint64 { return binary.LittleEndian.Uint64(h[:]) }

func streamKey(dst []byte, space byte, h streamHash) []byte {
	return append(append(dst, space), h[:]...)
}

// named starts a key of one subscriber's rows. The length byte keeps "a"+"bc" and "ab"+"c" apart.
func named(dst []byte, space byte, subscriber string) []byte {
	dst = append(dst, space, byte(len(subscriber)))
	return append(dst, subscriber...)
}

func cursorKey(dst []byte, subscriber string) []byte { return named(dst, spaceCursor, subscriber) }

func statePrefix(dst []byte, subscriber string, version uint32) []byte {
	return binary.BigEndian.AppendUint32(named(dst, spaceState, subscriber), version)
}

func deadLetterKey(dst []byte, subscriber string, seq abi.Seq) []byte {
	return binary.BigEndian.AppendUint64(named(dst, spaceDeadLetter, subscriber), uint64(seq))
}

// startKey is that of the row that says where the head was when a subscriber was attached.
func startKey(subscriber string) []byte {
	return append([]byte{spaceMeta}, "start/"+subscriber...)
}

// timerKey is that of the timer that is due at a time and whose event will have that id.
func timerKey(dst []byte, subscriber string, due int64, id string) []byte {
	return append(binary.BigEndian.AppendUint64(append(named(dst, spaceTimer, subscriber), 0), uint64(due)), id...)
}

// timerNameKey leads from the name of a timer to its key.
func timerNameKey(dst []byte, subscriber, name string) []byte {
	return append(append(named(dst, spaceTimer, subscriber), 1), name...)
}

// splitTimerKey takes the key of a timer apart; ok is false for that of a name.
func splitTimerKey(key []byte) (subscriber string, due int64, id string, ok bool) {
	n := 2 + int(key[1])
	if len(key) < n+9 || key[n] != 0 {
		return "", 0, "", false
	}
	return string(key[2:n]), int64(binary.BigEndian.Uint64(key[n+1:])), string(key[n+9:]), true
}
func letterMoreKey(dst []byte, subscriber string, seq abi.Seq) []byte {
	return binary.BigEndian.AppendUint64(named(dst, spaceLetterMore, subscriber), uint64(seq))
}

func controlKey(dst []byte, subscriber string) []byte { return named(dst, spaceControl, subscriber) }

// versionKey is that of the row which says what state version a subscriber has.
func versionKey(subscriber string) []byte { return named(nil, spaceVersion, subscriber) }

// buildKey is that of the row which says how far the building of another version is.
func buildKey(subscriber string) []byte { return append(versionKey(subscriber), 0) }

// builtLetterKey is that of an event which the version being built gave up.
func builtLetterKey(subscriber string, seq abi.Seq) []byte {
	return binary.BigEndian.AppendUint64(append(versionKey(subscriber), 1), uint64(seq))
}

// successor returns the first key after all those that begin with prefix, nil if there is none.
func successor(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
