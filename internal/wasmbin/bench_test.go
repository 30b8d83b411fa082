package wasmbin_test

import (
	"testing"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// BenchmarkScan and BenchmarkRewrite take the largest module that is at hand, one in Go.
func BenchmarkScan(b *testing.B) {
	wasm := readModule(b, "../../plugins/email.wasm")
	b.SetBytes(int64(len(wasm)))
	for b.Loop() {
		if _, err := wasmbin.Scan(wasm); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	wasm := readModule(b, "../../plugins/email.wasm")
	b.SetBytes(int64(len(wasm)))
	for b.Loop() {
		r, err := wasmbin.Rewrite(wasm)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(r.Wasm))/float64(len(wasm)), "x-size")
	}
}
