package wasmbin

import "fmt"

// maxHeld is how many functions may have references taken to them in code. Each costs every
// instance a global; compilers use tables, and no ref.func at all.
const maxHeld = 10_000

// held are the functions that code takes references to. For each ref.func that runs, the
// engine makes an object that it keeps as long as the instance: a guest could make the
// host hold some 250 MB for each event. So a global takes the reference once, and ref.func becomes a
// read of that global.
type held struct {
	first   uint32            // index of the first such global
	globals map[uint32]uint32 // by function
	order   []uint32          // functions, as their globals stand
}

// global returns the index of the global that holds a reference to f.
func (h *held) global(f uint32) uint32 {
	g, ok := h.globals[f]
	if !ok {
		g = h.first + uint32(len(h.order))
		h.globals[f] = g
		h.order = append(h.order, f)
	}
	return g
}

// entries appends the globals; shifted gives functions their new indices.
func (h *held) entries(out []byte, m *module) []byte {
	for _, f := range h.order {
		out = append(out, typeFuncref, 0, byte(opRefFunc))
		out = append(appendU(out, uint64(m.shifted(f))), byte(opEnd))
	}
	return out
}

func (h *held) check(at int) error {
	if len(h.order) <= maxHeld {
		return nil
	}
	return &Error{sectionNames[secCode], at, fmt.Sprintf("references are taken to more than %d functions (ref.func)", maxHeld), "call functions directly, or put them into a table"}
}
