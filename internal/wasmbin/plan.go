package wasmbin

import "fmt"

// A segment is a piece of code that runs as a whole, or not at all, each time its charge
// is passed. Its charge stands before it. Code behind a br_if counts as a new segment,
// because it may be left out; code behind the end of a block belongs to the segment before
// the block unless a branch inside of the block goes further out.
//
// Small segments are charged by the one before them even where they are left out: fuel
// then is a little more than the instructions run, and is the same every time. Exact
// charges cost about a tenth more time (docs/adr/20261124-fuel.md).
type segment struct {
	at     int // where its charge goes, in the file
	cost   int
	extra  int // of cost: what was merged into it
	parent int // the segment before it; -1: it cannot be merged
	test   bool
	dead   bool // merged away or without cost
}

const (
	mergeUpTo    = 16 // cost of a segment that is charged by its parent
	mergedAtMost = 64 // what a segment may charge for others
)

// edit is a change to a body: bytes from at to end are replaced.
type edit struct {
	kind    editKind
	on      bool
	arg     uint32
	at, end int
}

type editKind byte

const (
	editCharge editKind = iota // arg: segment
	editCall                   // arg: function index
	editRef                    // ref.func, arg: index of the global instead
	editReturn                 // arg: label of the outermost block
	editFill                   // memory.fill by a helper
	editCopy                   // memory.copy by a helper
	editLength                 // charge for the length on the stack; arg: the opcode
	editNaN                    // arg: float
)

// planner walks over one body and writes down what to change.
type planner struct {
	walker
	sums     []summary
	nodes    []node
	node     *node
	function int // the one in hand
	segments []segment
	edits    []edit
	cur      int       // the segment in hand; -1: out of reach
	run      int       // the most fuel since the last test
	wrap     bool      // the body needs a block around it, for its ways out
	constant int       // value of the i32.const before; -1: there is none
	pending  []openNaN // a stack, as the operands are one: the highest last
	held     held
	lazy     []float // by local: what its reads may bring, see findLazy; empty: nothing
}

// plan fills segments and edits for function index v.
func (p *planner) plan(v int) {
	p.node, p.function = &p.nodes[v], v
	p.segments, p.edits, p.pending = p.segments[:0], p.edits[:0], p.pending[:0]
	p.wrap, p.constant = false, -1
	p.findLazy(v)
	p.enter(&p.m.functions[v])
	p.cur, p.run = 0, 0
	p.segments = append(p.segments, segment{at: p.at, parent: -1, test: p.node.tested})
	p.edits = append(p.edits, edit{kind: editCharge, on: true, at: p.at, end: p.at})
	p.top().segment = 0
	for p.next() {
		p.step()
	}
	p.merge()
}

// add charges cost to the segment in hand; spill is what a callee may burn untested.
func (p *planner) add(cost, spill int) {
	if p.cur < 0 {
		return
	}
	p.segments[p.cur].cost += cost
	p.run += cost + spill
}

// begin starts a segment behind the instruction in hand.
func (p *planner) begin(parent int, test bool) {
	p.segments = append(p.segments, segment{at: p.ins.end, parent: parent, test: test})
	p.cur = len(p.segments) - 1
	p.edits = append(p.edits, edit{kind: editCharge, on: true, arg: uint32(p.cur), at: p.ins.end, end: p.ins.end})
	if test {
		p.run = 0
	}
}

// step plans one instruction and applies it.
func (p *planner) step() {
	i := &p.ins
	constant := p.constant
	p.constant = -1
	if p.cur < 0 {
		p.stepDead()
		return
	}
	p.watchFloats()
	if ops[i.op].imm == immBlock || i.op >= opElse && i.op <= opReturn || i.op == opUnreachable {
		p.control()
		return
	}
	p.add(int(ops[i.op].cost), 0)
	switch i.op {
	case opCall:
		p.callee(i.a)
	case opCallIndirect:
		p.add(0, untestedLimit)
	case opRefFunc:
		p.refer(i.a)
	case opI32Const:
		if int32(i.a) >= 0 {
			p.constant = int(i.a)
		}
	case opMemoryFill, opMemoryCopy:
		p.bulk(constant)
	case opMemoryInit, opTableInit, opTableCopy, opTableFill, opTableGrow, opMemoryGrow:
		p.edits = append(p.edits, edit{kind: editLength, on: true, arg: uint32(i.op), at: i.at, end: i.at})
		p.run = 0 // it tests
	}
	p.apply()
	p.markFloats()
	if p.run > straightLimit && p.err == nil {
		p.begin(-1, true)
	}
}

// stepDead keeps out-of-reach code valid: nothing in it runs.
func (p *planner) stepDead() {
	switch i := &p.ins; i.op {
	case opCall:
		p.edit(editCall, p.m.shifted(i.a))
	case opRefFunc:
		p.refer(i.a)
	case opElse, opEnd:
		p.control()
		return
	case opBlock, opLoop, opIf:
		p.apply()
		p.top().segment = -1
		return
	}
	p.apply()
}

