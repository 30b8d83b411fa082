package wasmbin

// opcode numbers instructions: one byte as it stands, the prefixes 0xfc and 0xfd as 0x100
// and 0x200 plus the number behind them.
type opcode uint16

const (
	prefixMisc = 0xfc
	prefixSIMD = 0xfd
	baseMisc   = 0x100
	baseSIMD   = 0x200
)

const (
	opUnreachable  opcode = 0x00
	opNop          opcode = 0x01
	opBlock        opcode = 0x02
	opLoop         opcode = 0x03
	opIf           opcode = 0x04
	opElse         opcode = 0x05
	opEnd          opcode = 0x0b
	opBr           opcode = 0x0c
	opBrIf         opcode = 0x0d
	opBrTable      opcode = 0x0e
	opReturn       opcode = 0x0f
	opCall         opcode = 0x10
	opCallIndirect opcode = 0x11
	opDrop         opcode = 0x1a
	opSelect       opcode = 0x1b
	opLocalGet     opcode = 0x20
	opLocalSet     opcode = 0x21
	opLocalTee     opcode = 0x22
	opGlobalGet    opcode = 0x23
	opGlobalSet    opcode = 0x24
	opMemorySize   opcode = 0x3f
	opMemoryGrow   opcode = 0x40
	opI32Const     opcode = 0x41
	opI64Const     opcode = 0x42
	opF32Const     opcode = 0x43
	opF64Const     opcode = 0x44
	opRefNull      opcode = 0xd0
	opRefFunc      opcode = 0xd2
	opMemoryInit   opcode = baseMisc + 8
	opDataDrop     opcode = baseMisc + 9
	opMemoryCopy   opcode = baseMisc + 10
	opMemoryFill   opcode = baseMisc + 11
	opTableInit    opcode = baseMisc + 12
	opElemDrop     opcode = baseMisc + 13
	opTableCopy    opcode = baseMisc + 14
	opTableGrow    opcode = baseMisc + 15
	opTableFill    opcode = baseMisc + 17
	opV128Const    opcode = baseSIMD + 12
)

// immediate says what stands behind an opcode.
type immediate byte

const (
	immUnknown immediate = iota // no such instruction
	immNone
	immBlock     // block type
	immIndex     // one number
	immTwo       // two numbers
	immTable     // br_table
	immMemArg    // alignment and offset
	immMemLane   // alignment, offset, lane
	immLane      // one byte
	immS32       // i32.const
	immS64       // i64.const
	imm4         // f32.const
	imm8         // f64.const
	imm16        // v128.const, shuffle
	immZero      // a byte that must be zero
	immTwoZeros  // memory.copy
	immIndexZero // memory.init
	immRefType   // ref.null
	immTypes     // select with types
)

// float says how an instruction deals with the bits of a NaN, which the specification
// leaves open for arithmetic: processors differ.
type float byte

const (
	floatNone   float = iota
	floatIgnore       // reads floats and does not show which NaN it got
	float32Make       // its f32 may be any NaN; the operands' bits do not matter
	float64Make
	float32x4Make
	float64x2Make
)

// opInfo is what the walker knows of an instruction. Control instructions, calls and
// locals are handled by name.
type opInfo struct {
	imm       immediate
	pop, push int8
	float     float
	lanes     float  // of instructions on vectors: float32x4Make or float64x2Make, the width at which they take floats
	cost      uint16 // in fuel
}

var ops = buildOps()

// Costs in fuel. One is a simple instruction, about a quarter of a nanosecond; what takes an engine
// longer costs more, so that fuel bounds time.
const (
	costSlow     = 8   // divisions, square roots, lane shuffles that take many instructions
	costCall     = 3   // a direct call
	costIndirect = 8   // a call through a table
	costCrossing = 300 // a call of the host, besides what the host asks for its work
	costSwitch   = 3   // br_table
	costBulk     = 40  // any bulk operation, besides its length
	costGrow     = 500 // memory.grow and table.grow, besides their length
	bytesPerFuel = 16  // memory.fill and memory.copy
	bulkInline   = 512 // bytes up to which a constant length needs no helper

	fuelPerPageBits = 4 // memory.grow: 16 for a page; the system clears it on first touch
)

