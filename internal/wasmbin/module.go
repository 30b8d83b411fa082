package wasmbin

import (
	"bytes"
	"fmt"
)

// Bounds on what a module may declare. Honest modules stay far below: the standard Go
// toolchain's largest function has a few hundred locals.
const (
	maxLocals         = 50_000 // of one module beyond a few for each function, see localsPerFunction
	maxFunctionLocals = 5_000
	localsPerFunction = 64 // what each function may have besides
	maxTables         = 16
	maxTableEntries   = 1 << 17 // at the start, all tables together: 1 MiB an instance
	maxMemoryPages    = 1 << 14 // 1 GiB
	maxNameBytes      = 1 << 16
	maxParams         = 1_000
	maxTypes          = 20_000
	maxTypeValues     = 100_000 // parameters and results of all types: their names are ten times as long
	maxCustom         = 1_000   // custom sections
	maxImports        = 1_000
	maxExports        = 10_000
	maxFunctions      = 100_000 // the largest Go programs have half of that
	maxGlobals        = 10_000
	maxSegments       = 100_000
	maxElements       = 1 << 17 // of all segments: each is an object for every instance
	maxPassiveData    = 8 << 20 // of one segment: memory.init copies it in one go
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

const (
	typeI32       = 0x7f
	typeI64       = 0x7e
	typeF32       = 0x7d
	typeF64       = 0x7c
	typeV128      = 0x7b
	typeFuncref   = 0x70
	typeExternref = 0x6f
)

var valueTypeNames = [256]string{typeI32: "i32", typeI64: "i64", typeF32: "f32", typeF64: "f64", typeV128: "v128",
	typeFuncref: "funcref", typeExternref: "externref"}

// module is a file taken apart: what is where, and what the rewriter needs of it.
type module struct {
	bytes     []byte
	info      Info
	sections  []section
	types     []signature
	values    int      // parameters and results of types
	funcs     []uint32 // type index of every function, imported ones first
	imported  int      // how many of funcs are imported
	functions []function
	globals   int // imported ones too
	tables    []table
	refs      []reference
	names     [2]int // where the name section is
	taken     []bool // by function: somebody holds a reference to it
	exported  []bool // by function: the host may call it
	declared  []bool // by function: code may take a reference to it
}

type section struct {
	id      byte
	at, end int // its content
}

type signature struct {
	params, results []byte
	name            string
}

// function is one that has a body.
type function struct {
	typ       uint32
	code, end int // from the locals to behind the last instruction
}

type table struct {
	typ      byte
	limits   Limits
	imported bool
}

// reference is a function index outside of the code: where it stands and what it is.
type reference struct {
	index    uint32
	at, end  int
	held     bool // by a table or a global, not only by the host
	declared bool // code may take a reference to it
}

// parse takes a file apart without looking into the bodies.
func parse(wasm []byte) (*module, error) {
	if err := checkHeader(wasm); err != nil {
		return nil, err
	}
	s := &scanner{reader: reader{b: wasm, at: 8, end: len(wasm), section: "module"}, m: &module{bytes: wasm}}
	rank := 0
	for s.at < len(wasm) && s.err == nil {
		rank = s.next(rank)
	}
	if s.err == nil && s.bodies != len(s.m.funcs)-s.m.imported {
		s.section = sectionNames[secCode]
		s.fail(s.at, fmt.Sprintf("%d functions have no body", len(s.m.funcs)-s.m.imported-s.bodies), "the file is cut; build it again")
	}
	if s.err == nil {
		s.resolve()
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.m, nil
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

// resolve marks who is referred to, once all functions are known.
func (s *scanner) resolve() {
	m := s.m
	m.taken = make([]bool, len(m.funcs))
	m.exported = make([]bool, len(m.funcs))
	m.declared = make([]bool, len(m.funcs))
	for _, r := range m.refs {
		if int(r.index) >= len(m.funcs) {
			s.section = "module"
			s.fail(r.at, fmt.Sprintf("function %d does not exist", r.index), rebuild)
			return
		}
		m.declared[r.index] = m.declared[r.index] || r.declared
		if r.held {
			m.taken[r.index] = true
		} else {
			m.exported[r.index] = true
		}
	}
}
