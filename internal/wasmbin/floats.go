package wasmbin

// openNaN is a value on the stack of which nobody has seen the bits yet.
type openNaN struct {
	height, edit int
	made         float
}

// hiddenFrom says whether the bits of the NaN stay unseen by an instruction that reads floats.
// Types keep f32 and f64 apart; a vector may be read in lanes of the other width, in which a NaN
// of this one is an ordinary number.
func (n openNaN) hiddenFrom(info *opInfo) bool {
	return info.float != floatNone && (n.made < float32x4Make || n.made == info.lanes)
}

// findLazy finds the locals that may hold any NaN: those to which only arithmetic and
// constants are ever assigned, as sums in a loop. They are made canonical where they are
// read for others to see, not in every turn. A local that also takes values from elsewhere
// is assigned canonical ones, because the bits of a NaN from memory must stay as they are.
func (p *planner) findLazy(v int) {
	p.lazy = p.lazy[:0]
	if !p.sums[v].floats {
		return
	}
	f := &p.m.functions[v]
	params := len(p.m.types[f.typ].params)
	p.enter(f)
	for len(p.lazy) < p.locals {
		p.lazy = append(p.lazy, floatNone)
	}
	closed := make([]bool, p.locals)
	before := opNop
	for p.next() {
		if i := &p.ins; (i.op == opLocalSet || i.op == opLocalTee) && int(i.a) < p.locals {
			made := ops[before].float
			switch {
			case made >= float32Make && (p.lazy[i.a] == floatNone || p.lazy[i.a] == made):
				p.lazy[i.a] = made
			case before != opF32Const && before != opF64Const:
				closed[i.a] = true
			}
		}
		before = p.ins.op
		p.apply()
	}
	for l := range p.lazy {
		if closed[l] || l < params {
			p.lazy[l] = floatNone
		}
	}
}

// keepsOpen says whether an access to a local leaves the bits of a NaN open.
func (p *planner) keepsOpen(i *instruction) bool {
	switch i.op {
	case opLocalGet, opLocalSet, opLocalTee:
		return int(i.a) < len(p.lazy) && p.lazy[i.a] != floatNone
	}
	return false
}

// watchFloats looks at who consumes a NaN whose bits are open. Arithmetic and comparisons
// do not show them; whatever else takes one needs it canonical.
func (p *planner) watchFloats() {
	if len(p.pending) == 0 {
		return
	}
	i := &p.ins
	info := &ops[i.op]
	pops := int(info.pop)
	switch {
	case i.op == opCall && int(i.a) < len(p.m.funcs):
		pops = len(p.m.types[p.m.funcs[i.a]].params)
	case i.op == opCallIndirect && int(i.a) < len(p.m.types):
		pops += len(p.m.types[i.a].params)
	case info.imm == immBlock || i.op >= opElse && i.op <= opReturn || i.op == opUnreachable:
		p.settle()
		return
	}
	unseen := i.op == opDrop || p.keepsOpen(i)
	for n := len(p.pending) - 1; n >= 0 && p.pending[n].height >= p.height-pops; n-- {
		nan := p.pending[n]
		p.edits[nan.edit].on = !unseen && !nan.hiddenFrom(info)
		p.pending = p.pending[:n]
	}
}

// settle makes all that are still open canonical: the flow may take them anywhere.
func (p *planner) settle() {
	for _, e := range p.pending {
		p.edits[e.edit].on = true
	}
	p.pending = p.pending[:0]
}

// markFloats notes that the value just pushed may be any NaN.
func (p *planner) markFloats() {
	f := ops[p.ins.op].float
	if i := &p.ins; (i.op == opLocalGet || i.op == opLocalTee) && p.keepsOpen(i) {
		f = p.lazy[i.a]
	}
	if f < float32Make || p.height == 0 {
		return
	}
	p.pending = append(p.pending, openNaN{p.height - 1, len(p.edits), f})
	p.edits = append(p.edits, edit{kind: editNaN, arg: uint32(f), at: p.ins.end, end: p.ins.end})
}
