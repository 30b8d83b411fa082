package wasmbin

import (
	"fmt"
	"unicode/utf8"
)

// reader walks over bytes; the first error sticks and makes every further read return zero.
type reader struct {
	b       []byte
	at, end int
	section string
	err     error
}

func (r *reader) fail(at int, reason, remedy string) {
	if r.err == nil {
		r.err = &Error{r.section, at, reason, remedy}
	}
}

const rebuild = "the file is cut or damaged; build it again"

func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	if r.at >= r.end {
		r.fail(r.at, "it ends in the middle of something", rebuild)
		return 0
	}
	c := r.b[r.at]
	r.at++
	return c
}

// u32 reads an unsigned LEB128 number of at most five bytes.
func (r *reader) u32() uint32 {
	if r.err == nil && r.at < r.end && r.b[r.at] < 0x80 { // most numbers are one byte
		r.at++
		return uint32(r.b[r.at-1])
	}
	start := r.at
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > 1<<32-1 {
				break
			}
			return uint32(v)
		}
	}
	r.fail(start, "a number with more than 32 bits", rebuild)
	return 0
}

// s33 reads a signed LEB128 number of at most 33 bits, as block types use.
func (r *reader) s33() int64 { return r.signed(5, 33) }

// signed reads a signed LEB128 number of at most size bytes and width bits.
func (r *reader) signed(size, width uint) int64 {
	if r.err == nil && r.at < r.end && r.b[r.at] < 0x80 {
		r.at++
		return int64(int8(r.b[r.at-1]<<1) >> 1)
	}
	start := r.at
	var v int64
	for n := uint(0); n < size; n++ {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		v |= int64(c&0x7f) << (7 * n)
		if c&0x80 != 0 {
			continue
		}
		if unused := 64 - 7*(n+1); 7*(n+1) < 64 {
			v = v << unused >> unused
		}
		if width < 64 && (v < -1<<(width-1) || v >= 1<<(width-1)) || width == 64 && n == 9 && c != 0 && c != 0x7f {
			break
		}
		return v
	}
	r.fail(start, fmt.Sprintf("a number with more than %d bits", width), rebuild)
	return 0
}

// skip steps over n bytes.
func (r *reader) skip(n int) {
	if r.err == nil && n > r.end-r.at {
		r.fail(r.at, "it ends in the middle of something", rebuild)
		return
	}
	r.at += n
}

// count reads the length of a vector. Every element takes at least one byte, so a count
// above the bytes that are left is a lie, and the one check that stops the bombs.
func (r *reader) count() int {
	start := r.at
	n := r.u32()
	if uint64(n) > uint64(r.end-r.at) {
		r.fail(start, fmt.Sprintf("it claims %d elements in %d bytes", n, r.end-r.at), rebuild)
		return 0
	}
	return int(n)
}

func (r *reader) vector(element func()) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		element()
	}
}

func (r *reader) name() string {
	start := r.at
	n := r.count()
	if r.err != nil {
		return ""
	}
	if n > maxNameBytes || !utf8.Valid(r.b[r.at:r.at+n]) {
		r.fail(start, "a name that is too long or not UTF-8", rebuild)
		return ""
	}
	s := string(r.b[r.at : r.at+n])
	r.at += n
	return s
}
