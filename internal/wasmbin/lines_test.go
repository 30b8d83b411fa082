package wasmbin_test

import (
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	goruntime "runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// custom is a custom section.
func custom(name, content string) string {
	body := string(binary.AppendUvarint(nil, uint64(len(name)))) + name + content
	return "\x00" + string(binary.AppendUvarint(nil, uint64(len(body)))) + body
}

func little(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

// lineUnit is a unit of .debug_info that points to a line table, in the abbreviations at at.
func lineUnit(abbrev, table int) string {
	body := "\x04\x00" + little(abbrev) + "\x04" + "\x01" + little(table)
	return little(len(body)) + body
}

const lineUnitAbbrev = "\x01\x11\x00\x10\x17\x00\x00\x00" // a unit with a line table, and nothing else

// oldTable is a line table of version 4 with one file of this name.
func oldTable(file, program string) string {
	header := "\x01\x01\x01\xfb\x0e\x0d" + "\x00\x01\x01\x01\x01\x00\x00\x00\x01\x00\x00\x01" + "\x00" + file + "\x00\x00\x00\x00" + "\x00"
	body := "\x04\x00" + little(len(header)) + header + program
	return little(len(body)) + body
}

// newTable is one of version 5, up to and without its count of folders.
func newTable(lists string) string {
	header := "\x01\x01\x01\xfb\x0e\x0d" + "\x00\x01\x01\x01\x01\x00\x00\x00\x01\x00\x00\x01" + lists
	body := "\x05\x00\x04\x00" + little(len(header)) + header
	return little(len(body)) + body
}

func address(at int) string { return "\x00\x05\x02" + little(at) }

const (
	lineRow = "\x01"
	lineEnd = "\x00\x01\x01"
)

// linesOf gives a small module this debugging information.
func linesOf(t testing.TB, info, abbrev, line string) *wasmbin.Lines {
	t.Helper()
	wasm := append(unhex(t, tiny), custom(".debug_info", info)+custom(".debug_abbrev", abbrev)+custom(".debug_line", line)...)
	if _, err := wasmbin.Rewrite(wasm); err != nil {
		t.Fatal(err)
	}
	return wasmbin.OriginalLines(wasm)
}

// allocated is how many bytes fn asks the allocator for.
func allocated(fn func()) uint64 {
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	fn()
	goruntime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestHostileLines: debugging information that makes the standard library ask for all
// memory, or read the same bytes again for each of many units, costs a moment.
func TestHostileLines(t *testing.T) {
	var abbrevs, many strings.Builder
	for n := range 20_000 { // each unit has abbreviations that begin one entry further
		many.WriteString(lineUnit(abbrevs.Len(), 0))
		abbrevs.WriteString(string(binary.AppendUvarint(nil, uint64(n+2))) + "\x11\x00\x00\x00")
	}
	rows := address(1) + strings.Repeat("\x01\x04\x01\x01\x04\x02", 300_000)
	tests := []struct{ name, info, abbrev, line string }{
		{"folders", lineUnit(0, 0), lineUnitAbbrev, newTable("\x01\x01\x08" + "\xff\xff\xff\xff\x1f")},
		{"files", lineUnit(0, 0), lineUnitAbbrev, newTable("\x01\x01\x08\x00" + "\x01\x01\x08" + "\xff\xff\xff\xff\x1f")},
		{"files of no bytes", lineUnit(0, 0), lineUnitAbbrev, newTable("\x00\x00" + "\x00" + "\xff\xff\xff\xff\x1f")},
		{"abbreviations", many.String(), abbrevs.String() + "\x01\x11\x00\x10\x17\x00\x00\x00", oldTable("a.c", address(1)+lineRow+lineEnd)},
		{"a long name in every row", lineUnit(0, 0), lineUnitAbbrev, oldTable(strings.Repeat("n", 1<<20), rows)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			size, took := uint64(0), time.Hour
			for try := 0; try < 5 && took > 2*time.Second && (try == 0 || !raceEnabled); try++ { // others may have the cores
				lines := linesOf(t, tt.info, tt.abbrev, tt.line)
				start, used := time.Now(), processorTime(t)
				size = allocated(func() { _ = lines.At(1) })
				took = min(took, time.Since(start), processorTime(t)-used)
			}
			if took > 2*time.Second && !raceEnabled {
				t.Errorf("that took %v", took)
			}
			if size > 200<<20 {
				t.Errorf("it took %d MiB", size>>20)
			}
		})
	}
}

// TestLinesOfCodeLeftOut: what the linker left out has an address that no code has, and no rows.
func TestLinesOfCodeLeftOut(t *testing.T) {
	dead := address(-1) + lineRow + "\x02\x04" + lineRow + lineEnd // goes on over 2^32
	live := address(1) + "\x03\x06" + lineRow + "\x02\x40" + lineEnd
	for _, line := range []string{oldTable("dead.c", dead) + oldTable("live.c", live), oldTable("live.c", live) + oldTable("dead.c", dead+address(0)+lineRow+lineEnd)} {
		if got := linesOf(t, lineUnit(0, 0), lineUnitAbbrev, line).At(5); got != "live.c:7" {
			t.Errorf("got %q", got)
		}
	}
}

// TestLinesOfVersion5 reads the lists of DWARF 5.
func TestLinesOfVersion5(t *testing.T) {
	lists := "\x01\x01\x08\x01/src\x00" + "\x02\x01\x08\x05\x1e\x02" + "/src/a.c\x00" + strings.Repeat("x", 16) + "b.c\x00" + strings.Repeat("y", 16)
	table := newTable(lists)
	program := address(1) + "\x03\x04" + lineRow + "\x02\x40" + lineEnd
	line := little(len(table)-4+len(program)) + table[4:] + program
	if got := linesOf(t, "", "", line).At(5); got != "b.c:5" {
		t.Errorf("got %q", got)
	}
}

// TestLinesAgainstTheLibrary: of an honest module the lines are those that the standard library reads.
func TestLinesAgainstTheLibrary(t *testing.T) {
	wasm := readModule(t, "../sandbox/testdata/planted.wasm")
	sections := map[string][]byte{}
	codeStart := 0
	for at := 8; at < len(wasm); {
		size, n := binary.Uvarint(wasm[at+1:])
		content := wasm[at+1+n : at+1+n+int(size)]
		switch {
		case wasm[at] == 10:
			codeStart = at + 1 + n
		case wasm[at] == 0:
			sections[string(content[1:1+content[0]])] = content[1+content[0]:]
		}
		at += 1 + n + int(size)
	}
	want := libraryLines(t, sections)
	if len(want) < 50 || codeStart == 0 {
		t.Fatalf("%d rows", len(want))
	}
	lines := wasmbin.OriginalLines(wasm)
	for at, line := range want {
		if got := lines.At(uint32(at)); got != line {
			t.Errorf("at %#x: got %q, want %q", at, got, line)
		}
	}
}

func libraryLines(t *testing.T, s map[string][]byte) (rows map[uint64]string) {
	data, err := dwarf.New(s[".debug_abbrev"], nil, nil, s[".debug_info"], s[".debug_line"], nil, s[".debug_ranges"], s[".debug_str"])
	if err != nil {
		t.Fatal(err)
	}
	rows = map[uint64]string{}
	for units := data.Reader(); ; units.SkipChildren() {
		unit, err := units.Next()
		if err != nil {
			t.Fatal(err)
		}
		if unit == nil {
			return rows
		}
		lines, err := data.LineReader(unit)
		if err != nil {
			t.Fatal(err)
		}
		for lines != nil {
			var row dwarf.LineEntry
			if err := lines.Next(&row); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if row.EndSequence || row.Address >= 1<<32-2 { // left out by the linker
				continue
			}
			if rows[row.Address] = ""; row.Line == 0 {
				continue
			}
			rows[row.Address] = fmt.Sprintf("%s:%d", path.Base(row.File.Name), row.Line)
		}
	}
}

// FuzzLineTables: whatever stands in the section, finding a line ends soon and without a panic.
func FuzzLineTables(f *testing.F) {
	program := address(1) + "\x03\x06" + lineRow + "\x02\x40" + "\x04\x01\x08\x09\x01\x00\xf0" + lineEnd
	f.Add(oldTable("a.c", program), uint32(5))
	five := newTable("\x01\x01\x08\x01/src\x00" + "\x02\x01\x1f\x05\x1e\x01" + "\x00\x00\x00\x00" + strings.Repeat("x", 16))
	f.Add(little(len(five)-4+len(program))+five[4:]+program, uint32(5))
	f.Fuzz(func(t *testing.T, line string, offset uint32) {
		lines := wasmbin.OriginalLines(append(unhex(t, tiny), custom(".debug_line_str", "a.c\x00b.c\x00")+custom(".debug_line", line)...))
		start := time.Now()
		name := lines.At(offset)
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("that took %v", took)
		}
		if strings.ContainsAny(name, "\n\x1b") {
			t.Fatalf("the name %q is not for people", name)
		}
	})
}
