package avx

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// ErrJSON says that a text is not JSON, or not what was asked for.
var ErrJSON = errors.New("malformed JSON, or a value of the wrong kind")

// JSON reads a text as a stream: front to back, without reflection, recursion or
// allocation. It is strict. The first error sticks: everything after answers zero, and
// [JSON.End] returns it.
//
//	j := avx.ReadJSON(ev.Data)
//	for j.Object(); j.Key(); {
//		switch {
//		case j.Is("qty"):
//			qty = j.Int()
//		default:
//			j.Skip()
//		}
//	}
//	if err := j.End(); err != nil { … }
type JSON struct {
	text  []byte
	at    int
	first uint64 // per level: no item was read yet
	depth int
	key   String
	err   error
}

// String is a JSON string as it stands in the text, between its quotes.
type String struct {
	Raw     []byte
	escaped bool
}

const maxDepth = 63

// ReadJSON returns a reader over text.
func ReadJSON(text []byte) JSON { return JSON{text: text} }

func (j *JSON) fail() { j.err, j.at = ErrJSON, len(j.text) }

// Err returns the first error.
func (j *JSON) Err() error { return j.err }

// End returns the first error, or ErrJSON if anything but white space is left.
func (j *JSON) End() error {
	if j.peek() != 0 || j.depth != 0 || j.at != len(j.text) {
		j.fail()
	}
	return j.err
}

// peek returns the next byte behind white space, 0 at the end.
func (j *JSON) peek() byte {
	for j.at < len(j.text) {
		switch c := j.text[j.at]; c {
		case ' ', '\n', '\t', '\r':
			j.at++
		default:
			return c
		}
	}
	return 0
}

func (j *JSON) take(c byte) bool {
	if j.err != nil || j.peek() != c {
		j.fail()
		return false
	}
	j.at++
	return true
}

// open takes a bracket. Here and below, what compact JSON looks like is tried first, in one
// go and without calls, which are what costs in a Go guest; anything else, and every error,
// goes the plain way from where it was.
func (j *JSON) open(c byte) {
	if j.at < len(j.text) && j.text[j.at] == c && j.depth < maxDepth {
		j.at++
	} else if j.depth == maxDepth || !j.take(c) {
		j.fail()
		return
	}
	j.depth++
	j.first |= 1 << j.depth
}

// Object enters an object.
func (j *JSON) Object() { j.open('{') }

// List enters a list.
func (j *JSON) List() { j.open('[') }

func (j *JSON) more(end byte) bool {
	if j.err != nil {
		return false
	}
	if j.peek() == end {
		j.at++
		j.depth--
		return false
	}
	bit := uint64(1) << j.depth
	if j.first&bit == 0 && !j.take(',') {
		return false
	}
	j.first &^= bit
	return true
}

// Item says whether the list has one more item; at its end it takes the bracket.
func (j *JSON) Item() bool {
	if j.at < len(j.text) && j.text[j.at] == ',' && j.first>>j.depth&1 == 0 {
		j.at++
		return true
	}
	return j.more(']')
}

// Key goes to the next key of the object, which Is then compares; at its end it takes the
// bracket and says false.
func (j *JSON) Key() bool {
	text, at := j.text, j.at
	if at < len(text) && text[at] == ',' && j.first>>j.depth&1 == 0 {
		at++
	} else if j.first>>j.depth&1 == 0 {
		at = len(text) // the end of the object, or white space
	}
	if at < len(text) && text[at] == '"' {
		for i := at + 1; i < len(text)-1; i++ {
			c := text[i]
			if c == '"' && text[i+1] == ':' {
				j.first &^= 1 << j.depth
				j.key, j.at = String{Raw: text[at+1 : i]}, i+2
				return true
			}
			if c == '"' || c == '\\' || c < ' ' {
				break
			}
		}
	}
	if !j.more('}') {
		return false
	}
	j.key = j.String()
	return j.take(':')
}

// Is compares the current key.
func (j *JSON) Is(name string) bool {
	if !j.key.escaped {
		return string(j.key.Raw) == name
	}
	return string(j.key.Append(nil)) == name
}

