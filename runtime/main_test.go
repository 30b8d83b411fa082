package runtime_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"testing"

	"github.com/avx-platform/avxrt/runtime"
)

const raceEnabled = runtime.RaceEnabled

// shared is a folder for what the tests of a run share. TestMain makes it, and removes it.
var shared string

func TestMain(m *testing.M) {
	var err error
	if shared, err = os.MkdirTemp("", "avxrt-runtime-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(shared)
	os.Exit(code)
}

// compiler is a program that compiles modules and has no race detector, which makes ten times
// as much of it: the tests of the sandbox, which are also its compiler.
var compiler = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared, "compiler")
	if out, err := exec.Command("go", "test", "-c", "-o", path, "../internal/sandbox").CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

// compileOnce lets a node of a test that is not about compiling find what the nodes before it
// have compiled, and compile the rest without the race detector. The folder of compiled modules
// is one engine's at a time, which opens it and removes what is half made: no test opens a node
// while another one compiles.
func compileOnce(t *testing.T, opts runtime.Options) runtime.Options {
	t.Helper()
	dir := opts.Dir
	if opts.Manifest != "" {
		dir = filepath.Dir(opts.Manifest)
	}
	data, cache := filepath.Join(dir, "data"), sharedCache()
	if err := errors.Join(os.MkdirAll(cache, 0o700), os.MkdirAll(data, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(cache, filepath.Join(data, "cache")); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	opts.CompileCommand = compileCommand(t)
	return opts
}

func sharedCache() string { return filepath.Join(shared, "cache") }

// compileCommand is none without the race detector, where this process compiles as fast, and where
// the compiler cannot be limited.
func compileCommand(t *testing.T) []string {
	t.Helper()
	if !raceEnabled || goruntime.GOOS != "linux" {
		return nil
	}
	path, err := compiler()
	if err != nil {
		t.Fatal(err)
	}
	return []string{path, "compile-module"}
}
