package sandbox_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// slowBomb takes a minute to compile.
func slowBomb(t *testing.T) []byte {
	for _, b := range hostile.Bombs() {
		if b.Name == "compile-fewer-locals" {
			return b.Wasm
		}
	}
	t.Fatal("there is no bomb for the compiler")
	return nil
}

// TestCompilerGivesUp: a module that compiles for ever has its verdict when its time is used
// up, not at the next whole second, where the system's limit would end it.
func TestCompilerGivesUp(t *testing.T) {
	e := outside(t, t.TempDir()) // the limit is 1 s and 3 s for each MiB, of which the bomb has 50 KB
	before := childrenTime(t)
	_, err := e.Load(context.Background(), "bomb", slowBomb(t))
	used := childrenTime(t) - before
	var le *sandbox.LoadError
	if !errors.As(err, &le) || !strings.Contains(le.Reason, "more than 1.1 s of processor time") {
		t.Fatalf("got %v", err)
	}
	t.Logf("it used %v of processor time", used)
	if used > 1500*time.Millisecond {
		t.Errorf("the compiler used %v of processor time", used)
	}
}

// TestBusyMachineIsNotTheModule: a compiler that got no processor says so, and does not send its author to split functions.
func TestBusyMachineIsNotTheModule(t *testing.T) {
	if got := sandbox.RefusalOfHungChild(200 * time.Millisecond).Error(); !strings.Contains(got, "less busy") || strings.Contains(got, "split") {
		t.Error(got)
	}
	if got := sandbox.RefusalOfHungChild(900 * time.Millisecond).Error(); !strings.Contains(got, "split") {
		t.Error(got)
	}
}

// childrenTime is the processor time of all children that have ended.
func childrenTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestCompilerIsCalledOff: the end of the context ends the child, and is no fault of the module.
func TestCompilerIsCalledOff(t *testing.T) {
	dir := t.TempDir()
	e := outside(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := e.Load(ctx, "bomb", slowBomb(t))
	var le *sandbox.LoadError
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &le) {
		t.Fatalf("got %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 { // the key
		t.Errorf("left over: %v, %v", left, err)
	}
}

// TestCompilerWithRelativePaths: the child runs in another folder than its parent.
func TestCompilerWithRelativePaths(t *testing.T) {
	path, err := compiler()
	if err != nil {
		t.Fatal(err)
	}
	wasm := readFile(t, probe)
	t.Chdir(t.TempDir())
	if err := os.Symlink(path, "compiler"); err != nil {
		t.Fatal(err)
	}
	e, err := sandbox.NewEngine(context.Background(), sandbox.Options{CacheDir: "cache", CompileCommand: []string{"./compiler", compileVerb}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	m, err := e.Load(context.Background(), "probe", wasm)
	if err != nil {
		t.Fatal(err)
	}
	if r := run(t, m, memState{}, "emit out.x y"); len(r.Emits) != 1 {
		t.Fatal(printResult(r))
	}
}

// TestCacheIsSwept: what was left over and what other versions made goes, the rest stays.
func TestCacheIsSwept(t *testing.T) {
	dir := t.TempDir()
	e := outside(t, dir)
	if _, err := e.Load(context.Background(), "probe", readFile(t, probe)); err != nil {
		t.Fatal(err)
	}
	keep, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new-123", strings.Repeat("0a", 16) + "-r1-v1.11.0-amd64-00000000"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "wazero"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mine := filepath.Join(dir, "mine-2026")
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	outside(t, dir)
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != len(keep)+1 {
		t.Errorf("it holds %v, want %v and %s", left, keep, mine)
	}
}
