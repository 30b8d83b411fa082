package wasmbin

// bulkPiece is how many bytes one memory.fill or memory.copy moves at most before fuel is
// tested again: some 20 µs.
const bulkPiece = 256 << 10

// helperCount is the number of functions that the rewriter may add.
const helperCount = 2

// helper writes the function that stands for memory.fill or memory.copy, (dst, value or
// src, length) -> (). It charges the length, and moves long stretches piece by piece. What
// reaches over the end of memory traps as a whole before anything is moved, as the
// specification wants: the instruction itself is given the whole then.
func (e *emitter) helper(op opcode) {
	start := len(e.out)
	e.out = append(e.out, 0, 0, 0, 0, 0)
	e.out = append(e.out, 1, 2, typeI32) // locals: the piece, and the way left
	const dst, src, length, piece, left = 0, 1, 2, 3, 4
	// Short, or out of bounds: in one go.
	e.op(opBlock, blockVoid)
	e.index(opLocalGet, length)
	e.i32(bulkPiece)
	e.op(opI32LeU)
	e.op(opIf, blockVoid)
	e.chargeBytes(length)
	e.whole(op)
	e.op(opReturn, opEnd)
	e.outside(dst, length)
	if op == opMemoryCopy {
		e.outside(src, length)
	}
	e.op(opEnd)
	e.index(opLocalGet, length)
	e.index(opLocalSet, left)
	e.op(opLoop, blockVoid)
	e.index(opLocalGet, left)
	e.i32(bulkPiece)
	e.index(opLocalGet, left)
	e.i32(bulkPiece)
	e.op(opI32LtU, opSelect)
	e.index(opLocalSet, piece)
	e.chargeBytes(piece)
	e.move(op)
	e.index(opLocalGet, left)
	e.index(opLocalGet, piece)
	e.op(opI32Sub)
	e.index(opLocalTee, left)
	e.index(opBrIf, 0)
	e.op(opEnd, opEnd)
	padded(e.out[start:start+5], uint32(len(e.out)-start-5))
}

func (e *emitter) whole(op opcode) {
	for arg := range uint32(3) {
		e.index(opLocalGet, arg)
	}
	e.bulk(op)
}

func (e *emitter) bulk(op opcode) {
	if op == opMemoryFill {
		e.misc(op, 0)
	} else {
		e.misc(op, 0, 0)
	}
}

// outside traps, by the instruction itself, where pointer and length reach over the end.
func (e *emitter) outside(pointer, length uint32) {
	e.index(opLocalGet, pointer)
	e.op(opI64ExtendU)
	e.index(opLocalGet, length)
	e.op(opI64ExtendU, opI64Add)
	e.op(opMemorySize, 0, opI64ExtendU)
	e.i64(16)
	e.op(opI64Shl, opI64GtU)
	e.op(opIf, blockVoid)
	e.index(opLocalGet, pointer) // memory.fill at the pointer that is out: it traps first
	e.i32(0)
	e.index(opLocalGet, length)
	e.bulk(opMemoryFill)
	e.op(opUnreachable, opEnd)
}

func (e *emitter) chargeBytes(length uint32) {
	e.index(opGlobalGet, e.counter)
	e.index(opLocalGet, length)
	e.i32(4) // bytesPerFuel
	e.op(opI32ShrU, opI64ExtendU)
	e.i64(fuelShift)
	e.op(opI64Shl, opI64Sub)
	e.index(opGlobalSet, e.counter)
	e.take(1 << fuelShift) // a turn costs something, whatever its length
	e.test(false)
}

// move does one piece. A copy to a higher address goes from the end, in case they overlap.
func (e *emitter) move(op opcode) {
	const dst, src, length, piece, left = 0, 1, 2, 3, 4
	if op == opMemoryCopy {
		e.index(opLocalGet, dst)
		e.index(opLocalGet, src)
		e.op(opI32LeU)
		e.op(opIf, blockVoid)
	}
	done := func(base uint32) { // base + (length - left)
		e.index(opLocalGet, base)
		e.index(opLocalGet, length)
		e.op(opI32Add)
		e.index(opLocalGet, left)
		e.op(opI32Sub)
	}
	done(dst)
	if op == opMemoryFill {
		e.index(opLocalGet, src)
	} else {
		done(src)
	}
	e.index(opLocalGet, piece)
	e.bulk(op)
	if op != opMemoryCopy {
		return
	}
	e.op(opElse)
	for _, base := range []uint32{dst, src} { // base + left - piece
		e.index(opLocalGet, base)
		e.index(opLocalGet, left)
		e.op(opI32Add)
		e.index(opLocalGet, piece)
		e.op(opI32Sub)
	}
	e.index(opLocalGet, piece)
	e.bulk(op)
	e.op(opEnd)
}
