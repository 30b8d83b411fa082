package wasmbin

import "fmt"

// scanner reads the sections of a file.
type scanner struct {
	reader
	m        *module
	memories int
	bodies   int // seen so far
	locals   int
	elements int // of all segments so far
}

// Scan reads the whole module and returns what it says of itself, or an [*Error]. Every
// body is stepped through; the types of operands are left to the engine.
func Scan(wasm []byte) (Info, error) {
	m, err := parse(wasm)
	if err != nil {
		return Info{}, err
	}
	if _, err := survey(m); err != nil {
		return Info{}, err
	}
	return m.info, nil
}

// next reads the header of one section and then the section; rank is that of the last.
func (s *scanner) next(rank int) int {
	start := s.at
	id := s.byte()
	size := int(s.u32())
	if s.err != nil {
		return rank
	}
	if int(id) >= len(sectionNames) {
		s.fail(start, fmt.Sprintf("unknown section %d", id), "build a plain core module")
		return rank
	}
	s.section = sectionNames[id]
	if size > s.end-s.at {
		s.fail(start, fmt.Sprintf("it claims %d bytes, %d are left", size, s.end-s.at), "the file is cut or damaged; build it again")
		return rank
	}
	if id != secCustom {
		if sectionOrder[id] <= rank {
			s.fail(start, "sections are doubled or out of order", "the file is damaged; build it again")
			return rank
		}
		rank = sectionOrder[id]
	}
	s.m.sections = append(s.m.sections, section{id, s.at, s.at + size})
	s.one(id, size)
	return rank
}

// one scans one section and checks that its content fills its size.
func (s *scanner) one(id byte, size int) {
	outer := s.end
	s.end = s.at + size
	switch id {
	case secCustom:
		s.custom()
	case secType:
		s.atMost(maxTypes, "types", s.typeEntry)
	case secImport:
		s.atMost(maxImports, "imports", s.importEntry)
		s.m.imported = len(s.m.funcs)
	case secFunction:
		s.atMost(maxFunctions, "functions", func() { s.function(s.u32()) })
	case secTable:
		s.vector(func() { s.table(false) })
	case secMemory:
		s.vector(s.memory)
	case secGlobal:
		s.atMost(maxGlobals, "globals", s.global)
	case secExport:
		s.atMost(maxExports, "exports", s.exportEntry)
	case secStart:
		s.called(false)
		s.m.info.Start = true
	case secElement:
		s.atMost(maxSegments, "element segments", s.element)
	case secCode:
		s.m.info.CodeBytes = size
		s.m.functions = make([]function, 0, min(len(s.m.funcs), size))
		s.vector(s.body)
	case secData:
		s.atMost(maxSegments, "data segments", s.data)
	case secDataCount:
		s.u32()
	}
	if s.err == nil && s.at != s.end {
		s.fail(s.at, fmt.Sprintf("%d bytes are left over", s.end-s.at), "the file is damaged; build it again")
	}
	s.end = outer
}

// atMost reads a vector whose elements cost the engine far more memory than the file has bytes.
func (s *scanner) atMost(limit int, what string, element func()) {
	at := s.at
	n := s.count()
	if n > limit && s.err == nil {
		s.fail(at, fmt.Sprintf("%d %s, at most %d are allowed", n, what, limit), "split the module")
	}
	for ; n > 0 && s.err == nil; n-- {
		element()
	}
}

func (s *scanner) typeEntry() {
	if s.byte() != 0x60 && s.err == nil {
		s.fail(s.at-1, "a type that is no function type", plainBuild)
	}
	t := signature{params: s.valueTypes(), results: s.valueTypes()}
	t.name = "(" + typeNames(t.params) + ") -> (" + typeNames(t.results) + ")"
	s.m.types = append(s.m.types, t)
}

// valueTypes returns the bytes of the file themselves.
func (s *scanner) valueTypes() []byte {
	n := s.count()
	if s.err != nil {
		return nil
	}
	if n > maxParams {
		s.fail(s.at, fmt.Sprintf("a type with %d values, at most %d are allowed", n, maxParams), "pass a pointer to a struct")
		return nil
	}
	if s.m.values += n; s.m.values > maxTypeValues {
		s.fail(s.at, fmt.Sprintf("types with more than %d values in all", maxTypeValues), "pass pointers to structs")
		return nil
	}
	types := s.b[s.at : s.at+n]
	for k, t := range types {
		if valueTypeNames[t] == "" {
			s.fail(s.at+k, fmt.Sprintf("unknown value type %#x", t), plainBuild)
			return nil
		}
	}
	s.at += n
	return types
}

