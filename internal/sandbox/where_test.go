package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// plantedLine finds the line of planted.c that carries a mark.
func plantedLine(t *testing.T, mark string) int {
	for n, line := range bytes.Split(readFile(t, "testdata/planted.c"), []byte("\n")) {
		if bytes.Contains(line, []byte("PLANTED "+mark)) {
			return n + 1
		}
	}
	t.Fatalf("no mark %s", mark)
	return 0
}

// TestTrapNamesTheLine: a trap names the line of the source although the module was
// rewritten, on both engines.
func TestTrapNamesTheLine(t *testing.T) {
	for name, e := range engines(t) {
		m := load(t, e, "testdata/planted.wasm")
		for mark, reason := range map[string]string{"divide": "integer divide by zero", "trap": "unreachable"} {
			i := instantiate(t, m, testConfig, memState{})
			r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "some data", mark), State: memState{}})
			want := fmt.Sprintf("planted.c:%d", plantedLine(t, mark))
			if r.Handled != 1 || r.Trap == nil || r.Trap.Kind != sandbox.TrapWasm {
				t.Fatalf("%s: %s", name, printResult(r))
			}
			if !strings.HasPrefix(r.Trap.Message, reason) || !strings.Contains(r.Trap.Message, want) {
				t.Errorf("%s %s: got %q, want %s in %s", name, mark, r.Trap.Message, reason, want)
			}
		}
	}
}

// TestTrapNamesTheLineFromTheCache: a module that comes from the cache was not rewritten by
// this process, and its traps name the line all the same.
func TestTrapNamesTheLineFromTheCache(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		e, err := sandbox.NewEngine(context.Background(), sandbox.Options{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close(context.Background()) })
		m := load(t, e, "testdata/planted.wasm")
		for range 2 {
			i := instantiate(t, m, testConfig, memState{})
			r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "divide"), State: memState{}})
			if want := fmt.Sprintf("planted.c:%d", plantedLine(t, "divide")); r.Trap == nil || !strings.Contains(r.Trap.Message, want) {
				t.Errorf("%s, want %s", printResult(r), want)
			}
		}
	}
}

// TestAbort: what AssemblyScript says when it gives up is the trap's message.
func TestAbort(t *testing.T) {
	e := newEngine(t)
	for _, g := range hostile.Guests() {
		if g.Name != "abort" {
			continue
		}
		_, r := attack(t, e, g, sandbox.Limits{})
		if want := "abort: no at no:7"; r.Trap == nil || r.Trap.Message != want {
			t.Errorf("got %s, want %s", printResult(r), want)
		}
	}
}
