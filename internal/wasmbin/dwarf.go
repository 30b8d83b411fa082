package wasmbin

import (
	"bytes"
	"cmp"
	"errors"
	"path"
	"slices"
	"strings"
)

// Bounds of what is read of a module's debugging information.
const (
	maxDebugBytes = 32 << 20
	maxRows       = 2_000_000
	maxFiles      = 100_000
	maxFileName   = 1 << 10
)

var errTooMuch = errors.New("too much debugging information")

// read collects the rows of every line table.
func (l *Lines) read() error {
	sections, err := l.open()
	if err != nil {
		return err
	}
	t := &lineTables{lineStrings: sections[".debug_line_str"], strings: sections[".debug_str"]}
	if err := t.read(sections[".debug_line"]); err != nil {
		return err
	}
	l.rows = t.rows
	return nil
}

// open finds the debugging sections.
func (l *Lines) open() (map[string][]byte, error) {
	found := map[string][]byte{}
	total := 0
	s := &scanner{reader: reader{b: l.wasm, at: 8, end: len(l.wasm)}}
	for s.at < s.end && s.err == nil {
		id, size := s.byte(), int(s.u32())
		end := s.at + size
		if s.err != nil || end > s.end {
			break
		}
		if id == secCustom {
			name := s.name()
			if strings.HasPrefix(name, ".debug_") && s.err == nil && s.at <= end {
				found[name] = l.wasm[s.at:end]
				total += end - s.at
			}
		}
		s.at = end
	}
	if total > maxDebugBytes {
		return nil, errTooMuch
	}
	return found, nil
}

// lineTables reads the section .debug_line of DWARF 2 to 5, table after table. The standard
// library can do that too, but it trusts the file: it makes lists as long as a header of a
// few bytes says, which ends the process, and it reads tables and abbreviations again for
// each unit that points into them. Here every byte is read once.
type lineTables struct {
	reader
	lineStrings, strings []byte

	rows  []lineRow
	files int // of all tables
	table lineTable
}

// lineTable is the header of one table.
type lineTable struct {
	version            int
	minInstruction     uint64
	lineBase           int
	lineRange          int
	opcodeLengths      []byte // by opcode from 1: how many numbers stand behind it
	files              []string
	firstFile          int // number of files[0]
	program, programTo int
}

func (t *lineTables) read(section []byte) error {
	for at := 0; at < len(section); {
		t.reader = reader{b: section, at: at, end: len(section), section: ".debug_line"}
		size := int(t.number(4))
		if t.err != nil || size > t.end-t.at {
			break // the rest is damaged; what was read is right
		}
		at = t.at + size
		t.end = at
		if t.header(); t.err == nil {
			t.run()
		}
		if t.files > maxFiles || len(t.rows) > maxRows {
			return errTooMuch
		}
	}
	slices.SortStableFunc(t.rows, func(a, b lineRow) int { // an end (line 0) makes room for what begins there
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(min(a.line, 1), min(b.line, 1)))
	})
	return nil
}

// number reads a little-endian number of size bytes.
func (t *lineTables) number(size int) uint64 {
	var v uint64
	for shift := range size {
		v |= uint64(t.byte()) << (8 * shift)
	}
	return v
}

// leb reads an unsigned LEB128 number; what is above 64 bits is lost.
func (t *lineTables) leb() uint64 {
	var v uint64
	for shift := 0; ; shift += 7 {
		c := t.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			return v
		}
	}
}

// text reads a string up to its zero, and keeps as much as a name may have.
func (t *lineTables) text() string {
	if t.err != nil {
		return ""
	}
	size := bytes.IndexByte(t.b[t.at:t.end], 0)
	if size < 0 {
		t.skip(t.end - t.at + 1) // it ends in the middle
		return ""
	}
	start := t.at
	t.at += size + 1
	return string(t.b[start : start+min(size, maxFileName)])
}

const damagedTable = "a damaged line table"

func (t *lineTables) header() {
	h := &t.table
	*h = lineTable{version: int(t.number(2)), programTo: t.end, firstFile: 1, files: h.files[:0]}
	if h.version >= 5 {
		h.firstFile = 0
		t.skip(2) // sizes of addresses and segments
	}
	length := t.number(4)
	if t.err == nil && (h.version < 2 || h.version > 5 || length > uint64(t.end-t.at)) {
		t.fail(t.at, damagedTable, rebuild)
		return
	}
	h.program = t.at + int(length)
	h.minInstruction = uint64(t.byte())
	if h.version >= 4 && t.byte() != 1 {
		t.fail(t.at, damagedTable, rebuild) // several operations an instruction: not for this machine
	}
	t.skip(1) // whether rows are statements at first
	h.lineBase, h.lineRange = int(int8(t.byte())), int(t.byte())
	opcodes := int(t.byte())
	if t.err != nil || h.lineRange == 0 || opcodes == 0 || opcodes-1 > t.end-t.at {
		t.fail(t.at, damagedTable, rebuild)
		return
	}
	h.opcodeLengths = t.b[t.at : t.at+opcodes-1]
	t.skip(opcodes - 1)
	if h.version >= 5 {
		t.entries(func(string) {})
		t.entries(t.file)
	} else {
		t.oldFiles()
	}
	t.at = h.program
}

