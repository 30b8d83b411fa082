package hostile

// module puts a small module together. Function indices: the imports first, in the order
// of the list, then the bodies in the order in which they were added.
type module struct {
	imports []string // module.name, of hostTypes
	types   [][2]string
	bodies  []body
	exports map[string]int // to functions
	pages   int
	table   []int // functions in the table; nil: no table
	start   int   // function index, -1 for none
	passive []byte
	globals int                  // mutable i64
	also    map[string][2]string // types of imports that are not in hostTypes
}

type body struct {
	typ    int
	locals []byte // one group: count (LEB) and type, repeated; nil for none
	groups int
	code   []byte
}

// hostTypes are the signatures of what the guests import: parameters and results.
var hostTypes = map[string][2]string{
	"avx1.next": {"ii", "i"}, "avx1.emit": {"ii", "i"}, "avx1.log": {"iii", ""}, "avx1.kv_set": {"iiii", "i"},
	"avx1.kv_get": {"iiii", "i"}, "avx1.kv_scan": {"iiiiii", "i"}, "avx1.rand": {"ii", ""}, "avx1.reply": {"ii", "i"},
	"avx1.fail": {"iii", ""}, "avx1.conf": {"iiii", "i"},
	"wasi_snapshot_preview1.proc_exit": {"i", ""}, "wasi_snapshot_preview1.fd_write": {"iiii", "i"},
	"wasi_snapshot_preview1.random_get": {"ii", "i"}, "wasi_snapshot_preview1.poll_oneoff": {"iiii", "i"},
	"wasi_snapshot_preview1.clock_time_get": {"ili", "i"}, "env.abort": {"iiii", ""},
}

var valueTypes = map[rune]byte{'i': 0x7f, 'l': 0x7e, 'f': 0x7d, 'd': 0x7c, 'v': 0x7b}

func u(n int) []byte {
	var b []byte
	for v := uint64(n); ; v >>= 7 {
		if v < 0x80 {
			return append(b, byte(v))
		}
		b = append(b, byte(v)|0x80)
	}
}

func s(n int64) []byte {
	var b []byte
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// code joins instructions: bytes, slices of them, and numbers for u.
func code(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

func i32(n int) []byte        { return append([]byte{0x41}, s(int64(int32(n)))...) }
func get(l int) []byte        { return append([]byte{0x20}, u(l)...) }
func set(l int) []byte        { return append([]byte{0x21}, u(l)...) }
func call(f int) []byte       { return append([]byte{0x10}, u(f)...) }
func loop(c ...any) []byte    { return code(0x03, 0x40, code(c...), 0x0b) }
func block(c ...any) []byte   { return code(0x02, 0x40, code(c...), 0x0b) }
func br(l int) []byte         { return append([]byte{0x0c}, u(l)...) }
func forever(c ...any) []byte { return loop(code(c...), br(0)) }
func repeat(n int, c []byte) []byte {
	var b []byte
	for range n {
		b = append(b, c...)
	}
	return b
}

const drop = 0x1a

// times runs c n times, with a local to count.
func times(local, n int, c ...any) []byte {
	return code(i32(n), set(local), loop(code(c...), get(local), i32(1), 0x6b, 0x22, u(local), 0x0d, 0x00))
}

func (m *module) typeOf(params, results string) int {
	for i, t := range m.types {
		if t == [2]string{params, results} {
			return i
		}
	}
	m.types = append(m.types, [2]string{params, results})
	return len(m.types) - 1
}

// add appends a function and returns its index.
func (m *module) add(params, results string, locals string, code []byte) int {
	b := body{typ: m.typeOf(params, results), code: code}
	for _, l := range locals {
		b.locals = append(b.locals, 1, valueTypes[l])
		b.groups++
	}
	m.bodies = append(m.bodies, b)
	return len(m.imports) + len(m.bodies) - 1
}

// manyLocals gives the last function n more locals of a type.
func (m *module) manyLocals(n int, typ rune) {
	b := &m.bodies[len(m.bodies)-1]
	b.locals = append(append(b.locals, u(n)...), valueTypes[typ])
	b.groups++
}

func section(out []byte, id byte, count int, content []byte) []byte {
	if count == 0 {
		return out
	}
	content = append(u(count), content...)
	return append(append(append(out, id), u(len(content))...), content...)
}

func name(n string) []byte { return append(u(len(n)), n...) }

func types(letters string) []byte {
	b := u(len(letters))
	for _, l := range letters {
		b = append(b, valueTypes[l])
	}
	return b
}

// bytes writes the module.
func (m *module) bytes() []byte {
	var imports []byte
	for _, i := range m.imports {
		t, ok := hostTypes[i]
		if !ok {
			t = m.also[i]
		}
		var module, field string
		for k := range i {
			if i[k] == '.' {
				module, field = i[:k], i[k+1:]
			}
		}
		imports = code(imports, name(module), name(field), 0, u(m.typeOf(t[0], t[1])))
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	var content []byte
	for _, t := range m.types {
		content = code(content, 0x60, types(t[0]), types(t[1]))
	}
	out = section(out, 1, len(m.types), content)
	out = section(out, 2, len(m.imports), imports)
	content = nil
	for _, b := range m.bodies {
		content = append(content, u(b.typ)...)
	}
	out = section(out, 3, len(m.bodies), content)
	if m.table != nil {
		out = section(out, 4, 1, code(0x70, 0, u(len(m.table))))
	}
	out = section(out, 5, 1, code(0, u(m.pages)))
	out = section(out, 6, m.globals, repeat(m.globals, []byte{0x7e, 1, 0x42, 0, 0x0b}))
	content = code(name("memory"), 2, 0)
	for _, e := range []string{"avx_abi_1", "avx_run", "avx_init", "_initialize"} {
		if f, ok := m.exports[e]; ok {
			content = code(content, name(e), 0, u(f))
		}
	}
	out = section(out, 7, 1+len(m.exports), content)
	if m.start >= 0 {
		out = code(out, 8, u(len(u(m.start))), u(m.start))
	}
	if m.table != nil {
		content = code(0, i32(0), 0x0b, u(len(m.table)))
		for _, f := range m.table {
			content = append(content, u(f)...)
		}
		out = section(out, 9, 1, content)
	}
	if m.passive != nil {
		out = code(out, 12, 1, 1)
	}
	content = nil
	for _, b := range m.bodies {
		inner := code(u(b.groups), b.locals, b.code, 0x0b)
		content = code(content, u(len(inner)), inner)
	}
	out = section(out, 10, len(m.bodies), content)
	if m.passive != nil {
		out = section(out, 11, 1, code(1, u(len(m.passive)), m.passive))
	}
	return out
}
