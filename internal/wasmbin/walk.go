package wasmbin

import "fmt"

// maxNesting bounds blocks in blocks: engines compile them by recursion or worse.
const maxNesting = 1_000

// instruction is one instruction of a body, with its immediates where somebody needs them.
type instruction struct {
	op      opcode
	at, end int // its bytes in the file
	a, b    uint32
	block   blockType
	labels  []uint32 // of br_table, the default last; valid until the next instruction
}

// blockType is what a block takes from the stack and leaves there.
type blockType struct{ params, results int }

// frame is an open block. The frame of the function itself is the outermost.
type frame struct {
	op       opcode // block, loop, if, else; opEnd for the function
	start    int    // height of the stack below its parameters
	block    blockType
	dead     bool // the code behind a jump, until the end of the block
	targeted bool // some branch goes to its label
	tabled   bool // some br_table does
	reach    int  // the outermost frame that a branch inside goes to

	// The planner's: which segment was charged at the entry, and how much fuel may have
	// passed since the last test, at the entry and at the label.
	segment   int
	run, most int
}

// walker steps through one body, keeps the height of the operand stack, and refuses what
// would make that height meaningless. Types are left to the engine.
type walker struct {
	reader
	m         *module
	frames    []frame
	height    int
	maxHeight int
	count     int  // instructions so far
	locals    int  // with parameters
	vectors   int  // locals of type v128
	simd      bool // vector instructions were seen
	ins       instruction
}

// enter begins the body of defined function f: it reads the locals and stands at the
// first instruction.
func (w *walker) enter(f *function) {
	w.reader = reader{b: w.m.bytes, at: f.code, end: f.end, section: sectionNames[secCode]}
	w.frames, w.height, w.maxHeight, w.count, w.vectors, w.simd = w.frames[:0], 0, 0, 0, 0, false
	sig := &w.m.types[f.typ]
	w.locals = len(sig.params)
	w.vectors = countVectors(sig.params)
	w.vector(func() {
		n := int(w.u32())
		at := w.at
		t := w.byte()
		if w.err == nil && valueTypeNames[t] == "" {
			w.fail(at, fmt.Sprintf("a local of unknown type %#x", t), plainBuild)
		}
		if t == typeV128 {
			w.vectors += n
		}
		w.locals += n
	})
	w.push(frame{op: opEnd, block: blockType{0, len(sig.results)}})
}

func countVectors(types []byte) int {
	n := 0
	for _, t := range types {
		if t == typeV128 {
			n++
		}
	}
	return n
}

func (w *walker) push(f frame) {
	if len(w.frames) > maxNesting {
		w.fail(w.ins.at, fmt.Sprintf("blocks are nested more than %d deep", maxNesting), "split the function or build with optimisation")
		return
	}
	f.reach = len(w.frames)
	w.frames = append(w.frames, f)
}

func (w *walker) top() *frame { return &w.frames[len(w.frames)-1] }

// next decodes one instruction and says whether there is one. It does not apply it.
func (w *walker) next() bool {
	if w.err != nil || len(w.frames) == 0 {
		if w.err == nil && w.at != w.end {
			w.fail(w.at, "a function goes on behind its end", rebuild)
		}
		return false
	}
	i := &w.ins
	i.at = w.at
	i.op = w.opcode()
	w.immediates(i)
	i.end = w.at
	w.count++
	return w.err == nil
}

// opcode reads an opcode. The engine reads one byte behind 0xfd and takes the continuation
// byte that its larger numbers have for a nop, so only the shortest form is safe.
func (w *walker) opcode() opcode {
	c := w.byte()
	base := opcode(0)
	switch c {
	case prefixMisc:
		base = baseMisc
	case prefixSIMD:
		base, w.simd = baseSIMD, true
	default:
		return w.known(opcode(c))
	}
	start := w.at
	n := w.u32()
	size := 1
	if n >= 0x80 {
		size = 2
	}
	if w.err == nil && (n > 0xff || w.at-start != size) {
		w.fail(start, fmt.Sprintf("instruction %#x %d, or a long form of it", c, n), plainBuild)
		return opNop
	}
	return w.known(base + opcode(n))
}

