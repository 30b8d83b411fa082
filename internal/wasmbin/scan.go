package wasmbin

import (
	"bytes"
	"fmt"
)

// Info is what a module says of itself.
type Info struct {
	Imports []Import
	Exports []Export
	Memory  Limits // in pages of 64 KiB
	Start   bool   // it has a start function, which would run unasked
}

// Import is something that the module wants.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         string // of a function: "(i32 i32) -> (i32)"
}

// Export is something that the module offers.
type Export struct {
	Name string
	Kind Kind
	Type string // of a function
}

// Kind is what an import or export is.
type Kind byte

// The kinds, with the numbers of the binary format.
const (
	Func Kind = iota
	Table
	Memory
	Global
)

// Limits are the declared bounds of a memory or table.
type Limits struct {
	Min, Max uint64
	HasMax   bool
}

// Error says why a file is refused.
type Error struct {
	Section string // which part of the file
	Offset  int    // in bytes from the start of the file
	Reason  string
	Remedy  string
}

// Error gives place, reason and remedy on one line.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s at byte %d: %s", e.Section, e.Offset, e.Reason)
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Bounds on what a module may declare. Honest modules stay far below: the standard Go
// toolchain's largest function has a few hundred locals.
const (
	maxLocals         = 50_000
	maxFunctionLocals = 5_000
	maxTableEntries   = 1 << 20
	maxMemoryPages    = 1 << 14 // 1 GiB
	maxNameBytes      = 1 << 16
)

// Section ids of the binary format, in the order in which they must come; data count
// stands before code.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
)

var sectionNames = [...]string{"custom section", "type section", "import section", "function section", "table section",
	"memory section", "global section", "export section", "start section", "element section", "code section", "data section", "data count section"}

// sectionOrder maps an id to its rank in the file.
var sectionOrder = [...]int{secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secGlobal: 6,
	secExport: 7, secStart: 8, secElement: 9, secDataCount: 10, secCode: 11, secData: 12}

// scanner holds what later sections need from earlier ones.
type scanner struct {
	reader
	info     Info
	types    []string // printed signatures
	funcs    []uint32 // type index of every function, imported ones first
	memories int
	bodies   int // functions that the function section announced
	locals   uint64
}

// Scan reads the whole module and returns what it says of itself, or an [*Error].
func Scan(wasm []byte) (Info, error) {
	if err := checkHeader(wasm); err != nil {
		return Info{}, err
	}
	s := &scanner{reader: reader{b: wasm, at: 8, end: len(wasm), section: "module"}}
	rank := 0
	for s.at < len(wasm) && s.err == nil {
		start := s.at
		id := s.byte()
		size := int(s.u32())
		if s.err != nil {
			break
		}
		if int(id) >= len(sectionNames) {
			s.fail(start, fmt.Sprintf("unknown section %d", id), "build a plain core module")
			break
		}
		s.section = sectionNames[id]
		if size > len(wasm)-s.at {
			s.fail(start, fmt.Sprintf("it claims %d bytes, %d are left", size, len(wasm)-s.at), "the file is cut or damaged; build it again")
			break
		}
		if id != secCustom {
			if sectionOrder[id] <= rank {
				s.fail(start, "sections are doubled or out of order", "the file is damaged; build it again")
				break
			}
			rank = sectionOrder[id]
		}
		s.one(id, size)
	}
	if s.err == nil && s.bodies != 0 {
		s.section = "code section"
		s.fail(s.at, fmt.Sprintf("%d functions have no body", s.bodies), "the file is cut; build it again")
	}
	if s.err != nil {
		return Info{}, s.err
	}
	return s.info, nil
}

func checkHeader(wasm []byte) error {
	refuse := func(reason, remedy string) error { return &Error{"header", 0, reason, remedy} }
	switch {
	case len(wasm) == 0:
		return refuse("the file is empty", "build it again")
	case bytes.HasPrefix(wasm, []byte{0x1f, 0x8b}):
		return refuse("this is gzip", "unpack it")
	case bytes.HasPrefix(wasm, []byte("\x7fELF")):
		return refuse("this is a native program", "build for WebAssembly: docs/abi.md says how")
	case len(wasm) < 8 || !bytes.HasPrefix(wasm, []byte("\x00asm")):
		return refuse("this is not a WebAssembly module", "put a .wasm file here; text (.wat) must be assembled first")
	case wasm[6] == 1:
		return refuse("this is a component", "build a core module, for example with --target wasm32-unknown-unknown")
	case !bytes.Equal(wasm[4:8], []byte{1, 0, 0, 0}):
		return refuse("unknown version of the binary format", "build a core module of version 1")
	}
	return nil
}