// String reads a string.
func (j *JSON) String() String {
	if j.at < len(j.text) && j.text[j.at] == '"' {
		if end := plain(j.text, j.at+1); end < len(j.text) && j.text[end] == '"' {
			s := String{Raw: j.text[j.at+1 : end]}
			j.at = end + 1
			return s
		}
	}
	if !j.take('"') {
		return String{}
	}
	s := String{}
	for start := j.at; j.at < len(j.text); {
		j.at = plain(j.text, j.at)
		if j.at == len(j.text) {
			break
		}
		c := j.text[j.at]
		j.at++
		switch c {
		case '"':
			s.Raw = j.text[start : j.at-1]
			return s
		case '\\':
			s.escaped = true
			j.escape()
		default:
			j.fail()
		}
	}
	j.fail()
	return String{}
}

// plain finds the first byte from at on that ends a string, begins an escape or is a control
// character, eight at a time; len(b) if there is none.
func plain(b []byte, at int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; at+8 <= len(b); at += 8 {
		x := binary.LittleEndian.Uint64(b[at:])
		quote, slash := x^'"'*each, x^'\\'*each
		if found := ((quote-each)&^quote | (slash-each)&^slash | (x-' '*each)&^x) & high; found != 0 {
			return at + bits.TrailingZeros64(found)>>3
		}
	}
	for ; at < len(b); at++ {
		if c := b[at]; c == '"' || c == '\\' || c < ' ' {
			break
		}
	}
	return at
}

func (j *JSON) escape() {
	if j.at == len(j.text) {
		return
	}
	c := j.text[j.at]
	j.at++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
	case 'u':
		if len(j.text)-j.at < 4 {
			j.fail()
		} else if _, ok := hex4(j.text[j.at:]); !ok {
			j.fail()
		} else {
			j.at += 4
		}
	default:
		j.fail()
	}
}

func hex4(b []byte) (v rune, ok bool) {
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			v = v<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// Append appends what the string means, without escapes. Half a surrogate pair becomes U+FFFD.
func (s String) Append(b []byte) []byte {
	if !s.escaped {
		return append(b, s.Raw...)
	}
	for r := s.Raw; len(r) > 0; {
		c := r[0]
		r = r[1:]
		if c != '\\' {
			b = append(b, c)
			continue
		}
		c = r[0]
		r = r[1:]
		switch c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			u, _ := hex4(r)
			r = r[4:]
			if 0xd800 <= u && u < 0xdc00 && len(r) >= 6 && r[0] == '\\' && r[1] == 'u' {
				if low, ok := hex4(r[2:]); ok && 0xdc00 <= low && low < 0xe000 {
					u, r = 0x10000+(u-0xd800)<<10+(low-0xdc00), r[6:]
				}
			}
			b = utf8.AppendRune(b, u)
		default:
			b = append(b, c)
		}
	}
	return b
}

func (j *JSON) digits() {
	start := j.at
	for j.at < len(j.text) && '0' <= j.text[j.at] && j.text[j.at] <= '9' {
		j.at++
	}
	if j.at == start {
		j.fail()
	}
}

func (j *JSON) next(c byte) bool {
	if j.at < len(j.text) && j.text[j.at] == c {
		j.at++
		return true
	}
	return false
}

// number steps over a number and says whether it is an integer.
func (j *JSON) number() (digits []byte, whole bool) {
	j.peek()
	start := j.at
	j.next('-')
	if !j.next('0') {
		j.digits()
	}
	whole = true
	if j.err == nil && j.next('.') {
		whole = false
		j.digits()
	}
	if j.err == nil && (j.next('e') || j.next('E')) {
		whole = false
		if !j.next('+') {
			j.next('-')
		}
		j.digits()
	}
	return j.text[start:j.at], whole
}

// Int reads an integer; a fraction, or more than 64 bits, is an error.
func (j *JSON) Int() int64 {
	if n, end := j.digit18(); end > j.at {
		j.at = end
		return n
	}
	if j.err != nil {
		return 0
	}
	digits, whole := j.number()
	n, err := strconv.ParseInt(text(digits), 10, 64)
	if !whole || err != nil {
		j.fail()
		return 0
	}
	return n
}

