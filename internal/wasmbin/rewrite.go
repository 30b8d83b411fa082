package wasmbin

import "fmt"

// RewriterVersion changes whenever the same module would come out otherwise, cost other fuel,
// or be refused for the sake of safety. Compiled modules are kept by it, and what is kept is
// run without another look.
const RewriterVersion = 3

// Names of what the rewriter adds. A module that has them itself is refused.
const (
	MeterModule  = "avxrt.meter" // the import module of the refill function
	MeterRefill  = "refill"      // () -> (), called when the counter is below zero
	MeterCounter = "avxrt.meter" // the exported global, i64
)

// Packing of the counter: fuel that is left above, depth that is left below.
const (
	FuelShift = fuelShift
	DepthMask = 1<<fuelShift - 1
)

// How much larger than the code may become. Honest code grows by half; what consists of
// nothing but loop heads or memory.grow, up to twelve times.
const (
	growBase  = 1 << 20
	growTimes = 8
)

// tableMax is the most entries to which a table may grow.
const tableMax = 1 << 16

// Rewritten is a module that meters itself.
type Rewritten struct {
	Wasm  []byte
	Info  Info
	Depth int               // what the lower half of the counter begins with
	Names map[uint32]string // of functions, by their index in the new module

	lines *lineMap
}

// Rewrite checks a module as [Scan] does and returns it changed so that it keeps count:
//
//   - A global holds the fuel that is left, and every path through the code takes from it
//     what it costs. Where a function is entered in a cycle of calls, where a loop turns,
//     and at least every few thousand instructions, a counter below zero calls the host,
//     which grants more or ends the guest by a panic.
//   - The lower bits of the same global hold the depth of calls that is left.
//   - A reference to a function is taken once, not each time that code asks for it.
//   - Bulk operations cost their length, long ones go in pieces; tables have a maximum.
//   - A NaN that arithmetic makes has the one bit pattern that all machines agree on.
//   - Custom sections are left out.
//
// The engine validates the result, so memory safety does not hang on this package. Same
// input, same output.
func Rewrite(wasm []byte) (*Rewritten, error) {
	m, err := parse(wasm)
	if err != nil {
		return nil, err
	}
	if err := m.checkReserved(); err != nil {
		return nil, err
	}
	sums, err := survey(m)
	if err != nil {
		return nil, err
	}
	nodes, depth := graph(m, sums)
	r := &rewriter{m: m, sums: sums, nodes: nodes, depth: depth}
	r.code()
	if r.err != nil {
		return nil, r.err
	}
	m.info.Globals = m.globals + 1 + len(r.emit.p.held.order)
	out := &Rewritten{Wasm: r.file(), Info: m.info, Depth: depth, lines: r.lines}
	out.Names = map[uint32]string{}
	for index, name := range m.functionNames() {
		out.Names[m.shifted(index)] = name
	}
	return out, nil
}

func (m *module) checkReserved() error {
	for _, i := range m.info.Imports {
		if i.Module == MeterModule {
			return &Error{sectionNames[secImport], 0, fmt.Sprintf("it imports from %s, which belongs to the host", MeterModule), "give the original module, not a rewritten one"}
		}
	}
	for _, e := range m.info.Exports {
		if e.Name == MeterCounter {
			return &Error{sectionNames[secExport], 0, fmt.Sprintf("it exports %q, which belongs to the host", MeterCounter), "choose another name"}
		}
	}
	return nil
}

// shifted is a function's index in the new module: one import comes before the bodies.
func (m *module) shifted(f uint32) uint32 {
	if int(f) < m.imported {
		return f
	}
	return f + 1
}

// rewriter puts the new file together.
type rewriter struct {
	m     *module
	sums  []summary
	nodes []node
	depth int
	types typeTable
	emit  *emitter
	lines *lineMap
	err   error
}

// code writes the code section's content; everything else depends on it.
func (r *rewriter) code() {
	m := r.m
	defined := len(m.funcs) - m.imported
	r.types = newTypeTable(m)
	p := &planner{sums: r.sums, nodes: r.nodes, held: held{first: uint32(m.globals) + 1, globals: map[uint32]uint32{}}}
	p.m = m
	e := &emitter{p: p, most: growBase + growTimes*m.info.CodeBytes, counter: uint32(m.globals), refill: uint32(m.imported), types: &r.types}
	e.fill = uint32(len(m.funcs) + 1)
	e.copy = e.fill + 1
	if m.info.Lines {
		r.lines = &lineMap{codeStart: m.codeStart()}
		e.lines = r.lines
	}
	r.emit = e
	e.out = make([]byte, 5, m.info.CodeBytes*3/2+64) // room for the number of bodies
	for v := range m.functions {
		p.plan(v)
		if p.err != nil {
			r.err = p.err
			return
		}
		if r.err = p.held.check(m.functions[v].code); r.err != nil {
			return
		}
		e.body(v)
		if len(e.out) > e.most {
			r.err = &Error{sectionNames[secCode], m.functions[v].code, fmt.Sprintf("metered it has more than %d times its size", growTimes), "build with optimisation, and call memory.grow and the like in one place"}
			return
		}
	}
	if e.helpers {
		e.helper(opMemoryFill)
		e.helper(opMemoryCopy)
		defined += helperCount
	}
	padded(e.out[:5], uint32(defined))
}

