package wasmbin

// emitter writes the bodies anew.
type emitter struct {
	asm
	p       *planner
	most    int    // bytes of all bodies; who sees more gives up
	counter uint32 // index of the counter's global
	refill  uint32 // index of the host function that grants fuel
	fill    uint32 // indices of the helpers
	copy    uint32
	helpers bool // they are used
	types   *typeTable
	temps   [len(tempTypes)]int // by kind: index of the local, -1 while it is not needed
	lines   *lineMap            // nil if nobody wants one
}

// temporaries, by kind.
const (
	tempI32 = iota
	tempF32
	tempF64
	tempV128
)

var tempTypes = [...]byte{typeI32, typeF32, typeF64, typeV128}

// body writes function v as planned, with its length before it.
func (e *emitter) body(v int) {
	f := &e.p.m.functions[v]
	e.assignTemps()
	start := len(e.out)
	e.out = append(e.out, 0, 0, 0, 0, 0) // room for the length
	e.locals(f.code)
	at := e.p.segments[0].at
	for i := range e.p.edits {
		d := &e.p.edits[i]
		if !d.on {
			continue
		}
		if len(e.out) > e.most {
			return
		}
		e.source(at, d.at)
		e.edit(d)
		at = d.end
	}
	e.source(at, f.end)
	e.leave()
	padded(e.out[start:start+5], uint32(len(e.out)-start-5))
}

// padded writes a length in five bytes, which every reader must take.
func padded(b []byte, n uint32) {
	for i := range 4 {
		b[i] = byte(n) | 0x80
		n >>= 7
	}
	b[4] = byte(n)
}

// source copies bytes of the file and remembers where they went.
func (e *emitter) source(from, to int) {
	if from == to {
		return
	}
	if e.lines != nil {
		e.lines.add(len(e.out), from)
	}
	e.out = append(e.out, e.p.m.bytes[from:to]...)
}

// assignTemps finds out which locals the edits need.
func (e *emitter) assignTemps() {
	for t := range e.temps {
		e.temps[t] = -1
	}
	for i := range e.p.edits {
		d := &e.p.edits[i]
		switch {
		case !d.on:
		case d.kind == editLength:
			e.temps[tempI32] = 0
		case d.kind == editNaN:
			e.temps[nanTemp(float(d.arg))] = 0
		}
	}
	next := e.p.locals
	for t := range e.temps {
		if e.temps[t] == 0 {
			e.temps[t] = next
			next++
		}
	}
}

func nanTemp(f float) int {
	switch f {
	case float32Make:
		return tempF32
	case float64Make:
		return tempF64
	}
	return tempV128
}

// locals copies the declarations and adds the temporaries.
func (e *emitter) locals(at int) {
	r := reader{b: e.p.m.bytes, at: at, end: e.p.segments[0].at}
	groups := r.u32()
	declared := e.p.m.bytes[r.at:e.p.segments[0].at]
	var extra []byte
	for t, index := range e.temps {
		if index >= 0 {
			extra = append(extra, 1, tempTypes[t])
			groups++
		}
	}
	e.out = appendU(e.out, uint64(groups))
	e.out = append(append(e.out, declared...), extra...)
}

func (e *emitter) edit(d *edit) {
	switch d.kind {
	case editCharge:
		e.charge(int(d.arg))
	case editCall:
		e.index(opCall, d.arg)
	case editRef:
		e.index(opGlobalGet, d.arg)
	case editReturn:
		e.index(opBr, d.arg)
	case editFill:
		e.helpers = true
		e.index(opCall, e.fill)
	case editCopy:
		e.helpers = true
		e.index(opCall, e.copy)
	case editLength:
		e.length(opcode(d.arg))
	case editNaN:
		e.canonical(float(d.arg))
	}
}

// charge takes a segment's cost from the counter and tests it where the plan says so. The
// entry of a function opens its frame.
func (e *emitter) charge(n int) {
	s, node := &e.p.segments[n], e.p.node
	entry := n == 0
	amount := int64(s.cost) << fuelShift
	if entry && node.recursive {
		amount += int64(node.units)
	}
	if !s.dead && amount != 0 {
		e.take(amount)
	}
	if s.test && !s.dead {
		e.test(entry && node.recursive)
	}
	if entry && e.p.wrap {
		e.op(opBlock)
		e.out = e.types.block(e.out, e.p.m.types[e.p.m.functions[e.p.function].typ].results)
	}
}