func (w *walker) known(op opcode) opcode {
	if w.err == nil && ops[op].imm == immUnknown {
		what := fmt.Sprintf("unknown instruction %#x", uint16(op))
		if name := experimental(op); name != "" {
			what = fmt.Sprintf("instruction %#x of the experimental %s", uint16(op), name)
		}
		w.fail(w.ins.at, what, plainBuild)
	}
	return op
}

const plainBuild = "build without experimental features: up to version 2 of the specification, with vectors, is allowed"

// experimental names the proposal that an instruction belongs to.
func experimental(op opcode) string {
	switch {
	case op >= 0x06 && op <= 0x0a || op == 0x18 || op == 0x19 || op == 0x1f:
		return "exception handling"
	case op == 0x12 || op == 0x13:
		return "tail calls"
	case op == 0x14 || op == 0x15 || op >= 0xd3 && op <= 0xd6:
		return "typed function references"
	case op == 0xfb:
		return "garbage collection"
	case op == 0xfe:
		return "threads"
	case op > baseMisc+17 && op < baseSIMD:
		return "wide arithmetic or memory control"
	}
	return ""
}

func (w *walker) immediates(i *instruction) {
	switch ops[i.op].imm {
	case immNone, immUnknown:
	case immBlock:
		i.block = w.blockType()
	case immIndex:
		i.a = w.u32()
	case immTwo:
		i.a, i.b = w.u32(), w.u32()
	case immTable:
		i.labels = i.labels[:0]
		w.vector(func() { i.labels = append(i.labels, w.u32()) })
		i.labels = append(i.labels, w.u32())
	case immMemArg:
		w.memArg()
	case immMemLane:
		w.memArg()
		w.byte()
	case immLane:
		w.byte()
	case immS32:
		i.a = uint32(w.signed(5, 32))
	case immS64:
		w.signed(10, 64)
	case imm4:
		w.skip(4)
	case imm8:
		w.skip(8)
	case imm16:
		w.skip(16)
	case immZero:
		w.zero()
	case immTwoZeros:
		w.zero()
		w.zero()
	case immIndexZero:
		i.a = w.u32()
		w.zero()
	case immRefType:
		w.refType()
	case immTypes:
		if at := w.at; w.byte() != 1 && w.err == nil {
			w.fail(at, "a select with another number of types than one", rebuild)
		}
		if at := w.at; valueTypeNames[w.byte()] == "" && w.err == nil {
			w.fail(at, "a select of an unknown type", plainBuild)
		}
	}
}

func (w *walker) zero() {
	if at := w.at; w.byte() != 0 && w.err == nil {
		w.fail(at, "an instruction on another memory than the first", "build with a single memory")
	}
}

func (w *walker) memArg() {
	if at := w.at; w.u32() >= 32 && w.err == nil {
		w.fail(at, "an alignment above 2^31", rebuild)
	}
	w.u32()
}

func (r *reader) refType() byte {
	at := r.at
	t := r.byte()
	if r.err == nil && t != typeFuncref && t != typeExternref {
		r.fail(at, fmt.Sprintf("unknown reference type %#x", t), plainBuild)
	}
	return t
}

func (w *walker) blockType() blockType {
	at := w.at
	n := w.s33()
	switch {
	case w.err != nil || n == -64:
		return blockType{}
	case n < 0 && n >= -64 && valueTypeNames[byte(n+128)] != "":
		return blockType{0, 1}
	case n < 0:
		w.fail(at, fmt.Sprintf("unknown block type %d", n), plainBuild)
		return blockType{}
	case n >= int64(len(w.m.types)):
		w.fail(at, fmt.Sprintf("type %d does not exist", n), rebuild)
		return blockType{}
	}
	t := &w.m.types[n]
	return blockType{len(t.params), len(t.results)}
}