func typeNames(types []byte) string {
	out := make([]byte, 0, 8*len(types))
	for i, t := range types {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, valueTypeNames[t]...)
	}
	return string(out)
}

func (s *scanner) function(typ uint32) {
	if int(typ) >= len(s.m.types) && s.err == nil {
		s.fail(s.at, fmt.Sprintf("type %d does not exist", typ), rebuild)
		return
	}
	s.m.funcs = append(s.m.funcs, typ)
}

func (s *scanner) importEntry() {
	imp := Import{Module: s.name(), Name: s.name()}
	switch imp.Kind = Kind(s.byte()); imp.Kind {
	case Func:
		typ := s.u32()
		s.function(typ)
		if s.err == nil {
			imp.Type = s.m.types[typ].name
		}
	case Table:
		s.table(true)
	case Memory:
		s.fail(s.at, "the memory is imported", "define the memory in the module and export it as memory")
	case Global:
		s.globalType()
	default:
		s.fail(s.at-1, "unknown kind of import", plainBuild)
	}
	s.m.info.Imports = append(s.m.info.Imports, imp)
}

func (s *scanner) limits() Limits {
	flag := s.byte()
	if flag > 1 && s.err == nil {
		s.fail(s.at-1, "shared or 64-bit memory", "build without threads and memory64")
	}
	l := Limits{Min: uint64(s.u32()), HasMax: flag == 1}
	if l.HasMax {
		if l.Max = uint64(s.u32()); l.Max < l.Min {
			s.fail(s.at, "a maximum below the minimum", rebuild)
		}
	}
	return l
}

func (s *scanner) table(imported bool) {
	t := table{typ: s.refType(), limits: s.limits(), imported: imported}
	s.m.tables = append(s.m.tables, t)
	s.m.info.Tables = append(s.m.info.Tables, t.limits)
	sum := uint64(0)
	for i := range s.m.tables {
		sum += s.m.tables[i].limits.Min
	}
	switch {
	case s.err != nil:
	case sum > maxTableEntries:
		s.fail(s.at, fmt.Sprintf("tables of %d entries, at most %d are allowed", sum, maxTableEntries), "declare smaller tables")
	case len(s.m.tables) > maxTables:
		s.fail(s.at, fmt.Sprintf("more than %d tables", maxTables), "use fewer tables")
	}
}

func (s *scanner) memory() {
	l := s.limits()
	if s.memories++; s.memories > 1 && s.err == nil {
		s.fail(s.at, "more than one memory", "build with a single memory")
	}
	if l.Min > maxMemoryPages && s.err == nil {
		s.fail(s.at, fmt.Sprintf("a memory of %d pages at the start, at most %d are allowed", l.Min, maxMemoryPages), "declare a smaller memory")
	}
	s.m.info.Memory = l
}

func (s *scanner) globalType() {
	if at := s.at; valueTypeNames[s.byte()] == "" && s.err == nil {
		s.fail(at, "a global of an unknown type", plainBuild)
	}
	if at := s.at; s.byte() > 1 && s.err == nil {
		s.fail(at, "a global that is neither constant nor variable", plainBuild)
	}
	s.m.globals++
}

func (s *scanner) global() {
	s.globalType()
	s.constant()
}

// constant reads a constant expression and notes the functions that it refers to.
func (s *scanner) constant() {
	for s.err == nil {
		at := s.at
		switch op := s.byte(); opcode(op) {
		case opEnd:
			return
		case opI32Const:
			s.signed(5, 32)
		case opI64Const:
			s.signed(10, 64)
		case opF32Const:
			s.skip(4)
		case opF64Const:
			s.skip(8)
		case opGlobalGet:
			s.globalIndex()
		case opRefNull:
			s.refType()
		case opRefFunc:
			s.reference()
		case prefixSIMD:
			if s.byte() != byte(opV128Const-baseSIMD) && s.err == nil {
				s.fail(at, "an expression that is no constant", plainBuild)
			}
			s.skip(16)
		default:
			s.fail(at, fmt.Sprintf("instruction %#x in a constant", op), plainBuild)
		}
	}
}

// globalIndex reads the index of a global that is there already: the next one will be the
// rewriter's.
func (s *scanner) globalIndex() {
	at := s.at
	if n := s.u32(); int(n) >= s.m.globals && s.err == nil {
		s.fail(at, fmt.Sprintf("global %d does not exist", n), rebuild)
	}
}

