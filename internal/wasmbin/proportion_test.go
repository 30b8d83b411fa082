package wasmbin_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

func leb(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }

// part is a section; its entries are counted.
func part(id byte, n int, entries string) string {
	content := leb(n) + entries
	return string([]byte{id}) + leb(len(content)) + content
}

// withBody is the body of a function without locals.
func withBody(code string) string { return leb(len(code)+2) + "\x00" + code + "\x0b" }

const magic = "\x00asm\x01\x00\x00\x00"

// names is a name section for n functions of which there are few.
func names(n int) string {
	var b strings.Builder
	for k := range n {
		b.WriteString(leb(k+1000) + "\x00")
	}
	list := leb(n) + b.String()
	return custom("name", "\x01"+leb(len(list))+list)
}

// distinctTypes are n types without parameters or with one, and many results: none equals another.
func distinctTypes(n int) string {
	var b strings.Builder
	for k := range n {
		b.WriteString("\x60\x00\x14")
		for bit := range 20 {
			b.WriteByte(0x7f - byte(k>>bit&1))
		}
	}
	return b.String()
}

// TestInProportion: no file makes the look at it, or the rewriting, take time or memory out
// of proportion to its size.
func TestInProportion(t *testing.T) {
	empty := part(1, 1, "\x60\x00\x00") + part(3, 1, "\x00") + part(10, 1, withBody(""))
	wide := strings.Repeat("\x7d", 1000)
	const recursive = 60_000
	var recursions strings.Builder
	for k := range recursive {
		recursions.WriteString(withBody("\x10" + leb(k) + "\x0f"))
	}
	tests := []struct {
		name, wasm, refusal string
		times               uint64 // bytes that may be asked for, in sizes of the file
	}{
		{"names of no functions", magic + empty + names(500_000), "", 4},
		{"custom sections", magic + empty + strings.Repeat("\x00\x01\x00", 500_000), "custom sections", 4},
		{"wide types", magic + part(1, 2000, strings.Repeat("\x60"+leb(1000)+strings.Repeat("\x6f", 1000)+leb(1000)+strings.Repeat("\x6f", 1000), 2000)), "values", 2},
		{"new types for many functions", magic + part(1, 4801, distinctTypes(4800)+"\x60\x00\x02\x7e\x7e") + part(3, recursive, strings.Repeat(leb(4800), recursive)) +
			part(10, recursive, recursions.String()), "", 60},
		{"a float below many wide calls", magic + part(1, 2, "\x60\x00\x00"+"\x60"+leb(1000)+wide+leb(1000)+wide) + part(3, 2, "\x00\x01") +
			part(10, 2, withBody(strings.Repeat("\x43\x00\x00\x00\x00", 1002)+"\x92"+strings.Repeat("\x43\x00\x00\x00\x00", 1000)+strings.Repeat("\x10\x01", 400_000)+"\x00")+withBody("\x00")), "", 100},
		{"elements", magic + part(1, 1, "\x60\x00\x00") + part(3, 1, "\x00") + part(9, 1, "\x01\x00"+leb(4_000_000)+strings.Repeat("\x00", 4_000_000)) +
			part(10, 1, withBody("")), "131072 elements", 8},
		{"code that grows", magic + part(1, 1, "\x60\x00\x00") + part(3, 1, "\x00") + part(5, 1, "\x00\x01") +
			part(10, 1, withBody(strings.Repeat("\x41\x00\x40\x00\x1a", 1_500_000))), "metered", 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			limit := 100*time.Millisecond + time.Duration(len(tt.wasm))*time.Microsecond/4
			size, took := uint64(0), time.Hour
			for try := 0; try < 5 && took > limit && (try == 0 || !raceEnabled); try++ { // others may use this machine
				start := time.Now()
				size = allocated(func() { _, err = wasmbin.Rewrite([]byte(tt.wasm)) })
				took = min(took, time.Since(start))
			}
			t.Logf("%d KiB: %v, %d KiB asked for, %v", len(tt.wasm)>>10, took, size>>10, err)
			switch {
			case tt.refusal == "" && err != nil, tt.refusal != "" && (err == nil || !strings.Contains(err.Error(), tt.refusal)):
				t.Errorf("got %v", err)
			}
			if took > limit && !raceEnabled {
				t.Errorf("it took %v, at most %v are in proportion", took, limit)
			}
			if limit := 1<<20 + tt.times*uint64(len(tt.wasm)); size > limit {
				t.Errorf("it asked for %d KiB, at most %d are in proportion", size>>10, limit>>10)
			}
		})
	}
}
