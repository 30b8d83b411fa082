package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// goGuest builds a guest with the toolchain that runs the tests: what Go prints when it
// panics is the toolchain's, so this is where a new version would show.
func goGuest(t *testing.T, dir string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, dir)
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return readFile(t, out)
}

// TestGoPanics: how a guest in Go ends is told by what Go says, with the guest's line, and
// without a stack, of the guest's or of the host's.
func TestGoPanics(t *testing.T) {
	const source = "testdata/panics/main.go"
	m, err := newEngine(t).Load(context.Background(), "panics", goGuest(t, "./testdata/panics"))
	if err != nil {
		t.Fatal(err)
	}
	line := func(mark string) string {
		for n, text := range bytes.Split(readFile(t, source), []byte("\n")) {
			if bytes.Contains(text, []byte("PLANTED "+mark)) {
				return fmt.Sprintf(" at main.go:%d", n+1)
			}
		}
		return ""
	}
	for _, tt := range []struct {
		script, want string
		kind         sandbox.TrapKind
	}{
		{"index", "panic: runtime error: index out of range [5] with length 1", sandbox.TrapWasm},
		{"nil", "panic: runtime error: invalid memory address or nil pointer dereference", sandbox.TrapWasm},
		{"value", "panic: stock below zero", sandbox.TrapWasm},
		{"lines", "panic: first", sandbox.TrapWasm},
		{"map", "panic: assignment to entry in nil map", sandbox.TrapWasm},
		{"memory", "fatal error: out of memory", sandbox.TrapWasm},
		{"exit", "the guest ended itself with code 3", sandbox.TrapExit},
		{"depth", "calls are nested too deeply", sandbox.TrapDepth},
		{"deadlock", "fatal error: all goroutines are asleep - deadlock!", sandbox.TrapWasm},
	} {
		t.Run(tt.script, func(t *testing.T) {
			i := instantiate(t, m, sandbox.Config{Subscriber: "go", Limits: sandbox.Limits{Memory: 32 << 20}}, memState{})
			r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "say", tt.script), State: memState{}})
			if r.Trap == nil || r.Handled != 1 {
				t.Fatal(printResult(r))
			}
			t.Log(r.Trap.Message)
			if r.Trap.Kind != tt.kind || !strings.HasPrefix(r.Trap.Message, tt.want) || strings.Contains(r.Trap.Message, "not mine") || !strings.Contains(r.Trap.Message, line(tt.script)) {
				t.Errorf("got  %s: %s\nwant %s: %s%s", r.Trap.Kind, r.Trap.Message, tt.kind, tt.want, line(tt.script))
			}
			if strings.ContainsAny(r.Trap.Message, "\n\t\x1b") || strings.Contains(r.Trap.Message, "goroutine 1") || strings.Contains(r.Trap.Message, "wazero") {
				t.Errorf("it shows a stack: %q", r.Trap.Message)
			}
		})
	}
}