// reference reads the index of a function that somebody may then call through a table.
func (s *scanner) reference() {
	at := s.at
	index := s.u32()
	s.m.refs = append(s.m.refs, reference{index: index, at: at, end: s.at, held: true, declared: true})
}

// called reads the index of a function that only the host calls. An export also allows code
// to take a reference to it, the start section does not.
func (s *scanner) called(declared bool) {
	at := s.at
	index := s.u32()
	s.m.refs = append(s.m.refs, reference{index: index, at: at, end: s.at, declared: declared})
}

func (s *scanner) exportEntry() {
	e := Export{Name: s.name(), Kind: Kind(s.byte())}
	at := s.at
	switch e.Kind {
	case Func:
		s.called(true)
	case Global:
		s.globalIndex()
	default:
		s.u32()
	}
	if e.Kind > Global && s.err == nil {
		s.fail(at, "unknown kind of export", plainBuild)
	}
	if e.Kind == Func && s.err == nil {
		index := s.m.refs[len(s.m.refs)-1].index
		if int(index) >= len(s.m.funcs) {
			s.fail(at, fmt.Sprintf("export %q names function %d, which does not exist", e.Name, index), rebuild)
			return
		}
		e.Type = s.m.types[s.m.funcs[index]].name
	}
	s.m.info.Exports = append(s.m.info.Exports, e)
}

// element reads a segment of references, of which the format has eight forms.
func (s *scanner) element() {
	s.m.info.Segments++
	at := s.at
	form := s.u32()
	if form > 7 && s.err == nil {
		s.fail(at, fmt.Sprintf("unknown form %d of an element segment", form), plainBuild)
	}
	active, explicit, expressions := form&1 == 0, form&2 != 0, form&4 != 0
	if active {
		if explicit {
			s.u32()
		}
		s.constant()
	}
	switch {
	case form&3 == 0:
	case expressions:
		s.refType()
	default:
		if at := s.at; s.byte() != 0 && s.err == nil {
			s.fail(at, "unknown kind of element", plainBuild)
		}
	}
	entry := s.reference
	if expressions {
		entry = s.constant
	}
	s.vector(func() {
		if s.elements++; s.elements > maxElements && s.err == nil {
			s.fail(at, fmt.Sprintf("more than %d elements in all segments", maxElements), "use smaller tables")
			return
		}
		entry()
	})
}

// body looks at the locals of one function and steps over its instructions.
func (s *scanner) body() {
	size := int(s.u32())
	if s.err != nil {
		return
	}
	if s.bodies++; s.bodies > len(s.m.funcs)-s.m.imported {
		s.fail(s.at, "more bodies than functions", "the file is damaged; build it again")
		return
	}
	if size > s.end-s.at {
		s.fail(s.at, fmt.Sprintf("a function of %d bytes, %d are left", size, s.end-s.at), "the file is cut or damaged; build it again")
		return
	}
	stop := s.at + size
	s.m.functions = append(s.m.functions, function{s.m.funcs[s.m.imported+s.bodies-1], s.at, stop})
	s.m.info.Functions++
	s.m.info.Largest = max(s.m.info.Largest, size)
	var own uint64
	s.vector(func() {
		own += uint64(s.u32())
		s.byte()
	})
	s.locals += max(int(min(own, maxLocals+localsPerFunction))-localsPerFunction, 0)
	if (own > maxFunctionLocals || s.locals > maxLocals) && s.err == nil {
		s.fail(s.at, fmt.Sprintf("a function has %d local variables, at most %d are allowed (%d in all)", own, maxFunctionLocals, maxLocals), "split the function or build with optimisation")
	}
	if s.err == nil && s.at > stop {
		s.fail(s.at, "the locals of a function reach over its end", "the file is damaged; build it again")
	}
	s.at = stop
}

func (s *scanner) data() {
	s.m.info.Segments++
	at := s.at
	form := s.u32()
	switch {
	case form > 2 && s.err == nil:
		s.fail(at, fmt.Sprintf("unknown form %d of a data segment", form), plainBuild)
	case form == 2:
		if s.u32() != 0 && s.err == nil {
			s.fail(at, "data for another memory than the first", "build with a single memory")
		}
		s.constant()
	case form == 0:
		s.constant()
	}
	n := s.count()
	if form == 1 {
		if n > maxPassiveData && s.err == nil {
			s.fail(at, fmt.Sprintf("a passive data segment of %d bytes, at most %d are allowed", n, maxPassiveData), "build without --shared-memory and passive data")
		}
	}
	s.skip(n)
}
