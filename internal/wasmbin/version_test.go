package wasmbin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// outputs is what each version of the rewriter makes of the specification's tests. Never
// change a line: add one, with the next version.
var outputs = map[int]string{
	1: "05c0c52bdb6a7339da994f96745f0bd817017b91f43ca8f2ed582ec7bae41caa",
	2: "f57d58607192730ef649bd21287f661b2fa72c563f01eb4fa18c3ff758ace312",
	3: "f57d58607192730ef649bd21287f661b2fa72c563f01eb4fa18c3ff758ace312", // the tests take no vector in lanes of another width
}

// TestRewriterVersion: whoever changes what the rewriter puts out, or what code costs, must
// raise its version. Compiled modules are kept by it, and taken from where they are kept
// without being rewritten.
func TestRewriterVersion(t *testing.T) {
	sum := sha256.New()
	files := 0
	for _, version := range []string{"v1", "v2"} {
		list, err := filepath.Glob(filepath.Join(specDir(t), version, "testdata", "*.wasm"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range list {
			if r, err := wasmbin.Rewrite(readModule(t, path)); err == nil {
				files++
				_, _ = sum.Write(r.Wasm)
			}
		}
	}
	if files < 1000 {
		t.Fatalf("%d files only", files)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != outputs[wasmbin.RewriterVersion] {
		t.Errorf("the rewriter puts out something else; raise RewriterVersion, and add here %d: %q", wasmbin.RewriterVersion+1, got)
	}
}
