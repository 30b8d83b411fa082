package wasmbin

import (
	"fmt"
	"sort"
	"sync"
)

// lineMap says where bytes of the code went: pairs of new and old place, ascending in both,
// as offsets from the begin of the code section's content.
type lineMap struct {
	codeStart int // of the old file: where the code section's content begins
	pairs     []linePair
}

type linePair struct{ now, was uint32 }

// add notes that the byte at was (in the old file) is now at now, in the new code section.
func (l *lineMap) add(now, was int) {
	l.pairs = append(l.pairs, linePair{uint32(now), uint32(was - l.codeStart)})
}

// old translates an offset in the new code section to one in the old. An instruction that
// was put in belongs to the one before it.
func (l *lineMap) old(now uint32) uint32 {
	i := sort.Search(len(l.pairs), func(i int) bool { return l.pairs[i].now > now })
	if i == 0 {
		return 0
	}
	pair := l.pairs[i-1]
	was := pair.was + now - pair.now
	if i < len(l.pairs) && was >= l.pairs[i].was { // in what was put in behind the piece
		return max(l.pairs[i].was, 1) - 1
	}
	return was
}

// The engine prints the offset of each frame of a trap only where the module has debugging
// information that covers it. So the new module gets the least that counts: one unit over
// all code, with one row of lines. What strangers' tools wrote stays out of the engine.
const (
	lineAbbrev = "\x01\x11\x00\x11\x01\x12\x06\x10\x17\x00\x00\x00"
	lineInfo   = "\x14\x00\x00\x00" + "\x04\x00" + "\x00\x00\x00\x00" + "\x04" + "\x01" + "\x01\x00\x00\x00" + "\xfe\xff\xff\x7f" + "\x00\x00\x00\x00"
)

func (l *lineMap) appendSections(out []byte) []byte {
	for _, s := range [][2]string{{".debug_abbrev", lineAbbrev}, {".debug_info", lineInfo}, {".debug_line", debugLine()}} {
		content := append(appendName(nil, s[0]), s[1]...)
		out = append(appendU(append(out, secCustom), uint64(len(content))), content...)
	}
	return out
}

// debugLine writes a line table of version 4 with one file and one row, at address 1.
func debugLine() string {
	header := "\x01\x01\x01\xfb\x0e\x0d" + "\x00\x01\x01\x01\x01\x00\x00\x00\x01\x00\x00\x01" + // how rows are encoded
		"\x00" + "x\x00\x00\x00\x00" + "\x00" // no folders, one file
	program := "\x00\x05\x02\x01\x00\x00\x00" + "\x01" + // address 1, a row
		"\x00\x05\x02\xff\xff\xff\x7f" + "\x00\x01\x01" // the end
	body := "\x04\x00" + le32(len(header)) + header + program
	return le32(len(body)) + body
}

func le32(n int) string { return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}) }

// Lines finds source lines of a rewritten module. It reads what the module's tools wrote
// when it is first asked, in time and memory bounded by the file.
type Lines struct {
	moved *lineMap
	wasm  []byte

	once sync.Once
	rows []lineRow
}

type lineRow struct {
	at   uint32
	file string
	line int
}

// Lines returns the source lines of the module, nil if it carries none.
func (r *Rewritten) Lines(original []byte) *Lines {
	if r.lines == nil {
		return nil
	}
	return &Lines{moved: r.lines, wasm: original}
}

// At names the source line of an offset in the new code section, as file:line, "" if it is
// not known.
func (l *Lines) At(offset uint32) string {
	l.once.Do(func() {
		if l.read() != nil {
			l.rows = nil
		}
		l.wasm = nil
	})
	at := l.moved.old(offset)
	i := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].at > at })
	if i == 0 || l.rows[i-1].line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", l.rows[i-1].file, l.rows[i-1].line)
}
