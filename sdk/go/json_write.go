package avx

import (
	"math"
	"strconv"
)

// JSONWriter writes a text as a stream and puts the commas itself. The zero value is ready;
// [JSONWriter.Reset] begins again with the same memory.
//
//	var w avx.JSONWriter
//	w.Object().Key("order").String(id).Key("units").Int(7).End()
//	avx.Emit("orders.counted", ev.Key, w.Bytes())
//
// It does not check that keys and values take turns, and that what was begun ended.
type JSONWriter struct {
	b     []byte
	lists uint64 // which open levels are lists
	begun uint64 // which have an item
	depth int
	bare  bool // behind a key: no comma
}

// Bytes returns what was written, which is valid until more is.
func (w *JSONWriter) Bytes() []byte { return w.b }

// Reset begins again, with the same memory.
func (w *JSONWriter) Reset() *JSONWriter {
	*w = JSONWriter{b: w.b[:0]}
	return w
}

func (w *JSONWriter) comma() {
	bit := uint64(1) << w.depth
	if !w.bare && w.depth > 0 && w.begun&bit != 0 {
		w.b = append(w.b, ',')
	}
	w.begun |= bit
	w.bare = false
}

// open begins a level. Beyond the depth that the readers take, nothing is written, so that the
// text is malformed.
func (w *JSONWriter) open(c byte, list uint64) *JSONWriter {
	if w.depth == maxDepth {
		return w
	}
	w.comma()
	w.b = append(w.b, c)
	w.depth++
	bit := uint64(1) << w.depth
	w.begun &^= bit
	w.lists = w.lists&^bit | list<<w.depth
	return w
}

// Object begins an object.
func (w *JSONWriter) Object() *JSONWriter { return w.open('{', 0) }

// List begins a list.
func (w *JSONWriter) List() *JSONWriter { return w.open('[', 1) }

// End ends the innermost object or list.
func (w *JSONWriter) End() *JSONWriter {
	c := byte('}')
	if w.lists>>w.depth&1 == 1 {
		c = ']'
	}
	w.b = append(w.b, c)
	w.depth = max(w.depth-1, 0)
	return w
}

// Key writes a key; its value comes next.
func (w *JSONWriter) Key(name string) *JSONWriter {
	w.String(name)
	w.b = append(w.b, ':')
	w.bare = true
	return w
}

// String writes a string.
func (w *JSONWriter) String(s string) *JSONWriter {
	w.comma()
	w.b = AppendJSONString(w.b, s)
	return w
}

// Int writes an integer.
func (w *JSONWriter) Int(n int64) *JSONWriter {
	w.comma()
	w.b = strconv.AppendInt(w.b, n, 10)
	return w
}

// Decimal writes n / 10^places: Decimal(1250, 2) is 12.50.
func (w *JSONWriter) Decimal(n int64, places int) *JSONWriter {
	w.comma()
	if places == 0 {
		w.b = strconv.AppendInt(w.b, n, 10)
		return w
	}
	u, unit := uint64(n), uint64(math.Pow10(places))
	if n < 0 {
		u = -u
		w.b = append(w.b, '-')
	}
	w.b = append(strconv.AppendUint(w.b, u/unit, 10), '.')
	for ; places > 0; places-- {
		u %= unit
		unit /= 10
		w.b = append(w.b, byte('0'+u/unit))
	}
	return w
}

// Float writes a number of floating point; what JSON has no word for becomes null.
func (w *JSONWriter) Float(f float64) *JSONWriter {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return w.Null()
	}
	w.comma()
	w.b = strconv.AppendFloat(w.b, f, 'g', -1, 64)
	return w
}

// Bool writes true or false.
func (w *JSONWriter) Bool(v bool) *JSONWriter {
	w.comma()
	w.b = strconv.AppendBool(w.b, v)
	return w
}

// Null writes null.
func (w *JSONWriter) Null() *JSONWriter {
	w.comma()
	w.b = append(w.b, "null"...)
	return w
}

// Raw writes what is JSON already.
func (w *JSONWriter) Raw(json []byte) *JSONWriter {
	w.comma()
	w.b = append(w.b, json...)
	return w
}

// AppendJSONString appends s as a JSON string with quotes.
func AppendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
