package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options tune a build.
type Options struct {
	// Release leaves out what names source lines when the module traps.
	Release bool

	// Output gets what the compiler says. Default: discard.
	Output io.Writer
}

// Result is what a build made.
type Result struct {
	File      string // the module
	Bytes     int
	Digest    string // sha256:<hex>, as nodes print it
	Took      time.Duration
	Changed   bool   // the file's bytes are others than before
	Toolchain string // as the compiler calls itself
}

// CompileError is a compiler that refused the sources. What it said has gone to
// [Options].Output.
type CompileError struct {
	Language Language
	Err      error // how it ended
}

// Error names language and end.
func (e *CompileError) Error() string {
	return fmt.Sprintf("the %s compiler refused the sources (%v); the module is as it was", e.Language, e.Err)
}

// Unwrap returns how it ended.
func (e *CompileError) Unwrap() error { return e.Err }

// Build compiles the project. The error is a [*MissingError] without a compiler, a
// [*CompileError] if it refuses the sources; the module's file has not changed then.
func (p Project) Build(ctx context.Context, opts Options) (Result, error) {
	if opts.Output == nil {
		opts.Output = io.Discard
	}
	start := time.Now()
	tools, err := Check(ctx, p.Language, p.Dir)
	if err != nil {
		return Result{}, err
	}
	made, err := os.MkdirTemp("", "avxrt-build-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(made)
	module := filepath.Join(made, "module.wasm")
	if err := p.compile(ctx, tools, module, opts); err != nil {
		return Result{}, err
	}
	wasm, err := os.ReadFile(module)
	if err != nil {
		return Result{}, fmt.Errorf("the %s compiler made no module: %w", p.Language, err)
	}
	changed, err := replace(p.File, wasm)
	sum := sha256.Sum256(wasm)
	return Result{
		File: p.File, Bytes: len(wasm), Digest: "sha256:" + hex.EncodeToString(sum[:]), Took: time.Since(start), Changed: changed, Toolchain: tools.Version,
	}, err
}

// compile makes the module's file by the recipe of the language.
func (p Project) compile(ctx context.Context, tools Toolchain, module string, opts Options) error {
	if p.Language == Rust && isCargo(p.Dir) {
		return p.cargo(ctx, tools, module, opts)
	}
	cmd, err := p.command(ctx, tools, module, opts.Release)
	if err != nil {
		return err
	}
	cmd.Dir, cmd.WaitDelay = p.Dir, 2*time.Second
	cmd.Stdout, cmd.Stderr = opts.Output, opts.Output
	return p.run(ctx, cmd)
}

// run calls a compiler, and says whether it failed or was interrupted.
func (p Project) run(ctx context.Context, cmd *exec.Cmd) error {
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &CompileError{p.Language, err}
}

// command calls the compiler of the language.
func (p Project) command(ctx context.Context, tools Toolchain, out string, release bool) (*exec.Cmd, error) {
	names, err := roots(p.Dir, p.Language)
	if err != nil {
		return nil, err
	}
	switch p.Language {
	case Go:
		return p.goCommand(ctx, tools, out)
	case Rust:
		return p.rustCommand(ctx, tools, names, out, release)
	case C:
		return p.cCommand(ctx, tools, names, out, release), nil
	}
	return p.ascCommand(ctx, tools, out, release), nil
}

// goCommand has no release: the lines of a panic are always there, and the names of
// functions would make a module half as large again.
func (p Project) goCommand(ctx context.Context, tools Toolchain, out string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, tools.Path, "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "PWD="+p.Dir)
	if _, err := os.Stat(filepath.Join(p.Dir, "go.mod")); err == nil {
		cmd.Env = append(cmd.Env, "GOWORK=off") // a workspace above does not know the project
	}
	return cmd, nil
}

func (p Project) rustCommand(ctx context.Context, tools Toolchain, names []string, out string, release bool) (*exec.Cmd, error) {
	if len(names) > 1 {
		return nil, fmt.Errorf("a Rust project has one root, this one has %s", strings.Join(names, " and "))
	}
	lines := []string{"-C", "debuginfo=1"}
	if release {
		lines = []string{"-C", "strip=symbols"}
	}
	args := append([]string{
		"--edition", "2021", "--target", rustTarget, "--crate-type", "cdylib", "--crate-name", "module",
		"-C", "opt-level=2", "-C", "panic=abort", "-C", "lto=yes", "--remap-path-prefix", p.Dir + "=.",
	}, lines...)
	return exec.CommandContext(ctx, tools.Path, append(args, "-o", out, names[0])...), nil
}

func (p Project) cCommand(ctx context.Context, tools Toolchain, names []string, out string, release bool) *exec.Cmd {
	args := []string{
		"--target=wasm32", "-O2", "-mbulk-memory", "-Wall", "-Wextra", "-nostdlib", "-I.", "-ffile-prefix-map=" + p.Dir + "=.",
		"-fuse-ld=" + tools.helper, "-Wl,--no-entry",
	}
	if release {
		args = append(args, "-Wl,--strip-all")
	} else {
		args = append(args, "-g")
	}
	if slices.ContainsFunc(names, func(name string) bool { return filepath.Ext(name) != ".c" }) {
		args = append(args, "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
	}
	return exec.CommandContext(ctx, tools.Path, append(append(args, "-o", out), names...)...)
}

func (p Project) ascCommand(ctx context.Context, tools Toolchain, out string, release bool) *exec.Cmd {
	args := []string{tools.helper, "assembly/index.ts", "--outFile", out}
	if _, err := os.Stat(filepath.Join(p.Dir, "asconfig.json")); err == nil {
		target := "debug"
		if release {
			target = "release"
		}
		args = append(args, "--target", target)
	}
	return exec.CommandContext(ctx, tools.Path, args...)
}

// replace puts the bytes into a file by rename, and says whether they are others.
func replace(path string, wasm []byte) (changed bool, err error) {
	before, err := os.ReadFile(path)
	if err == nil && bytes.Equal(before, wasm) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".build-*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name()) // it is gone after the rename
	_, err = f.Write(wasm)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return false, err
	}
	return true, os.Rename(f.Name(), path)
}