// digit18 reads an integer of at most 18 digits that begins right here; end says how far it
// goes, and j.at if there is none.
func (j *JSON) digit18() (n int64, end int) {
	text, at := j.text, j.at
	minus := at < len(text) && text[at] == '-'
	if minus {
		at++
	}
	start := at
	for ; at < len(text) && text[at]-'0' <= 9; at++ {
		n = n*10 + int64(text[at]-'0')
	}
	if at == start || at == len(text) || at-start > 18 || text[start] == '0' && at-start > 1 {
		return 0, j.at
	}
	if c := text[at]; c == '.' || c|0x20 == 'e' {
		return 0, j.at
	}
	if minus {
		n = -n
	}
	return n, at
}

// Decimal reads a number times 10^places: with 2, 12.5 is 1250. An exponent, digits behind the
// places that are not 0, and more than 64 bits are errors.
func (j *JSON) Decimal(places int) int64 {
	if j.err != nil {
		return 0
	}
	digits, _ := j.number()
	n, ok := decimal(digits, places)
	if !ok {
		j.fail()
	}
	return n
}

func decimal(digits []byte, places int) (n int64, ok bool) {
	minus := len(digits) > 0 && digits[0] == '-'
	if minus {
		digits = digits[1:]
	}
	var u uint64
	left := -1 // places still to come, -1 before the point
	for _, c := range digits {
		d := uint64(c - '0')
		switch {
		case c == '.' && left < 0:
			left = places
			continue
		case d > 9 || left == 0 && d != 0 || u > (math.MaxUint64-d)/10:
			return 0, false
		case left == 0:
			continue
		case left > 0:
			left--
		}
		u = u*10 + d
	}
	if left < 0 {
		left = places
	}
	for ; left > 0; left-- {
		if u > math.MaxUint64/10 {
			return 0, false
		}
		u *= 10
	}
	if minus {
		return int64(-u), u <= 1<<63
	}
	return int64(u), u <= math.MaxInt64
}

// Float reads any number, as near as 64 bits of floating point come.
func (j *JSON) Float() float64 {
	if j.err != nil {
		return 0
	}
	digits, _ := j.number()
	f, err := strconv.ParseFloat(text(digits), 64)
	if err != nil {
		j.fail()
		return 0
	}
	return f
}

// Bool reads true or false.
func (j *JSON) Bool() bool {
	if j.err == nil && j.peek() == 't' {
		j.word("true")
		return j.err == nil
	}
	j.word("false")
	return false
}

func (j *JSON) word(w string) {
	if len(j.text)-j.at < len(w) || string(j.text[j.at:j.at+len(w)]) != w {
		j.fail()
		return
	}
	j.at += len(w)
}

// Null takes a null if it is next.
func (j *JSON) Null() bool {
	if j.err != nil || j.peek() != 'n' {
		return false
	}
	j.word("null")
	return j.err == nil
}

// Skip steps over any value and returns its text.
func (j *JSON) Skip() []byte {
	if j.at < len(j.text) && j.text[j.at] == '"' {
		if end := plain(j.text, j.at+1); end < len(j.text) && j.text[end] == '"' {
			start := j.at
			j.at = end + 1
			return j.text[start:j.at]
		}
	}
	j.peek()
	start, base := j.at, j.depth
	var objects uint64
	for j.err == nil {
		switch j.peek() {
		case '{':
			j.Object()
			objects |= 1 << j.depth
		case '[':
			j.List()
			objects &^= 1 << j.depth
		case '"':
			j.String()
		case 't':
			j.word("true")
		case 'f':
			j.word("false")
		case 'n':
			j.word("null")
		default:
			j.number()
		}
		for j.err == nil {
			if j.depth == base {
				return j.text[start:j.at]
			}
			if objects>>j.depth&1 == 1 {
				if j.more('}') {
					j.String()
					j.take(':')
					break
				}
			} else if j.Item() {
				break
			}
		}
	}
	return nil
}
