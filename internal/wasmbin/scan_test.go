package wasmbin_test

import (
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// tiny is (module (import "avx1" "next" (func (param i32 i32) (result i32))) (memory (export "memory") 1)
// (func (export "avx_run") (result i32) (local i64) i32.const 0)).
const tiny = "0061736d01000000" +
	"010b0260027f7f017f6000017f" +
	"020d010461767831046e6578740000" +
	"03020101" + "0503010001" +
	"071402066d656d6f72790200076176785f72756e0001" +
	"0a08010601017e41000b"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestScan(t *testing.T) {
	info, err := wasmbin.Scan(unhex(t, tiny))
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Imports) != 1 || info.Imports[0] != (wasmbin.Import{Module: "avx1", Name: "next", Type: "(i32 i32) -> (i32)"}) {
		t.Errorf("imports %+v", info.Imports)
	}
	if len(info.Exports) != 2 || info.Exports[1] != (wasmbin.Export{Name: "avx_run", Type: "() -> (i32)"}) || info.Memory.Min != 1 {
		t.Errorf("exports %+v, memory %+v", info.Exports, info.Memory)
	}
}

// TestBombs are files that make engines allocate without bound or read over their end.
func TestBombs(t *testing.T) {
	const header = "0061736d01000000"
	tests := []struct{ name, hex, want string }{
		{"empty", "", "empty"},
		{"text", hex.EncodeToString([]byte("(module)")), "not a WebAssembly module"},
		{"gzip", "1f8b080000000000", "gzip"},
		{"elf", "7f454c4602010100", "native program"},
		{"component", "0061736d0d000100", "component"},
		{"version", "0061736d02000000", "unknown version"},
		{"code count", header + "0a05ffffffff0f", "claims 4294967295 elements"},
		{"import count", header + "0205ffffffff0f", "claims 4294967295 elements"},
		{"global count", header + "0605ffffffff0f", "claims 4294967295 elements"},
		{"data count", header + "0b05ffffffff0f", "claims 4294967295 elements"},
		{"element count", header + "0905ffffffff0f", "claims 4294967295 elements"},
		{"section size", header + "01ffffffff0f", "claims 4294967295 bytes"},
		{"long number", header + "01ffffffffff0f", "more than 32 bits"},
		{"section order", header + "0201000101" + "00", "out of order"},
		{"unknown section", header + "0e00", "unknown section 14"},
		{"locals", header + "01040160000003020100" + "0a0a010801ffffffff0f7f0b", "local variables"},
		{"no body", header + "01040160000003020100", "have no body"},
		{"two memories", header + "05050200010001", "more than one memory"},
		{"huge memory", header + "05050100808002", "pages"},
		{"huge table", header + "040701700080808040", "tables of"},
		{"shared memory", header + "050401030101", "shared"},
		{"memory import", header + "0208010161016d020001", "memory is imported"},
		{"left over", header + "0102006000"[:10], "left over"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := wasmbin.Scan(unhex(t, tt.hex))
			var e *wasmbin.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestTruncated cuts a good module at every byte: never a panic, and no cut is taken for whole
// except where it ends between two sections.
func TestTruncated(t *testing.T) {
	good := unhex(t, tiny)
	whole := 0
	for n := range len(good) {
		if _, err := wasmbin.Scan(good[:n]); err == nil {
			whole++
		}
	}
	if whole > 4 { // behind the header, types, imports
		t.Fatalf("%d cuts were accepted", whole)
	}
}

func readModule(t testing.TB, path string) []byte {
	t.Helper()
	wasm, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}