type opTable [0x300]opInfo

func (t *opTable) set(first, last opcode, imm immediate, pop, push int8) {
	for op := first; op <= last; op++ {
		t[op] = opInfo{imm: imm, pop: pop, push: push, cost: 1}
	}
}

func (t *opTable) floats(f float, list ...opcode) {
	for _, op := range list {
		t[op].float = f
	}
}

func (t *opTable) takes(lanes float, list ...opcode) {
	for _, op := range list {
		t[op].lanes = lanes
	}
}

func (t *opTable) slow(list ...opcode) {
	for _, op := range list {
		t[op].cost = costSlow
	}
}

func (t *opTable) priced(cost uint16, list ...opcode) {
	for _, op := range list {
		t[op].cost = cost
	}
}

func span(first, last opcode) []opcode {
	var out []opcode
	for op := first; op <= last; op++ {
		out = append(out, op)
	}
	return out
}

func buildOps() *opTable {
	t := &opTable{}
	t.control()
	t.scalar()
	t.misc()
	t.simd()
	t.simdFloats()
	return t
}

func (t *opTable) control() {
	t.set(opUnreachable, opNop, immNone, 0, 0)
	t.set(opBlock, opIf, immBlock, 0, 0)
	t.set(opElse, opElse, immNone, 0, 0)
	t.set(opEnd, opEnd, immNone, 0, 0)
	t.set(opBr, opBrIf, immIndex, 0, 0)
	t.set(opBrTable, opBrTable, immTable, 0, 0)
	t.set(opReturn, opReturn, immNone, 0, 0)
	t.set(opCall, opCall, immIndex, 0, 0)
	t.set(opCallIndirect, opCallIndirect, immTwo, 1, 0)
	t.set(opDrop, opDrop, immNone, 1, 0)
	t.set(opSelect, opSelect, immNone, 3, 1)
	t.set(0x1c, 0x1c, immTypes, 3, 1)
	t.set(opLocalGet, opLocalGet, immIndex, 0, 1)
	t.set(opLocalSet, opLocalSet, immIndex, 1, 0)
	t.set(opLocalTee, opLocalTee, immIndex, 1, 1)
	t.set(opGlobalGet, opGlobalGet, immIndex, 0, 1)
	t.set(opGlobalSet, opGlobalSet, immIndex, 1, 0)
	t.set(0x25, 0x25, immIndex, 1, 1) // table.get
	t.set(0x26, 0x26, immIndex, 2, 0) // table.set
	t.set(opRefNull, opRefNull, immRefType, 0, 1)
	t.set(0xd1, 0xd1, immNone, 1, 1) // ref.is_null
	t.set(opRefFunc, opRefFunc, immIndex, 0, 1)
	t.priced(0, opNop, opBlock, opLoop, opElse, opEnd)
	t.priced(costCall, opCall)
	t.priced(costIndirect, opCallIndirect)
	t.priced(costSwitch, opBrTable)
}