// one scans one section and checks that its content fills its size.
func (s *scanner) one(id byte, size int) {
	outer := s.end
	s.end = s.at + size
	switch id {
	case secType:
		s.vector(s.typeEntry)
	case secImport:
		s.vector(s.importEntry)
	case secFunction:
		s.vector(func() { s.funcs = append(s.funcs, s.u32()); s.bodies++ })
	case secTable:
		s.vector(s.table)
	case secMemory:
		s.vector(s.memory)
	case secExport:
		s.vector(s.exportEntry)
	case secStart:
		s.u32()
		s.info.Start = true
	case secCode:
		s.vector(s.body)
	case secGlobal, secElement, secData:
		s.count() // entries hold expressions, which the engine validates; their number is what is dangerous
		s.at = s.end
	default:
		s.at = s.end
	}
	if s.err == nil && s.at != s.end {
		s.fail(s.at, fmt.Sprintf("%d bytes are left over", s.end-s.at), "the file is damaged; build it again")
	}
	s.end = outer
}

func (s *scanner) typeEntry() {
	if s.byte() != 0x60 && s.err == nil {
		s.fail(s.at-1, "a type that is no function type", "build without experimental features")
	}
	params := s.valueTypes()
	s.types = append(s.types, "("+params+") -> ("+s.valueTypes()+")")
}

var valueTypeNames = map[byte]string{0x7f: "i32", 0x7e: "i64", 0x7d: "f32", 0x7c: "f64", 0x7b: "v128", 0x70: "funcref", 0x6f: "externref"}

func (s *scanner) valueTypes() string {
	out := ""
	s.vector(func() {
		b := s.byte()
		name, ok := valueTypeNames[b]
		if !ok && s.err == nil {
			s.fail(s.at-1, fmt.Sprintf("unknown value type %#x", b), "build without experimental features")
		}
		if out != "" {
			out += " "
		}
		out += name
	})
	return out
}

func (s *scanner) importEntry() {
	imp := Import{Module: s.name(), Name: s.name()}
	switch imp.Kind = Kind(s.byte()); imp.Kind {
	case Func:
		index := s.u32()
		s.funcs = append(s.funcs, index)
		imp.Type = s.typeName(index)
	case Table:
		s.table()
	case Memory:
		s.fail(s.at, "the memory is imported", "define the memory in the module and export it as memory")
	case Global:
		s.byte()
		s.byte()
	default:
		s.fail(s.at-1, "unknown kind of import", "build without experimental features")
	}
	s.info.Imports = append(s.info.Imports, imp)
}

func (s *scanner) typeName(index uint32) string {
	if int(index) >= len(s.types) {
		s.fail(s.at, fmt.Sprintf("type %d does not exist", index), "the file is damaged; build it again")
		return ""
	}
	return s.types[index]
}

func (s *scanner) limits() Limits {
	flag := s.byte()
	if flag > 1 && s.err == nil {
		s.fail(s.at-1, "shared or 64-bit memory", "build without threads and memory64")
	}
	l := Limits{Min: uint64(s.u32()), HasMax: flag == 1}
	if l.HasMax {
		l.Max = uint64(s.u32())
	}
	return l
}

func (s *scanner) table() {
	s.byte()
	if l := s.limits(); l.Min > maxTableEntries && s.err == nil {
		s.fail(s.at, fmt.Sprintf("a table of %d entries, at most %d are allowed", l.Min, maxTableEntries), "")
	}
}

func (s *scanner) memory() {
	l := s.limits()
	if s.memories++; s.memories > 1 && s.err == nil {
		s.fail(s.at, "more than one memory", "build with a single memory")
	}
	if l.Min > maxMemoryPages && s.err == nil {
		s.fail(s.at, fmt.Sprintf("a memory of %d pages at the start, at most %d are allowed", l.Min, maxMemoryPages), "")
	}
	s.info.Memory = l
}

func (s *scanner) exportEntry() {
	e := Export{Name: s.name(), Kind: Kind(s.byte())}
	index := s.u32()
	if e.Kind == Func && s.err == nil {
		if int(index) >= len(s.funcs) {
			s.fail(s.at, fmt.Sprintf("export %q names function %d, which does not exist", e.Name, index), "the file is damaged; build it again")
			return
		}
		e.Type = s.typeName(s.funcs[index])
	}
	s.info.Exports = append(s.info.Exports, e)
}

// body looks at the locals of one function and steps over its instructions.
func (s *scanner) body() {
	size := int(s.u32())
	if s.err != nil {
		return
	}
	if s.bodies--; s.bodies < 0 {
		s.fail(s.at, "more bodies than functions", "the file is damaged; build it again")
		return
	}
	if size > s.end-s.at {
		s.fail(s.at, fmt.Sprintf("a function of %d bytes, %d are left", size, s.end-s.at), "the file is cut or damaged; build it again")
		return
	}
	stop := s.at + size
	var own uint64
	s.vector(func() {
		own += uint64(s.u32())
		s.byte()
	})
	s.locals += own
	if (own > maxFunctionLocals || s.locals > maxLocals) && s.err == nil {
		s.fail(s.at, fmt.Sprintf("a function has %d local variables, at most %d are allowed (%d in all)", own, maxFunctionLocals, maxLocals), "split the function or build with optimisation")
	}
	if s.err == nil && s.at > stop {
		s.fail(s.at, "the locals of a function reach over its end", "the file is damaged; build it again")
	}
	s.at = stop
}
