package harness

import "hash/maphash"

// Digest is a running checksum of a result, the same whichever side makes it, within one
// process. It is sensitive to order. Bytes costs some 10 ns for 256 bytes, which is much
// beside a fast replay: give all bytes in [Case.Check], and in what is timed [Digest.Number]
// of something that had to be read.
type Digest uint64

// fnvOffset and fnvPrime are those of 64-bit FNV-1a.
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

var seed = maphash.MakeSeed()

// NewDigest begins one.
func NewDigest() Digest { return fnvOffset }

// Number adds a number, such as a seq.
func (d Digest) Number(n uint64) Digest { return (d ^ Digest(n)) * fnvPrime }

// Bytes adds bytes.
func (d Digest) Bytes(b []byte) Digest { return d.Number(maphash.Bytes(seed, b)) }
