package wasmbin

// asm writes instructions.
type asm struct{ out []byte }

func appendU(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendS(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// Opcodes that only the rewriter writes.
const (
	opI32And       = 0x71
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32ShrU      = 0x76
	opI32LtU       = 0x49
	opI32LeU       = 0x4d
	opI64Add       = 0x7c
	opI64Sub       = 0x7d
	opI64And       = 0x83
	opI64Shl       = 0x86
	opI64GeS       = 0x59
	opI64GtU       = 0x56
	opI64Eq        = 0x51
	opI64ExtendU   = 0xad
	opF32Eq        = 0x5b
	opF64Eq        = 0x61
	opF32x4Eq      = 0x41
	opF64x2Eq      = 0x47
	opBitselect    = 0x52
	blockVoid      = 0x40
	nanF32         = 0x7fc00000
	nanF64         = 0x7ff8000000000000
	fuelShift      = 16 // of the counter: below it is the depth that is left
	depthUnderflow = 1 << (fuelShift - 1)
	exhaustedMask  = -1<<63 | depthUnderflow
)

func (a *asm) op(ops ...opcode) {
	for _, op := range ops {
		a.out = append(a.out, byte(op))
	}
}

func (a *asm) index(op opcode, n uint32) {
	a.out = appendU(append(a.out, byte(op)), uint64(n))
}

func (a *asm) i32(v int32) { a.out = appendS(append(a.out, byte(opI32Const)), int64(v)) }
func (a *asm) i64(v int64) { a.out = appendS(append(a.out, byte(opI64Const)), v) }

func (a *asm) simd(n byte) {
	a.out = append(a.out, prefixSIMD, n)
	if n >= 0x80 {
		a.out = append(a.out, 1)
	}
}

func (a *asm) misc(op opcode, immediates ...byte) {
	a.out = append(append(a.out, prefixMisc, byte(op-baseMisc)), immediates...)
}

func (a *asm) fixed(op opcode, v uint64, size int) {
	a.out = append(a.out, byte(op))
	for range size {
		a.out = append(a.out, byte(v))
		v >>= 8
	}
}