func (t *lineTables) file(name string) {
	if t.files++; t.files > maxFiles {
		t.fail(t.at, "too many files", rebuild)
		return
	}
	t.table.files = append(t.table.files, printable(path.Base(name)))
}

// oldFiles reads the lists of folders and files up to version 4.
func (t *lineTables) oldFiles() {
	for t.err == nil && t.text() != "" {
	}
	for t.err == nil {
		name := t.text()
		if name == "" {
			return
		}
		t.leb() // folder, time, size
		t.leb()
		t.leb()
		t.file(name)
	}
}

// Forms of what a list of version 5 holds, and the kind that is a name.
const (
	formData2    = 0x05
	formData4    = 0x06
	formData8    = 0x07
	formString   = 0x08
	formBlock    = 0x09
	formData1    = 0x0b
	formStrp     = 0x0e
	formUdata    = 0x0f
	formData16   = 0x1e
	formLineStrp = 0x1f
	contentPath  = 1
)

// entries reads a list of version 5: what each entry has, how many there are, the entries.
func (t *lineTables) entries(fn func(name string)) {
	formats := make([][2]uint64, t.byte())
	for k := range formats {
		formats[k] = [2]uint64{t.leb(), t.leb()}
	}
	n := t.leb()
	if t.err == nil && (n > maxFiles || n > 0 && len(formats) == 0) {
		t.fail(t.at, "too many files", rebuild)
	}
	for ; n > 0 && t.err == nil; n-- {
		name := ""
		for _, f := range formats {
			if text := t.form(f[1]); f[0] == contentPath {
				name = text
			}
		}
		fn(name)
	}
}

// form reads one value, and returns it if it is a text.
func (t *lineTables) form(form uint64) string {
	switch form {
	case formString:
		return t.text()
	case formStrp:
		return stringAt(t.strings, t.number(4))
	case formLineStrp:
		return stringAt(t.lineStrings, t.number(4))
	case formUdata:
		t.leb()
	case formBlock:
		if n := t.leb(); n > uint64(t.end-t.at) {
			t.fail(t.at, damagedTable, rebuild)
		} else {
			t.skip(int(n))
		}
	case formData1:
		t.skip(1)
	case formData2:
		t.skip(2)
	case formData4:
		t.skip(4)
	case formData8:
		t.skip(8)
	case formData16:
		t.skip(16)
	default:
		t.fail(t.at, damagedTable, rebuild)
	}
	return ""
}

func stringAt(section []byte, at uint64) string {
	if at >= uint64(len(section)) {
		return ""
	}
	b := section[at:min(at+maxFileName, uint64(len(section)))]
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	return string(b)
}

// lineState is where the program of a table stands.
type lineState struct {
	address uint64
	line    int
	file    uint64
	dead    bool // the linker left the code out, and says so by an address that none has
}

// Opcodes of the program; the others of the standard ones change nothing that counts here.
const (
	lineExtended     = 0
	lineCopy         = 1
	lineAdvancePC    = 2
	lineAdvanceLine  = 3
	lineSetFile      = 4
	lineConstAddPC   = 8
	lineFixedAdvance = 9
	lineEndSequence  = 1 // extended
	lineSetAddress   = 2
)

// run carries out a table's program and keeps its rows.
func (t *lineTables) run() {
	h := &t.table
	base := len(h.opcodeLengths) + 1
	start := lineState{line: 1, file: 1, dead: true} // until it has an address
	s := start
	for t.at < t.end && t.err == nil && len(t.rows) <= maxRows {
		op := int(t.byte())
		if op >= base {
			op -= base
			s.address += h.minInstruction * uint64(op/h.lineRange)
			s.line += h.lineBase + op%h.lineRange
			t.row(&s)
			continue
		}
		switch op {
		case lineExtended:
			if t.extended(&s) {
				s = start
			}
		case lineCopy:
			t.row(&s)
		case lineAdvancePC:
			s.address += h.minInstruction * t.leb()
		case lineAdvanceLine:
			s.line += int(t.signed(10, 64))
		case lineSetFile:
			s.file = t.leb()
		case lineConstAddPC:
			s.address += h.minInstruction * uint64((255-base)/h.lineRange)
		case lineFixedAdvance:
			s.address += t.number(2)
		default:
			for range h.opcodeLengths[op-1] {
				t.leb()
			}
		}
	}
}

// extended carries out an opcode with a length; true ends the sequence.
func (t *lineTables) extended(s *lineState) bool {
	size := t.leb()
	if t.err == nil && (size == 0 || size > uint64(t.end-t.at)) {
		t.fail(t.at, damagedTable, rebuild)
	}
	if t.err != nil {
		return false
	}
	next := t.at + int(size)
	op := t.byte()
	switch op {
	case lineEndSequence:
		s.line = 0
		t.row(s)
	case lineSetAddress:
		s.address = t.number(min(int(size)-1, 8))
		s.dead = s.address == 0 || s.address >= 1<<32-2
	}
	t.at = next
	return op == lineEndSequence
}

func (t *lineTables) row(s *lineState) {
	if s.dead || s.address >= 1<<32 {
		return
	}
	r := lineRow{at: uint32(s.address)}
	if k := s.file - uint64(t.table.firstFile); k < uint64(len(t.table.files)) && s.line > 0 {
		r.file, r.line = t.table.files[k], s.line
	}
	t.rows = append(t.rows, r)
}
