package wasmbin

import "fmt"

// summary is what one look at a function tells: enough to decide where fuel is tested and
// depth is counted.
type summary struct {
	cost    int // of all its instructions, each counted once
	count   int // instructions
	slots   int // locals and operand stack, a vector as two
	edges   int // ways between pieces of straight code, about
	loops   bool
	floats  bool     // it makes floats
	bulk    bool     // it has operations whose cost depends on a length
	calls   []uint32 // direct, with repetitions
	through []uint32 // types called through a table
}

// feature bits, in the order of featureNames.
const (
	featBulk = 1 << iota
	featMulti
	featRefs
	featSaturate
	featSign
	featSIMD
)

var featureNames = [...]string{"bulk-memory", "multi-value", "reference-types", "saturating-float-to-int", "sign-extension", "simd"}

// survey steps through every body and sums it up. The error is an [*Error].
func survey(m *module) ([]summary, error) {
	sums := make([]summary, len(m.functions))
	w := &walker{m: m}
	features := 0
	var calls []uint32
	for i := range m.functions {
		s := &sums[i]
		w.enter(&m.functions[i])
		first := len(calls)
		for w.next() {
			features |= featureOf(&w.ins)
			calls = s.note(m, &w.ins, calls)
			w.apply()
		}
		if w.err != nil {
			return nil, w.err
		}
		s.calls = calls[first:len(calls):len(calls)]
		s.count = w.count
		s.slots = w.locals + w.vectors + w.maxHeight
		if w.simd {
			s.slots += w.maxHeight
		}
		if err := s.checkTangle(m.functions[i].code); err != nil {
			return nil, err
		}
	}
	for i := range m.types {
		if len(m.types[i].results) > 1 {
			features |= featMulti
		}
	}
	m.info.Features = nil
	for bit, name := range featureNames {
		if features&(1<<bit) != 0 {
			m.info.Features = append(m.info.Features, name)
		}
	}
	return sums, nil
}

// note adds one instruction.
func (s *summary) note(m *module, i *instruction, calls []uint32) []uint32 {
	s.cost += int(ops[i.op].cost)
	s.floats = s.floats || ops[i.op].float >= float32Make
	if i.op >= opBlock && i.op <= opBrTable {
		s.edges++
	}
	if i.op == opBrTable {
		s.edges += len(i.labels)
	}
	switch i.op {
	case opLoop:
		s.loops = true
	case opCall:
		calls = append(calls, i.a)
	case opCallIndirect:
		s.through = append(s.through, i.a)
	case opRefFunc:
		if int(i.a) < len(m.taken) {
			m.taken[i.a] = true
		}
	case opMemoryGrow, opMemoryCopy, opMemoryFill, opMemoryInit, opTableInit, opTableCopy, opTableGrow, opTableFill:
		s.bulk = true
		m.info.TablesGrow = m.info.TablesGrow || i.op == opTableGrow
	}
	return calls
}

// maxTangle bounds the work of a compiler on one function: it looks at every value on every way
// between pieces of code. The engine's takes 0.3 to 0.5 µs for each of these. Ordinary functions have
// up to 60,000; the main loops of large interpreters, 3 million.
const maxTangle = 6_000_000

// checkTangle refuses a function that would be compiled for seconds. at is where it stands.
func (s *summary) checkTangle(at int) error {
	if int64(s.edges)*int64(s.slots) <= maxTangle {
		return nil
	}
	return &Error{sectionNames[secCode], at, fmt.Sprintf("a function has %d branches over %d variables: it would be compiled for seconds", s.edges, s.slots),
		"split the function or build with optimisation"}
}

func featureOf(i *instruction) int {
	switch {
	case i.op >= baseSIMD:
		return featSIMD
	case i.op >= opTableInit || i.op == 0x25 || i.op == 0x26 || i.op >= opRefNull && i.op <= opRefFunc || i.op == 0x1c:
		return featRefs
	case i.op >= opMemoryInit:
		return featBulk
	case i.op >= baseMisc:
		return featSaturate
	case i.op >= 0xc0 && i.op <= 0xc4:
		return featSign
	case i.op <= opIf && i.block.params+max(i.block.results-1, 0) > 0 && ops[i.op].imm == immBlock:
		return featMulti
	}
	return 0
}

// frameUnits says how much of the call depth a frame takes: 1 for the frame, 1 for each 64
// values that it may hold, and 1 for each 512 instructions, because the compiler gives
// every value that it spills a slot of its own (8 bytes; 16 for a vector) and never uses a
// slot twice. So a unit is at most some 4.5 KiB of stack and usually a tenth of that.
func (s *summary) frameUnits() int {
	return min(1+s.slots/64+s.count/512, maxDepth)
}

// maxDepth is how deep calls may nest, in units: below the interpreter's 2,000 frames.
const maxDepth = 1_900