func (e *emitter) take(amount int64) {
	e.index(opGlobalGet, e.counter)
	e.i64(amount)
	e.op(opI64Sub)
	e.index(opGlobalSet, e.counter)
}

// test asks the host for more where the counter has run out. With depth it looks at both
// halves at once. The call stands in the else of an empty then, because the compiler takes
// the registers of the first way into a block as they are and makes the other ways fit:
// the other way round, every value that is alive went through memory in every turn.
func (e *emitter) test(depth bool) {
	e.index(opGlobalGet, e.counter)
	if depth {
		e.i64(exhaustedMask)
		e.op(opI64And)
		e.i64(0)
		e.op(opI64Eq)
	} else {
		e.i64(0)
		e.op(opI64GeS)
	}
	e.op(opIf, blockVoid, opElse)
	e.index(opCall, e.refill)
	e.op(opEnd)
}

// leave closes the frame at the only way out of the function.
func (e *emitter) leave() {
	if !e.p.node.recursive {
		return
	}
	if !e.p.wrap {
		e.out = e.out[:len(e.out)-1] // the end of the function, which comes again below
	}
	e.index(opGlobalGet, e.counter)
	e.i64(int64(e.p.node.units))
	e.op(opI64Add)
	e.index(opGlobalSet, e.counter)
	e.op(opEnd)
}

// lengths are the most that an operation can really do, and what a part of it costs.
// Whoever asks for more fails or traps; it should not cost all of the fuel first.
var lengths = map[opcode]struct {
	most, shift int32
}{
	opMemoryInit: {maxPassiveData, 4},
	opTableInit:  {maxTableEntries, 0},
	opTableCopy:  {maxTableEntries, 0},
	opTableFill:  {maxTableEntries, 0},
	opTableGrow:  {maxTableEntries, 0},
	opMemoryGrow: {maxMemoryPages, 0},
}

// length charges for the number on top of the stack and leaves it there.
func (e *emitter) length(op opcode) {
	l := lengths[op]
	t := uint32(e.temps[tempI32])
	e.index(opLocalTee, t)
	e.index(opGlobalGet, e.counter)
	e.index(opLocalGet, t)
	e.i32(l.most)
	e.index(opLocalGet, t)
	e.i32(l.most)
	e.op(opI32LtU, opSelect)
	if l.shift != 0 {
		e.i32(l.shift)
		e.op(opI32ShrU)
	}
	e.op(opI64ExtendU)
	shift := int64(fuelShift)
	if op == opMemoryGrow {
		shift += fuelPerPageBits
	}
	e.i64(shift)
	e.op(opI64Shl, opI64Sub)
	e.index(opGlobalSet, e.counter)
	e.test(false)
}

// canonical replaces the number on top of the stack, if it is a NaN, by the one that all
// machines agree on.
func (e *emitter) canonical(f float) {
	t := uint32(e.temps[nanTemp(f)])
	e.index(opLocalTee, t)
	switch f {
	case float32Make:
		e.fixed(opF32Const, nanF32, 4)
	case float64Make:
		e.fixed(opF64Const, nanF64, 8)
	case float32x4Make:
		e.vector(nanF32<<32 | nanF32)
	default:
		e.vector(nanF64)
	}
	e.index(opLocalGet, t)
	e.index(opLocalGet, t)
	switch f {
	case float32Make:
		e.op(opF32Eq, opSelect)
	case float64Make:
		e.op(opF64Eq, opSelect)
	case float32x4Make:
		e.simd(opF32x4Eq)
		e.simd(opBitselect)
	default:
		e.simd(opF64x2Eq)
		e.simd(opBitselect)
	}
}

func (e *emitter) vector(half uint64) {
	e.simd(byte(opV128Const - baseSIMD))
	for range 2 {
		for shift := 0; shift < 64; shift += 8 {
			e.out = append(e.out, byte(half>>shift))
		}
	}
}