func (t *opTable) scalar() {
	t.set(0x28, 0x35, immMemArg, 1, 1) // loads
	t.set(0x36, 0x3e, immMemArg, 2, 0) // stores
	t.set(opMemorySize, opMemorySize, immZero, 0, 1)
	t.set(opMemoryGrow, opMemoryGrow, immZero, 1, 1)
	t.set(opI32Const, opI32Const, immS32, 0, 1)
	t.set(opI64Const, opI64Const, immS64, 0, 1)
	t.set(opF32Const, opF32Const, imm4, 0, 1)
	t.set(opF64Const, opF64Const, imm8, 0, 1)
	t.set(0x45, 0x45, immNone, 1, 1) // i32.eqz
	t.set(0x46, 0x4f, immNone, 2, 1)
	t.set(0x50, 0x50, immNone, 1, 1) // i64.eqz
	t.set(0x51, 0x66, immNone, 2, 1) // comparisons
	t.set(0x67, 0x69, immNone, 1, 1) // i32.clz, ctz, popcnt
	t.set(0x6a, 0x78, immNone, 2, 1)
	t.set(0x79, 0x7b, immNone, 1, 1)
	t.set(0x7c, 0x8a, immNone, 2, 1)
	t.set(0x8b, 0x91, immNone, 1, 1) // f32.abs to sqrt
	t.set(0x92, 0x98, immNone, 2, 1)
	t.set(0x99, 0x9f, immNone, 1, 1) // f64.abs to sqrt
	t.set(0xa0, 0xa6, immNone, 2, 1)
	t.set(0xa7, 0xc4, immNone, 1, 1) // conversions
	t.floats(floatIgnore, span(0x5b, 0x66)...)
	t.floats(floatIgnore, 0xa8, 0xa9, 0xaa, 0xab, 0xae, 0xaf, 0xb0, 0xb1) // truncations
	t.floats(float32Make, span(0x8d, 0x97)...)                            // ceil to max; abs, neg and copysign keep bits
	t.floats(float32Make, 0xb6)                                           // demote
	t.floats(float64Make, span(0x9b, 0xa5)...)
	t.floats(float64Make, 0xbb) // promote
	t.slow(0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0x91, 0x95, 0x9f, 0xa3)
	t.slow(0xa8, 0xa9, 0xaa, 0xab, 0xae, 0xaf, 0xb0, 0xb1)
	t.priced(costGrow, opMemoryGrow)
}

func (t *opTable) misc() {
	t.set(baseMisc, baseMisc+7, immNone, 1, 1) // saturating truncations
	t.floats(floatIgnore, span(baseMisc, baseMisc+7)...)
	t.slow(span(baseMisc, baseMisc+7)...)
	t.set(opMemoryInit, opMemoryInit, immIndexZero, 3, 0)
	t.set(opDataDrop, opDataDrop, immIndex, 0, 0)
	t.set(opMemoryCopy, opMemoryCopy, immTwoZeros, 3, 0)
	t.set(opMemoryFill, opMemoryFill, immZero, 3, 0)
	t.set(opTableInit, opTableInit, immTwo, 3, 0)
	t.set(opElemDrop, opElemDrop, immIndex, 0, 0)
	t.set(opTableCopy, opTableCopy, immTwo, 3, 0)
	t.set(opTableGrow, opTableGrow, immIndex, 2, 1)
	t.set(baseMisc+16, baseMisc+16, immIndex, 0, 1) // table.size
	t.set(opTableFill, opTableFill, immIndex, 3, 0)
	t.priced(costBulk, opMemoryInit, opMemoryCopy, opMemoryFill, opTableInit, opTableCopy, opTableFill)
	t.priced(costGrow, opTableGrow)
}