func (m *module) codeStart() int {
	for _, s := range m.sections {
		if s.id == secCode {
			return s.at
		}
	}
	return 0
}

// file writes all sections.
func (r *rewriter) file() []byte {
	out := append(make([]byte, 0, len(r.m.bytes)+len(r.emit.out)), r.m.bytes[:8]...)
	for _, id := range []byte{secType, secImport, secFunction, secTable, secMemory, secGlobal, secExport, secStart, secElement, secDataCount, secCode, secData} {
		content := r.section(id)
		if content == nil {
			continue
		}
		out = appendU(append(out, id), uint64(len(content)))
		out = append(out, content...)
	}
	if r.lines != nil {
		out = r.lines.appendSections(out)
	}
	return out
}

// section returns the content of one section, nil if there is none.
func (r *rewriter) section(id byte) []byte {
	m := r.m
	switch id {
	case secCode:
		if len(m.functions) == 0 {
			return nil
		}
		return r.emit.out
	case secType:
		r.types.refill = r.types.index(nil, nil)
		if r.emit.helpers {
			r.types.helper = r.types.index([]byte{typeI32, typeI32, typeI32}, nil)
		}
		return r.extended(id, r.types.extra, r.types.count)
	case secImport:
		entry := appendName(appendName(nil, MeterModule), MeterRefill)
		entry = appendU(append(entry, byte(Func)), uint64(r.types.refill))
		return r.extended(id, entry, 1)
	case secFunction:
		if !r.emit.helpers {
			return r.extended(id, nil, 0)
		}
		var entries []byte
		for range helperCount {
			entries = appendU(entries, uint64(r.types.helper))
		}
		return r.extended(id, entries, helperCount)
	case secTable:
		return r.tables()
	case secGlobal:
		entry := []byte{typeI64, 1}
		entry = appendS(append(entry, byte(opI64Const)), int64(r.depth)) // no fuel: whatever runs first asks for it
		h := &r.emit.p.held
		return r.extended(id, h.entries(append(entry, byte(opEnd)), m), 1+len(h.order))
	case secExport:
		entry := append(appendName(nil, MeterCounter), byte(Global))
		return r.extended(id, appendU(entry, uint64(m.globals)), 1)
	}
	return r.extended(id, nil, 0)
}

func appendName(b []byte, name string) []byte {
	return append(appendU(b, uint64(len(name))), name...)
}

// extended copies a section with its function indices shifted, and adds entries to its vector.
func (r *rewriter) extended(id byte, entries []byte, count int) []byte {
	for _, s := range r.m.sections {
		if s.id != id {
			continue
		}
		if count == 0 {
			return r.patched(nil, s.at, s.end)
		}
		in := reader{b: r.m.bytes, at: s.at, end: s.end}
		n := in.u32()
		return append(r.patched(appendU(nil, uint64(n)+uint64(count)), in.at, s.end), entries...)
	}
	if count == 0 {
		return nil
	}
	return append(appendU(nil, uint64(count)), entries...)
}

// patched copies bytes of the file with the function indices in them shifted.
func (r *rewriter) patched(out []byte, from, to int) []byte {
	for _, ref := range r.m.refsWithin(from, to) {
		out = append(out, r.m.bytes[from:ref.at]...)
		out = appendU(out, uint64(r.m.shifted(ref.index)))
		from = ref.end
	}
	return append(out, r.m.bytes[from:to]...)
}

// refsWithin returns the references of one section; they stand in the order of the file.
func (m *module) refsWithin(from, to int) []reference {
	first := 0
	for first < len(m.refs) && m.refs[first].at < from {
		first++
	}
	last := first
	for last < len(m.refs) && m.refs[last].at < to {
		last++
	}
	return m.refs[first:last]
}

// tables gives every table a maximum.
func (r *rewriter) tables() []byte {
	var own []table
	for _, t := range r.m.tables {
		if !t.imported {
			own = append(own, t)
		}
	}
	if len(own) == 0 {
		return nil
	}
	out := appendU(nil, uint64(len(own)))
	for _, t := range own {
		out = appendU(appendU(append(out, t.typ, 1), t.limits.Min), t.limits.clamped())
	}
	return out
}

// typeTable finds or adds types.
type typeTable struct {
	m              *module
	extra          []byte
	count          int
	byName         map[string]int
	refill, helper int
}

func (t *typeTable) index(params, results []byte) int {
	name := string(params) + "\x00" + string(results)
	if i, ok := t.byName[name]; ok {
		return i
	}
	t.byName[name] = len(t.m.types) + t.count
	t.extra = append(t.extra, 0x60)
	t.extra = append(appendU(t.extra, uint64(len(params))), params...)
	t.extra = append(appendU(t.extra, uint64(len(results))), results...)
	t.count++
	return len(t.m.types) + t.count - 1
}

func newTypeTable(m *module) typeTable {
	t := typeTable{m: m, byName: map[string]int{}}
	for i := range m.types {
		name := string(m.types[i].params) + "\x00" + string(m.types[i].results)
		if _, ok := t.byName[name]; !ok {
			t.byName[name] = i
		}
	}
	return t
}

// block appends the type of a block without parameters.
func (t *typeTable) block(out []byte, results []byte) []byte {
	switch len(results) {
	case 0:
		return append(out, blockVoid)
	case 1:
		return append(out, results[0])
	}
	return appendS(out, int64(t.index(nil, results)))
}