func (p *planner) edit(kind editKind, arg uint32) {
	p.edits = append(p.edits, edit{kind: kind, on: true, arg: arg, at: p.ins.at, end: p.ins.end})
}

// refer makes ref.func a read of the global that holds the reference.
func (p *planner) refer(f uint32) {
	if int(f) >= len(p.m.declared) || !p.m.declared[f] { // the global would declare it
		p.fail(p.ins.at, fmt.Sprintf("a reference to function %d, which no table, global or export declares", f), plainBuild)
		return
	}
	p.edit(editRef, p.held.global(f))
}

func (p *planner) callee(f uint32) {
	p.edit(editCall, p.m.shifted(f))
	c := int(f) - p.m.imported
	switch {
	case c < 0:
		p.add(costCrossing, 0)
	case c >= len(p.nodes): // refused by apply
	case p.nodes[c].free:
		p.add(p.nodes[c].untested, 0)
	default:
		p.add(0, p.nodes[c].spill())
	}
}

// bulk leaves short operations of a known length in place.
func (p *planner) bulk(length int) {
	if length >= 0 && length <= bulkInline {
		p.add(length/bytesPerFuel, 0)
		return
	}
	if p.ins.op == opMemoryFill {
		p.edit(editFill, 0)
	} else {
		p.edit(editCopy, 0)
	}
}

// control plans the instructions that shape the flow.
func (p *planner) control() {
	i := &p.ins
	p.add(int(ops[i.op].cost), 0)
	switch i.op {
	case opBlock:
		p.apply()
		p.opened()
	case opLoop:
		p.apply()
		p.opened()
		p.begin(-1, true)
		p.add(1, 0) // a turn costs something, whatever is in it
	case opIf:
		p.apply()
		p.opened()
		p.begin(p.cur, false)
	case opElse:
		p.orElse()
	case opEnd:
		p.end()
	case opBrIf:
		p.branchTo(i.a)
		p.apply()
		p.begin(p.cur, false)
	case opBr:
		p.branchTo(i.a)
		p.jumped()
	case opBrTable:
		for _, l := range i.labels {
			p.branchTo(l)
		}
		p.jumped()
	case opReturn:
		if p.node.recursive {
			p.edit(editReturn, uint32(len(p.frames)-1))
			p.wrap = true
		}
		p.jumped()
	case opUnreachable:
		p.jumped()
	}
}

func (p *planner) opened() {
	if p.err == nil {
		f := p.top()
		f.segment, f.run = p.cur, p.run
	}
}

func (p *planner) jumped() {
	p.apply()
	p.cur = -1
}

// branchTo notes how much fuel may have passed at a label.
func (p *planner) branchTo(l uint32) {
	if int(l) >= len(p.frames) {
		return // refused by apply
	}
	target := len(p.frames) - 1 - int(l)
	f := &p.frames[target]
	f.most = max(f.most, p.run)
	p.wrap = p.wrap || target == 0 && p.node.recursive
}

func (p *planner) orElse() {
	f := p.top()
	if !f.dead && p.cur >= 0 {
		f.targeted, f.most = true, max(f.most, p.run)
	}
	segment, run := f.segment, f.run
	p.apply()
	if p.err != nil {
		return
	}
	p.cur, p.run = -1, run
	if segment >= 0 {
		p.begin(segment, false)
	}
}

// end closes a block and decides which segment goes on.
func (p *planner) end() {
	f := *p.top()
	depth := len(p.frames) - 1
	fell := !f.dead && p.cur >= 0
	if f.op == opIf { // without an else, the condition may skip it
		f.targeted, f.most = true, max(f.most, f.run)
	}
	if f.op == opLoop {
		f.targeted, f.most = false, 0 // its label is its head
	}
	run := f.most
	if fell {
		run = max(run, p.run)
	}
	p.apply()
	if p.err != nil || len(p.frames) == 0 {
		return
	}
	p.run = run
	switch {
	case f.segment < 0:
		p.cur = -1
	case !fell && !f.targeted:
		p.begin(-1, false) // nothing comes here, but the engine does not know
	case f.op == opBlock && !f.targeted:
	case f.reach < depth && f.tabled:
		p.begin(-1, false)
	case f.reach < depth:
		p.begin(f.segment, false)
	default:
		p.cur = f.segment
	}
}

// merge lets parents charge for small segments, the last first.
func (p *planner) merge() {
	for i := len(p.segments) - 1; i >= 0; i-- {
		s := &p.segments[i]
		if s.test {
			continue
		}
		if s.cost == 0 {
			s.dead = true
			continue
		}
		if s.parent < 0 || s.cost > mergeUpTo {
			continue
		}
		if parent := &p.segments[s.parent]; parent.extra+s.cost <= mergedAtMost {
			parent.extra += s.cost
			parent.cost += s.cost
			s.dead = true
		}
	}
	if p.node.free {
		for i := range p.segments {
			p.segments[i].dead = true
		}
	}
}