// simd fills the vector instructions in the order of their numbers. Numbers that the
// specification skips stay unknown.
func (t *opTable) simd() {
	simd := func(first, last opcode, imm immediate, pop, push int8) {
		t.set(baseSIMD+first, baseSIMD+last, imm, pop, push)
	}
	simd(0x00, 0x0a, immMemArg, 1, 1)
	simd(0x0b, 0x0b, immMemArg, 2, 0)
	simd(0x0c, 0x0c, imm16, 0, 1)
	simd(0x0d, 0x0d, imm16, 2, 1)
	simd(0x0e, 0x0e, immNone, 2, 1)
	simd(0x0f, 0x14, immNone, 1, 1)
	simd(0x15, 0x22, immLane, 1, 1)
	for _, replace := range []opcode{0x17, 0x1a, 0x1c, 0x1e, 0x20, 0x22} {
		simd(replace, replace, immLane, 2, 1)
	}
	simd(0x23, 0x4c, immNone, 2, 1)
	simd(0x4d, 0x4d, immNone, 1, 1)
	simd(0x4e, 0x51, immNone, 2, 1)
	simd(0x52, 0x52, immNone, 3, 1)
	simd(0x53, 0x53, immNone, 1, 1)
	simd(0x54, 0x57, immMemLane, 2, 1)
	simd(0x58, 0x5b, immMemLane, 2, 0)
	simd(0x5c, 0x5d, immMemArg, 1, 1)
	const unary, binary = "unary", "binary"
	for _, run := range []struct {
		first, last opcode
		arity       string
	}{
		{0x5e, 0x64, unary}, {0x65, 0x66, binary}, {0x67, 0x6a, unary}, {0x6b, 0x73, binary}, {0x74, 0x75, unary},
		{0x76, 0x79, binary}, {0x7a, 0x7a, unary}, {0x7b, 0x7b, binary}, {0x7c, 0x81, unary}, {0x82, 0x82, binary},
		{0x83, 0x84, unary}, {0x85, 0x86, binary}, {0x87, 0x8a, unary}, {0x8b, 0x93, binary}, {0x94, 0x94, unary},
		{0x95, 0x99, binary}, {0x9b, 0x9f, binary}, {0xa0, 0xa1, unary}, {0xa3, 0xa4, unary}, {0xa7, 0xaa, unary},
		{0xab, 0xae, binary}, {0xb1, 0xb1, binary}, {0xb5, 0xba, binary}, {0xbc, 0xbf, binary}, {0xc0, 0xc1, unary},
		{0xc3, 0xc4, unary}, {0xc7, 0xca, unary}, {0xcb, 0xce, binary}, {0xd1, 0xd1, binary}, {0xd5, 0xdf, binary},
		{0xe0, 0xe1, unary}, {0xe3, 0xe3, unary}, {0xe4, 0xeb, binary}, {0xec, 0xed, unary}, {0xef, 0xef, unary},
		{0xf0, 0xf7, binary}, {0xf8, 0xff, unary},
	} {
		pop := int8(1)
		if run.arity == binary {
			pop = 2
		}
		simd(run.first, run.last, immNone, pop, 1)
	}
}

func (t *opTable) simdFloats() {
	shifted := func(list ...opcode) []opcode {
		out := make([]opcode, len(list))
		for i, op := range list {
			out[i] = baseSIMD + op
		}
		return out
	}
	t.floats(floatIgnore, shifted(span(0x41, 0x4c)...)...)    // comparisons
	t.floats(floatIgnore, shifted(0xf8, 0xf9, 0xfc, 0xfd)...) // truncations
	t.floats(float32x4Make, shifted(0x5e, 0x67, 0x68, 0x69, 0x6a, 0xe3)...)
	t.floats(float32x4Make, shifted(span(0xe4, 0xe9)...)...)
	t.floats(float64x2Make, shifted(0x5f, 0x74, 0x75, 0x7a, 0x94, 0xef)...)
	t.floats(float64x2Make, shifted(span(0xf0, 0xf5)...)...)
	for op := range t {
		t[op].lanes = t[op].float
	}
	t.takes(float32x4Make, shifted(0x5f, 0xf8, 0xf9)...) // promote, truncations
	t.takes(float32x4Make, shifted(span(0x41, 0x46)...)...)
	t.takes(float64x2Make, shifted(0x5e, 0xfc, 0xfd)...) // demote, truncations
	t.takes(float64x2Make, shifted(span(0x47, 0x4c)...)...)
	for op := opcode(baseSIMD); op < baseSIMD+0x100; op++ {
		if t[op].imm != immUnknown {
			t[op].cost = 2
		}
	}
	t.slow(shifted(0x0d, 0x0e, 0x62, 0x6b, 0x6c, 0x6d, 0xcb, 0xcc, 0xcd, 0xd5, 0xe3, 0xe7, 0xef, 0xf3)...)
	t.slow(shifted(span(0xf8, 0xff)...)...)
	t.slow(shifted(span(0xdc, 0xdf)...)...)
}