// apply moves the stack and the frames as the instruction does. The planner looks at the
// frames before and after.
func (w *walker) apply() {
	i := &w.ins
	switch i.op {
	case opUnreachable:
		w.die()
	case opBlock, opLoop:
		w.open(i.op, i.block)
	case opIf:
		w.pop(1)
		w.open(opIf, i.block)
	case opElse:
		w.orElse()
	case opEnd:
		w.close()
	case opBr:
		w.branch(i.a, false)
		w.die()
	case opBrIf:
		w.pop(1)
		w.branch(i.a, false)
	case opBrTable:
		w.pop(1)
		for _, l := range i.labels {
			w.branch(l, true)
		}
		w.die()
	case opReturn:
		w.branch(uint32(len(w.frames)-1), false)
		w.die()
	case opCall:
		if w.index(int(i.a), len(w.m.funcs), "function") {
			w.call(w.m.funcs[i.a])
		}
	case opCallIndirect:
		w.pop(1)
		if w.index(int(i.a), len(w.m.types), "type") {
			w.call(i.a)
		}
	default:
		w.simple(i)
	}
}

func (w *walker) simple(i *instruction) {
	info := &ops[i.op]
	switch i.op {
	case opLocalGet, opLocalSet, opLocalTee:
		w.index(int(i.a), w.locals, "local")
	case opGlobalGet, opGlobalSet:
		w.index(int(i.a), w.m.globals, "global") // the rewriter's own comes behind
	case opRefFunc:
		w.index(int(i.a), len(w.m.funcs), "function")
	}
	w.pop(int(info.pop))
	w.grow(int(info.push))
}

func (w *walker) index(n, limit int, what string) bool {
	if n < limit {
		return true
	}
	w.fail(w.ins.at, fmt.Sprintf("%s %d does not exist", what, n), rebuild)
	return false
}

func (w *walker) call(typ uint32) {
	t := &w.m.types[typ]
	w.pop(len(t.params))
	w.grow(len(t.results))
}

func (w *walker) pop(n int) {
	w.height -= n
	f := w.top()
	if w.height >= f.start {
		return
	}
	if !f.dead {
		w.fail(w.ins.at, "an instruction takes more from the stack than is there", rebuild)
	}
	w.height = f.start
}

func (w *walker) grow(n int) {
	w.height += n
	w.maxHeight = max(w.maxHeight, w.height)
}

// die marks what follows as out of reach.
func (w *walker) die() {
	f := w.top()
	f.dead = true
	w.height = f.start
}

func (w *walker) open(op opcode, block blockType) {
	w.pop(block.params)
	w.push(frame{op: op, start: w.height, block: block})
	w.grow(block.params)
}

func (w *walker) orElse() {
	f := w.top()
	if f.op != opIf {
		w.fail(w.ins.at, "an else without its if", rebuild)
		return
	}
	w.leave(f)
	f.op, f.dead, w.height = opElse, false, f.start
	w.grow(f.block.params)
}

func (w *walker) close() {
	f := w.top()
	w.leave(f)
	w.height = f.start
	reach, block := f.reach, f.block
	w.frames = w.frames[:len(w.frames)-1]
	if len(w.frames) > 0 {
		w.top().reach = min(w.top().reach, reach)
		w.grow(block.results)
	}
}

// leave checks that a block leaves what it says.
func (w *walker) leave(f *frame) {
	if !f.dead && w.height != f.start+f.block.results {
		w.fail(w.ins.at, "a block leaves another number of values than it says", rebuild)
	}
}

// branch marks the frame that label l goes to, and what lies in between.
func (w *walker) branch(l uint32, tabled bool) {
	if !w.index(int(l), len(w.frames), "label") {
		return
	}
	target := len(w.frames) - 1 - int(l)
	f := &w.frames[target]
	f.targeted, f.tabled = true, f.tabled || tabled
	w.top().reach = min(w.top().reach, target)
}
