package hostile

import (
	"encoding/binary"
	"math/rand/v2"
)

// Bomb is a file that asks for more than it should get.
type Bomb struct {
	Name string
	Wasm []byte
}

const header = "\x00asm\x01\x00\x00\x00"

// Bombs returns files that make engines allocate without bound, or compile for minutes. The
// last ones are valid guests: nothing but the time that they take is wrong with them.
func Bombs() []Bomb {
	huge := "\xff\xff\xff\xff\x0f"
	var all []Bomb
	for id, what := range map[byte]string{1: "types", 2: "imports", 3: "functions", 4: "tables", 6: "globals", 7: "exports", 9: "elements", 10: "code", 11: "data"} {
		all = append(all, Bomb{"count-" + what, []byte(header + string(id) + "\x05" + huge)})
	}
	all = append(all,
		Bomb{"section-size", []byte(header + "\x01" + huge)},
		Bomb{"name-size", []byte(header + "\x00\x05" + huge)},
		Bomb{"locals", []byte(header + "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x0a\x01\x08\x01" + huge + "\x7f\x0b")},
		Bomb{"table-minimum", []byte(header + "\x04\x07\x01\x70\x00\x80\x80\x80\x40")},
		Bomb{"memory-minimum", []byte(header + "\x05\x05\x01\x00\x80\x80\x04")},
		Bomb{"empty-types", []byte(header + "\x01" + string(u(60_004)) + string(u(30_000)) + string(repeat(20_000, []byte{0x60, 0, 0})))},
		Bomb{"nested", plain(repeatNested(20_000))},
		Bomb{"compile-locals", liveLocals(4000)},
		Bomb{"compile-fewer-locals", liveLocals(1600)},
		Bomb{"compile-large", plain(repeat(400_000, code(get(0), i32(3), 0x6a, set(0))))},
		Bomb{"compile-switch", plain(code(bigSwitch(20_000)))},
	)
	return all
}

func repeatNested(n int) []byte {
	return code(repeat(n, []byte{0x02, 0x40}), repeat(n, []byte{0x0b}))
}

// liveLocals keeps all locals alive across branches, which register allocators dislike.
func liveLocals(n int) []byte {
	return guest(func(m *module) []byte {
		f := len(imports)
		var c []byte
		for k := range n {
			c = code(c, get(k), i32(1), 0x6a, set((k+1)%n), get(k), 0x04, 0x40, get((k*7)%n), set((k*13)%n), 0x0b)
		}
		for k := range n {
			c = code(c, get(k), get((k+1)%n), 0x6a, set(k))
		}
		m.add("i", "", "", loop(c, get(0), 0x0d, 0))
		m.manyLocals(n, 'i')
		return code(i32(1), call(f))
	})
}

func bigSwitch(n int) []byte {
	var labels []byte
	for k := range n {
		labels = append(labels, u(k%900)...)
	}
	inner := code(get(0), 0x0e, u(n), labels, 0)
	for range 900 {
		inner = code(block(inner), get(0), i32(1), 0x6a, set(0))
	}
	return inner
}

// File damages one of the seeds: cuts, flips, numbers at their edges, sections moved about.
func File(r *rand.Rand, seeds [][]byte) []byte {
	wasm := append([]byte(nil), seeds[r.IntN(len(seeds))]...)
	for range 1 + r.IntN(4)/3 {
		if len(wasm) == 0 {
			return wasm
		}
		at := len(wasm) - 1 - r.IntN(r.IntN(len(wasm))+1) // most of a guest is behind its imports
		switch r.IntN(7) {
		case 0:
			wasm = wasm[:at]
		case 1:
			wasm[at] ^= 1 << r.IntN(8)
		case 2:
			wasm[at] = byte(r.IntN(256))
		case 3: // a number near an edge in the place of another
			edge := uint64(1)<<r.IntN(33) + uint64(r.IntN(3)) - 1
			var b [binary.MaxVarintLen64]byte
			wasm = append(append(append([]byte(nil), wasm[:at]...), b[:binary.PutUvarint(b[:], edge)]...), wasm[at+1:]...)
		case 4: // a piece twice
			end := min(len(wasm), at+1+r.IntN(40))
			wasm = append(append(append([]byte(nil), wasm[:end]...), wasm[at:end]...), wasm[end:]...)
		case 5: // a piece gone
			end := min(len(wasm), at+1+r.IntN(8))
			wasm = append(append([]byte(nil), wasm[:at]...), wasm[end:]...)
		default: // a piece of another file
			other := seeds[r.IntN(len(seeds))]
			from := r.IntN(len(other))
			wasm = append(append(append([]byte(nil), wasm[:at]...), other[from:min(len(other), from+r.IntN(60))]...), wasm[at:]...)
		}
	}
	return wasm
}
