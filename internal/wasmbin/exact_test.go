package wasmbin_test

import (
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// pays runs a module as it is metered and as it is metered instruction by instruction, and
// says how much fuel was left: nobody may run more than was taken.
func pays(t *testing.T, name string, wasm []byte) (ran bool) {
	r, err := wasmbin.Rewrite(wasm)
	if err != nil {
		return false
	}
	exact, err := wasmbin.Exact(wasm)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	metered, ok := execute(t, wazero.NewRuntimeConfigInterpreter(), r.Wasm, r)
	if !ok || metered.cut {
		return false
	}
	really, ok := execute(t, wazero.NewRuntimeConfigInterpreter(), exact, r)
	if !ok || !really.same(metered) {
		t.Fatalf("%s: %v %x, metered %v %x", name, really.traps, really.results, metered.traps, metered.results)
	}
	if really.fuel < metered.fuel {
		t.Errorf("%s: %d fuel was run and not paid for", name, metered.fuel-really.fuel)
	}
	return true
}

// TestNothingRunsUnpaid holds what the rewriter charges, merged and moved as it is, against a
// meter that counts every instruction.
func TestNothingRunsUnpaid(t *testing.T) {
	ran := 0
	for _, version := range []string{"v1", "v2"} {
		list, err := filepath.Glob(filepath.Join(specDir(t), version, "testdata", "*.wasm"))
		if err != nil {
			t.Fatal(err)
		}
		for k, path := range list {
			if wasm := readModule(t, path); k%3 == 0 && pays(t, filepath.Base(path), wasm) {
				ran++
			}
		}
	}
	for _, g := range hostile.Guests() {
		pays(t, g.Name, g.Wasm)
	}
	t.Logf("%d modules", ran)
	if ran < 200 {
		t.Errorf("%d modules only", ran)
	}
}
